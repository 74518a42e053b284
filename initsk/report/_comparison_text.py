"""Sentences of a comparison, computed from the numbers; nothing here is said that they do not carry."""

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from initsk.displays import ActivationGridDisplay
from initsk.inspection import find_in_layers, layer_thresholds, signal_rows
from initsk.language import Language, get_language, message
from initsk.report._elements import Picture
from initsk.report._findings_text import KIND_NAMES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENGLISH = "en"
_WITHOUT_SCORE = {
    "failed": message("{count} of {total} runs failed and give no score: {names}."),
    "diverged": message("{count} of {total} runs diverged and give no score: {names}."),
}


def answer(summary: pd.DataFrame, language: str = ENGLISH) -> str:
    """Say in a few sentences what the comparison found."""
    translate = get_language(language)
    scored = summary[summary["n_runs"] > 0]
    if scored.empty:
        return translate("No run gave a score.")
    best = scored.iloc[0]
    others = scored.iloc[1:]
    said = [_best(best, translate, alone=len(summary) == 1)]
    if others.empty:
        return said[0]
    if not isfinite(best.low):
        said.append(translate("With one run of it, differences cannot be told from noise."))
        return " ".join(said)
    not_significant = others[~others["significant"].fillna(True).astype(bool)]
    worse = others.loc[others["significant"].fillna(False).astype(bool), "initializer"].tolist()
    untested = others.loc[others["significant"].isna(), "initializer"].tolist()
    if len(not_significant):
        names = translate.all_of(not_significant["initializer"].tolist())
        said += [
            translate("Not told apart from it at the 5 % level: {names}.", names=names),
            _too_few(not_significant, translate),
        ]
    if worse:
        said.append(translate("Lower beyond noise: {names}.", names=translate.all_of(worse)))
    if untested:
        names = translate.all_of(untested)
        said.append(translate("Not tested, for want of shared repeats whose differences vary: {names}.", names=names))
    return " ".join(part for part in said if part)


def _best(best: Any, translate: Language, *, alone: bool) -> str:
    values = {"name": best.initializer, "score": translate.number(best.mean_score), "n": translate.integer(best.n_runs)}
    if alone and not isfinite(best.low):
        return translate("{name} has a score of {score} (one run).", **values)
    if alone:
        interval = {"low": translate.number(best.low), "high": translate.number(best.high)}
        return translate(
            "{name} has a mean score of {score} (95 % interval {low} to {high}, {n} runs).", **values, **interval
        )
    if not isfinite(best.low):
        return translate("{name} has the highest mean score, {score} (one run).", **values)
    return translate(
        "{name} has the highest mean score, {score} (95 % interval {low} to {high}, {n} runs).",
        low=translate.number(best.low), high=translate.number(best.high), **values,
    )  # fmt: skip


def _too_few(not_significant: pd.DataFrame, translate: Language) -> str:
    """Say how many pairs would tell the first of those who are not told apart."""
    needed = not_significant["n_needed"].dropna()
    if needed.empty:
        return ""
    if not isfinite(needed.min()):
        return translate(
            "No number of runs on such splits would tell them apart, if the differences are as they were seen."
        )
    nearest = not_significant[not_significant["n_needed"] == needed.min()].iloc[0]
    return translate(
        "If the difference to {name}, {difference}, is what it seems, {needed} paired runs would show it in four of"
        " five experiments; these are {runs}.",
        name=nearest.initializer, difference=translate.number(abs(nearest.difference_to_best)),
        needed=translate.integer(needed.min()), runs=translate.integer(nearest.n_runs),
    )  # fmt: skip


