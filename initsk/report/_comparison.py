"""The report of a comparison: the answer, the ranking and the learning curves."""

from math import isfinite

import numpy as np
import pandas as pd

from initsk.comparison import ComparisonResult
from initsk.comparison.results import check_complete, grid_columns, grid_names, has_several_splits
from initsk.displays import AXES, DifferencesDisplay, LearningCurvesDisplay, color_of
from initsk.exceptions import InvalidParameterError
from initsk.language import current_language, message, translate as _
from initsk.report._activations import activations_section, signal_section, weights_section
from initsk.report._compared import compared_in
from initsk.report._comparison_notes import (
    answer_of_comparison,
    describe_baseline,
    describe_missing_scores,
    describe_no_baseline,
    describe_search_means,
    scores_table,
    with_baseline,
)
from initsk.report._comparison_text import (
    describe_epochs_to_target,
    describe_order,
    describe_splits,
)
from initsk.report._elements import Element, Paragraph, Picture, Report, Section
from initsk.report._imbalance import describe_imbalance
from initsk.report._initializers import initializers_section
from initsk.report._missing_runs import describe_missing_runs
from initsk.report._run import run_section
from initsk.report._tables import Column, Table, columns_of, records, spread
from initsk.text import brief
from initsk.utils.validation import check_parameters, one_of

_MAX_EPOCHS = 12
_MAX_REASON = 500
# A longer text in a column of settings gets several lines.
_MAX_WORDS = 40
#: The conclusions of `ComparisonResult.summary` as messages.
CONCLUSIONS = {
    "best": message("best"),
    "significantly worse": message("significantly worse"),
    "significantly better": message("significantly better"),
    "identical": message("identical"),
    "equivalent": message("equivalent"),
    "undecided": message("undecided"),
    "not tested": message("not tested"),
}


def summarize_comparison(result: ComparisonResult, *, axes: str = "shared", brief: bool = False) -> Report:
    """Return the report; with a grid, its pictures show each initializer at its own best setting."""
    check_parameters("report", {"axes": axes}, {"axes": one_of("axes", AXES)})
    if "experiment" in result.runs:
        raise InvalidParameterError("the result has several experiments; make a report of each result in parts()")
    check_complete(result.frames)
    summary = result.summary()
    sections: list[Section | None] = [_answer_section(result, summary), _ranking_section(result, summary)]
    if not brief:
        shown = result.tuned()
        sections += [_curves_section(shown), activations_section(shown, axes), signal_section(shown)]
        sections += [weights_section(shown), initializers_section(shown, summary), run_section(result)]
    unnamed = _("a data set")
    parameter, data = compared_in(result.settings).parameter, result.settings.get("dataset", unnamed)
    title = _("Initializers compared: {data}", data=data)
    if parameter:
        title = _("Values of {parameter} compared: {data}", parameter=parameter, data=data)
    return Report("comparison", title, [section for section in sections if section is not None])


def _answer_section(result: ComparisonResult, summary: pd.DataFrame) -> Section:
    answer = Paragraph(answer_of_comparison(result, summary), "answer")
    missing = [describe_missing_runs(result.runs, result.settings), describe_missing_scores(result.runs)]
    missing += [describe_baseline(result), describe_imbalance(result)]
    return Section("answer", _("Answer"), [answer, *(Paragraph(text, "warning") for text in missing if text)])


def _ranking_section(result: ComparisonResult, summary: pd.DataFrame) -> Section:
    grid = grid_columns(result.runs)
    target = result.target()
    parameter = compared_in(result.settings).parameter
    title = _("Values of {parameter}, best first", parameter=parameter) if parameter else _("Initializers, best first")
    ranking = _ranking_table("ranking", title, summary, result)
    elements: list[Element] = [with_baseline(ranking, result)]
    notes = [
        describe_search_means(result, summary), describe_no_baseline(result), _how_scored(result),
        describe_splits(result.runs, result.settings),
    ]  # fmt: skip
    texts = [Paragraph(describe_order(summary)), *(Paragraph(note, "note") for note in notes)]
    texts.append(Paragraph(describe_epochs_to_target(summary, target)))
    elements += [text for text in texts if text.text]
    elements += scores_table(result, ranking)
    if len(result.initializers) > 1 and (summary["n_runs"] > 0).any():
        note = _(
            "Dots are paired differences, thick marks are their means, and lines are 95 % confidence intervals,"
            " adjusted as the p-values: a line that does not reach zero is a significant difference. Arrows mark values"
            " outside the axis."
        )
        elements += [_differences(result), Paragraph(note, "note")]
    if grid:
        by_setting = result.summary(by="setting")
        elements.append(_ranking_table("settings", _("Every setting, best first"), by_setting, result))
    problems = result.runs[result.runs["status"] != "ok"]
    if len(problems):
        elements.append(_problems(problems, grid, compared_in(result.settings).column))
    return Section("ranking", _("Ranking"), elements)


