"""What a layer does to the correlation of two inputs, as a power series in it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.polynomial import polynomial
from scipy.optimize import brentq

from initsk.exceptions import InvalidParameterError
from initsk.theory._activations import ActivationLike, Function, as_function, cached
from initsk.theory._gaussian import gaussian_mean, jumps, mean_power_of_slope, mean_square, slope_of_mean_square
from initsk.utils.validation import check_parameters, optional, real

_DEGREE = 1000
_REACH = 12.0
# Twenty nodes on each panel follow a Hermite function of degree 1000, whose waves are 0.2 long.
_PANELS = 96
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)


@dataclass(frozen=True)
class Products:
    r"""The mean product of an activation function of two normal values, as a function of their correlation.

    Attributes
    ----------
    squares : ndarray
        Squares of the function's Hermite coefficients; all that lies beyond the last degrees is added to these.

    Notes
    -----
    With :math:`a_k = E[\phi(\sqrt{q} z) h_k(z)]` and the normalised Hermite polynomials :math:`h_k`, the mean of
    :math:`\phi(u) \phi(v)` for normal values of variance q and correlation c is :math:`\sum_k a_k^2 c^k` (Mehler's
    formula; Daniely, Frostig and Singer 2016, section 4). The coefficients of smooth functions fall faster than any
    power, those of functions with a kink as :math:`k^{-5/4}`.
    """

    squares: np.ndarray

    def at(self, correlation: np.ndarray | float) -> np.ndarray:
        """Return the mean products."""
        return np.asarray(polynomial.polyval(correlation, self.squares))

    def slope_at(self, correlation: np.ndarray | float) -> np.ndarray:
        """Return the derivative by the correlation, which is q times the mean product of the function's slopes."""
        return np.asarray(polynomial.polyval(correlation, self.squares[1:] * np.arange(1, len(self.squares))))


@cached
def products(activation: ActivationLike, length: float) -> Products:
    """Return the mean products for normal values of a variance."""
    function, scale = as_function(activation), length**0.5
    squares = _coefficients(function, scale) ** 2
    # At the correlations 1 and -1 the sum is known; what is missing there lies beyond the last degrees.
    same = mean_square(function, length)
    opposite = gaussian_mean(lambda x: function(x) * function(-x), length)
    for parity, known in enumerate((same + opposite, same - opposite)):
        squares[_DEGREE - 2 + parity] += max(known / 2 - float(squares[parity::2].sum()), 0.0)
    return Products(squares)


def _coefficients(function: Function, scale: float) -> np.ndarray:
    nodes, weights = _grid(scale)
    values = function(scale * nodes) * weights
    # The square root of the density goes with each polynomial, which would overflow without.
    before, now = np.zeros_like(nodes), np.exp(-(nodes**2) / 4) * (2 * np.pi) ** -0.25
    values = values * now
    found = np.empty(_DEGREE)
    for degree in range(_DEGREE):
        found[degree] = values @ now
        before, now = now, (nodes * now - degree**0.5 * before) / (degree + 1) ** 0.5
    return found


