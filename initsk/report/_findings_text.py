"""Findings in sentences: evidence and advice."""

import pandas as pd

from initsk.diagnosis import Audit, DepthBudget, Diagnosis
from initsk.inspection import ActivationSummary, group_findings
from initsk.language import current_language, message, plural, plural_message, translate as _, use_language
from initsk.report._tables import records
from initsk.theory import activation_label

# By kind and by what the value was computed from. A pair has the singular and the plural of a count that can be one.
_EVIDENCE: dict[tuple[str, str], str | tuple[str, str]] = {
    ("non-finite", "activations"):
        plural_message("{n} value of {layer} is {what}.", "{n} values of {layer} are {what}."),
    ("non-finite", "gradients"):
        plural_message("{n} gradient of {layer} is {what}.", "{n} gradients of {layer} are {what}."),
    ("non-finite", "loss"): message("The loss at the start is {what}."),
    ("non-finite", "samples"):
        plural_message("{n} sample has {what} values in {layer}.",
                       "{n} samples have {what} values in {layer}."),
    ("cut off", "trial"):
        plural_message("{n} value of {layer} gets no gradient, although the loss depends on it.",
                       "{n} values of {layer} get no gradient, although the loss depends on them."),
    ("unused", "trial"):
        plural_message("{n} value of {layer} gets no gradient, because the loss does not depend on it.",
                       "{n} values of {layer} get no gradient, because the loss does not depend on them."),
    ("left out", "trial"):
        plural_message("{n} value of {layer} stays as it is, because the optimizer does not have it.",
                       "{n} values of {layer} stay as they are, because the optimizer does not have them."),
    ("symmetric", "activations"):
        message("{share:.0%} of the units of {layer} are copies of other units, and training does not change that."),
    ("broadcast loss", "loss"):
        message("The loss compares each output with all targets of the batch instead of its own one, because the shapes"
                " of outputs and targets differ: the network learns the mean of the targets."),
    ("large weights", "weights"): message("The weights of {layer} are {number} times as large as recommended."),
    ("small gradient", "gradients"):
        message("The gradient that distinguishes samples has a size of {number}: too small to learn from."),
    ("large gradient", "gradients"):
        message("The gradient that distinguishes samples has a size of {number}: the steps are too large."),
    ("incoherent", "gradients"):
        message("The agreement of the gradients of two halves of the samples is {number}: a step on one half does not"
                " help the other."),
    ("disproportionate", "gradients"):
        message("The gradients of {layer} are {number} times those of the last hidden layer."),
    ("overconfident", "loss"): message("The loss at the start is {number} times the baseline loss."),
    ("diverging", "trial"): message("In the trial the loss grew by a factor of {number}."),
    ("not learning", "trial"):
        message("After the trial, the loss is {number} times the baseline loss, the loss of a constant prediction."),
    ("small steps", "trial"):
        message("An update changes a weight by {number} of its size only: at this rate the weights stay as they are."),
    ("large steps", "trial"):
        message("An update changes a weight by {number} of its size: at this rate the weights lose what they have"
                " learned."),
    ("unscaled targets", "targets"):
        message("The targets differ by a factor of {number} from a scale of one and a mean near zero."),
    ("unscaled targets", "head"):
        message("The targets of {layer} differ by a factor of {number} from a scale of one and a mean near zero."),
    ("died", "trial"): message("During the trial, units of {layer} died: {share:.0%} are zero for every sample."),
    ("unlikely", "score"):
        message("The trial goes as those of networks that did not reach the target within the budget."),
    ("dead", "activations"): message("{share:.0%} of the units of {layer} are zero for every sample."),
    ("saturated", "activations"):
        message("{share:.0%} of the activations of {layer} are close to a bound of the activation function."),
    ("collapsed", "activations"): message("The samples differ {number} times as much in {layer} as in {relative_to}."),
    ("vanishing", "activations"): message("The activations of {layer} are {number} times those of {relative_to}."),
    ("vanishing", "gradients"): message("The gradients of {layer} are {number} times those of {relative_to}."),
    ("exploding", "activations"): message("The activations of {layer} are {number} times those of {relative_to}."),
    ("exploding", "gradients"): message("The gradients of {layer} are {number} times those of {relative_to}."),
    ("shifted mean", "activations"):
        message("The mean of the pre-activations of {layer} is {number} standard deviations away from zero."),
    ("too deep", "depth"):
        message("The number of layers with {activation}, {depth}, is {number} times the number that theory allows: six"
                " depth scales of {scale:.3g}."),
    ("non-finite", "outputs"):
        plural_message("{n} value of the outputs is {what}.", "{n} values of the outputs are {what}."),
    ("cloned", "weights"): message("{number} layers begin as exact copies of one another: {layer}."),
    ("cloned", "parts"):
        message("The {number} matrices or units of {layer} are exact copies of one another, and stay equal if they get"
                " equal gradients."),
    ("uninitialized", "memory"):
        message("{share:.0%} of the nonzero values of {layer} are NaN, infinite, huge or subnormal, as in memory that"
                " was never filled."),
    ("uninitialized", "weights"):
        message("All weights of {layer} are equal, and no signal passes around them."),
    ("packed", "weights"):
        message("{layer} stacks several matrices, and was drawn with the fans of one large matrix: the standard"
                " deviation differs by a factor of {number} from that of each part."),
    ("untruncated", "weights"):
        message("Some weights of {layer} lie on the bounds of a truncation, {number} standard deviations away from"
                " zero."),
    ("untruncated", "initializer"):
        message("{relative_to} truncates at {number} standard deviations, which cuts nothing."),
    ("initial scale", "outputs"):
        message("The outputs are very large: a random label has {number} times the loss of a uniform guess."),
    ("constant output", "outputs"): message("The outputs are the same for all samples."),
    ("unscaled input", "inputs"):
        message("The values of {layer} differ by a factor of {number} from a common scale of one and a mean near"
                " zero."),
    ("probabilities as logits", "outputs"):
        message("The outputs are probabilities, and the loss takes logits: it applies a softmax or a sigmoid a second"
                " time."),
    ("one-sided logits", "outputs"):
        message("An activation function is applied to the outputs, so that none of them is negative, and the loss"
                " takes logits of both signs."),
    ("batch leak", "outputs"):
        message("The outputs of a sample change by {number} times the difference between samples if the other samples"
                " of the batch change."),
    ("padding leak", "outputs"):
        message("The outputs change by {number} times the difference between samples if the padding changes."),
}  # fmt: skip
# By `Finding.what`.
_NON_FINITE = {
    "NaN": message("NaN"),
    "infinity": message("infinite"),
    "NaN and infinity": message("NaN or infinite"),
    "": message("NaN or infinite"),
}
# `translate(finding.kind)` uses the marks of the kinds.
_ADVICE = {
    message("non-finite"): message("look for NaN in X, then lower the learning rate or the variance of the weights"),
    message("cut off"):
        message("look for detach, no_grad, .data or a function without a gradient between the layer and the loss, or"
                " freeze the layer if this is meant"),
    message("left out"):
        message("give the parameters of the layer to the optimizer, or set their requires_grad to False"),
    message("unused"): message("nothing to do if this is meant, as for an auxiliary output; otherwise call the layer"),
    message("symmetric"): message("draw the weights at random: units with equal weights cannot learn different things"),
    message("broadcast loss"):
        message("give output and y the same shape: y[:, None] for an output of one column, or output.squeeze(-1) in the"
                " loss"),
    message("large weights"):
        message("draw the weights with a recommended initializer: initializer=\"auto\", or initialize(network)"),
    message("small gradient"):
        message("raise the variance of the weights, add normalization, or use a recommended initializer"),
    message("large gradient"): message("lower the variance of the weights, scale X, or use a recommended initializer"),
    message("incoherent"):
        message("lower the variance of the weights, add residual branches or normalization, or check that y depends"
                " on X"),
    message("disproportionate"):
        message("use a critical or orthogonal initializer, residual branches or normalization"),
    message("overconfident"):
        message("lower the variance of the weights of the output layer (lecun_normal, or zeros in this layer only)"),
    message("diverging"): message("lower the learning rate, or the variance of the weights"),
    message("not learning"):
        message("try other learning rates (lr, on the command line --lr), a recommended initializer, or normalization;"
                " check that y depends on X"),
    message("small steps"): message("raise the learning rate"),
    message("large steps"): message("lower the learning rate, or begin with a warmup"),
    message("unscaled targets"):
        message("standardize y: subtract the mean and divide by the standard deviation, as TransformedTargetRegressor"
                " and standardize_target=True of MLPRegressor do"),
    message("died"): message("lower the learning rate, or use a leaky activation function"),
    message("unlikely"):
        message("try other learning rates (lr, on the command line --lr), a larger budget, or a recommended initializer"
                " if its score is higher"),
    message("dead"):
        message("use he_normal with biases of zero, a lower learning rate, or a leaky activation function"),
    message("saturated"): message("lower the variance of the weights (glorot_uniform or lecun_normal) or scale X"),
    message("collapsed"):
        message("use fewer layers, residual branches or normalization, or a critical initializer (edge_of_chaos)"),
    message("vanishing"):
        message("raise the variance of the weights: he_normal for ReLU, orthogonal for deep networks"),
    message("exploding"):
        message("lower the variance of the weights: he_normal for ReLU, glorot_normal or orthogonal otherwise"),
    message("shifted mean"): message("center X, set the biases to zero, and draw weights with mean zero"),
    message("too deep"):
        message("use a critical initializer (edge_of_chaos), fewer layers, residual branches or normalization"),
    message("cloned"):
        message("draw each layer on its own, for example by initialize(network): a layer that is copied begins equal"),
    message("uninitialized"): message("let an initializer fill the weights, for example by initialize(network)"),
    message("packed"): message("draw each stacked matrix with its own fans, as initialize does"),
    message("untruncated"):
        message("give trunc_normal_ the bounds a=-2*std and b=2*std, or use truncated_normal, whose bounds are"
                " relative"),
    message("initial scale"):
        message("lower the variance of the weights of the output layer, or of the table that it is tied to"),
    message("constant output"):
        message("look for layers whose weights are zero or whose units are all dead; zeros in the output layer alone"
                " are no fault"),
    message("unscaled input"):
        message("standardize X: divide pixels by 255 (input_scale=1/255), and scale the columns of a table"
                " (StandardScaler)"),
    message("probabilities as logits"):
        message("leave out the last activation function, or use a loss of probabilities: NLLLoss after log_softmax, or"
                " BCELoss"),
    message("one-sided logits"): message("leave out the activation function after the output layer"),
    message("batch leak"):
        message("look for axes that are mixed up, such as batch_first, and for means over the batch"),
    message("padding leak"):
        message("give the mask of padding to attention, pooling and recurrent layers"),
}  # fmt: skip
# A loss that would be shown as 1 times the baseline loss.
_BETTER = 1.05
_BARELY = message("After the trial, the loss is no better than the baseline loss, the loss of a constant prediction.")
# Smaller differences between samples are rounding errors of single precision.
_ROUNDING = 1e-7
# Kinds whose values are often hundreds.
_LARGE = ("cloned", "untruncated", "initial scale", "unscaled input")
# Advice of a kind that depends on what the value was computed from.
_ADVICE_OF = {
    ("non-finite", "loss"):
        message("give the loss the values that it expects: log-probabilities for NLLLoss, logits for CrossEntropyLoss"),
    ("non-finite", "samples"):
        message("replace these values or leave the samples out: no network learns from them"),
}  # fmt: skip