def _differences(result: ComparisonResult) -> Picture:
    display = DifferencesDisplay.from_frames(result.runs, bounds=result.bounds())
    number = current_language().number
    means = ", ".join(f"{label} {number(mean)}" for label, mean in display.intervals["mean"].items())
    text = message(
        "Paired differences between the scores of each {one} and of the best one, in one row for each {one}. Means:"
        " {means}."
    )
    return Picture("differences", _(text, means=means, **compared_in(result.settings).words()), display.plot)


def _ranking_table(key: str, title: str, summary: pd.DataFrame, result: ComparisonResult) -> Table:
    """Return a summary as a table."""
    columns = [
        Column("rank", _("Rank"), "integer"),
        Column("initializer", compared_in(result.settings).column, "text"),
        *_grid_columns(result.runs, grid_columns(result.runs)),
        *columns_of("number", mean_score=_("Mean score"), low=_("95 % confidence interval from"), high=_("to")),
        Column("conclusion", _("Conclusion"), "text"),
        Column("difference_to_best", _("Difference to best")),
        Column("difference_low", _("Adjusted 95 % interval from")),
        Column("difference_high", _("to")),
        Column("p_value", _("Adjusted p-value"), "p"),
        Column("p_equivalence", _("Adjusted p-value of equivalence"), "p"),
        Column("effect_size", _("Effect size"), digits=2),
        Column("n_needed", _("Runs needed if the difference is true"), "integer", infinite=_("no number suffices")),
        Column("epochs_to_target", _("Epochs to target"), "short", infinite=_("never")),
        Column("area_under_curve", _("Area under curve")),
        *columns_of("integer", n_runs=_("Runs"), no_score=_("Runs without score")),
    ]
    rows = [
        row
        | {"conclusion": _(CONCLUSIONS[row["conclusion"]]), "no_score": row["n_failed"] + row["n_diverged"]}
        | ({"difference_to_best": np.nan} if row["rank"] == 1 else {})
        for row in records(summary)
    ]
    colors = [color_of(row["initializer"], result.initializers) for row in rows]
    return Table(key, title, columns, rows, colors)


def _grid_columns(frame: pd.DataFrame, names: list[str]) -> list[Column]:
    """Return the columns of a grid, without the names of a pipeline's steps."""
    return [Column(name, short, _kind(frame[name])) for name, short in grid_names(names).items()]


def _kind(column: pd.Series) -> str:
    """Return how the values of a grid are written; long texts get several lines."""
    if column.dtype.kind in "iuf":
        return "short"
    return "sentence" if column.astype(str).str.len().max() > _MAX_WORDS else "text"


def _how_scored(result: ComparisonResult) -> str:
    """Return how scores, intervals, tests and targets are computed."""
    words = compared_in(result.settings).words()
    sentences = [_("Scores are computed on the held-out samples after training.")]
    if result.settings.get("source") == "from_frame":
        sentences = [_("The scores are those of the frame; which samples gave them is not known here.")]
    if grid_columns(result.runs):
        text = message(
            "In every repeat and fold, each {one} is shown at the setting that was best in the other repeats"
            " and folds. The table names the setting that was chosen most often."
        )
        sentences.append(_(text, **words))
    tests = message(
        "The confidence intervals (Student's t) and the p-values (paired t-tests) are computed over the repeats."
    )
    if has_several_splits(result.runs):
        tests = message(
            "The confidence intervals (Student's t) and the p-values (paired t-tests) are computed over the splits"
            " and corrected for the training samples that splits share (Nadeau and Bengio 2003)."
        )
    sentences += [_(tests), _how_bounded(result), _how_concluded(result)]
    differences = message(
        "Differences are computed over the repeats and folds that both {several} have. The effect size is"
        " Cohen's d of the paired differences. Runs needed is the number of paired runs that would detect the observed"
        " difference with 80 % power, if it is the true one; after a few runs, it is a rough guess. Area under curve is"
        " the mean held-out score over the epochs."
    )
    sentences += [_(differences, **words), _how_targeted(result)]
    return " ".join(sentence for sentence in sentences if sentence)


