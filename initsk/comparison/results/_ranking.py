"""The frames of `ComparisonResult.summary` and `pairwise`: the ranking, and every pair."""

from collections.abc import Mapping
from math import inf, nan
from typing import Any

import pandas as pd

from initsk.comparison.results._records import grid_columns, key_columns
from initsk.comparison.results._statistics import equivalence, mean_interval, paired_scores, setting_labels, tuned_runs

#: The values of `by`.
BY = ("initializer", "setting")
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
    speed = _learning(frames, runs, scores.default_target() if target is None else target, column)
    p_values, best = scores.p_values(test), scores.labels[0]
    rows = []
    for number, label in enumerate(scores.labels, start=1):
        own, pace = runs[treatment == label], speed[treatment == label]
        # The best has no p-value of its difference to itself.
        to_best = scores.compare(label, best, p_values.get((best, label), nan), alpha)
        row = {"initializer": str(own["initializer"].iloc[0]), "rank": number} | _most_frequent_setting(own)
        row |= scores.describe(label) | {"difference_to_best": to_best.pop("difference")} | to_best
        if label == best and len(scores.values(label)):
            row["significant"] = False
        row |= {name: float(pace[name].dropna().median()) for name in ("epochs_to_target", "seconds_to_target")}
        row |= {"area_under_curve": float(pace["area_under_curve"].mean()), "n_runs": int(own[column].notna().sum())}
        row |= {f"n_{status}": int((own["status"] == status).sum()) for status in ("failed", "diverged")}
        rows.append(row)
    return pd.DataFrame(rows).astype({"significant": "boolean"})


def compare_pairs(frames: Frames, *, alpha: float, test: str, rope: float | None, column: str, by: str) -> pd.DataFrame:
    """Return a row for each pair, the better one first."""
    scores = paired_scores(*_select_runs(frames, by, column), column)
    types = _PAIR_TYPES if rope is None else _PAIR_TYPES | dict.fromkeys(_EQUIVALENCE, "float64")
    rows = []
    for (first, second), p_value in scores.p_values(test).items():
        differences = scores.differences(first, second)
        low, high = mean_interval(differences, scores.ratio, 1 - alpha)
        row = {"first": first, "second": second, "n": len(differences), "low": low, "high": high}
        row |= scores.compare(first, second, p_value, alpha)
        if rope is not None:
            row |= dict(zip(_EQUIVALENCE, equivalence(differences, rope, scores.ratio), strict=True))
        rows.append(row)
    return pd.DataFrame(rows, columns=list(types)).astype(types)


def default_target(frames: Frames, column: str) -> float:
    """Return the target score of a summary without `target`."""
    return paired_scores(*_select_runs(frames, "initializer", column), column).default_target()


def _select_runs(frames: Frames, by: str, column: str) -> tuple[pd.DataFrame, pd.Series]:
    """Return the runs to rank, and the label of each run's initializer (or setting)."""
    if by == "setting":
        return frames["runs"], setting_labels(frames["runs"])
    runs = tuned_runs(frames["runs"], column)
    return runs, runs["initializer"].astype(str)


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
    keys, history = key_columns(runs), frames["history"]
    empty = pd.DataFrame(nan, index=runs.index, columns=["epochs_to_target", "seconds_to_target", "area_under_curve"])
    if history.empty or not (column == "score" or runs[column].equals(runs["score"])):
        return empty
    area = history.groupby(keys, observed=True)["val_score"].mean().rename("area_under_curve")
    reached = history[history["val_score"] >= target].groupby(keys, observed=True)["epoch"].min()
    speed = pd.concat([area, reached.rename("epochs_to_target")], axis=1).reset_index()
    speed["epochs_to_target"] = speed["epochs_to_target"].astype("float64").fillna(inf)
    found = runs[keys].merge(speed, on=keys, how="left")
    found = found.merge(frames["timing"][[*keys, "seconds_per_epoch"]], on=keys, how="left")
    found["seconds_to_target"] = found["epochs_to_target"] * found["seconds_per_epoch"]
    return found[empty.columns].set_index(runs.index).where(runs[column].notna(), nan)
