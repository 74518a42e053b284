"""What the report of a comparison says: the answer, the ranking, how they learned."""

from math import isfinite

import numpy as np
import pandas as pd

from initsk.comparison import ComparisonResult
from initsk.comparison.results import grid_columns, of_splits
from initsk.displays import DifferencesDisplay, LearningCurvesDisplay, colour_of
from initsk.language import Language, message
from initsk.report._activations import activations_section, signal_section, weights_section
from initsk.report._comparison_text import answer, shortfall, slow_starts
from initsk.report._elements import Column, Element, Paragraph, Picture, Report, Section, Table, records
from initsk.report._initializers import initializers_section
from initsk.report._run import run_section

_MAX_EPOCHS = 12


def summarize_comparison(result: ComparisonResult, translate: Language, axes: str, *, brief: bool = False) -> Report:
    """Return the report; with a grid, its pictures show each initializer at its own best setting."""
    summary = result.summary()
    name = result.settings.get("dataset", translate("a data set"))
    title = translate("Initializers compared: {data}", data=name)
    sections: list[Section | None] = [
        _answer_section(result, summary, translate),
        _ranking_section(result, summary, translate),
    ]
    if not brief:
        sections += _details(result, summary, translate, axes)
    return Report("comparison", title, translate, [section for section in sections if section is not None])


def _details(result: ComparisonResult, summary: pd.DataFrame, translate: Language, axes: str) -> list[Section | None]:
    shown = result.tuned()
    return [
        _curves_section(shown, translate),
        activations_section(shown, translate, axes),
        signal_section(shown, translate),
        weights_section(shown, translate),
        initializers_section(shown, summary, translate),
        run_section(result, translate),
    ]


def _answer_section(result: ComparisonResult, summary: pd.DataFrame, translate: Language) -> Section:
    elements: list[Element] = [
        Paragraph(answer(summary, translate.code), "answer"),
        Paragraph(shortfall(result.runs, result.settings, translate.code), "warning"),
    ]
    return Section(
        "answer", translate("Answer"), [element for element in elements if element != Paragraph("", "warning")]
    )


def _ranking_section(result: ComparisonResult, summary: pd.DataFrame, translate: Language) -> Section:
    grid = grid_columns(result.runs)
    over_splits = of_splits(result.runs)
    target = result.target()
    elements: list[Element] = [
        ranking_table("ranking", translate("Initializers, the best first"), summary, result, translate),
        Paragraph(_how_scored(translate, over_splits=over_splits, target=target, with_grid=bool(grid)), "note"),
        Paragraph(slow_starts(summary, target, translate.code)),
    ]
    if len(result.initializers) > 1 and (summary["n_runs"] > 0).any():
        elements += [
            _differences(result, translate),
            Paragraph(
                translate(
                    "Dots are paired differences, the thick marks their means, the lines 95 % intervals (not corrected"
                    " for the number of rows). Arrows point to who is too far away for this scale."
                ),
                "note",
            ),
        ]
    if grid:
        by_setting = result.summary(by="setting")
        elements.append(
            ranking_table("settings", translate("Every setting, the best first"), by_setting, result, translate)
        )
    problems = result.runs[result.runs["status"] != "ok"]
    if len(problems):
        elements.append(_problems(problems, grid, translate))
    return Section("ranking", translate("Ranking"), elements)


def _differences(result: ComparisonResult, translate: Language) -> Picture:
    display = DifferencesDisplay.from_frames(result.runs)
    means = [f"{label} {translate.number(mean)}" for label, mean in display.intervals["mean"].items()]
    said = translate(
        "Paired differences of the scores to the best initializer, a row each; their means: {means}.",
        means=", ".join(means),
    )
    return Picture("differences", said, lambda: display.plot(language=translate.code).figure_)


def ranking_table(key: str, title: str, summary: pd.DataFrame, result: ComparisonResult, translate: Language) -> Table:
    """Return a summary as a table."""
    columns = [
        Column("rank", translate("Rank"), "integer"),
        Column("initializer", translate("Initializer"), "text"),
        *(Column(name, name, _kind(result.runs[name])) for name in grid_columns(result.runs)),
        Column("mean_score", translate("Mean score")),
        Column("low", translate("95 % interval from")),
        Column("high", translate("to")),
        Column("difference_to_best", translate("Difference to best")),
        Column("effect_size", translate("Effect size"), digits=2),
        Column("p_value", translate("Corrected p"), "p"),
        Column("significant", translate("Significant"), "text"),
        Column("n_needed", translate("Runs needed"), "integer", infinite=translate("none is enough")),
        Column("epochs_to_target", translate("Epochs to target"), "short", infinite=translate("never")),
        Column("area_under_curve", translate("Area under curve")),
        Column("n_runs", translate("Runs"), "integer"),
        Column("no_score", translate("No score"), "integer"),
    ]
    significant = {True: translate("yes"), False: translate("no")}
    rows = [
        row
        | {"significant": translate("not tested") if pd.isna(row["significant"]) else significant[row["significant"]]}
        | {"no_score": row["n_failed"] + row["n_diverged"]}
        | ({"difference_to_best": np.nan, "significant": "-"} if row["rank"] == 1 else {})
        for row in records(summary)
    ]
    colours = [colour_of(result.initializers.index(row["initializer"])) for row in rows]
    return Table(key, title, columns, rows, colours)


