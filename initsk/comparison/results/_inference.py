"""Tests, intervals and posterior probabilities of the mean of scores, and of paired differences.

Scores of repeats are independent. Scores of folds share training samples, so their variance underestimates that of
the mean. The correction is by Nadeau and Bengio (2003, "Inference for the generalization error", Machine Learning 52,
equation 8): the variance of the mean of n differences is (1 / n + n_val / n_train) times the variance of the
differences. The `ratio` below is n_val / n_train; for repeats it is 0, which gives Student's test.
"""

from bisect import bisect_left
from dataclasses import dataclass
from math import ceil, exp, inf, isfinite, nan, sqrt
from typing import Protocol

import numpy as np
from scipy import stats
from scipy.special import expit, logit

from initsk.comparison.results._rounding import without_rounding

#: The lowest and the highest value that a score can have; infinite where there is none.
Bounds = tuple[float, float]

TESTS = ("t", "permutation")
UNBOUNDED: Bounds = (-inf, inf)
# All changes of sign are tried for up to 13 differences.
_RESAMPLES = 9999
_MAX_NEEDED = 2**16
_MAX_EXPONENT = 700.0


def standard_error(values: np.ndarray, ratio: float = 0.0) -> float:
    """Return the standard error of the mean of at least two values, corrected for the overlap of folds.

    Examples
    --------
    >>> standard_error(np.array([1.0, 2.0, 3.0]), ratio=2 / 3)
    1.0
    """
    return float(values.std(ddof=1) * sqrt(1 / len(values) + ratio))


def mean_interval(
    values: np.ndarray, ratio: float = 0.0, confidence: float = 0.95, bounds: Bounds = UNBOUNDED
) -> tuple[float, float]:
    """Return Student's t interval of the mean; with bounds, the interval lies inside them.

    With two bounds, it is the interval of the logit of the mean, transformed back; with one, that of the logarithm of
    the distance to the bound. The standard error of the transformed mean is that of the mean times the derivative
    (delta method). The interval is NaN with fewer than two values, and for equal values: scores of a few samples are
    coarse, so equal scores do not mean that the scores have no variance.

    Examples
    --------
    >>> low, high = mean_interval(np.array([1.0, 2.0, 3.0]))
    >>> round(low, 3), round(high, 3)
    (-0.484, 4.484)
    >>> low, high = mean_interval(np.array([0.97, 1.0, 0.99]), bounds=(0, 1))
    >>> round(low, 3), round(high, 3)
    (0.805, 0.999)
    """
    values = values[np.isfinite(values)]
    values = without_rounding(values, values)
    if len(values) < 2 or np.ptp(values) == 0:
        return nan, nan
    mean = float(values.mean())
    half = float(stats.t.ppf(0.5 + confidence / 2, len(values) - 1) * standard_error(values, ratio))
    low, high = bounds
    if not low <= values.min() <= values.max() <= high:
        low, high = UNBOUNDED
    if isfinite(low) and isfinite(high):
        width = high - low
        share = (mean - low) / width
        half /= width * share * (1 - share)
        ends = expit(logit(share) + np.array([-half, half]))
        return float(low + width * ends[0]), float(low + width * ends[1])
    if isfinite(high):
        near, far = _around(high - mean, half)
        return high - far, high - near
    if isfinite(low):
        near, far = _around(mean - low, half)
        return low + near, low + far
    return mean - half, mean + half


def _around(distance: float, half: float) -> tuple[float, float]:
    """Return the ends of an interval of a positive distance, symmetric on a logarithmic scale."""
    exponent = min(half / distance, _MAX_EXPONENT)
    return distance * exp(-exponent), distance * exp(exponent)


def holm_factors(p_values: np.ndarray) -> np.ndarray:
    """Return the factors by which Holm's method (1979) multiplies p-values; NaN stays NaN and does not count.

    Examples
    --------
    >>> holm_factors(np.array([0.01, 0.04, np.nan, 0.03])).tolist()
    [3.0, 1.5, nan, 2.0]
    """
    # statsmodels' own function calls the garbage collector, which takes a third of a second with torch loaded.
    factors = np.full(len(p_values), nan)
    order = np.argsort(p_values)[: np.isfinite(p_values).sum()]
    ranked, numbers = p_values[order], np.arange(len(order), 0, -1.0)
    factors[order] = np.divide(np.maximum.accumulate(ranked * numbers), ranked, out=numbers, where=ranked > 0)
    return factors


def holm(p_values: np.ndarray) -> np.ndarray:
    """Return p-values adjusted for their number (Holm 1979); NaN stays NaN and does not count.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, np.nan, 0.03])).round(3).tolist()
    [0.03, 0.06, nan, 0.06]
    """
    return np.minimum(p_values * holm_factors(p_values), 1.0)


