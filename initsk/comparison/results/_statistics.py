"""Paired scores of several treatments, and the runs that they come from."""

from dataclasses import dataclass
from itertools import combinations
from math import comb, isfinite, nan
from typing import Any

import numpy as np
import pandas as pd

from initsk.comparison.results._inference import (
    UNBOUNDED,
    Bounds,
    compare_means,
    effect_size,
    holm,
    mean_interval,
    number_needed,
    paired_p_value,
)
from initsk.comparison.results._records import grid_columns
from initsk.comparison.results._rounding import DOUBLE, rounding_of, without_rounding
from initsk.exceptions import InvalidParameterError

# Without a target, a score counts as reached at this part of the way from the baseline's score to the best mean score.
_REACHED = 0.98
# Without a margin, differences of this part of the score's range count as equivalent.
_EQUIVALENT = 0.01


@dataclass(frozen=True)
class PairedScores:
    """Scores of several treatments, paired by repeat or split.

    Parameters
    ----------
    table : DataFrame
        A column for each treatment, the best mean first; a row for each repeat or, with several splits, for each
        split.
    ratio : float
        With several splits, the number of validation samples for each training sample; otherwise 0.
    bounds : tuple of float, default=(-inf, inf)
        The lowest and the highest value that a score can have.
    rounding : float, default=1e-12
        Relative rounding error of the scores: values and differences that vary no more than that are returned as equal.
    """

    table: pd.DataFrame
    ratio: float
    bounds: Bounds = UNBOUNDED
    rounding: float = DOUBLE

    @property
    def labels(self) -> list[str]:
        """The treatments, the best first."""
        return list(self.table.columns)

    def values(self, label: str) -> np.ndarray:
        """Return the finite scores of one treatment."""
        values = self.table[label].to_numpy(float)
        values = values[np.isfinite(values)]
        return without_rounding(values, values, self.rounding)

    def differences(self, first: str, second: str) -> np.ndarray:
        """Return the scores of `first` minus those of `second`, where both have one."""
        shared = self.table[[first, second]].to_numpy(float)
        shared = shared[np.isfinite(shared).all(axis=1)]
        return without_rounding(shared[:, 0] - shared[:, 1], shared, self.rounding)

    def describe(self, label: str) -> dict[str, float]:
        """Return the mean score of one treatment, its interval, the standard deviation, and the number of scores."""
        values = self.values(label)
        low, high = mean_interval(values, self.ratio, bounds=self.bounds)
        # The standard deviation of equal values is zero, without a rounding error.
        std = float(values.std(ddof=1) if np.ptp(values) else 0.0) if len(values) > 1 else nan
        mean = float(values.mean()) if len(values) else nan
        return {"mean_score": mean, "std_score": std, "low": low, "high": high, "n": len(values)}

    def compare(self, *, alpha: float, test: str = "t", margin: float = nan) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the difference of every pair, the better treatment first, with its size, tests and conclusion.

        The tests are adjusted over all pairs by Holm's method. All pairs count, also where only those with the best
        treatment are shown, because the same scores determine which treatment is the best. `n_needed` is the number of
        pairs for a test at the smallest level in Holm's method.
        """
        pairs = list(combinations(self.labels, 2))
        differences = [self.differences(*pair) for pair in pairs]
        tests = compare_means(differences, ratio=self.ratio, test=test, alpha=alpha, margin=margin)
        min_alpha, width = alpha / max(comb(len(self.labels), 2), 1), self.bounds[1] - self.bounds[0]
        found = {}
        for pair, values, pair_test in zip(pairs, differences, tests, strict=True):
            effect, p_value = effect_size(values), pair_test.p_value
            identical = len(values) > 1 and not values.any()
            needed = number_needed(effect, min_alpha, self.ratio) if p_value >= alpha else nan
            found[pair] = {
                "n": len(values), "difference": float(values.mean()) if len(values) else nan,
                "low": max(pair_test.low, -width), "high": min(pair_test.high, width),
                "effect_size": effect, "p_value": p_value, "p_equivalence": pair_test.p_equivalence,
                "conclusion": "identical" if identical else _conclusion(p_value, pair_test.p_equivalence, alpha),
                "margin": margin,
                "significant": None if np.isnan(p_value) else p_value < alpha,
                # The permutation test may need more than the t-test, for which the number is.
                "n_needed": needed if needed > len(values) else nan,
            }  # fmt: skip
        return found

    def default_target(self, baseline: float) -> float:
        """Return the score at 98 % of the way from the baseline's score to the best mean score.

        It is NaN without a baseline, and if no mean score is above it.
        """
        best = float(self.table.mean().max())
        return baseline + _REACHED * (best - baseline) if best > baseline else nan

    def p_values(self) -> dict[tuple[str, str], float]:
        """Return the p-value of every pair in `compare`, and nothing else."""
        pairs = list(combinations(self.labels, 2))
        raw = [paired_p_value(self.differences(*pair), self.ratio) for pair in pairs]
        return dict(zip(pairs, holm(np.array(raw, dtype=float)).tolist(), strict=True))


def _conclusion(p_value: float, p_equivalence: float, alpha: float) -> str:
    if np.isnan(p_value):
        return "not tested"
    if p_value < alpha:
        return "significant"
    return "equivalent" if p_equivalence < alpha else "undecided"


def default_margin(bounds: Bounds, baseline: float) -> float:
    """Return 1 % of a score's range: between its bounds or, with an upper bound only, from the baseline to that bound.

    It is NaN if the range is not known.

    Examples
    --------
    >>> default_margin((0, 1), baseline=0.9), default_margin((-np.inf, 0), baseline=-50.0)
    (0.01, 0.5)
    """
    low, high = bounds
    margin = _EQUIVALENT * (high - (low if isfinite(low) else baseline))
    return margin if isfinite(margin) and margin > 0 else nan


def has_several_splits(runs: pd.DataFrame) -> bool:
    """Return whether the runs have several splits, and not a single one for all repeats."""
    split = runs["split"].to_numpy()
    return bool((split != split[:1]).any())


def paired_scores(
    runs: pd.DataFrame, treatment: pd.Series, column: str = "score", bounds: Bounds = UNBOUNDED
) -> PairedScores:
    """Return the scores in `column`; `treatment` has the label of each run's treatment."""
    several = has_several_splits(runs)
    over = runs["split"] if several else runs["repeat"]
    # Repeats on the same split are averaged: they add no data.
    table = runs[column].groupby([over, treatment], sort=False).mean().unstack().sort_index()
    order = list(dict.fromkeys(treatment))
    means = table.reindex(columns=order).mean().fillna(-np.inf)
    ranked = sorted(order, key=lambda label: -means[label])
    ratio = float(runs["val_ratio"].mean()) if several else 0.0
    return PairedScores(table.reindex(columns=ranked), ratio, bounds, rounding_of(runs[column].to_numpy(float)))