def _how_bounded(result: ComparisonResult) -> str:
    low, high = result.bounds()
    if not (isfinite(low) or isfinite(high)):
        return ""
    if isfinite(low) and isfinite(high):
        text = message(
            "The score lies between {low:g} and {high:g}, so the interval of a mean is computed on the logit scale and"
            " stays inside."
        )
        return _(text, low=low, high=high)
    text = message(
        "The score has a bound of {bound:g}, so the interval of a mean is computed on the logarithmic scale of the"
        " distance to this bound."
    )
    return _(text, bound=low if isfinite(low) else high)


def _how_concluded(result: ComparisonResult) -> str:
    adjusted = message(
        "The p-values are adjusted for all pairs by Holm's method, because the same scores determined which {one} is"
        " the best."
    )
    margin = result.margin()
    text = message(
        "Equivalence is not tested, because the range of the score is not known; in Python, summary(margin=...)"
        " tests it."
    )
    if isfinite(margin):
        text = message(
            "Equivalent: two one-sided tests show that the difference is smaller than {margin:.3g}, 1 % of the range of"
            " the score. Undecided: the runs show neither a difference nor equivalence."
        )
    return " ".join([_(adjusted, **compared_in(result.settings).words()), _(text, margin=margin)])


def _how_targeted(result: ComparisonResult) -> str:
    target, baseline = result.target(), result.baseline_score()
    if result.history.empty or not isfinite(baseline):
        return ""
    text = message("There is no target, because no mean score is above the baseline's {baseline}.")
    if isfinite(target):
        text = message(
            "Epochs to target is the epoch in which the median run reaches a score of {target}, which is 98 % of the"
            " way from the baseline's {baseline} to the best mean score. The baseline knows only the targets of the"
            " training samples."
        )
    return _(text, target=target, baseline=baseline)


def _problems(problems: pd.DataFrame, grid: list[str], name: str) -> Table:
    """Return the runs without a score; `name` is the title of the column of what was compared."""
    columns = [
        Column("initializer", name, "text"),
        *_grid_columns(problems, grid),
        Column("repeat", _("Repeat"), "integer"),
        *([Column("fold", _("Fold"), "integer")] if problems["fold"].any() else []),
        Column("outcome", _("Status"), "text"),
        Column("reason", _("Reason"), "sentence"),
    ]
    outcome = {"failed": _("failed"), "diverged": _("diverged")}
    rows = [
        row | {"outcome": outcome[row["status"]], "reason": brief(row["reason"], _MAX_REASON)}
        for row in records(problems)
    ]
    return Table("problems", _("Failed and diverged runs"), columns, rows)


def _curves_section(shown: ComparisonResult) -> Section | None:
    history = shown.history
    if history.empty:
        return None
    ratio = float(shown.runs["val_ratio"].mean()) if has_several_splits(shown.runs) else 0
    text = message("Error on held-out data and training loss after each epoch, with one line for each {one}.")
    description = _(text, **compared_in(shown.settings).words())
    note = _(
        "Lines are means over the runs. Bands are their 95 % confidence intervals. The axes fit the lines, and wider"
        " bands are cut off."
    )
    display = LearningCurvesDisplay.from_frames(
        history, ratio=ratio, baseline=shown.baseline_score(), bounds=shown.bounds()
    )
    picture = Picture("learning_curves", description, display.plot)
    return Section("curves", _("Learning curves"), [picture, Paragraph(note, "note"), _score_by_epoch(shown)])


def _score_by_epoch(shown: ComparisonResult) -> Table:
    means = shown.history.groupby([shown.history["initializer"].astype(str), "epoch"])["val_score"].mean().unstack()
    epochs = spread([int(epoch) for epoch in means.columns], _MAX_EPOCHS)
    numbers = [Column(f"epoch {epoch}", _("Epoch {n}", n=epoch)) for epoch in epochs]
    labels = [label for label in shown.initializers if label in means.index]
    rows = records(means.reindex(index=labels, columns=epochs).add_prefix("epoch ").reset_index())
    colors = [color_of(label, shown.initializers) for label in labels]
    columns = [Column("initializer", compared_in(shown.settings).column, "text"), *numbers]
    return Table("scores", _("Mean held-out score after each epoch"), columns, rows, colors)