def slow_starts(summary: pd.DataFrame, target: float, language: str = ENGLISH) -> str:
    """Say who reached the target later than the best did, or not at all."""
    translate = get_language(language)
    reached = summary.dropna(subset="epochs_to_target")
    if reached.empty:
        return ""
    best, name = reached["epochs_to_target"].iloc[0], reached["initializer"].iloc[0]
    values = {"name": name, "target": translate.number(target), "epoch": translate.short(best)}
    if not isfinite(best):
        return translate("The median run of {name} does not reach a score of {target}.", **values)
    if len(summary) == 1:
        return translate("The median run of {name} reaches a score of {target} in epoch {epoch}.", **values)
    late = reached[reached["epochs_to_target"] > best]
    parts = [
        translate("{name} in epoch {epoch}", name=row.initializer, epoch=translate.short(row.epochs_to_target))
        if isfinite(row.epochs_to_target)
        else translate("{name} not at all", name=row.initializer)
        for row in late.itertuples()
    ]
    rest = ", ".join(parts) or translate("no other one is later")
    return translate(
        "The median run of {name} reaches a score of {target} in epoch {epoch}; {rest}.", rest=rest, **values
    )


def shortfall(runs: pd.DataFrame, settings: Mapping[str, Any], language: str = ENGLISH) -> str:
    """Say which of the planned runs give no score, or nothing if all do."""
    translate = get_language(language)
    said = []
    racing = settings.get("racing", {"stopped": {}, "runs_saved": 0})
    planned = settings.get("n_planned", len(runs)) - racing["runs_saved"]
    done = {"done": translate.integer(len(runs)), "planned": translate.integer(planned)}
    if len(runs) < planned:
        said.append(translate("Interrupted: {done} of {planned} runs had finished, and these alone are shown.", **done))
    if racing["stopped"]:
        said.append(_left_out(racing, settings["n_planned"], translate))
    for status, sentence in _WITHOUT_SCORE.items():
        ill = runs.loc[runs["status"] == status, "initializer"].astype(str)
        if len(ill):
            names = translate.all_of(ill.unique().tolist())
            said.append(translate(sentence, count=translate.integer(len(ill)), total=done["done"], names=names))
    return " ".join(said)


def _left_out(racing: Mapping[str, Any], planned: int, translate: Language) -> str:
    names = [
        translate.plural("{name} after {n} round", "{name} after {n} rounds", number, name=name)
        for name, number in racing["stopped"].items()
    ]
    saved = racing["runs_saved"]
    return translate(
        "Left out early, as clearly behind: {names}. That saved {saved} of {planned} runs ({share}).",
        names=translate.all_of(names), saved=translate.integer(saved), planned=translate.integer(planned),
        share=translate.percent(saved / planned),
    )  # fmt: skip


def rows_of(frame: pd.DataFrame, initializer: str, phase: str, epoch: int | None = None) -> pd.DataFrame:
    """Return the rows of one initializer at one moment."""
    at = (frame["initializer"].astype(str) == initializer) & (frame["phase"] == phase)
    return frame[at if epoch is None else at & (frame["epoch"] == epoch)]


def describe_activations(layers: pd.DataFrame, language: str = ENGLISH) -> str:
    """Describe one row of the grid: size along depth, zeros, dead units; means over repeats.

    Parameters
    ----------
    layers : DataFrame
        Rows of `ComparisonResult.layers`, of one initializer at one moment.
    language : str, default="en"
    """
    translate = get_language(language)
    at = signal_rows(layers)
    if at.empty:
        return translate("No activations were recorded.")
    by_layer = at.groupby("layer", sort=False)[["rms", "zero_fraction", "dead_fraction"]].mean()
    n_bad = int(at["nonfinite"].sum())
    if n_bad:
        return translate.plural("{n} activation is not finite.", "{n} activations are not finite.", n_bad)
    if (by_layer["zero_fraction"] == 1).all():
        return translate("Every activation of every hidden layer is exactly zero: no signal passes.")
    first, last = str(by_layer.index[0]), str(by_layer.index[-1])
    size = _size_along_depth(by_layer["rms"], first, last, translate)
    return f"{size} {_zeros_and_dead(by_layer, first, last, translate)}"


def _size_along_depth(rms: pd.Series, first: str, last: str, translate: Language) -> str:
    start, end = float(rms[first]), float(rms[last])
    values = {"first": first, "last": last, "start": translate.short(start), "end": translate.short(end)}
    if len(rms) == 1:
        return translate("The RMS in {first} is {start}.", **values)
    if start == 0 or end == 0:
        return translate("The RMS goes from {start} in {first} to {end} in {last}.", **values)
    ratio = end / start
    values["fold"] = translate.short(max(ratio, 1 / ratio))
    if ratio < 0.5:
        return translate("The RMS shrinks {fold}-fold, from {start} in {first} to {end} in {last}.", **values)
    if ratio > 2:
        return translate("The RMS grows {fold}-fold, from {start} in {first} to {end} in {last}.", **values)
    return translate("The RMS stays within a factor of 2, from {start} in {first} to {end} in {last}.", **values)


