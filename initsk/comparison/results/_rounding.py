"""Scores and differences that differ only by the rounding of floating-point numbers count as equal."""

import numpy as np

# Relative to the size of the scores; a few times the errors of float64 and float32, which sums and means accumulate.
DOUBLE = 1e-12
_SINGLE = 1e-6


def rounding_of(scores: np.ndarray) -> float:
    """Return the relative rounding error of scores: that of float32 if all scores are such numbers.

    Scores that a training loop takes from torch's tensors are, also as numbers of Python.

    Examples
    --------
    >>> rounding_of(np.array([0.9, 0.8])), rounding_of(np.array([0.9, 0.8], dtype="float32"))
    (1e-12, 1e-06)
    """
    finite = scores[np.isfinite(scores)].astype("float64")
    with np.errstate(all="ignore"):
        return _SINGLE if (finite.astype("float32") == finite).all() else DOUBLE


def without_rounding(values: np.ndarray, scores: np.ndarray, rounding: float = DOUBLE) -> np.ndarray:
    """Return the values; if they differ only by the rounding of the scores that they are from, their mean for each.

    Values that are zero but for the rounding become zero.

    Examples
    --------
    >>> a, b = np.array([0.9, 0.8]), np.array([0.8, 0.7])
    >>> np.ptp(a - b) > 0, np.ptp(without_rounding(a - b, np.append(a, b))) > 0
    (np.True_, np.False_)
    """
    if not len(values):
        return values
    error = rounding * np.abs(scores).max()
    if np.abs(values).max() <= error:
        return np.zeros_like(values)
    return np.full_like(values, values.mean()) if np.ptp(values) <= error else values
