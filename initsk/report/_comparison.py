"""The report of a comparison: the answer, the ranking and the learning curves."""

from math import isfinite

import numpy as np
import pandas as pd

from initsk.comparison import ComparisonResult
from initsk.comparison.results import check_complete, grid_columns, has_several_splits
from initsk.displays import AXES, DifferencesDisplay, LearningCurvesDisplay, color_of
from initsk.exceptions import InvalidParameterError
from initsk.language import current_language, message, translate as _
from initsk.report._activations import activations_section, signal_section, weights_section
from initsk.report._comparison_text import (
    describe_epochs_to_target,
    describe_missing_runs,
    describe_ranking,
    describe_splits,
)
from initsk.report._elements import Element, Paragraph, Picture, Report, Section
from initsk.report._initializers import initializers_section
from initsk.report._run import run_section
from initsk.report._tables import Column, Table, columns_of, records, spread
from initsk.text import brief
from initsk.utils.validation import check_parameters, one_of

_MAX_EPOCHS = 12
_MAX_REASON = 500


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
    title = _("Initializers compared: {data}", data=result.settings.get("dataset", unnamed))
    return Report("comparison", title, [section for section in sections if section is not None])


def _answer_section(result: ComparisonResult, summary: pd.DataFrame) -> Section:
    answer = Paragraph(describe_ranking(summary), "answer")
    missing = Paragraph(describe_missing_runs(result.runs, result.settings), "warning")
    return Section("answer", _("Answer"), [answer, missing] if missing.text else [answer])


def _ranking_section(result: ComparisonResult, summary: pd.DataFrame) -> Section:
    grid = grid_columns(result.runs)
    target = result.target()
    how = _how_scored(over_splits=has_several_splits(result.runs), target=target, with_grid=bool(grid))
    elements: list[Element] = [_ranking_table("ranking", _("Initializers, best first"), summary, result)]
    elements += [Paragraph(how, "note"), Paragraph(describe_epochs_to_target(summary, target))]
    if splits := describe_splits(result.runs):
        elements.append(Paragraph(splits, "note"))
    if len(result.initializers) > 1 and (summary["n_runs"] > 0).any():
        note = _(
            "Dots are paired differences, thick marks are their means, and lines are 95 % confidence intervals (not"
            " adjusted for the number of rows). Arrows mark values outside the axis."
        )
        elements += [_differences(result), Paragraph(note, "note")]
    if grid:
        by_setting = result.summary(by="setting")
        elements.append(_ranking_table("settings", _("Every setting, best first"), by_setting, result))
    problems = result.runs[result.runs["status"] != "ok"]
    if len(problems):
        elements.append(_problems(problems, grid))
    return Section("ranking", _("Ranking"), elements)


def _differences(result: ComparisonResult) -> Picture:
    display = DifferencesDisplay.from_frames(result.runs)
    number = current_language().number
    means = ", ".join(f"{label} {number(mean)}" for label, mean in display.intervals["mean"].items())
    text = message(
        "Paired differences between the scores of each initializer and of the best one, in one row for each"
        " initializer. Means: {means}."
    )
    return Picture("differences", _(text, means=means), display.plot)


def _ranking_table(key: str, title: str, summary: pd.DataFrame, result: ComparisonResult) -> Table:
    """Return a summary as a table."""
    columns = [
        Column("rank", _("Rank"), "integer"),
        Column("initializer", _("Initializer"), "text"),
        *(Column(name, name, _kind(result.runs[name])) for name in grid_columns(result.runs)),
        *columns_of("number", mean_score=_("Mean score"), low=_("95 % confidence interval from"), high=_("to")),
        Column("difference_to_best", _("Difference to best")),
        Column("effect_size", _("Effect size"), digits=2),
        Column("p_value", _("Adjusted p-value"), "p"),
        Column("significant", _("Significant"), "text"),
        Column("n_needed", _("Runs needed"), "integer", infinite=_("no number suffices")),
        Column("epochs_to_target", _("Epochs to target"), "short", infinite=_("never")),
        Column("area_under_curve", _("Area under curve")),
        *columns_of("integer", n_runs=_("Runs"), no_score=_("Runs without score")),
    ]
    significant = {True: _("yes"), False: _("no")}
    rows = [
        row
        | {"significant": _("not tested") if pd.isna(row["significant"]) else significant[row["significant"]]}
        | {"no_score": row["n_failed"] + row["n_diverged"]}
        | ({"difference_to_best": np.nan, "significant": "-"} if row["rank"] == 1 else {})
        for row in records(summary)
    ]
    colors = [color_of(result.initializers.index(row["initializer"])) for row in rows]
    return Table(key, title, columns, rows, colors)


def _kind(column: pd.Series) -> str:
    """Return how the values of a grid are written."""
    return "short" if column.dtype.kind in "iuf" else "text"


def _how_scored(*, over_splits: bool, target: float, with_grid: bool) -> str:
    settings = _(
        "In every repeat and fold, an initializer is shown at the setting that was best in the other repeats"
        " and folds. The table names the setting that was chosen most often."
    )
    tests = _("The confidence intervals (Student's t) and the p-values (paired t-tests) are computed over the repeats.")
    if over_splits:
        tests = _(
            "The confidence intervals (Student's t) and the p-values (paired t-tests) are computed over the splits"
            " and corrected for the training samples that splits share (Nadeau and Bengio 2003)."
        )
    adjusted = _(
        "The p-values are adjusted for all pairs by Holm's method, because the same scores determined which"
        " initializer is the best."
    )
    differences = _(
        "Differences are computed over the repeats and folds that both initializers have. The effect size is"
        " Cohen's d of the paired differences. Runs needed is the number of paired runs that would detect such a"
        " difference with 80 % power. Area under curve is the mean held-out score over the epochs."
    )
    epochs = message(
        "Epochs to target is the epoch in which the median run reaches a score of {target}, which is 2 % below"
        " the best mean score."
    )
    sentences = [_("Scores are computed on the held-out samples after training."), *([settings] if with_grid else [])]
    sentences += [tests, adjusted, differences, *([_(epochs, target=target)] if isfinite(target) else [])]
    return " ".join(sentences)


def _problems(problems: pd.DataFrame, grid: list[str]) -> Table:
    columns = [
        Column("initializer", _("Initializer"), "text"),
        *(Column(name, name, _kind(problems[name])) for name in grid),
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
    description = _("Error on held-out data and training loss after each epoch, with one line for each initializer.")
    note = _("Lines are means over the runs. Bands are their 95 % confidence intervals.")
    display = LearningCurvesDisplay.from_frames(history, ratio=ratio)
    picture = Picture("learning_curves", description, display.plot)
    return Section("curves", _("Learning curves"), [picture, Paragraph(note, "note"), _score_by_epoch(shown)])


def _score_by_epoch(shown: ComparisonResult) -> Table:
    means = shown.history.groupby([shown.history["initializer"].astype(str), "epoch"])["val_score"].mean().unstack()
    epochs = spread([int(epoch) for epoch in means.columns], _MAX_EPOCHS)
    numbers = [Column(f"epoch {epoch}", _("Epoch {n}", n=epoch)) for epoch in epochs]
    labels = [label for label in shown.initializers if label in means.index]
    rows = records(means.reindex(index=labels, columns=epochs).add_prefix("epoch ").reset_index())
    colors = [color_of(shown.initializers.index(label)) for label in labels]
    columns = [Column("initializer", _("Initializer"), "text"), *numbers]
    return Table("scores", _("Mean held-out score after each epoch"), columns, rows, colors)
