"""Sentences about a comparison, made from its frames."""

from collections import Counter
from collections.abc import Mapping
from math import isfinite
from typing import Any

import pandas as pd

from initsk.comparison.results import has_several_splits
from initsk.inspection import find_in_layers, layer_thresholds, signal_rows
from initsk.language import message, plural, translate as _

# In the order of the sentences.
_CONCLUSIONS = {
    "identical": message("The same score in all runs: {names}."),
    "equivalent": message("Equivalent within a margin of {margin:.3g}: {names}."),
    "undecided": message(
        "Undecided: {names}. The difference is neither significant at the 5 % level nor shown to be smaller than"
        " {margin:.3g}."
    ),
    "significantly worse": message("Significantly worse: {names}."),
    "significantly better": message("Significantly better in the runs that both share: {names}."),
    "not tested": message(
        "Not tested: {names}. A test needs at least two shared repeats and differences that are not all equal."
    ),
}
# Student's t interval of so few values is several times as wide as that of many.
_FEW = 3


def describe_ranking(summary: pd.DataFrame) -> str:
    """Return what a comparison found: the best initializer and the differences to the others.

    Parameters
    ----------
    summary : DataFrame
        From `ComparisonResult.summary`.
    """
    scored = summary[summary["n_runs"] > 0]
    if scored.empty:
        return _("No run gave a score.")
    best, others = scored.iloc[0], scored.iloc[1:]
    sentences = [_best(best, only_one=len(summary) == 1)]
    if others.empty:
        return sentences[0]
    if best.n < 2:
        sentences.append(_("With only one run of {name}, differences cannot be tested.", name=best.initializer))
        return " ".join(sentences)
    for conclusion, text in _CONCLUSIONS.items():
        names = others.loc[others["conclusion"] == conclusion, "initializer"].tolist()
        if conclusion == "undecided" and not isfinite(best.margin):
            text = message(
                "Undecided: {names}. The difference is not significant at the 5 % level. Equivalence is not tested,"
                " because the range of the score is not known; in Python, summary(margin=...) tests it."
            )
        if names:
            sentences.append(_(text, names=names, margin=best.margin))
        if conclusion == "undecided":
            sentences += _power(others[others["conclusion"] == conclusion])
    if best.n <= _FEW:
        text = message("With only {n} runs, intervals and tests say little.")
        if best.n < best.n_runs:
            text = message("With only {n} splits, intervals and tests say little.")
        sentences.append(_(text, n=int(best.n)))
    return " ".join(sentences)


def describe_order(summary: pd.DataFrame) -> str:
    """Return why an initializer is significantly worse than the best and a later one is not, or an empty text.

    Parameters
    ----------
    summary : DataFrame
        From `ComparisonResult.summary`.
    """
    worse = summary[summary["conclusion"] == "significantly worse"]
    others = summary[summary["conclusion"].isin(["equivalent", "undecided"]) & summary["effect_size"].notna()]
    if worse.empty or others.empty or worse["rank"].iloc[0] > others["rank"].iloc[-1]:
        return ""
    first, later = worse.iloc[0], others.iloc[-1]
    values = {"best": summary["initializer"].iloc[0], "first": first.initializer, "later": later.initializer}
    spread, own = (abs(row.difference_to_best / row.effect_size) for row in (later, first))
    text = message(
        "{first} is significantly worse than {best} and {later} is not, although the mean score of {later} is lower:"
        " fewer runs of {later} can be paired with those of {best}."
    )
    if spread > own:
        text = message(
            "{first} is significantly worse than {best} and {later} is not, although the mean score of {later} is"
            " lower: the paired differences of {later} vary more (standard deviation {spread:.2g} against {own:.2g})."
        )
    return _(text, spread=spread, own=own, **values)


