"""What the report of a comparison says: the answer, the ranking, how they learned."""

from math import isfinite

import numpy as np
import pandas as pd

from initsk.comparison import ComparisonResult
from initsk.comparison.results import grid_columns, of_splits
from initsk.displays import DifferencesDisplay, LearningCurvesDisplay, colour_of
from initsk.report._activations import activations_section, signal_section, weights_section
from initsk.report._blocks import Block, Column, Picture, Report, Section, Table, Words, records
from initsk.report._comparison_text import answer, shortfall, slow_starts
from initsk.report._initializers import initializers_section
from initsk.report._run import run_section
from initsk.utils.language import Language, message

_MOST_EPOCHS = 12


def summarize_comparison(result: ComparisonResult, say: Language, axes: str, *, brief: bool = False) -> Report:
    """Return the report; with a grid, its pictures show each initializer at its own best setting."""
    summary = result.summary()
    name = result.settings.get("dataset", say("a data set"))
    title = say("Initializers compared: {data}", data=name)
    sections: list[Section | None] = [_answer_section(result, summary, say), _ranking_section(result, summary, say)]
    if not brief:
        sections += _details(result, summary, say, axes)
    return Report("comparison", title, say, [section for section in sections if section is not None])


def _details(result: ComparisonResult, summary: pd.DataFrame, say: Language, axes: str) -> list[Section | None]:
    shown = result.tuned()
    return [
        _curves_section(shown, say),
        activations_section(shown, say, axes),
        signal_section(shown, say),
        weights_section(shown, say),
        initializers_section(shown, summary, say),
        run_section(result, say),
    ]


def _answer_section(result: ComparisonResult, summary: pd.DataFrame, say: Language) -> Section:
    blocks: list[Block] = [
        Words(answer(summary, say.code), "answer"),
        Words(shortfall(result.runs, result.settings, say.code), "warning"),
    ]
    return Section("answer", say("Answer"), [block for block in blocks if block != Words("", "warning")])


def _ranking_section(result: ComparisonResult, summary: pd.DataFrame, say: Language) -> Section:
    grid = grid_columns(result.runs)
    over_splits = of_splits(result.runs)
    target = result.target()
    blocks: list[Block] = [
        ranking_table("ranking", say("Initializers, the best first"), summary, result, say),
        Words(_how_scored(say, over_splits=over_splits, target=target, with_grid=bool(grid)), "note"),
        Words(slow_starts(summary, target, say.code)),
    ]
    if len(result.initializers) > 1 and (summary["n_runs"] > 0).any():
        blocks += [
            _differences(result, say),
            Words(
                say(
                    "Dots are paired differences, the thick marks their means, the lines 95 % intervals (not corrected"
                    " for the number of rows). Arrows point to who is too far away for this scale."
                ),
                "note",
            ),
        ]
    if grid:
        by_setting = result.summary(by="setting")
        blocks.append(ranking_table("settings", say("Every setting, the best first"), by_setting, result, say))
    problems = result.runs[result.runs["status"] != "ok"]
    if len(problems):
        blocks.append(_problems(problems, grid, say))
    return Section("ranking", say("Ranking"), blocks)


def _differences(result: ComparisonResult, say: Language) -> Picture:
    display = DifferencesDisplay.from_frames(result.runs)
    means = [f"{label} {say.number(mean)}" for label, mean in display.intervals["mean"].items()]
    said = say(
        "Paired differences of the scores to the best initializer, a row each; their means: {means}.",
        means=", ".join(means),
    )
    return Picture("differences", said, lambda: display.plot(language=say.code).figure_)


def ranking_table(key: str, title: str, summary: pd.DataFrame, result: ComparisonResult, say: Language) -> Table:
    """Return a summary as a table."""
    columns = [
        Column("rank", say("Rank"), "integer"),
        Column("initializer", say("Initializer"), "text"),
        *(Column(name, name, _kind(result.runs[name])) for name in grid_columns(result.runs)),
        Column("mean_score", say("Mean score")),
        Column("low", say("95 % interval from")),
        Column("high", say("to")),
        Column("difference_to_best", say("Difference to best")),
        Column("effect_size", say("Effect size"), digits=2),
        Column("p_value", say("Corrected p"), "p"),
        Column("tied", say("Tied with best"), "text"),
        Column("n_needed", say("Runs needed"), "integer", infinite=say("none is enough")),
        Column("epochs_to_target", say("Epochs to target"), "short", infinite=say("never")),
        Column("area_under_curve", say("Area under curve")),
        Column("n_runs", say("Runs"), "integer"),
        Column("no_score", say("No score"), "integer"),
    ]
    tied = {True: say("yes"), False: say("no")}
    rows = [
        row
        | {"tied": say("not tested") if pd.isna(row["tied_with_best"]) else tied[bool(row["tied_with_best"])]}
        | {"no_score": row["n_failed"] + row["n_diverged"]}
        | ({"difference_to_best": np.nan, "tied": "-"} if row["rank"] == 1 else {})
        for row in records(summary)
    ]
    colours = [colour_of(result.initializers.index(row["initializer"])) for row in rows]
    return Table(key, title, columns, rows, colours)


