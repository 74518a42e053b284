"""The edge of chaos: where neither signals nor gradients die out or blow up with depth."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq

from initsk.exceptions import InvalidParameterError
from initsk.theory._activations import ActivationLike, Function, as_function
from initsk.theory._gaussian import gaussian_mean

_STEP = 1e-5
_LENGTHS = np.logspace(-6, 3, 37)
_VANISHING = 1e-16


@dataclass(frozen=True)
class CriticalPoint:
    """Variances at which an infinitely wide network sits between order and chaos.

    Attributes
    ----------
    weight_variance : float
        Variance of the weights times fan_in.
    bias_variance : float
        Variance of the biases.
    length : float
        Fixed point q* of the pre-activations' variance.
    """

    weight_variance: float
    bias_variance: float
    length: float


def critical_point(activation: ActivationLike, bias_variance: float = 0.0) -> CriticalPoint:
    r"""Find the weight variance of the critical line for a bias variance.

    Parameters
    ----------
    activation : str or callable
        See `as_function`.
    bias_variance : float, default=0.0
        Variance of the biases, at least 0.

    Returns
    -------
    CriticalPoint
        Where several solve the equations, the one of the smallest length.

    Raises
    ------
    InvalidParameterError
        If no weight variance is critical for that bias variance (ReLU with any above 0).

    Notes
    -----
    Solves :math:`q = \sigma_w^2 E[\phi(x)^2] + \sigma_b^2` together with
    :math:`\chi_1 = \sigma_w^2 E[\phi'(x)^2] = 1`, where :math:`x \sim N(0, q)` (Poole et al.
    2016, equations 3 and 8; Schoenholz et al. 2017, section 2).

    Examples
    --------
    >>> point = critical_point("tanh", 0.05)
    >>> round(point.weight_variance, 5), round(point.length, 5)
    (1.76095, 0.57005)
    >>> round(critical_point("relu").weight_variance, 9)
    2.0
    """
    if not 0 <= bias_variance < float("inf"):
        raise InvalidParameterError(f"bias_variance={bias_variance!r} is not allowed (a finite number >= 0)")
    # Names are computed once; a function, or a module with parameters, may change.
    solve = _solve_named if isinstance(activation, str) else _solve
    return solve(activation, float(bias_variance))


def _solve(activation: ActivationLike, bias_variance: float) -> CriticalPoint:
    function = as_function(activation)

    def excess(log_length: float) -> float:
        """Length left over, relative, when the weight variance is set by the slope alone."""
        length = float(np.exp(log_length))
        weight_variance = 1 / _mean_square_slope(function, length)
        return 1 - (weight_variance * _mean_square(function, length) + bias_variance) / length

    logs = np.log(_LENGTHS)
    values = np.array([excess(value) for value in logs])
    if bias_variance == 0 and abs(values[0]) < 1e-4:
        # The length shrinks to 0 (tanh), or any length is a fixed point (ReLU).
        length = 1.0 if np.abs(values).max() < 1e-8 else 0.0
        slope = _mean_square_slope(function, length or _VANISHING)
        return CriticalPoint(1 / slope, 0.0, length)
    crossings = np.flatnonzero(np.sign(values[:-1]) != np.sign(values[1:]))
    if len(crossings) == 0:
        raise InvalidParameterError(
            f"activation={activation!r} has no critical point with bias_variance={bias_variance:g}"
            " (allowed: a bias variance for which one exists, 0 for piecewise linear functions)"
        )
    first = crossings[0]
    length = float(np.exp(brentq(excess, logs[first], logs[first + 1], xtol=1e-14, rtol=1e-13)))
    return CriticalPoint(1 / _mean_square_slope(function, length), bias_variance, length)


_solve_named = lru_cache(maxsize=256)(_solve)


def _mean_square(function: Function, variance: float) -> float:
    return gaussian_mean(lambda x: function(x) ** 2, variance)


def _mean_square_slope(function: Function, variance: float) -> float:
    step = _STEP * min(1.0, variance**0.5)
    return gaussian_mean(
        lambda x: ((function(x + step) - function(x - step)) / (2 * step)) ** 2, variance, tolerance=1e-9
    )
