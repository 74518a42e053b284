"""The standard normal distribution between two bounds: moments and values."""

from math import erf, exp, hypot, inf, pi, sqrt

import numpy as np
from scipy.special import log_ndtr, ndtri_exp

# At this distance from the mode, the density is below float64's precision.
_FAR = 9.0
# Beyond this bound, all values of the tail round to the bound.
_ONE_POINT = 1e16
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)


def truncated_std(bounds: float) -> float:
    """Return the standard deviation of a standard normal that is truncated at ``-bounds`` and ``bounds``.

    Examples
    --------
    >>> round(truncated_std(2.0), 6)
    0.879626
    """
    if bounds < 1e-2:
        # Nearly uniform: the subtraction below would lose all digits.
        return bounds / sqrt(3) * (1 - bounds**2 / 15)
    density = exp(-bounds * bounds / 2) / sqrt(2 * pi)
    return sqrt(1 - 2 * bounds * density / erf(bounds / sqrt(2)))


def truncated_moments(lower: float, upper: float) -> tuple[float, float]:
    """Return mean and standard deviation of a standard normal that is truncated at `lower` and `upper`.

    Examples
    --------
    >>> mean, std = truncated_moments(0.0, float("inf"))
    >>> round(mean, 6), round(std, 6)
    (0.797885, 0.60281)
    """
    if lower == -upper:
        return 0.0, truncated_std(upper) if upper < inf else 1.0
    if upper < 0:
        mean, std = truncated_moments(-upper, -lower)
        return -mean, std
    # The integrals avoid the closed form, which subtracts nearly equal numbers in tails and between close bounds.
    first = max(lower, -_FAR)
    last = min(upper, hypot(max(first, 0.0), _FAR))
    z, middle = (last - first) / 2 * _NODES, (first + last) / 2
    weights = _WEIGHTS * np.exp(-z * (z / 2 + middle))
    mean = float(weights @ z / weights.sum())
    return middle + mean, float(np.sqrt(weights @ (z - mean) ** 2 / weights.sum()))


def truncated_values(uniform: np.ndarray, lower: float, upper: float) -> np.ndarray:
    """Return values of a standard normal that is truncated at `lower` and `upper`, from uniform numbers in [0, 1).

    They are the quantiles at these levels, counted from the bound with the higher density.

    Examples
    --------
    >>> truncated_values(np.array([0.0, 0.5]), float("-inf"), 0.0).round(4).tolist()
    [0.0, -0.6745]
    """
    if lower + upper > 0:
        # The logarithm of the distribution function is exact in the lower tail.
        return -truncated_values(uniform, -upper, -lower)
    if upper < -_ONE_POINT:
        return np.full_like(uniform, upper)
    ratio = np.exp(log_ndtr(lower) - log_ndtr(upper))
    quantiles = ndtri_exp(log_ndtr(upper) + np.log1p(uniform * (ratio - 1)))
    return np.clip(quantiles, lower, upper)
