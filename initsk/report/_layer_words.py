"""Sentences about the layers of a compared network, computed from the frames."""

from collections import Counter

import pandas as pd

from initsk.inspection import Thresholds, signal_rows, verdicts_of
from initsk.report._words import ENGLISH
from initsk.utils._language import Language, get_language


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
    say = get_language(language)
    at = signal_rows(layers)
    if at.empty:
        return say("No activations were recorded.")
    by_layer = at.groupby("layer", sort=False)[["rms", "zero_fraction", "dead_fraction"]].mean()
    n_bad = int(at["nonfinite"].sum())
    if n_bad:
        return say.plural("{n} activation is not finite.", "{n} activations are not finite.", n_bad)
    if (by_layer["zero_fraction"] == 1).all():
        return say("Every activation of every hidden layer is exactly zero: no signal passes.")
    first, last = str(by_layer.index[0]), str(by_layer.index[-1])
    return f"{_size_along_depth(by_layer['rms'], first, last, say)} {_zeros_and_dead(by_layer, first, last, say)}"


def _size_along_depth(rms: pd.Series, first: str, last: str, say: Language) -> str:
    start, end = float(rms[first]), float(rms[last])
    values = {"first": first, "last": last, "start": say.short(start), "end": say.short(end)}
    if len(rms) == 1:
        return say("The RMS in {first} is {start}.", **values)
    if start == 0 or end == 0:
        return say("The RMS goes from {start} in {first} to {end} in {last}.", **values)
    ratio = end / start
    values["fold"] = say.short(max(ratio, 1 / ratio))
    if ratio < 0.5:
        return say("The RMS shrinks {fold}-fold, from {start} in {first} to {end} in {last}.", **values)
    if ratio > 2:
        return say("The RMS grows {fold}-fold, from {start} in {first} to {end} in {last}.", **values)
    return say("The RMS stays within a factor of 2, from {start} in {first} to {end} in {last}.", **values)


def _zeros_and_dead(by_layer: pd.DataFrame, first: str, last: str, say: Language) -> str:
    zeros = by_layer["zero_fraction"]
    values = {"first": first, "last": last, "start": say.percent(zeros[first]), "end": say.percent(zeros[last])}
    if first == last:
        said = say("Zeros are {start} of the values in {first}.", **values)
    else:
        said = say("Zeros are {start} of the values in {first} and {end} in {last}.", **values)
    if not by_layer["dead_fraction"].notna().any():
        return said
    worst = str(by_layer["dead_fraction"].idxmax())
    dead = float(by_layer["dead_fraction"][worst])
    if dead > 0:
        share = say.percent(dead, 1)
        text = say(
            "Units that are zero for every sample: at most {share} of a layer ({layer}).", share=share, layer=worst
        )
        return f"{said} {text}"
    none = say("No unit is zero for every sample.")
    return f"{said} {none}"


def verdicts_over_runs(layers: pd.DataFrame, gradients: pd.DataFrame) -> tuple[list[tuple[str, int]], int]:
    """Return which verdicts at least half of the runs get, each with the number of runs, and how many runs there are.

    Parameters
    ----------
    layers, gradients : DataFrame
        Of `ComparisonResult`, rows of one initializer at one moment.
    """
    keys = ["repeat", "fold"]
    back = dict(iter(gradients.groupby(keys, sort=False)))
    counts: Counter[str] = Counter()
    n_runs = 0
    for key, values in layers.groupby(keys, sort=False):
        found = verdicts_of(values, back.get(key, gradients.iloc[:0]), Thresholds())
        counts.update(found["verdict"].unique())
        n_runs += 1
    ill = [(name, n) for name, n in counts.items() if name != "healthy" and 2 * n >= n_runs]
    return ill, n_runs


def describe_verdicts(found: list[tuple[str, int]], n_runs: int, say: Language) -> str:
    """Say which verdicts were found, and how often."""
    if not n_runs:
        return ""
    if not found:
        return say("healthy")
    total = say.integer(n_runs)
    parts = [
        say("{verdict} in {n} of {total} runs", verdict=say(name), n=say.integer(n), total=total) for name, n in found
    ]
    return ", ".join(parts)
