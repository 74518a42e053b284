"""Notes beside the numbers of a comparison: why they differ from those that readers know, and what they leave out."""

import pandas as pd

from initsk.comparison import ComparisonResult
from initsk.comparison.results import grid_columns, score_names
from initsk.displays import color_of
from initsk.language import message, plural, translate as _
from initsk.report._elements import Element, Paragraph
from initsk.report._tables import Column, Table, records
from initsk.text import brief

_MAX_REASON = 300


def describe_search_means(result: ComparisonResult, summary: pd.DataFrame) -> str:
    """Return why the best mean score differs from that in ``cv_results_``; "" if it does not, or without a search.

    Parameters
    ----------
    result : ComparisonResult
    summary : DataFrame
        From its `summary`.
    """
    if "search" not in result.settings or not grid_columns(result.runs) or not summary["n_runs"].any():
        return ""
    best = summary.iloc[0]
    by_setting = result.summary(by="setting")
    highest = by_setting.loc[by_setting["initializer"] == best.initializer, "mean_score"].max()
    if abs(highest - best.mean_score) <= 1e-12 * abs(highest):
        return ""
    text = message(
        "{name} has a mean score of {own} here, and {highest} at its best setting in cv_results_. The search picked"
        " that setting by the scores that it reports. Here, the setting for each fold is picked in the other folds. The"
        " table of every setting has the means of cv_results_."
    )
    return _(text, name=best.initializer, own=float(best.mean_score), highest=float(highest))


def describe_missing_scores(runs: pd.DataFrame) -> str:
    """Return which of several scorers gave no score in runs that have others, and why.

    Parameters
    ----------
    runs : DataFrame
        `ComparisonResult.runs`.
    """
    kept, sentences = runs[runs["status"] == "ok"], []
    for name in score_names(runs):
        missing = kept[kept[f"score_{name}"].isna()]
        if len(missing):
            text = plural(
                "The scorer {name} gave no score in {count} of {n} run: {reason}.",
                "The scorer {name} gave no score in {count} of {n} runs: {reason}.",
                len(runs), name=name, count=len(missing), reason=brief(missing["reason"].iloc[0], _MAX_REASON),
            )  # fmt: skip
            sentences.append(text)
    return " ".join(sentences)


def scores_table(result: ComparisonResult, summary: pd.DataFrame) -> list[Element]:
    """Return the means of several scorers and which one ranks; nothing with a single scorer.

    Parameters
    ----------
    result : ComparisonResult
    summary : DataFrame
        From its `summary`: the rows are in the same order.
    """
    names = score_names(result.runs)
    if not names:
        return []
    means = result.tuned().runs.groupby("initializer", observed=True)[[f"score_{name}" for name in names]].mean()
    rows = records(means.reindex(summary["initializer"]).rename_axis("initializer").reset_index())
    columns = [Column("initializer", _("Initializer"), "text"), *(Column(f"score_{name}", name) for name in names)]
    colors = [color_of(result.initializers.index(row["initializer"])) for row in rows]
    note = _(
        "The initializers are ranked by {name}, the first scorer. summary(score=...) ranks them by another one.",
        name=names[0],
    )
    return [Table("all_scores", _("Means of all scores"), columns, rows, colors), Paragraph(note, "note")]
