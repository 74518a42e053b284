"""Tests, intervals and posterior probabilities of paired scores.

Scores of repeats are independent. Scores of folds share training samples, so their variance underestimates that of
the mean. The correction is by Nadeau and Bengio (2003, "Inference for the generalization error", Machine Learning 52,
equation 8): the variance of the mean of n differences is (1 / n + n_val / n_train) times the variance of the
differences. The `ratio` below is n_val / n_train; for repeats it is 0, which gives Student's test.
"""

from bisect import bisect_left
from dataclasses import dataclass
from itertools import combinations
from math import comb, inf, isfinite, nan, sqrt
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from initsk.comparison.results._records import grid_columns

TESTS = ("t", "permutation")
# Without a target, a score within 2 % of the best mean score counts as reached.
_TOLERANCE = 0.02
_RESAMPLES = 9999
_MAX_NEEDED = 2**16


def mean_interval(values: np.ndarray, ratio: float = 0.0, confidence: float = 0.95) -> tuple[float, float]:
    """Return Student's t interval of the mean; NaN with fewer than two values.

    Examples
    --------
    >>> low, high = mean_interval(np.array([1.0, 2.0, 3.0]))
    >>> round(low, 3), round(high, 3)
    (-0.484, 4.484)
    """
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return nan, nan
    half = stats.t.ppf(0.5 + confidence / 2, len(values) - 1) * standard_error(values, ratio)
    return float(values.mean() - half), float(values.mean() + half)


def standard_error(values: np.ndarray, ratio: float = 0.0) -> float:
    """Return the standard error of the mean of at least two values, corrected for the overlap of folds.

    Examples
    --------
    >>> standard_error(np.array([1.0, 2.0, 3.0]), ratio=2 / 3)
    1.0
    """
    return float(values.std(ddof=1) * sqrt(1 / len(values) + ratio))


def holm(p_values: np.ndarray) -> np.ndarray:
    """Return p-values adjusted for their number (Holm 1979); NaN stays NaN and does not count.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, np.nan, 0.03])).round(3).tolist()
    [0.03, 0.06, nan, 0.06]
    """
    # statsmodels' own function calls the garbage collector, which takes a third of a second with torch loaded.
    adjusted = np.full(len(p_values), nan)
    order = np.argsort(p_values)[: np.isfinite(p_values).sum()]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1.0)
    return adjusted


def paired_p_value(differences: np.ndarray, ratio: float = 0.0, test: str = "t") -> float:
    """Return the p-value of a two-sided test that the mean difference is zero.

    It is NaN with fewer than two differences, and for equal differences other than zero: scores of a few samples are
    coarse, so equal differences do not mean that the scores have no variance. Differences that are all zero give 1.

    Examples
    --------
    >>> paired_p_value(np.array([1.0, 2.0, 3.0])).__round__(3)
    0.074
    >>> paired_p_value(np.array([1.0, 2.0, 3.0]), test="permutation")
    0.25
    """
    if len(differences) < 2:
        return nan
    if np.ptp(differences) == 0:
        return 1.0 if differences[0] == 0 else nan
    if test == "permutation":
        # The test is exact where the number of sign changes is at most `n_resamples`.
        options = {"permutation_type": "samples", "n_resamples": _RESAMPLES, "rng": 0}
        return float(stats.permutation_test((differences,), np.mean, **options).pvalue)
    t = differences.mean() / standard_error(differences, ratio)
    return float(2 * stats.t.sf(abs(t), len(differences) - 1))


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else nan


def effect_size(differences: np.ndarray) -> float:
    """Return Cohen's d of paired differences: their mean in units of their standard deviation.

    Examples
    --------
    >>> effect_size(np.array([1.0, 2.0, 3.0]))
    2.0
    """
    if len(differences) < 2 or np.ptp(differences) == 0:
        return nan
    return float(differences.mean() / differences.std(ddof=1))