def describe_findings(
    result: ActivationSummary | Diagnosis | Audit, *, grouped: bool = False, language: str = "en"
) -> pd.DataFrame:
    """Return the findings of an inspection, a diagnosis or an audit with a sentence and advice for each.

    Parameters
    ----------
    result : ActivationSummary, Diagnosis or Audit
    grouped : bool, default=False
        Whether to return one row for each kind of finding, that of the worst layer, with ``n_layers``, ``first`` and
        ``last``; by default a row for each layer.
    language : str, default="en"
        Language of the sentences: "en", "id", or another file in ``initsk/locale``.

    Returns
    -------
    DataFrame
        What ``result.findings()`` returns, with ``evidence`` (a sentence) and ``advice`` (what to do).

    Raises
    ------
    InvalidParameterError
        If there is no such language.

    Examples
    --------
    >>> import torch
    >>> from initsk import initialize, inspect_activations
    >>> from initsk.network import MLP
    >>> net = MLP(8, 2, (16,))
    >>> _ = initialize(net, "zeros")
    >>> describe_findings(inspect_activations(net, torch.eye(8).repeat(5, 1)))["evidence"].iloc[0]
    '100% of the units of hidden_1 are copies of other units, and training does not change that.'
    """
    depth = result.depth if isinstance(result, Diagnosis) else None
    with use_language(language):
        found = with_sentences(result.findings(), depth)
        return in_groups(found) if grouped else found