def _best(best: Any, *, only_one: bool) -> str:
    values = {"name": best.initializer, "score": best.mean_score, "low": best.low, "high": best.high, "n": best.n_runs}
    if only_one and best.n < 2:
        return _("{name} has a score of {score} (one run).", **values)
    if only_one and not isfinite(best.low):
        return _("{name} has a mean score of {score} (the same in {n} runs).", **values)
    values["splits"] = int(best.n)
    if only_one:
        text = message("{name} has a mean score of {score} (95 % confidence interval {low} to {high}, {n} runs).")
        if best.n < best.n_runs:
            text = message(
                "{name} has a mean score of {score} (95 % confidence interval {low} to {high}, {n} runs on {splits}"
                " splits)."
            )
        return _(text, **values)
    if best.n < 2:
        return _("{name} has the highest mean score, {score} (one run).", **values)
    if not isfinite(best.low):
        return _("{name} has the highest mean score, {score} (the same in {n} runs).", **values)
    text = message("{name} has the highest mean score, {score} (95 % confidence interval {low} to {high}, {n} runs).")
    if best.n < best.n_runs:
        text = message(
            "{name} has the highest mean score, {score} (95 % confidence interval {low} to {high}, {n} runs on {splits}"
            " splits)."
        )
    return _(text, **values)


def _power(undecided: pd.DataFrame) -> list[str]:
    """Return how many runs would detect the first of the differences that are undecided."""
    needed = undecided["n_needed"].dropna()
    if needed.empty:
        return []
    if not isfinite(needed.min()):
        return [_("On splits like these, no number of runs would detect the observed differences.")]
    nearest = undecided[undecided["n_needed"] == needed.min()].iloc[0]
    text = message(
        "If the observed difference of {difference} to {name} is the true one, {needed} paired runs would detect it"
        " with 80 % power; this comparison has {n}."
    )
    if nearest.n < nearest.n_runs:
        text = message(
            "If the observed difference of {difference} to {name} is the true one, {needed} splits would detect it"
            " with 80 % power; this comparison has {n}."
        )
    name, difference = nearest.initializer, abs(nearest.difference_to_best)
    return [_(text, difference=difference, name=name, needed=int(needed.min()), n=int(nearest.n_paired))]


def describe_epochs_to_target(summary: pd.DataFrame, target: float) -> str:
    """Return in which epoch the best initializer reached the target, and which others reached it later or never.

    Parameters
    ----------
    summary : DataFrame
        From `ComparisonResult.summary`.
    target : float
        From `ComparisonResult.target`.
    """
    reached = summary.dropna(subset="epochs_to_target")
    if reached.empty:
        return ""
    best, name = reached["epochs_to_target"].iloc[0], reached["initializer"].iloc[0]
    if not isfinite(best):
        return _("The median run of {name} does not reach a score of {target}.", name=name, target=target)
    text = message("The median run of {name} reaches a score of {target} in epoch {epoch:.3g}.")
    sentence = _(text, name=name, target=target, epoch=best)
    if len(summary) == 1:
        return sentence
    later = [
        _("{name} (epoch {epoch:.3g})", name=row.initializer, epoch=row.epochs_to_target)
        if isfinite(row.epochs_to_target)
        else _("{name} (never)", name=row.initializer)
        for row in reached[reached["epochs_to_target"] > best].itertuples()
    ]
    others = (
        _("Later or never: {names}.", names=", ".join(later)) if later else _("None of the others reaches it later.")
    )
    return f"{sentence} {others}"


def describe_splits(runs: pd.DataFrame, settings: Mapping[str, Any]) -> str:
    """Return whether the repeats have the same held-out samples, and what the intervals therefore cover.

    Parameters
    ----------
    runs : DataFrame
        `ComparisonResult.runs`.
    settings : mapping
        `ComparisonResult.settings`.
    """
    if has_several_splits(runs):
        return _(
            "Repeats or folds have different held-out samples, so the intervals cover the choice of the samples as well"
            " as the random numbers of training."
        )
    if len(runs["repeat"].unique()) > 1:
        if not settings.get("splits_known", True):
            return _(
                "Whether the repeats have the same held-out samples is not known here. If they have, the intervals"
                " cover only the random numbers of training (the seeds), not the choice of the samples. If not, give"
                " the column with the number of the split as split= to from_frame."
            )
        return _(
            "All repeats have the same held-out samples, so the intervals cover only the random numbers of training"
            " (the seeds), not the choice of the samples."
        )
    return ""