def baseline_score(runs: pd.DataFrame, column: str = "score") -> float:
    """Return the mean over the splits of the baseline's score by the scorer of `column`; NaN if there is none."""
    name = f"baseline_{column}"
    return float(runs.groupby("split")[name].mean().mean()) if name in runs else nan


def setting_labels(runs: pd.DataFrame) -> pd.Series:
    """Return the initializer and setting of each run as text."""
    labels = runs["initializer"].astype(str)
    for name in grid_columns(runs):
        labels += f", {name}=" + runs[name].astype(str)
    return labels


def tuned_runs(runs: pd.DataFrame, column: str = "score") -> pd.DataFrame:
    """Return, for each initializer, repeat and fold, the run at the setting that is best in the *other* ones.

    Every initializer gets its own best setting, and no score selects the setting that it belongs to. A setting with
    missing scores is selected only if all settings have as many. With a single run for each setting, the best
    score is selected.

    Raises
    ------
    InvalidParameterError
        If no run is selected, because every setting has runs in one repeat only.
    """
    if not grid_columns(runs):
        return runs
    tuned = pd.concat([_own_best(rows, column) for _, rows in runs.groupby("initializer", observed=True, sort=False)])
    if tuned.empty and len(runs):
        reason = "the setting of each repeat is the best one in the other repeats, and no setting has runs in two"
        raise InvalidParameterError(f"no runs of the grid can be compared: {reason}")
    return tuned


def _own_best(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the tuned runs of one initializer."""
    units, settings = pd.MultiIndex.from_frame(runs[["repeat", "fold"]]), setting_labels(runs)
    rows, columns = units.factorize()[0], settings.factorize()[0]
    scores = np.full((rows.max() + 1, columns.max() + 1), np.nan)
    where = np.full(scores.shape, -1)
    scores[rows, columns], where[rows, columns] = runs[column], np.arange(len(runs))
    missing = np.isnan(scores)
    total, gaps = np.nan_to_num(scores), missing.astype(int)
    if len(scores) > 1:
        total, gaps = total.sum(axis=0) - total, gaps.sum(axis=0) - gaps
    fewest = gaps == gaps.min(axis=1, keepdims=True)
    picked = where[np.arange(len(scores)), np.where(fewest, total, -np.inf).argmax(axis=1)]
    return runs.iloc[picked[picked >= 0]]