def with_sentences(findings: pd.DataFrame, depth: DepthBudget | None = None) -> pd.DataFrame:
    """Return the findings with the columns ``evidence`` and ``advice``; "too deep" needs the depth."""
    evidence, advice = [], []
    for finding in records(findings):
        kind, value = finding["kind"], finding["value"]
        values = {
            "layer": layer_name(finding["layer"]),
            "relative_to": layer_name(finding["relative_to"]),
            "number": _number(kind, value),
            "share": value,
            "what": _(_NON_FINITE[finding["what"]]),
        }
        if kind == "too deep" and depth is not None:
            values |= {"depth": depth.depth, "scale": depth.xi_c, "activation": activation_label(depth.activation)}
        is_baseline = kind == "not learning" and value < _BETTER
        text = _BARELY if is_baseline else _EVIDENCE[kind, finding["of"]]
        evidence.append(_(text, **values) if isinstance(text, str) else plural(*text, int(value), **values))
        advice.append(_(_ADVICE_OF.get((kind, finding["of"]), _ADVICE[kind])))
    return findings.assign(evidence=evidence, advice=advice).astype({"evidence": "str", "advice": "str"})


def in_groups(findings: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each kind of finding; the evidence is that of the worst layer, with the number of layers.

    Parameters
    ----------
    findings : DataFrame
        With sentences (`with_sentences`).
    """
    grouped = group_findings(findings)
    evidence = [
        row["evidence"]
        if row["n_layers"] == 1
        else _(
            "{evidence} {n} layers have this finding, from {first} to {last}.",
            evidence=row["evidence"], n=row["n_layers"], first=layer_name(row["first"]), last=layer_name(row["last"]),
        )
        for row in records(grouped)
    ]  # fmt: skip
    return grouped.assign(evidence=evidence).astype({"evidence": "str", "advice": "str"})


def _number(kind: str, value: float) -> str:
    language = current_language()
    if kind in _LARGE or value >= 100:
        return language.short(value, 3)
    # Rounding can make the distance between equal samples negative.
    if kind == "collapsed" and value < _ROUNDING:
        return _("less than {number}", number=language.short(_ROUNDING, 2))
    return language.number(value, 1) if kind == "shifted mean" else language.short(value, 2)


def layer_name(layer: object) -> str:
    """Return the name of a layer in a sentence: a bare number becomes "layer 3"."""
    name = str(layer)
    if any(letter.isalpha() for letter in name):
        return name
    several = "-" in name or "," in name
    return _("layers {name}", name=name) if several else _("layer {name}", name=name)