def describe_activations(layers: pd.DataFrame) -> str:
    """Return how activations change along the depth: their size, zeros and dead units, as means over the repeats.

    Parameters
    ----------
    layers : DataFrame
        Rows of `ComparisonResult.layers` for one initializer at one moment.
    """
    at = signal_rows(layers)
    if at.empty:
        return _("No activations were recorded.")
    by_layer = at.groupby("layer", sort=False)[["rms", "zero_fraction", "dead_fraction"]].mean()
    n_bad = int(at["nonfinite"].sum())
    if n_bad:
        return plural("{n} activation is not finite.", "{n} activations are not finite.", n_bad)
    if (by_layer["zero_fraction"] == 1).all():
        return _("All activations of all hidden layers are exactly zero: no signal passes.")
    return " ".join([_size_along_depth(by_layer["rms"]), *_zeros_and_dead(by_layer)])


def _size_along_depth(rms: pd.Series) -> str:
    start, end = float(rms.iloc[0]), float(rms.iloc[-1])
    values: dict[str, Any] = {"first": str(rms.index[0]), "last": str(rms.index[-1]), "start": start, "end": end}
    if len(rms) == 1:
        return _("The RMS in {first} is {start:.3g}.", **values)
    if start == 0 or end == 0:
        return _("The RMS goes from {start:.3g} in {first} to {end:.3g} in {last}.", **values)
    values["fold"] = max(end / start, start / end)
    text = message("The RMS stays within a factor of 2, from {start:.3g} in {first} to {end:.3g} in {last}.")
    if end / start < 0.5:
        text = message("The RMS shrinks {fold:.3g}-fold, from {start:.3g} in {first} to {end:.3g} in {last}.")
    elif end / start > 2:
        text = message("The RMS grows {fold:.3g}-fold, from {start:.3g} in {first} to {end:.3g} in {last}.")
    return _(text, **values)


def _zeros_and_dead(by_layer: pd.DataFrame) -> list[str]:
    zeros, dead = by_layer["zero_fraction"], by_layer["dead_fraction"]
    values: dict[str, Any] = {"first": str(zeros.index[0]), "last": str(zeros.index[-1])}
    values |= {"start": float(zeros.iloc[0]), "end": float(zeros.iloc[-1])}
    text = message("Zeros are {start:.0%} of the values in {first} and {end:.0%} in {last}.")
    if len(zeros) == 1:
        text = message("Zeros are {start:.0%} of the values in {first}.")
    sentences = [_(text, **values)]
    if dead.max() > 0:
        text = message("{layer} has the largest share of dead units: {share:.1%} are zero for every sample.")
        sentences.append(_(text, share=dead.max(), layer=str(dead.idxmax())))
    elif dead.notna().any():
        sentences.append(_("No unit is zero for every sample."))
    return sentences


def kinds_over_runs(layers: pd.DataFrame, start: pd.DataFrame) -> tuple[list[tuple[str, int]], int]:
    """Return the kinds of finding, each with its number of runs, and the number of all runs.

    Parameters
    ----------
    layers, start : DataFrame
        Of `ComparisonResult`, the rows of one initializer: layers at one moment, and gradients at initialization.
    """
    keys = ["repeat", "fold"]
    back = dict(iter(start.groupby(keys, sort=False)))
    counts: Counter[str] = Counter()
    runs = list(layers.groupby(keys, sort=False))
    is_start = (layers["phase"].astype(str) == "initialized").all()
    for key, values in runs:
        gradients, thresholds = back.get(key, start.iloc[:0]), layer_thresholds({})
        found = find_in_layers(values, gradients if is_start else start.iloc[:0], thresholds)
        # Units that are equal after training, and had equal gradients at its start, are copies that it did not change.
        found += find_in_layers(values, gradients, {"symmetric": thresholds["symmetric"]})
        kinds = {finding.kind for finding in found}
        counts.update([kind for kind in thresholds if kind in kinds])
    return list(counts.items()), len(runs)


def describe_kinds(found: list[tuple[str, int]], n_runs: int) -> str:
    """Return the kinds of finding in words, with their number of runs."""
    if not n_runs:
        return ""
    if not found:
        return _("healthy")
    return ", ".join(
        plural("{kind} in {count} of {n} run", "{kind} in {count} of {n} runs", n_runs, kind=_(kind), count=count)
        for kind, count in found
    )
