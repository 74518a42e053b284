"""Critical points of activation functions, and the correlation map as a power series."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial import Polynomial
from scipy.optimize import brentq

from initsk.exceptions import InvalidParameterError
from initsk.theory._activations import ActivationLike, Function, as_function, cached
from initsk.theory._gaussian import (
    NODES,
    WEIGHTS,
    gaussian_mean,
    jumps,
    mean_power_of_slope,
    mean_square,
    slope_of_mean_square,
)
from initsk.utils.cached import cached_property
from initsk.utils.validation import check_parameters, optional, real

_DEGREE = 1000
_REACH = 12.0
# Twenty nodes on each panel resolve a Hermite function of degree 1000, which has a wavelength of 0.2.
_PANELS = 96
# Lengths at which critical points are computed first.
_LENGTHS = np.exp(np.linspace(np.log(1e-6), np.log(1e3), 64))
# The length at which slopes equal the slope at 0.
_MIN_LENGTH = 1e-16
# The largest slope of a stable length: piecewise linear functions have the slope 1 up to rounding.
_MAX_STABLE_SLOPE = 1 + 1e-8


@cached
def products(activation: ActivationLike, length: float) -> Polynomial:
    r"""Return the mean product for two normal values of the variance `length`, as a function of their correlation.

    The derivative is the variance times the mean product of the function's slopes. The coefficients are the squares of
    the function's Hermite coefficients; the last two include the sum of all higher degrees.

    Notes
    -----
    With :math:`a_k = E[\phi(\sqrt{q} z) h_k(z)]` and the normalized Hermite polynomials :math:`h_k`, the mean of
    :math:`\phi(u) \phi(v)` for normal values of variance q and correlation c is :math:`\sum_k a_k^2 c^k` (Mehler's
    formula; Daniely, Frostig and Singer 2016, section 4). The coefficients of smooth functions fall faster than any
    power, and those of functions with a kink as :math:`k^{-5/4}`.
    """
    function, scale = as_function(activation), length**0.5
    squares = _coefficients(function, scale) ** 2
    # The sum is known at the correlations 1 and -1; the difference is the part of the higher degrees.
    same = mean_square(function, length)
    opposite = gaussian_mean(lambda x: function(x) * function(-x), length)
    for parity, known in enumerate((same + opposite, same - opposite)):
        squares[_DEGREE - 2 + parity] += max(known / 2 - float(squares[parity::2].sum()), 0.0)
    return Polynomial(squares)


def _coefficients(function: Function, scale: float) -> np.ndarray:
    nodes, weights = _grid(scale)
    values = function(scale * nodes) * weights
    # Each polynomial is multiplied by the square root of the density, without which it would overflow.
    before, now = np.zeros_like(nodes), np.exp(-(nodes**2) / 4) * (2 * np.pi) ** -0.25
    values = values * now
    coefficients = np.empty(_DEGREE)
    for degree in range(_DEGREE):
        coefficients[degree] = values @ now
        before, now = now, (nodes * now - degree**0.5 * before) / (degree + 1) ** 0.5
    return coefficients


def _grid(scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the nodes and weights of quadrature on panels that end at the usual functions' kinks."""
    kinks = np.arange(-6.0, 6.5, 0.5) / scale
    edges = np.unique(np.concatenate([np.linspace(-_REACH, _REACH, _PANELS + 1), kinks[np.abs(kinks) < _REACH]]))
    half = np.diff(edges)[:, None] / 2
    return ((edges[:-1] + edges[1:])[:, None] / 2 + half * NODES).ravel(), (half * WEIGHTS).ravel()


