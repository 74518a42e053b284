"""The frames of `ComparisonResult.summary` and `pairwise`: the ranking, and every pair."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf, isnan, nan
from typing import Any

import pandas as pd

from initsk.comparison.results._inference import Bounds, equivalence
from initsk.comparison.results._records import grid_columns, key_columns
from initsk.comparison.results._statistics import (
    PairedScores,
    baseline_score,
    default_margin,
    paired_scores,
    setting_labels,
    tuned_runs,
)

#: The values of `by`.
BY = ("initializer", "setting")
_PAIR_TYPES = {
    "first": "str", "second": "str", "n": "int64", "difference": "float64", "low": "float64", "high": "float64",
    "effect_size": "float64", "p_value": "float64", "p_equivalence": "float64", "margin": "float64",
    "conclusion": "str", "significant": "boolean", "n_needed": "float64",
}  # fmt: skip
_POSTERIOR = ("p_worse", "p_equivalent", "p_better")
# What a summary calls the columns of a pair, of which the first is the best treatment.
_TO_BEST = {
    "n": "n_paired", "difference": "difference_to_best", "low": "difference_low", "high": "difference_high",
    "effect_size": "effect_size", "p_value": "p_value", "p_equivalence": "p_equivalence", "margin": "margin",
    "conclusion": "conclusion", "significant": "significant", "n_needed": "n_needed",
}  # fmt: skip

Frames = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Ranked:
    """The scores to rank, and the settings of the ranking.

    Parameters
    ----------
    frames : dict of str to DataFrame
        Of a comparison.
    column : str
        The scores in the runs.
    bounds : tuple of float
        The lowest and the highest value that such a score can have.
    by : {"initializer", "setting"}
        What has a row.
    """

    frames: Frames
    column: str
    bounds: Bounds
    by: str = "initializer"

    def scores(self) -> tuple[PairedScores, pd.DataFrame, pd.Series]:
        """Return the paired scores, the runs that they are from, and the label of each run's treatment."""
        runs, treatment = _select_runs(self.frames, self.by, self.column)
        return paired_scores(runs, treatment, self.column, self.bounds), runs, treatment

    def baseline(self) -> float:
        """Return the mean score of the baseline."""
        return baseline_score(self.frames["runs"], self.column)

    def target(self) -> float:
        """Return the target without `target`; it is the same for initializers and settings."""
        return replace(self, by="initializer").scores()[0].default_target(self.baseline())

    def margin(self) -> float:
        """Return the margin without `margin`."""
        return default_margin(self.bounds, self.baseline())


def rank(what: Ranked, *, alpha: float, test: str, target: float | None, margin: float | None) -> pd.DataFrame:
    """Return a row for each initializer (or setting), the best mean score first."""
    scores, runs, treatment = what.scores()
    speed = _learning(what.frames, runs, what.target() if target is None else target, what.column)
    margin = what.margin() if margin is None else margin
    pairs = scores.compare(alpha=alpha, test=test, margin=margin)
    best, rows = scores.labels[0], []
    for number, label in enumerate(scores.labels, start=1):
        own, pace = runs[treatment == label], speed[treatment == label]
        row: dict[str, Any] = {"initializer": str(own["initializer"].iloc[0]), "rank": number} | _most_frequent_setting(
            own
        )
        row |= scores.describe(label)
        row |= _of_best(row["n"], margin) if label == best else _to_best(pairs[best, label])
        row |= {name: float(pace[name].dropna().median()) for name in ("epochs_to_target", "seconds_to_target")}
        row |= {
            "area_under_curve": float(pace["area_under_curve"].mean()),
            "n_runs": int(own[what.column].notna().sum()),
        }
        row |= {f"n_{status}": int((own["status"] == status).sum()) for status in ("failed", "diverged")}
        rows.append(row)
    return pd.DataFrame(rows).astype({"significant": "boolean", "conclusion": "str"})


def _of_best(n: int, margin: float) -> dict[str, Any]:
    """Return the columns of the best treatment's difference to itself, which has no test."""
    known: dict[str, Any] = {"n": 0, "conclusion": "not tested", "significant": None}
    if n:
        known = {"n": n, "difference": 0.0, "conclusion": "best", "significant": False}
    known["margin"] = margin
    return {summary_name: known.get(name, nan) for name, summary_name in _TO_BEST.items()}


def _to_best(pair: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a treatment's difference to the best one."""
    opposite = {"difference": "difference", "effect_size": "effect_size", "low": "high", "high": "low"}
    # Zero less the value, so that no zero gets a minus sign.
    turned = dict(pair) | {name: 0.0 - pair[other] for name, other in opposite.items()}
    if pair["conclusion"] == "significant":
        # Over the repeats that both share, the order of the means may be the opposite.
        turned["conclusion"] = "significantly worse" if turned["difference"] < 0 else "significantly better"
    return {summary_name: turned[name] for name, summary_name in _TO_BEST.items()}


def compare_pairs(what: Ranked, *, alpha: float, test: str, margin: float | None, rope: float | None) -> pd.DataFrame:
    """Return a row for each pair, the better one first."""
    scores, *_ = what.scores()
    types = _PAIR_TYPES if rope is None else _PAIR_TYPES | dict.fromkeys(_POSTERIOR, "float64")
    rows = []
    for pair, found in scores.compare(
        alpha=alpha, test=test, margin=what.margin() if margin is None else margin
    ).items():
        row = dict(zip(("first", "second"), pair, strict=True)) | found
        if rope is not None:
            row |= dict(zip(_POSTERIOR, equivalence(scores.differences(*pair), rope, scores.ratio), strict=True))
        rows.append(row)
    return pd.DataFrame(rows, columns=list(types)).astype(types)


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
    never = nan if isnan(target) else inf
    speed["epochs_to_target"] = speed["epochs_to_target"].astype("float64").fillna(never)
    found = runs[keys].merge(speed, on=keys, how="left")
    found = found.merge(frames["timing"][[*keys, "seconds_per_epoch"]], on=keys, how="left")
    found["seconds_to_target"] = found["epochs_to_target"] * found["seconds_per_epoch"]
    return found[empty.columns].set_index(runs.index).where(runs[column].notna(), nan)
