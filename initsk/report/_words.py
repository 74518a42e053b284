"""Sentences computed from the numbers; nothing here is said that they do not carry."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

import pandas as pd

from initsk.inspection import signal_rows


def answer(summary: pd.DataFrame) -> str:
    """Say in a few sentences what the comparison found."""
    scored = summary[summary["n_runs"] > 0]
    if scored.empty:
        return "No run gave a score."
    best = scored.iloc[0]
    said = f"{best.initializer} has the highest mean score, {best.mean_score:.4f}{_interval(best)}."
    others = scored.iloc[1:]
    if others.empty:
        return said
    tied = others[others["tied_with_best"].fillna(False).astype(bool)]
    worse = others.loc[~others["tied_with_best"].fillna(True).astype(bool), "initializer"].tolist()
    untested = others.loc[others["tied_with_best"].isna(), "initializer"].tolist()
    if not isfinite(best.low):
        return said + " With one repeat, differences cannot be told from noise."
    if len(tied):
        said += f" Not told apart from it at the 5 % level: {_list(tied['initializer'].tolist())}. {_too_few(tied)}"
    if worse:
        said += f" Lower beyond noise: {_list(worse)}."
    if untested:
        said += f" Not tested, for want of shared repeats whose differences vary: {_list(untested)}."
    return said.strip()


def _too_few(tied: pd.DataFrame) -> str:
    """Say how many pairs would tell the first of those who are not told apart."""
    needed = tied["n_needed"].dropna()
    if needed.empty:
        return ""
    if not isfinite(needed.min()):
        return "No number of runs on such splits would tell them apart, if the differences are as they were seen."
    nearest = tied[tied["n_needed"] == needed.min()].iloc[0]
    return (
        f"If the difference to {nearest.initializer}, {abs(nearest.difference_to_best):.4f}, is what it seems,"
        f" {needed.min():.0f} paired runs would show it in four of five experiments; these are {nearest.n_runs:.0f}."
    )


def slow_starts(summary: pd.DataFrame, target: float) -> str:
    """Say who reached the target later than the best did, or not at all."""
    reached = summary.dropna(subset="epochs_to_target")
    if reached.empty:
        return ""
    best = reached["epochs_to_target"].iloc[0]
    late = reached[reached["epochs_to_target"] > best]
    said = f"The median run of {reached['initializer'].iloc[0]} reaches a score of {target:.4f} in epoch {best:g}"
    if not isfinite(best):
        return f"The median run of {reached['initializer'].iloc[0]} does not reach a score of {target:.4f}."
    parts = [
        f"{row.initializer} in epoch {row.epochs_to_target:g}"
        if isfinite(row.epochs_to_target)
        else f"{row.initializer} not at all"
        for row in late.itertuples()
    ]
    return f"{said}; {', '.join(parts)}." if parts else f"{said}; none is later."


def shortfall(runs: pd.DataFrame, settings: Mapping[str, Any]) -> str:
    """Say which of the planned runs give no score, or nothing if all do."""
    said = []
    halving = settings.get("halving", {"dropped": {}, "runs_saved": 0})
    planned = settings.get("n_planned", len(runs)) - halving["runs_saved"]
    if len(runs) < planned:
        said.append(f"Interrupted: {len(runs)} of {planned} runs had finished, and these alone are shown.")
    if halving["dropped"]:
        names = [f"{name} after {number} rounds" for name, number in halving["dropped"].items()]
        share = halving["runs_saved"] / settings["n_planned"]
        said.append(
            f"Left out early, as clearly behind: {_list(names)}. That saved {halving['runs_saved']} of"
            f" {settings['n_planned']} runs ({share:.0%})."
        )
    for status in ("failed", "diverged"):
        count = int((runs["status"] == status).sum())
        if count:
            names = runs.loc[runs["status"] == status, "initializer"].astype(str).unique().tolist()
            said.append(f"{count} of {len(runs)} runs {status} and give no score: {_list(names)}.")
    return " ".join(said)


def _interval(row: pd.Series) -> str:
    if not isfinite(row.low):
        return " (one repeat)"
    return f" (95 % interval {row.low:.4f} to {row.high:.4f}, {int(row.n_runs)} runs)"


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