@dataclass(frozen=True)
class CriticalPoint:
    """Variances at which an infinitely wide network is between the ordered and the chaotic phase.

    Attributes
    ----------
    weight_variance : float
        Variance of the weights times fan_in.
    bias_variance : float
        Variance of the biases.
    length : float
        Fixed point q* of the pre-activations' variance.
    length_slope : float
        Derivative of the length map at the fixed point: lengths return to the fixed point if the slope is below 1, and
        stay close to it if the slope is 1.

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
        Variance of the biases, at least 0. None means the smallest with a stable critical point: 0 for tanh
        and ReLU, 0.173 for GELU, 0.555 for SiLU.
    weight_variance : float or None, default=None
        Variance of the weights times fan_in, above 0; an alternative to `bias_variance`.

    Returns
    -------
    CriticalPoint
        The stable critical point with the smallest length.

    Raises
    ------
    InvalidParameterError
        If both variances are given, if there is no critical point with the given variance (ReLU with a bias variance
        above 0) or no stable one (GELU without biases), or if the activation jumps, so that its derivative has no mean
        square.

    Notes
    -----
    Solves :math:`q = \sigma_w^2 E[\phi(x)^2] + \sigma_b^2` together with
    :math:`\chi_1 = \sigma_w^2 E[\phi'(x)^2] = 1`, where :math:`x \sim N(0, q)` (Poole et al. 2016, section 2;
    Schoenholz et al. 2017, section 2), and keeps the solutions at which the length is stable:
    :math:`\sigma_w^2 E[\phi(x)^2 (x^2 / q - 1)] / 2q \le 1` (Roberts, Yaida and Hanin 2022, section 5.3.4,
    which has the points of GELU and SiLU).

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
    constraints = {"bias_variance": optional(real(minimum=0)), "weight_variance": optional(real(above=0))}
    check_parameters("critical_point", given, constraints)
    if None not in given.values():
        allowed = "one; the other follows from it"
        raise InvalidParameterError(f"critical_point: {' and '.join(given)} are both given (allowed: {allowed})")
    name, value = next(((name, float(value)) for name, value in given.items() if value is not None), ("", 0.0))
    return _solve(activation, name, value)


@cached
def _solve(activation: ActivationLike, given: str, value: float) -> CriticalPoint:
    line = _CriticalLine(as_function(activation))
    if jumps(activation):
        raise InvalidParameterError(f"activation={activation!r} jumps, so no weight variance is critical")
    if given:
        points = line.with_bias(value) if given == "bias_variance" else line.with_weight(value)
        stable = [point for point in points if point.length_slope <= _MAX_STABLE_SLOPE]
        if stable:
            return min(stable, key=lambda point: point.length)
    smallest = min(line.stable(), key=lambda point: point.bias_variance, default=None)
    if not given and smallest is not None:
        return smallest
    problem = f"activation={activation!r} has no stable critical point"
    if given:
        problem += f" with {given}={value:g}"
    if smallest is not None:
        problem += f" (allowed: None, which means {getattr(smallest, given):.6g}, or one that has)"
    raise InvalidParameterError(problem)


class _CriticalLine:
    """All critical points of an activation, one for each length."""

    def __init__(self, function: Function) -> None:
        self.function = function

    @cached_property
    def points(self) -> list[CriticalPoint]:
        """Points of a grid of lengths; lengths at which the function is flat (shrinkage near 0) have none."""
        return [self.at(length) for length in _LENGTHS.tolist() if mean_power_of_slope(self.function, length, 2) > 1e-6]

    def at(self, length: float) -> CriticalPoint:
        """Return the point of a length; its bias variance may be below 0."""
        weight = 1 / mean_power_of_slope(self.function, length, 2)
        square, slope = mean_square(self.function, length), slope_of_mean_square(self.function, length)
        return CriticalPoint(weight, length - weight * square, length, weight * slope)

    def with_bias(self, bias_variance: float) -> Iterator[CriticalPoint]:
        """Yield the points of a bias variance."""
        if bias_variance == 0 and (start := self._without_length()) is not None:
            yield start
        for point in self._crossings(lambda point: (point.bias_variance - bias_variance) / point.length):
            yield replace(point, bias_variance=bias_variance)

    def with_weight(self, weight_variance: float) -> Iterator[CriticalPoint]:
        """Yield the points of a weight variance at which the bias variance is not below 0."""
        start = self._without_length()
        if start is not None and abs(start.weight_variance / weight_variance - 1) < 1e-6:
            yield start
        for point in self._crossings(lambda point: point.weight_variance / weight_variance - 1):
            if point.bias_variance > -1e-9:
                yield replace(point, weight_variance=weight_variance, bias_variance=max(point.bias_variance, 0.0))

    def stable(self) -> Iterator[CriticalPoint]:
        """Yield the points at which stability begins, and the stable ones without biases."""
        yield from (point for point in self.with_bias(0.0) if point.length_slope <= _MAX_STABLE_SLOPE)
        begins = self._crossings(lambda point: point.length_slope - 1)
        yield from (replace(point, length_slope=1.0) for point in begins if point.bias_variance > 0)

    def _without_length(self) -> CriticalPoint | None:
        """Return the point without biases that keeps every length (ReLU), or where lengths approach 0 (tanh)."""
        if not self.points:
            return None
        biases = np.array([point.bias_variance / point.length for point in self.points])
        if np.abs(biases).max() < 1e-8:
            return replace(self.at(1.0), bias_variance=0.0, length_slope=1.0)
        if abs(biases[0]) >= 1e-4:
            return None
        # The slope is 1 at length 0; the slope at a small length decides whether lengths return to 0.
        weight = 1 / mean_power_of_slope(self.function, _MIN_LENGTH, 2)
        return CriticalPoint(weight, 0.0, 0.0, max(1.0, self.at(1e-2).length_slope))

    def _crossings(self, of: Callable[[CriticalPoint], float]) -> Iterator[CriticalPoint]:
        """Yield the points, between those of the grid, at which a function of the point crosses 0."""
        values = np.array([of(point) for point in self.points])
        # A sign that comes from rounding is no crossing.
        signs = np.where(np.abs(values) < 1e-8, 0, np.sign(values))
        for first in np.flatnonzero(signs[:-1] * signs[1:] < 0):
            low, high = (float(np.log(point.length)) for point in self.points[first : first + 2])
            log = brentq(lambda log: of(self.at(float(np.exp(log)))), low, high, xtol=1e-14, rtol=1e-13)
            yield self.at(float(np.exp(log)))