class MeanTest(Protocol):
    """One-sided tests of a mean difference, and the interval of the values that they do not reject."""

    def above(self, value: float) -> float:
        """Return the p-value of the test that the mean is at most `value`."""

    def below(self, value: float) -> float:
        """Return the p-value of the test that the mean is at least `value`."""

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the interval of the values that the two-sided test at level `alpha` does not reject."""


class StudentTest:
    """Student's t-test, corrected for the overlap of folds."""

    def __init__(self, differences: np.ndarray, ratio: float) -> None:
        self.freedom = len(differences) - 1
        self.mean, self.error = float(differences.mean()), standard_error(differences, ratio)

    def above(self, value: float) -> float:
        """Return the p-value of the test that the mean is at most `value`."""
        return float(stats.t.sf((self.mean - value) / self.error, self.freedom))

    def below(self, value: float) -> float:
        """Return the p-value of the test that the mean is at least `value`."""
        return float(stats.t.cdf((self.mean - value) / self.error, self.freedom))

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the interval of the values that the two-sided test at level `alpha` does not reject."""
        half = float(stats.t.isf(alpha / 2, self.freedom)) * self.error
        return self.mean - half, self.mean + half


class SignTest:
    """The test by random changes of sign.

    A change of the signs of some differences gives at least the observed mean if, and only if, the mean of these
    differences is at most zero. So the means of all sets of differences give the p-values, and the interval
    (Hartigan 1969, "Using subsample values as typical values", JASA 64).
    """

    def __init__(self, differences: np.ndarray) -> None:
        n = len(differences)
        if 2**n <= _RESAMPLES:
            chosen = (np.arange(1, 2**n)[:, np.newaxis] >> np.arange(n)) % 2
        else:
            chosen = np.random.default_rng(0).integers(2, size=(_RESAMPLES, n))
            chosen = chosen[chosen.any(axis=1)]
        means = np.sort(chosen @ differences / chosen.sum(axis=1))
        # Without this, rounding errors decide about means that are zero.
        means[np.abs(means) < 1e-12 * np.abs(differences).max()] = 0
        self._means = means

    def above(self, value: float) -> float:
        """Return the p-value of the test that the mean is at most `value`."""
        return float((1 + np.searchsorted(self._means, value, side="right")) / (len(self._means) + 1))

    def below(self, value: float) -> float:
        """Return the p-value of the test that the mean is at least `value`."""
        n = len(self._means)
        return float((1 + n - np.searchsorted(self._means, value, side="left")) / (n + 1))

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the interval of the values that the two-sided test at level `alpha` does not reject."""
        n = len(self._means)
        rank = ceil(alpha * (n + 1) / 2) - 1
        return (float(self._means[rank - 1]), float(self._means[n - rank])) if rank > 0 else UNBOUNDED


def mean_test(differences: np.ndarray, ratio: float = 0.0, test: str = "t") -> MeanTest | None:
    """Return a test of the mean difference; None for fewer than two differences, and for equal ones.

    Scores of a few samples are coarse, so equal differences do not mean that the scores have no variance.
    """
    if len(differences) < 2 or np.ptp(differences) == 0:
        return None
    return SignTest(differences) if test == "permutation" else StudentTest(differences, ratio)


def paired_p_value(differences: np.ndarray, ratio: float = 0.0, test: str = "t") -> float:
    """Return the p-value of a two-sided test that the mean difference is zero.

    It is NaN without a test (`mean_test`), except that differences that are all zero give 1.

    Examples
    --------
    >>> paired_p_value(np.array([1.0, 2.0, 3.0])).__round__(3)
    0.074
    >>> paired_p_value(np.array([1.0, 2.0, 3.0]), test="permutation")
    0.25
    """
    return _p_value(differences, mean_test(differences, ratio, test))


def _p_value(differences: np.ndarray, test: MeanTest | None) -> float:
    if test is None:
        return 1.0 if len(differences) > 1 and not differences.any() else nan
    return min(2 * min(test.above(0), test.below(0)), 1.0)


@dataclass(frozen=True)
class PairTest:
    """The tests of one pair, adjusted for the number of pairs."""

    p_value: float
    p_equivalence: float
    low: float
    high: float


def compare_means(
    differences: list[np.ndarray], *, ratio: float, test: str, alpha: float, margin: float
) -> list[PairTest]:
    """Return the tests of every pair, adjusted for their number by Holm's method.

    The p-value is about a difference of zero. `p_equivalence` is that of two one-sided tests (TOST, Schuirmann 1987),
    that the mean difference lies outside `-margin` to `margin`. The interval has the level at which Holm's method tests
    the pair, so it excludes zero exactly if the p-value is below `alpha` (Serlin 1993, "Confidence intervals and the
    scientific method: a case for Holm on the range", Journal of Experimental Education 61).

    Examples
    --------
    >>> [found] = compare_means([np.array([0.02, 0.03, 0.01])], ratio=0, test="t", alpha=0.05, margin=0.1)
    >>> round(found.p_value, 3), round(found.p_equivalence, 3), round(found.low, 3), round(found.high, 3)
    (0.074, 0.003, -0.005, 0.045)
    """
    tests = [mean_test(values, ratio, test) for values in differences]
    p_values = np.array([_p_value(*pair) for pair in zip(differences, tests, strict=True)], dtype=float)
    factors = holm_factors(p_values)
    outside = [nan if found is None else max(found.above(-margin), found.below(margin)) for found in tests]
    columns = np.minimum(p_values * factors, 1), holm(np.array(outside if isfinite(margin) else [nan] * len(tests)))
    intervals = [
        (nan, nan) if found is None else found.interval(alpha / factor)
        for found, factor in zip(tests, factors, strict=True)
    ]
    return [
        PairTest(float(p_value), float(p_equivalence), low, high)
        for p_value, p_equivalence, (low, high) in zip(*columns, intervals, strict=True)
    ]


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
    cross-validated algorithms on multiple data sets", Machine Learning 100). Differences that do not vary have none,
    unless all are zero.

    Examples
    --------
    >>> [round(p, 3) for p in equivalence(np.array([1.0, 2.0, 3.0]), rope=0.5)]
    [0.025, 0.036, 0.939]
    """
    if len(differences) < 2:
        return nan, nan, nan
    mean, error = differences.mean(), standard_error(differences, ratio)
    if error == 0:
        return (nan, nan, nan) if mean else (0.0, 1.0, 0.0)
    posterior = stats.t(len(differences) - 1, mean, error)
    below, above = float(posterior.cdf(-rope)), float(posterior.sf(rope))
    return below, max(1 - below - above, 0.0), above
