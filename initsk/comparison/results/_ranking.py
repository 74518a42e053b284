"""The frames of `ComparisonResult.summary` and `pairwise`: the ranking, and every pair."""

from collections.abc import Mapping
from math import inf, nan
from typing import Any

import numpy as np
import pandas as pd

from initsk.comparison.results._records import grid_columns, key_columns
from initsk.comparison.results._statistics import (
    PairedScores,
    effect_size,
    equivalence,
    mean_interval,
    number_needed,
    paired_scores,
    setting_labels,
    tuned_runs,
)

#: The values of `by`.
BY = ("initializer", "setting")
# Without a target, a score within 2 % of the best mean score counts as reached.
_TOLERANCE = 0.02
_PAIR_TYPES = {
    "first": "str", "second": "str", "n": "int64", "difference": "float64", "low": "float64", "high": "float64",
    "effect_size": "float64", "p_value": "float64", "significant": "boolean", "n_needed": "float64",
}  # fmt: skip
_EQUIVALENCE = ("p_worse", "p_equivalent", "p_better")

Frames = Mapping[str, pd.DataFrame]


def rank(frames: Frames, *, alpha: float, test: str, target: float | None, column: str, by: str) -> pd.DataFrame:
    """Return a row for each initializer (or setting), the best mean score first."""
    runs, treatment = _select_runs(frames, by, column)
    scores = paired_scores(runs, treatment, column)
    speed = _learning(frames, runs, _near_best(scores) if target is None else target, column)
    p_values, best = scores.p_values(test), scores.labels[0]
    rows = []
    for number, label in enumerate(scores.labels, start=1):
        mine = treatment == label
        values = scores.values(label)
        low, high = mean_interval(values, scores.ratio)
        if label == best:
            difference, significant = (0.0, False) if len(values) else (nan, None)
            to_best: dict[str, Any] = {
                "difference": difference, "effect_size": nan, "p_value": nan, "significant": significant,
                "n_needed": nan,
            }  # fmt: skip
        else:
            to_best = _difference(scores, label, best, p_values[best, label], alpha / len(p_values), alpha)
        rows.append(
            {"initializer": str(runs.loc[mine, "initializer"].iloc[0]), "rank": number}
            | _most_frequent_setting(runs[mine])
            | {
                "mean_score": _mean(values),
                # The standard deviation of equal values is zero, without a rounding error.
                "std_score": float(values.std(ddof=1) if np.ptp(values) else 0.0) if len(values) > 1 else nan,
                "low": low,
                "high": high,
                "difference_to_best": to_best.pop("difference"),
            }
            | to_best
            | {
                "epochs_to_target": float(speed.loc[mine, "epochs_to_target"].dropna().median()),
                "seconds_to_target": float(speed.loc[mine, "seconds_to_target"].dropna().median()),
                "area_under_curve": float(speed.loc[mine, "area_under_curve"].mean()),
                "n_runs": int(runs.loc[mine, column].notna().sum()),
                "n_failed": int((runs.loc[mine, "status"] == "failed").sum()),
                "n_diverged": int((runs.loc[mine, "status"] == "diverged").sum()),
            }
        )
    return pd.DataFrame(rows).astype({"significant": "boolean"})


def compare_pairs(frames: Frames, *, alpha: float, test: str, rope: float | None, column: str, by: str) -> pd.DataFrame:
    """Return a row for each pair, the better one first."""
    scores = paired_scores(*_select_runs(frames, by, column), column)
    p_values = scores.p_values(test)
    types = _PAIR_TYPES if rope is None else _PAIR_TYPES | dict.fromkeys(_EQUIVALENCE, "float64")
    rows = []
    for (first, second), p_value in p_values.items():
        differences = scores.differences(first, second)
        low, high = mean_interval(differences, scores.ratio, 1 - alpha)
        row = {"first": first, "second": second, "n": len(differences), "low": low, "high": high}
        row |= _difference(scores, first, second, p_value, alpha / len(p_values), alpha)
        if rope is not None:
            row |= dict(zip(_EQUIVALENCE, equivalence(differences, rope, scores.ratio), strict=True))
        rows.append(row)
    return pd.DataFrame(rows, columns=list(types)).astype(types)


def default_target(frames: Frames, column: str) -> float:
    """Return the target score of a summary without `target`."""
    return _near_best(paired_scores(*_select_runs(frames, "initializer", column), column))


def _select_runs(frames: Frames, by: str, column: str) -> tuple[pd.DataFrame, pd.Series]:
    """Return the runs to rank, and the label of each run's initializer (or setting)."""
    if by == "setting":
        return frames["runs"], setting_labels(frames["runs"])
    runs = tuned_runs(frames["runs"], column)
    return runs, runs["initializer"].astype(str)


def _near_best(scores: PairedScores) -> float:
    means = scores.table.mean()
    best = float(means.max()) if means.notna().any() else nan
    return best - _TOLERANCE * abs(best)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else nan


def _difference(
    scores: PairedScores, first: str, second: str, p_value: float, min_alpha: float, alpha: float
) -> dict[str, Any]:
    """Return the mean difference with its size and test.

    `n_needed` is the number of pairs for a test at `min_alpha`, the smallest level in Holm's method.
    """
    differences = scores.differences(first, second)
    effect = effect_size(differences)
    return {
        "difference": _mean(differences),
        "effect_size": effect,
        "p_value": p_value,
        "significant": None if np.isnan(p_value) else p_value < alpha,
        "n_needed": number_needed(effect, min_alpha, scores.ratio) if p_value >= alpha else nan,
    }


def _most_frequent_setting(runs: pd.DataFrame) -> dict[str, Any]:
    names = grid_columns(runs)
    if not names:
        return {}
    first = runs.groupby(names, sort=False)["repeat"].transform("size").to_numpy().argmax()
    return {name: runs[name].iloc[first] for name in names}


def _learning(frames: Frames, runs: pd.DataFrame, target: float, column: str) -> pd.DataFrame:
    """Return epochs and seconds to the target (infinite if a run never reaches it), and area, for each run.

    All are NaN for runs without a score, and for scores that are not in the history.
    """
    keys = key_columns(runs)
    history = frames["history"]
    empty = pd.DataFrame(nan, index=runs.index, columns=["epochs_to_target", "seconds_to_target", "area_under_curve"])
    is_in_history = column == "score" or runs[column].equals(runs["score"])
    if history.empty or not is_in_history:
        return empty
    area = history.groupby(keys, observed=True)["val_score"].mean().rename("area_under_curve")
    reached = history[history["val_score"] >= target].groupby(keys, observed=True)["epoch"].min()
    speed = pd.concat([area, reached.rename("epochs_to_target")], axis=1).reset_index()
    speed["epochs_to_target"] = speed["epochs_to_target"].astype("float64").fillna(inf)
    found = runs[keys].merge(speed, on=keys, how="left")
    found = found.merge(frames["timing"][[*keys, "seconds_per_epoch"]], on=keys, how="left")
    found["seconds_to_target"] = found["epochs_to_target"] * found["seconds_per_epoch"]
    return found[empty.columns].set_index(runs.index).where(runs[column].notna(), nan)
