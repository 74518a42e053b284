"""Sentences computed from the numbers; nothing here is said that they do not carry."""

from math import isfinite

import pandas as pd

from initsk.inspection import signal_rows


def answer(summary: pd.DataFrame) -> str:
    """Say in one or two sentences what the comparison found."""
    scored = summary[summary["n_runs"] > 0]
    if scored.empty:
        return "No run gave a score."
    best = scored.iloc[0]
    said = f"{best.initializer} has the highest mean score, {best.mean_score:.4f}{_interval(best)}."
    others = scored.iloc[1:]
    if others.empty:
        return said
    tied = others.loc[others["tied_with_best"].fillna(False), "initializer"].tolist()
    worse = others.loc[~others["tied_with_best"].fillna(True), "initializer"].tolist()
    untested = others.loc[others["tied_with_best"].isna(), "initializer"].tolist()
    if not isfinite(best.low):
        return said + " With one repeat, differences cannot be told from noise."
    if tied:
        said += f" Not told apart from it at the 5 % level: {_list(tied)}."
    if worse:
        said += f" Lower beyond noise: {_list(worse)}."
    if untested:
        said += f" Not tested, for want of shared repeats whose differences vary: {_list(untested)}."
    return said


def shortfall(runs: pd.DataFrame, planned: int) -> str:
    """Say which of the planned runs give no score, or nothing if all do."""
    said = []
    if len(runs) < planned:
        said.append(f"Interrupted: {len(runs)} of {planned} runs had finished, and these alone are shown.")
    for status in ("failed", "diverged"):
        count = int((runs["status"] == status).sum())
        if count:
            names = runs.loc[runs["status"] == status, "initializer"].astype(str).unique().tolist()
            said.append(f"{count} of {len(runs)} runs {status} and give no score: {_list(names)}.")
    return " ".join(said)


def _interval(row: pd.Series) -> str:
    if not isfinite(row.low):
        return " (one repeat)"
    return f" (95 % interval {row.low:.4f} to {row.high:.4f}, {int(row.n_runs)} repeats)"


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def describe_activations(layers: pd.DataFrame, initializer: str, phase: str) -> str:
    """Describe one row of the grid: size along depth, zeros, dead units; means over repeats."""
    at = signal_rows(layers[(layers["initializer"].astype(str) == initializer) & (layers["phase"] == phase)])
    if at.empty:
        return "No activations were recorded."
    by_layer = at.groupby("layer", sort=False)[["rms", "zero_fraction", "dead_fraction"]].mean()
    if int(at["nonfinite"].sum()):
        return f"{int(at['nonfinite'].sum())} activations are not finite."
    if (by_layer["zero_fraction"] == 1).all():
        return "Every activation of every hidden layer is exactly zero: no signal passes."
    first, last = by_layer.index[0], by_layer.index[-1]
    return " ".join([_size_along_depth(by_layer["rms"], first, last), _zeros_and_dead(by_layer, first, last)])


def _size_along_depth(rms: pd.Series, first: str, last: str) -> str:
    if len(rms) == 1:
        return f"The RMS in {first} is {rms[first]:.3g}."
    if rms[first] == 0 or rms[last] == 0:
        return f"The RMS goes from {rms[first]:.3g} in {first} to {rms[last]:.3g} in {last}."
    ratio = rms[last] / rms[first]
    change = "stays within a factor of 2"
    if ratio < 0.5:
        change = f"shrinks {1 / ratio:.3g}-fold"
    elif ratio > 2:
        change = f"grows {ratio:.3g}-fold"
    return f"The RMS {change}, from {rms[first]:.3g} in {first} to {rms[last]:.3g} in {last}."


def _zeros_and_dead(by_layer: pd.DataFrame, first: str, last: str) -> str:
    zeros = by_layer["zero_fraction"]
    span = f"{zeros[first]:.0%} of the values in {first}"
    if last != first:
        span += f" and {zeros[last]:.0%} in {last}"
    said = f"Zeros are {span}."
    worst = str(by_layer["dead_fraction"].idxmax())
    dead = by_layer["dead_fraction"][worst]
    if dead > 0:
        return said + f" Units that are zero for every sample: at most {dead:.1%} of a layer ({worst})."
    return said + " No unit is zero for every sample."
