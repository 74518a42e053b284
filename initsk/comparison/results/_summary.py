"""The ranking, and every pair: what `ComparisonResult` says in frames."""

from collections.abc import Mapping
from math import inf, nan
from typing import Any

import numpy as np
import pandas as pd

from initsk.comparison.results._records import grid_columns, key_columns
from initsk.comparison.results._statistics import (
    Scores,
    effect_size,
    equivalence,
    mean_interval,
    number_needed,
    scores_of,
    setting_labels,
    tuned,
)

#: What `by` may be.
BY = ("initializer", "setting")
# How near the best mean score counts as there, when no target is given: 2 % of its size.
_NEAR = 0.02

Frames = Mapping[str, pd.DataFrame]


def chosen_runs(frames: Frames, by: str, column: str) -> tuple[pd.DataFrame, pd.Series]:
    """Return the runs that count, and what each is of in words."""
    if by == "setting":
        return frames["runs"], setting_labels(frames["runs"])
    runs = tuned(frames["runs"], column)
    return runs, runs["initializer"].astype(str)


def summarize(frames: Frames, *, alpha: float, test: str, target: float | None, column: str, by: str) -> pd.DataFrame:
    """Return a row per initializer (or setting), the best mean score first."""
    runs, treatment = chosen_runs(frames, by, column)
    scores = scores_of(runs, treatment, column)
    if target is None:
        target = _near_best(scores)
    speed = _learning(frames, runs, target, column)
    p_values = scores.p_values(test)
    rows = []
    for rank, label in enumerate(scores.labels, start=1):
        mine = treatment == label
        rows.append(
            {"initializer": str(runs.loc[mine, "initializer"].iloc[0]), "rank": rank}
            | _setting(runs[mine])
            | _location(scores, label)
            | _against_best(scores, label, p_values, alpha)
            | _typical(speed[mine.to_numpy()])
            | _counts(runs[mine], column)
        )
    frame = pd.DataFrame(rows)
    return frame.astype({"significant": "boolean"})


def compare_pairs(frames: Frames, *, alpha: float, test: str, rope: float | None, column: str, by: str) -> pd.DataFrame:
    """Return a row per pair, the better one first."""
    runs, treatment = chosen_runs(frames, by, column)
    scores = scores_of(runs, treatment, column)
    p_values = scores.p_values(test)
    rows = []
    for (first, second), p_value in p_values.items():
        differences = scores.differences(first, second)
        low, high = mean_interval(differences, scores.ratio, 1 - alpha)
        row = {
            "first": first, "second": second, "n": len(differences),
            "difference": differences.mean() if len(differences) else nan, "low": low, "high": high,
            "effect_size": effect_size(differences), "p_value": p_value, "significant": _significant(p_value, alpha),
            "n_needed": _needed(differences, scores, p_value, alpha, len(p_values)),
        }  # fmt: skip
        if rope is not None:
            names = ("p_worse", "p_equivalent", "p_better")
            row |= dict(zip(names, equivalence(differences, rope, scores.ratio), strict=True))
        rows.append(row)
    columns = ["first", "second", "n", "difference", "low", "high", "effect_size", "p_value", "significant", "n_needed"]
    columns += ["p_worse", "p_equivalent", "p_better"] if rope is not None else []
    types = dict.fromkeys(columns[3:], "float64") | {
        "first": "str",
        "second": "str",
        "n": "int64",
        "significant": "boolean",
    }
    return pd.DataFrame(rows, columns=columns).astype(types)


def target_of(frames: Frames, column: str) -> float:
    """Return the target of who gives none."""
    return _near_best(scores_of(*chosen_runs(frames, "initializer", column), column))


def _near_best(scores: Scores) -> float:
    means = scores.table.mean()
    best = float(means.max()) if means.notna().any() else nan
    return best - _NEAR * abs(best)


