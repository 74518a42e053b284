"""Findings in sentences: evidence, advice, and the answer of an inspection or a diagnosis."""

import pandas as pd

from initsk.diagnosis import DepthBudget, Diagnosis
from initsk.inspection import ActivationSummary
from initsk.language import current_language, message, plural, translate as _, use_language
from initsk.report._tables import records
from initsk.theory import activation_label

# By kind and by what the value was computed from.
_EVIDENCE = {
    ("non-finite", "activations"): message("{number} values of {layer} are NaN or infinite."),
    ("non-finite", "gradients"): message("{number} gradients of {layer} are NaN or infinite."),
    ("non-finite", "loss"): message("The loss at the start is NaN or infinite."),
    ("symmetric", "activations"):
        message("{share:.0%} of the units of {layer} are copies of other units, and training does not change that."),
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
        message("The depth of {depth} is {number} times the depth that theory allows for {activation}: six depth scales"
                " of {scale:.3g}."),
}  # fmt: skip
# `translate(finding.kind)` uses the marks of the kinds.
_ADVICE = {
    message("non-finite"): message("look for NaN in X, then lower the learning rate or the variance of the weights"),
    message("symmetric"): message("draw the weights at random: units with equal weights cannot learn different things"),
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
}  # fmt: skip
_LOSS_ADVICE = message(
    "give the loss the values that it expects: log-probabilities for NLLLoss, logits for CrossEntropyLoss"
)


def describe_findings(result: ActivationSummary | Diagnosis, *, language: str = "en") -> pd.DataFrame:
    """Return the findings of an inspection or a diagnosis with a sentence and advice for each.

    Parameters
    ----------
    result : ActivationSummary or Diagnosis
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
        return with_sentences(result.findings(), depth)


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
        }
        if kind == "too deep" and depth is not None:
            values |= {"depth": depth.depth, "scale": depth.xi_c, "activation": activation_label(depth.activation)}
        evidence.append(_(_EVIDENCE[kind, finding["of"]], **values))
        advice.append(_(_LOSS_ADVICE if (kind, finding["of"]) == ("non-finite", "loss") else _ADVICE[kind]))
    return findings.assign(evidence=evidence, advice=advice).astype({"evidence": "str", "advice": "str"})


def _number(kind: str, value: float) -> str:
    language = current_language()
    if kind == "non-finite":
        return language.integer(value)
    # Rounding can make the distance between equal samples negative.
    return language.number(value, 1) if kind == "shifted mean" else language.short(max(value, 0.0), 2)


def layer_name(layer: object) -> str:
    """Return the name of a layer in a sentence: a bare number becomes "layer 3"."""
    name = str(layer)
    return name if any(letter.isalpha() for letter in name) else _("layer {name}", name=name)


def answer_of_inspection(result: ActivationSummary, findings: pd.DataFrame) -> str:
    """Return in a sentence or two what is wrong with the layers; `findings` have sentences (`with_sentences`)."""
    if findings.empty:
        n_layers = result.to_frame()["layer"].nunique()
        return plural(
            "No problems were found in the only layer.", "No problems were found in the {n} layers.", n_layers
        )
    parts = [
        plural("{kind} ({n} layer)", "{kind} ({n} layers)", int(n), kind=_(str(kind)))
        for kind, n in findings.groupby("kind", sort=False)["layer"].nunique().items()
    ]
    first = findings["evidence"].iloc[0]
    return _("Problems were found: {kinds}. {first}", kinds=", ".join(parts), first=first)


def answer_of_diagnosis(result: Diagnosis, findings: pd.DataFrame) -> str:
    """Return in a sentence or two whether the network will train; `findings` have sentences (`with_sentences`)."""
    score = result.score
    if findings.empty:
        return _("The network will probably train (score {score:.2f}). No problems were found.", score=score)
    if findings["decides"].any():
        first = findings["evidence"].iloc[0]
        return _("The network will probably not train (score {score:.2f}). {first}", score=score, first=first)
    kinds = [_(str(kind)) for kind in findings["kind"].unique()]
    return _(
        "The network will probably train (score {score:.2f}). Problems were found: {kinds}.", score=score, kinds=kinds
    )
