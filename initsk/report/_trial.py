"""The parts of a diagnosis' report about the trial, the learning rates and the score."""

from math import isnan

from initsk.diagnosis import Diagnosis
from initsk.displays import LearningRateDisplay, TrialDisplay
from initsk.language import current_language, message, plural, translate as _
from initsk.report._answers import rate_in_words, sentence_of_trained
from initsk.report._elements import Paragraph, Picture, Section
from initsk.report._tables import Column, Table, columns_of, records

_STATUS = {
    "finished": message("finished"),
    "diverged": message("diverged"),
    "time": message("the time was up"),
}
# `translate(feature)` uses the marks of the features of a score.
_FEATURES = (
    message("loss"), message("extrapolated loss"), message("loss at a constant pace"), message("lowest loss"),
    message("loss at the start"), message("loss of all samples"), message("scatter of the loss"),
    message("update ratio"), message("movement"),
    message("gradient size"), message("growth of the gradient size"), message("coherence"),
    message("coherence at the start"), message("budget"), message("target"), message("rate of an adaptive optimizer"),
    message("rate times gradient"),
)  # fmt: skip


def trial_sections(diagnosis: Diagnosis, *, rates: bool = True) -> list[Section]:
    """Return the sections of the trial and, with `rates`, of the learning rates; none if there was no trial.

    There are no learning rates for a network that is already trained.
    """
    if diagnosis.trial.empty:
        return []
    return [_trial(diagnosis), *([_rates(diagnosis)] if rates and not diagnosis.is_trained else [])]


def _trial(diagnosis: Diagnosis) -> Section:
    display = TrialDisplay.from_diagnosis(diagnosis)
    description = _("Loss, norm of the gradient and size of the updates in each step of the trial.")
    text = plural(
        "The trial took {n} step on a copy of the network, by {optimizer} at the learning rate {lr}: {status}.",
        "The trial took {n} steps on a copy of the network, by {optimizer} at the learning rate {lr}: {status}.",
        len(diagnosis.trial), optimizer=diagnosis.optimizer, lr=rate_in_words(diagnosis),
        status=_(_STATUS[diagnosis.trial_status]),
    )  # fmt: skip
    return Section("trial", _("Trial"), [Paragraph(text), Picture("trial", description, display.plot)])


def _rates(diagnosis: Diagnosis) -> Section:
    columns = [
        Column("lr", _("Learning rate"), "short"),
        Column("score", _("Score"), digits=2),
        Column("relative_loss", _("Relative loss"), "short"),
        Column("steps", _("Steps of the trial"), "integer"),
        Column("status", _("Trial"), "text"),
    ]
    rows = [row | {"status": _(_STATUS[row["status"]])} for row in records(diagnosis.learning_rates())]
    title = _("A trial at each learning rate: loss after the same number of steps, relative to the baseline loss")
    table = Table("learning_rates", title, columns, rows, heading_key="lr")
    description = _(
        "Loss after the same number of steps and score at each learning rate; the rates that work are shaded."
    )
    picture = Picture("learning_rates", description, LearningRateDisplay.from_diagnosis(diagnosis).plot)
    return Section("learning_rates", _("Learning rates"), [Paragraph(answer_of_rates(diagnosis)), picture, table])


def answer_of_rates(diagnosis: Diagnosis) -> str:
    """Return in a sentence or two at which learning rates the network would train, or that it is already trained."""
    if diagnosis.is_trained:
        return sentence_of_trained(diagnosis)
    answer = _answer_of_range(diagnosis)
    if not diagnosis.is_time_up:
        return answer
    return " ".join([answer, _("The time was up before all rates were tried.")])


def _answer_of_range(diagnosis: Diagnosis) -> str:
    found, short = diagnosis.rate_range, current_language().short
    if isnan(found.low):
        return _("The network would probably train at none of the learning rates that were tried.")
    ends = {"low": short(found.low), "high": short(found.high)}
    if found.verdict == "works" and found.low == found.high:
        return _("Of the learning rates that were tried, the network would probably train at {low} only.", **ends)
    if found.verdict == "works":
        return _("The network would probably train at learning rates from {low} to {high}.", **ends)
    return _(
        "At the learning rate {lr} the network will probably not train, but it would at rates from {low} to {high}.",
        lr=rate_in_words(diagnosis), **ends,
    )  # fmt: skip


def score_section(diagnosis: Diagnosis) -> Section:
    """Return the section of what the score is made of."""
    columns = [
        Column("feature", _("Feature"), "text"),
        *columns_of("short", value=_("Value"), contribution=_("Contribution")),
    ]
    rows = [row | {"feature": _(row["feature"])} for row in records(diagnosis.contributions())]
    meaning = plural(
        "The score is the probability that the loss is below {target} times the baseline loss after {n} step.",
        "The score is the probability that the loss is below {target} times the baseline loss after {n} steps.",
        diagnosis.budget, target=current_language().short(diagnosis.target),
    )  # fmt: skip
    units = _(
        "A contribution is added to the log-odds of success; below zero it speaks against success. Losses are natural"
        " logarithms relative to the baseline loss or the target, and sizes are decimal logarithms."
    )
    table = Table("contributions", _("What the score is made of, the largest contribution first"), columns, rows)
    return Section("score", _("Score"), [table, Paragraph(f"{meaning} {units}", "note")])