def _grid(scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights on panels that end where the usual functions have their kinks."""
    kinks = np.arange(-6.0, 6.5, 0.5) / scale
    edges = np.concatenate([np.linspace(-_REACH, _REACH, _PANELS + 1), kinks[np.abs(kinks) < _REACH]])
    edges = np.unique(edges)
    half = np.diff(edges)[:, None] / 2
    return ((edges[:-1] + edges[1:])[:, None] / 2 + half * _NODES).ravel(), (half * _WEIGHTS).ravel()


_LOG_LENGTHS = np.linspace(np.log(1e-6), np.log(1e3), 64)
_VANISHING = 1e-16
# Piecewise linear functions have the slope 1 up to rounding.
_ONE = 1 + 1e-8


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
    length_slope : float
        Derivative of a layer's length by that of the layer before, at the fixed point: lengths return to
        it where the slope is below 1, and stay nearby where it is 1.

    Examples
    --------
    >>> point = critical_point("sigmoid")
    >>> round(point.weight_variance, 1), round(point.length, 1), point.length_slope < 1
    (103.0, 45.6, True)
    """

    weight_variance: float
    bias_variance: float
    length: float
    length_slope: float


def critical_point(
    activation: ActivationLike, bias_variance: float | None = None, *, weight_variance: float | None = None
) -> CriticalPoint:
    r"""Find the weight variance of the critical line for a bias variance, or the bias variance for a weight variance.

    Parameters
    ----------
    activation : str or callable
        See `as_function`.
    bias_variance : float or None, default=None
        Variance of the biases, at least 0; None takes the smallest at which the point is stable: 0 for tanh
        and ReLU, 0.173 for GELU, 0.555 for SiLU.
    weight_variance : float or None, default=None
        Instead of `bias_variance`: variance of the weights times fan_in, above 0.

    Returns
    -------
    CriticalPoint
        Of those that are stable, the one of the smallest length.

    Raises
    ------
    InvalidParameterError
        If both variances are given, or no weight variance is critical for that bias variance (ReLU with any above 0)
        or no bias variance for that weight variance, or every one leaves lengths to run away (GELU without biases), or
        the activation jumps, so that its derivative has no mean square.

    Notes
    -----
    Solves :math:`q = \sigma_w^2 E[\phi(x)^2] + \sigma_b^2` together with
    :math:`\chi_1 = \sigma_w^2 E[\phi'(x)^2] = 1`, where :math:`x \sim N(0, q)` (Poole et al. 2016, section 2;
    Schoenholz et al. 2017, section 2), and keeps the solutions at which the length is stable:
    :math:`\sigma_w^2 E[\phi(x)^2 (x^2 / q - 1)] / 2q \le 1` (Roberts, Yaida and Hanin 2022, section 5.3.4,
    who give the points of GELU and SiLU).

    Examples
    --------
    >>> point = critical_point("tanh", 0.05)
    >>> round(point.weight_variance, 5), round(point.length, 5)
    (1.76095, 0.57005)
    >>> round(critical_point("tanh", weight_variance=1.760955).bias_variance, 5)
    0.05
    >>> round(critical_point("relu").weight_variance, 9)
    2.0
    >>> point = critical_point("gelu")
    >>> round(point.weight_variance, 3), round(point.bias_variance, 3)
    (1.983, 0.173)
    """
    given = {"bias_variance": bias_variance, "weight_variance": weight_variance}
    check_parameters(
        "critical_point",
        given,
        {"bias_variance": optional(real(minimum=0)), "weight_variance": optional(real(above=0))},
    )
    if None not in given.values():
        raise InvalidParameterError("critical_point: one of bias_variance and weight_variance follows from the other")
    name, value = next(((name, float(value)) for name, value in given.items() if value is not None), ("", 0.0))
    return _solve(activation, name, value)


@cached
def _solve(activation: ActivationLike, given: str, value: float) -> CriticalPoint:
    line = _CriticalLine(as_function(activation))
    if jumps(activation):
        raise InvalidParameterError(f"activation={activation!r} jumps, so no weight variance is critical")
    ways = {"bias_variance": line.with_bias, "weight_variance": line.with_weight}
    points = ways[given](value) if given else iter(())
    found = min((p for p in points if p.length_slope <= _ONE), key=lambda p: p.length, default=None)
    if found is not None:
        return found
    least = min(line.stable(), key=lambda p: p.bias_variance, default=None)
    if not given and least is not None:
        return least
    at = f" with {given}={value:g}" if given else ""
    instead = "" if least is None else f" (allowed: None, which means {getattr(least, given):.6g}, or one that has)"
    raise InvalidParameterError(f"activation={activation!r} has no stable critical point{at}{instead}")


class _CriticalLine:
    """All critical points of an activation, one for each length."""

    def __init__(self, function: Function) -> None:
        self.function = function

    @cached_property
    def points(self) -> list[CriticalPoint]:
        """Points of all lengths that are looked at; shrinkage has next to no slope where the signal is small."""
        lengths = np.exp(_LOG_LENGTHS).tolist()
        return [self.at(length) for length in lengths if mean_power_of_slope(self.function, length, 2) > 1e-6]

    def at(self, length: float) -> CriticalPoint:
        """Return the point of a length; its bias variance may come out below 0."""
        weight = 1 / mean_power_of_slope(self.function, length, 2)
        square, slope = mean_square(self.function, length), slope_of_mean_square(self.function, length)
        return CriticalPoint(weight, length - weight * square, length, weight * slope)

    def with_bias(self, bias_variance: float) -> Iterator[CriticalPoint]:
        """Yield the points of a bias variance."""
        if bias_variance == 0 and (start := self._without_length()) is not None:
            yield start

        def excess(point: CriticalPoint) -> float:
            return (point.bias_variance - bias_variance) / point.length

        yield from (replace(point, bias_variance=bias_variance) for point in self._crossings(excess))

    def with_weight(self, weight_variance: float) -> Iterator[CriticalPoint]:
        """Yield the points of a weight variance at which the bias variance is not below 0."""
        start = self._without_length()
        if start is not None and abs(start.weight_variance / weight_variance - 1) < 1e-6:
            yield start
        for point in self._crossings(lambda point: point.weight_variance / weight_variance - 1):
            if point.bias_variance > -1e-9:
                yield replace(point, weight_variance=weight_variance, bias_variance=max(point.bias_variance, 0.0))

    def stable(self) -> Iterator[CriticalPoint]:
        """Yield the points at which stability begins, and those without biases that are stable."""
        yield from (point for point in self.with_bias(0.0) if point.length_slope <= _ONE)
        begins = self._crossings(lambda point: point.length_slope - 1)
        yield from (replace(point, length_slope=1.0) for point in begins if point.bias_variance > 0)

    def _without_length(self) -> CriticalPoint | None:
        """Return the point at which any length is kept (ReLU), or lengths go to 0 with depth (tanh)."""
        if not self.points:
            return None
        left = np.array([point.bias_variance / point.length for point in self.points])
        if np.abs(left).max() < 1e-8:
            return replace(self.at(1.0), bias_variance=0.0, length_slope=1.0)
        if abs(left[0]) >= 1e-4:
            return None
        # At 0 itself the slope is 1; what follows decides whether lengths fall back to it.
        weight = 1 / mean_power_of_slope(self.function, _VANISHING, 2)
        return CriticalPoint(weight, 0.0, 0.0, max(1.0, self.at(1e-2).length_slope))

    def _crossings(self, of: Callable[[CriticalPoint], float]) -> Iterator[CriticalPoint]:
        """Yield the points, between those that are looked at, where a function of them crosses 0."""
        values = np.array([of(point) for point in self.points])
        # What only rounding makes positive or negative is no crossing.
        signs = np.where(np.abs(values) < 1e-8, 0, np.sign(values))
        for first in np.flatnonzero(signs[:-1] * signs[1:] < 0):
            low, high = (float(np.log(point.length)) for point in self.points[first : first + 2])
            log = brentq(lambda log: of(self.at(float(np.exp(log)))), low, high, xtol=1e-14, rtol=1e-13)
            yield self.at(float(np.exp(log)))
