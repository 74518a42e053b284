"""Notes beside the numbers of a comparison: why they differ from those that readers know, and what they leave out."""

from math import isfinite, nan

import pandas as pd

from initsk.comparison import ComparisonResult
from initsk.comparison.results import against_baseline, error_name, grid_columns, score_names
from initsk.inspection import signal_rows
from initsk.language import message, plural, translate as _
from initsk.report._compared import compared_in
from initsk.report._comparison_text import describe_ranking
from initsk.report._elements import Element, Paragraph
from initsk.report._tables import Column, Table, records
from initsk.text import brief

_MAX_REASON = 300
# scikit-learn's scorers of probabilities, of which the baseline gives the shares of the classes.
_OF_PROBABILITIES = (
    "neg_log_loss", "neg_brier_score", "d2_log_loss_score", "d2_brier_score", "average_precision",
    "top_k_accuracy", "roc_auc", "predict_proba",
)  # fmt: skip


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


def scores_table(result: ComparisonResult, ranking: Table) -> list[Element]:
    """Return the means of several scorers and which one ranks; nothing with a single scorer.

    Parameters
    ----------
    result : ComparisonResult
    ranking : Table
        The ranking, for the order and colors of the rows.
    """
    names = score_names(result.runs)
    if not names:
        return []
    means = result.tuned().runs.groupby("initializer", observed=True)[[f"score_{name}" for name in names]].mean()
    means, colors = means.reindex([row["initializer"] for row in ranking.rows]), list(ranking.colors)
    baselines = [result.baseline_score(name) for name in names]
    if any(map(isfinite, baselines)):
        means.loc[name_of_baseline(result)] = baselines
        colors.append("")
    shown = [error_name(name) or name for name in names]
    means.columns = [f"score_{name}" for name in shown]
    means *= [-1 if error_name(name) else 1 for name in names]
    rows = records(means.rename_axis("initializer").reset_index())
    columns = [
        Column("initializer", compared_in(result.settings).column, "text"),
        *(Column(f"score_{name}", name) for name in shown),
    ]
    note = _(
        "The {several} are ranked by {name}, the first scorer. Another one ranks them if it comes first.",
        name=names[0],
        **compared_in(result.settings).words(),
    )
    if any(map(error_name, names)):
        text = message("The table has errors without the minus sign of scikit-learn's scorers: the lowest is the best.")
        note = " ".join([note, _(text)])
    return [Table("all_scores", _("Means of all scores"), columns, rows, colors), Paragraph(note, "note")]


def with_baseline(ranking: Table, result: ComparisonResult) -> Table:
    """Return the ranking with a row for the baseline, in the place of its score and without a rank."""
    score = result.baseline_score()
    if not isfinite(score):
        return ranking
    row = {column.key: "-" if column.is_text else nan for column in ranking.columns}
    row |= {"initializer": name_of_baseline(result), "mean_score": score}
    place = sum(other["mean_score"] >= score for other in ranking.rows)
    rows, colors = list(ranking.rows), list(ranking.colors)
    rows.insert(place, row)
    colors.insert(place, "")
    return ranking._replace(rows=rows, colors=colors)


def name_of_baseline(result: ComparisonResult) -> str:
    """Return the name of the baseline's row.

    Parameters
    ----------
    result : ComparisonResult
    """
    if not has_classes(result):
        return _("baseline: the mean target")
    if _ranks_probabilities(result):
        return _("baseline: the shares of the classes")
    return _("baseline: the most frequent class")


def has_classes(result: ComparisonResult) -> bool:
    """Return whether the runs classified."""
    return "classes" in result.settings


def _ranks_probabilities(result: ComparisonResult) -> bool:
    """Return whether the first scorer is known to score probabilities."""
    first = next(iter(score_names(result.runs)), str(result.settings.get("scoring", "")))
    return any(name in first for name in _OF_PROBABILITIES)


