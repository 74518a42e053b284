"""The answer of an inspection, a diagnosis or an audit: what was found, in a sentence or two."""

import pandas as pd

from initsk.diagnosis import SHORTEST_TRIAL, Audit, Diagnosis
from initsk.inspection import ActivationSummary
from initsk.language import current_language, plural, translate as _
from initsk.report._findings_text import in_groups, with_sentences

# Thresholds of what an answer mentions: shares of at least half the thresholds of findings, and ratios within a factor
# of two of them. Means are shifted by as much in healthy layers.
_WORTH_A_LOOK = {
    "symmetric": 0.25, "dead": 0.25, "saturated": 0.25, "collapsed": 0.005, "vanishing": 0.02, "exploding": 50.0,
}  # fmt: skip


def answer_of_inspection(result: ActivationSummary, findings: pd.DataFrame) -> str:
    """Return in a sentence or two what is wrong with the layers; `findings` have sentences (`with_sentences`).

    Values that are no findings, but more than half as far as one (`_WORTH_A_LOOK`), are named after that.
    """
    near = result.findings(**_WORTH_A_LOOK)
    near = in_groups(with_sentences(near[~near["kind"].isin(findings["kind"])]))
    noted = [_("Noted, without a finding: {evidence}", evidence=" ".join(near["evidence"]))] if len(near) else []
    if findings.empty:
        n_layers = result.to_frame()["layer"].nunique()
        if not n_layers:
            return _("No activations were recorded.")
        none = plural(
            "No problems were found in the inspected layer.",
            "No problems were found in the {n} inspected layers.",
            n_layers,
        )
        return " ".join([none, *noted])
    parts = [
        plural("{kind} ({n} layer)", "{kind} ({n} layers)", int(n), kind=_(str(kind)))
        for kind, n in findings.groupby("kind", sort=False)["layer"].nunique().items()
    ]
    first = findings["evidence"].iloc[0]
    return " ".join([_("Problems were found: {kinds}. {first}", kinds=", ".join(parts), first=first), *noted])


def answer_of_diagnosis(result: Diagnosis, findings: pd.DataFrame) -> str:
    """Return in a sentence or two whether the network will train; `findings` have sentences (`with_sentences`)."""
    if result.is_trained:
        return _answer_of_trained(result, findings)
    values, short = {"score": result.score, "lr": rate_in_words(result)}, _if_cut_short(result)
    if findings["decides"].any():
        verdict = plural(
            "The network will probably not train (score {score:.2f}) in {n} step at the learning rate {lr}.",
            "The network will probably not train (score {score:.2f}) in {n} steps at the learning rate {lr}.",
            result.budget, **values,
        )  # fmt: skip
        return " ".join([verdict, *short, *_reason_and_advice(findings)])
    verdict = plural(
        "The network will probably train (score {score:.2f}) in {n} step at the learning rate {lr}.",
        "The network will probably train (score {score:.2f}) in {n} steps at the learning rate {lr}.",
        result.budget, **values,
    )  # fmt: skip
    return " ".join([verdict, *short, _noted(findings)])


def _if_cut_short(result: Diagnosis) -> list[str]:
    """Return the sentence on a trial of very few steps, or for which there was too little time, or nothing."""
    if result.trial_status == "finished" and 0 < len(result.trial) < SHORTEST_TRIAL and not result.outcome.reached:
        return [
            plural(
                "The trial had only {n} step, and with fewer than {least} steps the score says little.",
                "The trial had only {n} steps, and with fewer than {least} steps the score says little.",
                len(result.trial), least=SHORTEST_TRIAL,
            )
        ]  # fmt: skip
    if result.trial_status != "time":
        return []
    return [
        plural(
            "The time was up after {n} step of the trial: with a larger limit, the score may be another.",
            "The time was up after {n} steps of the trial: with a larger limit, the score may be another.",
            len(result.trial),
        )
    ]


def sentence_of_trained(result: Diagnosis) -> str:
    """Return the sentence on a network whose loss is low enough before the first step."""
    if result.inputs_reach_target:
        return _(
            "The loss is below the target before the first step: the network is already trained, or it passes on its"
            " inputs, which are close to the targets. A lower target asks for more."
        )
    return _("The network is already trained: its loss is below the target before the first step.")


def _answer_of_trained(result: Diagnosis, findings: pd.DataFrame) -> str:
    """Return the answer for such a network: no rate is needed, but a training may raise its loss."""
    if not findings["decides"].any():
        return f"{sentence_of_trained(result)} {_noted(findings)}"
    verdict = _(
        "If it is trained further, its loss will probably not stay below the target (score {score:.2f}).",
        score=result.score,
    )
    return " ".join([sentence_of_trained(result), verdict, *_reason_and_advice(findings)])


def _reason_and_advice(findings: pd.DataFrame) -> list[str]:
    first = findings.iloc[0]
    return [first["evidence"], _("Next step: {advice}.", advice=first["advice"])]


def _noted(findings: pd.DataFrame) -> str:
    if findings.empty:
        return _("No problems were found.")
    noted = _("Noted, without a decision: {kinds}.", kinds=_kinds_of(findings))
    # However well this loss falls, it says nothing about the targets.
    of_loss = findings[findings["kind"] == "broadcast loss"]
    return " ".join([noted, *_reason_and_advice(of_loss)]) if len(of_loss) else noted


def rate_in_words(result: Diagnosis) -> str:
    """Return the learning rate and, if groups of parameters have different ones, the smallest and the largest."""
    short, rates = current_language().short, result.group_rates
    lr, low, high = short(result.lr), short(min(rates)), short(max(rates))
    return lr if low == high else _("{lr} ({low} to {high} over the groups of parameters)", lr=lr, low=low, high=high)


def answer_of_audit(result: Audit, findings: pd.DataFrame) -> str:
    """Return in a few sentences what the audit found; `findings` have sentences (`with_sentences`)."""
    faults = findings[findings["decides"]]
    if len(faults):
        first = faults["evidence"].iloc[0]
        answer = _("The network has faults: {kinds}. {first}", kinds=_kinds_of(faults), first=first)
    elif len(findings):
        answer = _("No faults were found. Noted: {kinds}.", kinds=_kinds_of(findings))
    else:
        answer = _("No faults were found.")
    checks = list(dict.fromkeys(_(unchecked.check) for unchecked in result.unchecked))
    if not checks:
        return answer
    return " ".join([answer, _("Not checked: {checks}.", checks=checks)])


def _kinds_of(findings: pd.DataFrame) -> list[str]:
    return [_(str(kind)) for kind in findings["kind"].unique()]