def _significant(p_value: float, alpha: float) -> bool | None:
    return None if np.isnan(p_value) else p_value < alpha


def _needed(differences: np.ndarray, scores: Scores, p_value: float, alpha: float, n_pairs: int) -> float:
    """Return how many pairs would do, where these are too few; the level is the least that Holm's correction asks."""
    if not p_value >= alpha:
        return nan
    return number_needed(effect_size(differences), alpha / n_pairs, scores.ratio)


def _setting(runs: pd.DataFrame) -> dict[str, Any]:
    """Return the setting that most of the runs have."""
    names = grid_columns(runs)
    if not names:
        return {}
    often = runs.groupby(names, sort=False)["repeat"].transform("size").to_numpy().argmax()
    return {name: runs[name].iloc[often] for name in names}


def _location(scores: Scores, label: str) -> dict[str, float]:
    values = scores.values(label)
    low, high = mean_interval(values, scores.ratio)
    return {
        "mean_score": float(values.mean()) if len(values) else nan,
        # Of equal values it is zero, and not what rounding leaves.
        "std_score": float(values.std(ddof=1) if np.ptp(values) else 0.0) if len(values) > 1 else nan,
        "low": low,
        "high": high,
    }


def _against_best(scores: Scores, label: str, p_values: dict[tuple[str, str], float], alpha: float) -> dict[str, Any]:
    best = scores.labels[0]
    if label == best:
        has_scores = len(scores.values(best)) > 0
        return {
            "difference_to_best": 0.0 if has_scores else nan, "effect_size": nan, "p_value": nan,
            "significant": False if has_scores else None, "n_needed": nan,
        }  # fmt: skip
    differences, p_value = scores.differences(label, best), p_values[best, label]
    return {
        "difference_to_best": float(differences.mean()) if len(differences) else nan,
        "effect_size": effect_size(differences),
        "p_value": p_value,
        "significant": _significant(p_value, alpha),
        "n_needed": _needed(differences, scores, p_value, alpha, len(p_values)),
    }


def _learning(frames: Frames, runs: pd.DataFrame, target: float, column: str) -> pd.DataFrame:
    """Return, for each run, epochs and seconds to the target (infinite if it is never met), and the area.

    Of runs without a score, and of scores that were not followed over the epochs, there are none.
    """
    keys = key_columns(runs)
    history = frames["history"]
    empty = pd.DataFrame(nan, index=runs.index, columns=["epochs_to_target", "seconds_to_target", "area_under_curve"])
    followed = column == "score" or runs[column].equals(runs["score"])
    if history.empty or not followed:
        return empty
    area = history.groupby(keys, observed=True)["val_score"].mean().rename("area_under_curve")
    reached = history[history["val_score"] >= target].groupby(keys, observed=True)["epoch"].min()
    speed = pd.concat([area, reached.rename("epochs_to_target")], axis=1).reset_index()
    speed["epochs_to_target"] = speed["epochs_to_target"].astype("float64").fillna(inf)
    found = runs[keys].merge(speed, on=keys, how="left")
    found = found.merge(frames["timing"][[*keys, "seconds_per_epoch"]], on=keys, how="left")
    found["seconds_to_target"] = found["epochs_to_target"] * found["seconds_per_epoch"]
    return found[empty.columns].set_index(runs.index).where(runs[column].notna(), nan)


def _typical(speed: pd.DataFrame) -> dict[str, float]:
    return {
        "epochs_to_target": float(speed["epochs_to_target"].dropna().median()),
        "seconds_to_target": float(speed["seconds_to_target"].dropna().median()),
        "area_under_curve": float(speed["area_under_curve"].mean()),
    }


def _counts(runs: pd.DataFrame, column: str) -> dict[str, int]:
    return {
        "n_runs": int(runs[column].notna().sum()),
        "n_failed": int((runs["status"] == "failed").sum()),
        "n_diverged": int((runs["status"] == "diverged").sum()),
    }