def answer_of_comparison(result: ComparisonResult, summary: pd.DataFrame) -> str:
    """Return the headline: whether any initializer beats the baseline, and the ranking in words.

    Parameters
    ----------
    result : ComparisonResult
    summary : DataFrame
        From its `summary`.
    """
    return " ".join(filter(None, [describe_no_winner(result), describe_ranking(summary)]))


def describe_no_winner(result: ComparisonResult) -> str:
    """Return that no initializer beats the baseline; "" if one does, or without a baseline."""
    found = against_baseline(result.runs)
    if found.empty or (found["beats"] != "no").any():
        return ""
    text = message("No {one} beats the baseline, which has a score of {score} without a look at the features.")
    return _(text, score=result.baseline_score(), **compared_in(result.settings).words())


def describe_baseline(result: ComparisonResult) -> str:
    """Return what the baseline is, and which initializers do not beat it; "" if all do, or without a baseline."""
    not_beating, classes = describe_not_beating(result), result.settings.get("classes")
    if not not_beating:
        return ""
    text = message("The baseline predicts the mean of the training targets for every sample. Its score is {score}.")
    if has_classes(result):
        text = message("The baseline predicts the most frequent class for every sample. Its score is {score}.")
        if _ranks_probabilities(result):
            text = message("The baseline predicts the shares of the classes for every sample. Its score is {score}.")
    sentences = [_(text, score=result.baseline_score())]
    if classes:
        text = message("The most frequent class, {name}, has {share:.1%} of the samples.")
        sentences.append(_(text, name=repr(classes[0][0]), share=classes[0][1]))
    return " ".join([*sentences, not_beating])


def describe_not_beating(result: ComparisonResult) -> str:
    """Return which initializers do not beat the baseline; "" if all do, or without a baseline.

    Parameters
    ----------
    result : ComparisonResult
    """
    found, sentences = against_baseline(result.runs), []
    names = {beats: found.loc[found["beats"] == beats, "initializer"].tolist() for beats in ("no", "undecided")}
    if names["no"]:
        sentences.append(_("No higher mean score than the baseline: {names}.", names=names["no"]))
    if names["undecided"]:
        text = message(
            "A higher mean score than the baseline, but not significantly: {names}. For each, this is a two-sided"
            " paired t-test at the 5 % level, not adjusted for the number of {several}."
        )
        sentences.append(_(text, names=names["undecided"], **compared_in(result.settings).words()))
    return " ".join(sentences)


def describe_no_baseline(result: ComparisonResult) -> str:
    """Return why there is no baseline; "" if there is one."""
    if isfinite(result.baseline_score()):
        return ""
    if "search" in result.settings or "source" in result.settings:
        return _("There is no baseline to compare with, because the result does not have the data.")
    return _(
        "There is no baseline to compare with, because the estimator is neither a classifier nor a regressor, or the"
        " scorer cannot score a prediction without a network."
    )


def describe_shared_numbers(result: ComparisonResult) -> str:
    """Return which initializers have equal shares of dead units because they share their random numbers, or "".

    Runs of one initializer under one seed have equal numbers whatever else is compared.
    """
    if compared_in(result.settings).parameter:
        return ""
    layers = result.layers
    rows = signal_rows(layers[layers["phase"].astype(str) == "initialized"])
    keys = ["repeat", "fold", "layer", "position"]
    groups: dict[tuple[float, ...], list[str]] = {}
    for label, own in rows.groupby("initializer", observed=True, sort=False):
        dead = own.set_index(keys)["dead_fraction"].sort_index()
        # Rows of zeros and of units that are all dead are not equal by their random numbers.
        if 0 < dead.max() < 1:
            groups.setdefault(tuple(dead), []).append(str(label))
    text = message(
        "{names} have equal shares of dead units at initialization. Under one seed, initializers of one family draw the"
        " same random numbers and differ only in scale, and the scale does not change which values a ReLU sets to zero."
    )
    return " ".join(_(text, names=names) for names in groups.values() if len(names) > 1)