def _zeros_and_dead(by_layer: pd.DataFrame, first: str, last: str, translate: Language) -> str:
    zeros = by_layer["zero_fraction"]
    values = {
        "first": first,
        "last": last,
        "start": translate.percent(zeros[first]),
        "end": translate.percent(zeros[last]),
    }
    if first == last:
        said = translate("Zeros are {start} of the values in {first}.", **values)
    else:
        said = translate("Zeros are {start} of the values in {first} and {end} in {last}.", **values)
    if not by_layer["dead_fraction"].notna().any():
        return said
    worst = str(by_layer["dead_fraction"].idxmax())
    dead = float(by_layer["dead_fraction"][worst])
    if dead > 0:
        share = translate.percent(dead, 1)
        text = translate(
            "Units that are zero for every sample: at most {share} of a layer ({layer}).", share=share, layer=worst
        )
        return f"{said} {text}"
    none = translate("No unit is zero for every sample.")
    return f"{said} {none}"


def kinds_over_runs(layers: pd.DataFrame, gradients: pd.DataFrame) -> tuple[list[tuple[str, int]], int]:
    """Return the kinds of finding in at least half of the runs, with their number of runs, and the number of all runs.

    Parameters
    ----------
    layers, gradients : DataFrame
        Of `ComparisonResult`, the rows of one initializer at one moment.
    """
    keys = ["repeat", "fold"]
    back = dict(iter(gradients.groupby(keys, sort=False)))
    counts: Counter[str] = Counter()
    runs = list(layers.groupby(keys, sort=False))
    for key, values in runs:
        found = find_in_layers(values, back.get(key, gradients.iloc[:0]), layer_thresholds({}))
        counts.update(dict.fromkeys(finding.kind for finding in found).keys())
    return [(kind, n) for kind, n in counts.items() if 2 * n >= len(runs)], len(runs)


def describe_kinds(found: list[tuple[str, int]], n_runs: int, translate: Language) -> str:
    """Return the kinds of finding in words, with their number of runs."""
    if not n_runs:
        return ""
    if not found:
        return translate("healthy")
    return ", ".join(
        translate("{kind} in {n} of {total} runs", kind=translate(KIND_NAMES[kind]), n=n, total=n_runs)
        for kind, n in found
    )


MAX_LAYERS = 8


def some_layers(frame: pd.DataFrame, names: pd.Series) -> pd.DataFrame:
    """Return the rows of as many layers as a row of the grid has room for, first and last among them."""
    layers = list(dict.fromkeys(names))
    if len(layers) <= MAX_LAYERS:
        return frame
    places = np.linspace(0, len(layers) - 1, MAX_LAYERS).round().astype(int)
    return frame[frame["layer"].isin([layers[place] for place in places])]


def draw(grid: ActivationGridDisplay, axes: str, translate: Language, label: str | None = None) -> "Figure":
    """Draw one initializer's row, or all of them."""
    rows = None if label is None else [label]
    return grid.plot(axes=axes, initializers=rows, language=translate.code).figure_


def whole_grids(
    key: str, text: str, grids: Mapping[str, tuple[str, ActivationGridDisplay]], axes: str, translate: Language
) -> Iterator[Picture]:
    """Yield the grids as files of their own, by their phases; the page has their rows.

    The last one has the plain name: the grid after training is the picture of a comparison, and of who does not
    train there is the first alone.
    """
    drawn = {phase: (when, grid) for phase, (when, grid) in grids.items() if grid.initializers}
    for phase, (when, grid) in drawn.items():
        name = key if phase == list(drawn)[-1] else f"{key}_{phase}"
        yield Picture(name, translate(text, when=when), partial(draw, grid, axes, translate), "files")