def _kind(column: pd.Series) -> str:
    """Return how the values of a grid are written."""
    return "short" if column.dtype.kind in "iuf" else "text"


def _how_scored(translate: Language, *, over_splits: bool, target: float, with_grid: bool) -> str:
    said = [translate("Scores are of the held-out samples after training.")]
    if with_grid:
        said.append(
            translate(
                "Each initializer is shown in every repeat and fold at the setting that was best in the other ones; the"
                " table names the setting that mostly was."
            )
        )
    if over_splits:
        said.append(
            translate(
                "Intervals are Student's t over the splits and p-values those of paired t-tests, both corrected for the"
                " training samples that splits share (Nadeau and Bengio 2003), and with Holm's correction over all"
                " pairs: the best was picked by the same scores."
            )
        )
    else:
        said.append(
            translate(
                "Intervals are Student's t over the repeats and p-values those of paired t-tests, with Holm's"
                " correction over all pairs: the best was picked by the same scores."
            )
        )
    said.append(
        translate(
            "Differences are over the repeats and folds that both have. The effect size is Cohen's d of the paired"
            " differences. Runs needed: how many would show such a difference in 80 % of experiments. Area under"
            " curve: the mean held-out score over the epochs."
        )
    )
    if isfinite(target):
        text = message("Epochs to target: of the median run, to a score of {target}, 2 % below the best mean.")
        said.append(translate(text, target=translate.number(target)))
    return " ".join(said)


def _problems(problems: pd.DataFrame, grid: list[str], translate: Language) -> Table:
    columns = [
        Column("initializer", translate("Initializer"), "text"),
        *(Column(name, name, _kind(problems[name])) for name in grid),
        Column("repeat", translate("Repeat"), "integer"),
        *([Column("fold", translate("Fold"), "integer")] if problems["fold"].any() else []),
        Column("outcome", translate("Status"), "text"),
        Column("reason", translate("Reason"), "sentence"),
    ]
    outcome = {"failed": translate("failed"), "diverged": translate("diverged")}
    rows = [row | {"outcome": outcome[row["status"]]} for row in records(problems)]
    return Table("problems", translate("Failed and diverged runs"), columns, rows)


def _curves_section(shown: ComparisonResult, translate: Language) -> Section | None:
    history = shown.history
    if history.empty:
        return None
    splits = of_splits(shown.runs)
    display = LearningCurvesDisplay.from_frames(history, ratio=float(shown.runs["val_ratio"].mean()) if splits else 0)
    return Section(
        "curves",
        translate("Learning curves"),
        [
            Picture(
                "learning_curves",
                translate("Held-out error and training loss after each epoch, a line per initializer."),
                lambda: display.plot(language=translate.code).figure_,
            ),
            Paragraph(translate("Lines are means over the runs, bands their 95 % intervals."), "note"),
            _score_by_epoch(shown, translate),
        ],
    )


def _score_by_epoch(shown: ComparisonResult, translate: Language) -> Table:
    means = shown.history.groupby([shown.history["initializer"].astype(str), "epoch"])["val_score"].mean()
    epochs = sorted(int(epoch) for epoch in shown.history["epoch"].unique())
    if len(epochs) > _MAX_EPOCHS:
        places = np.linspace(0, len(epochs) - 1, _MAX_EPOCHS).round().astype(int)
        epochs = [epochs[place] for place in places]
    columns = [
        Column("initializer", translate("Initializer"), "text"),
        *(Column(f"epoch {epoch}", translate("Epoch {n}", n=translate.integer(epoch))) for epoch in epochs),
    ]
    labels = [label for label in shown.initializers if label in means.index.get_level_values(0)]
    rows = [
        {"initializer": label} | {f"epoch {epoch}": means.get((label, epoch), np.nan) for epoch in epochs}
        for label in labels
    ]
    colours = [colour_of(shown.initializers.index(label)) for label in labels]
    return Table("scores", translate("Mean held-out score after each epoch"), columns, rows, colours)