def _kind(column: pd.Series) -> str:
    """Return how the values of a grid are written."""
    return "short" if column.dtype.kind in "iuf" else "text"


def _how_scored(say: Language, *, over_splits: bool, target: float, with_grid: bool) -> str:
    said = [say("Scores are of the held-out samples after training.")]
    if with_grid:
        said.append(
            say(
                "Each initializer is shown in every repeat and fold at the setting that was best in the other ones; the"
                " table names the setting that mostly was."
            )
        )
    if over_splits:
        said.append(
            say(
                "Intervals are Student's t over the splits and p-values those of paired t-tests, both corrected for the"
                " training samples that splits share (Nadeau and Bengio 2003), and with Holm's correction over all"
                " pairs: the best was picked by the same scores."
            )
        )
    else:
        said.append(
            say(
                "Intervals are Student's t over the repeats and p-values those of paired t-tests, with Holm's"
                " correction over all pairs: the best was picked by the same scores."
            )
        )
    said.append(
        say(
            "Differences are over the repeats and folds that both have. The effect size is Cohen's d of the paired"
            " differences. Runs needed: how many would show such a difference in 80 % of experiments. Area under"
            " curve: the mean held-out score over the epochs."
        )
    )
    if isfinite(target):
        text = message("Epochs to target: of the median run, to a score of {target}, 2 % below the best mean.")
        said.append(say(text, target=say.number(target)))
    return " ".join(said)


def _problems(problems: pd.DataFrame, grid: list[str], say: Language) -> Table:
    columns = [
        Column("initializer", say("Initializer"), "text"),
        *(Column(name, name, _kind(problems[name])) for name in grid),
        Column("repeat", say("Repeat"), "integer"),
        *([Column("fold", say("Fold"), "integer")] if problems["fold"].any() else []),
        Column("outcome", say("Status"), "text"),
        Column("reason", say("Reason"), "words"),
    ]
    outcome = {"failed": say("failed"), "diverged": say("diverged")}
    rows = [row | {"outcome": outcome[row["status"]]} for row in records(problems)]
    return Table("problems", say("Failed and diverged runs"), columns, rows)


def _curves_section(shown: ComparisonResult, say: Language) -> Section | None:
    history = shown.history
    if history.empty:
        return None
    splits = of_splits(shown.runs)
    display = LearningCurvesDisplay.from_frames(history, ratio=float(shown.runs["test_ratio"].mean()) if splits else 0)
    return Section(
        "curves",
        say("Learning curves"),
        [
            Picture(
                "learning_curves",
                say("Held-out error and training loss after each epoch, a line per initializer."),
                lambda: display.plot(language=say.code).figure_,
            ),
            Words(say("Lines are means over the runs, bands their 95 % intervals."), "note"),
            _score_by_epoch(shown, say),
        ],
    )


def _score_by_epoch(shown: ComparisonResult, say: Language) -> Table:
    means = shown.history.groupby([shown.history["initializer"].astype(str), "epoch"])["test_score"].mean()
    epochs = sorted(int(epoch) for epoch in shown.history["epoch"].unique())
    if len(epochs) > _MOST_EPOCHS:
        places = np.linspace(0, len(epochs) - 1, _MOST_EPOCHS).round().astype(int)
        epochs = [epochs[place] for place in places]
    columns = [
        Column("initializer", say("Initializer"), "text"),
        *(Column(f"epoch {epoch}", say("Epoch {n}", n=say.integer(epoch))) for epoch in epochs),
    ]
    labels = [label for label in shown.initializers if label in means.index.get_level_values(0)]
    rows = [
        {"initializer": label} | {f"epoch {epoch}": means.get((label, epoch), np.nan) for epoch in epochs}
        for label in labels
    ]
    colours = [colour_of(shown.initializers.index(label)) for label in labels]
    return Table("scores", say("Mean held-out score after each epoch"), columns, rows, colours)