def number_needed(effect: float, alpha: float, ratio: float = 0.0, power: float = 0.8) -> float:
    """Return the number of differences that a t-test needs to detect an effect with a given power.

    Parameters
    ----------
    effect : float
        Cohen's d, as `effect_size`.
    alpha : float
        Significance level of the test.
    ratio : float, default=0.0
        For folds, n_val / n_train: their overlap limits what more folds can show.
    power : float, default=0.8
        Probability to detect the effect.

    Returns
    -------
    float
        A whole number; NaN without an effect size, and infinity if 65,536 differences are not enough.

    Examples
    --------
    A medium effect, d = 0.5, needs 34 pairs (Cohen 1988):

    >>> number_needed(0.5, alpha=0.05)
    34.0
    """
    from statsmodels.stats.power import TTestPower

    if not isfinite(effect):
        return nan
    test = TTestPower()

    def is_enough(n: int) -> bool:
        # The other tail of the two-sided test has next to no power. Where the power is 1 to the last digit, scipy's
        # distribution overflows to NaN.
        corrected = abs(effect) / sqrt(1 + n * ratio)
        reached = test.power(corrected, nobs=n, alpha=alpha / 2, df=n - 1, alternative="larger")
        return bool(np.isnan(reached) or reached >= power)

    enough = 2
    while not is_enough(enough):
        enough *= 2
        if enough > _MAX_NEEDED:
            return inf
    return float(bisect_left(range(enough), True, lo=enough // 2 + 1, key=is_enough))


def equivalence(differences: np.ndarray, rope: float, ratio: float = 0.0) -> tuple[float, float, float]:
    """Return the posterior probabilities that the mean difference is below, in and above a region around zero.

    This is the Bayesian correlated t-test: with an uninformative prior, the posterior of the mean is Student's t around
    the observed mean, with the corrected standard error (Corani and Benavoli 2015, "A Bayesian approach for comparing
    cross-validated algorithms on multiple data sets", Machine Learning 100).

    Examples
    --------
    >>> [round(p, 3) for p in equivalence(np.array([1.0, 2.0, 3.0]), rope=0.5)]
    [0.025, 0.036, 0.939]
    """
    if len(differences) < 2:
        return nan, nan, nan
    mean, error = differences.mean(), standard_error(differences, ratio)
    if error == 0:
        return float(mean < -rope), float(abs(mean) <= rope), float(mean > rope)
    posterior = stats.t(len(differences) - 1, mean, error)
    below, above = float(posterior.cdf(-rope)), float(posterior.sf(rope))
    return below, max(1 - below - above, 0.0), above


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
    """

    table: pd.DataFrame
    ratio: float

    @property
    def labels(self) -> list[str]:
        """The treatments, the best first."""
        return list(self.table.columns)

    def values(self, label: str) -> np.ndarray:
        """Return the finite scores of one treatment."""
        values = self.table[label].to_numpy(float)
        return values[np.isfinite(values)]

    def differences(self, first: str, second: str) -> np.ndarray:
        """Return the scores of `first` minus those of `second`, where both have one."""
        difference = self.table[first].to_numpy(float) - self.table[second].to_numpy(float)
        return difference[np.isfinite(difference)]

    def describe(self, label: str) -> dict[str, float]:
        """Return the mean score of one treatment, its interval, and the standard deviation of the scores."""
        values = self.values(label)
        low, high = mean_interval(values, self.ratio)
        # The standard deviation of equal values is zero, without a rounding error.
        std = float(values.std(ddof=1) if np.ptp(values) else 0.0) if len(values) > 1 else nan
        return {"mean_score": _mean(values), "std_score": std, "low": low, "high": high}

    def compare(self, first: str, second: str, p_value: float, alpha: float) -> dict[str, Any]:
        """Return the mean difference with its size and test.

        `n_needed` is the number of pairs for a test at the smallest level in Holm's method.
        """
        differences = self.differences(first, second)
        effect, min_alpha = effect_size(differences), alpha / max(comb(len(self.labels), 2), 1)
        return {
            "difference": _mean(differences), "effect_size": effect, "p_value": p_value,
            "significant": None if np.isnan(p_value) else p_value < alpha,
            "n_needed": number_needed(effect, min_alpha, self.ratio) if p_value >= alpha else nan,
        }  # fmt: skip

    def default_target(self) -> float:
        """Return the best mean score less 2 % of its size; NaN without any score."""
        best = float(self.table.mean().max())
        return best - _TOLERANCE * abs(best)

    def p_values(self, test: str = "t") -> dict[tuple[str, str], float]:
        """Return the p-value of every pair, the better treatment first, adjusted over all pairs by Holm's method.

        All pairs count, also where only those with the best treatment are shown, because the same scores determine
        which treatment is the best.
        """
        pairs = list(combinations(self.labels, 2))
        raw = [paired_p_value(self.differences(*pair), self.ratio, test) for pair in pairs]
        return dict(zip(pairs, holm(np.array(raw)).tolist(), strict=True))


def has_several_splits(runs: pd.DataFrame) -> bool:
    """Return whether the runs have several splits, and not a single one for all repeats."""
    split = runs["split"].to_numpy()
    return bool((split != split[:1]).any())


def paired_scores(runs: pd.DataFrame, treatment: pd.Series, column: str = "score") -> PairedScores:
    """Return the scores in `column`; `treatment` has the label of each run's treatment."""
    several = has_several_splits(runs)
    over = runs["split"] if several else runs["repeat"]
    # Repeats on the same split are averaged: they add no data.
    table = runs[column].groupby([over, treatment], sort=False).mean().unstack().sort_index()
    order = list(dict.fromkeys(treatment))
    means = table.reindex(columns=order).mean().fillna(-np.inf)
    ranked = sorted(order, key=lambda label: -means[label])
    return PairedScores(table.reindex(columns=ranked), float(runs["val_ratio"].mean()) if several else 0.0)


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
    """
    if not grid_columns(runs):
        return runs
    parts = [_own_best(rows, column) for _, rows in runs.groupby("initializer", observed=True, sort=False)]
    return pd.concat(parts)


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
