"""Means of activation functions over a normal distribution, exact where a function has kinks."""

import numpy as np

from initsk.exceptions import InvalidParameterError
from initsk.theory._activations import ActivationLike, Function, as_function, cached
from initsk.utils.validation import check_parameters, real

#: Nodes and weights of Gauss-Legendre quadrature on -1..1.
NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)
# Beyond so many standard deviations the normal density is below 1e-32.
_REACH = 12.0
_KINK_GRID = 0.5
_MAX_KINK = 1000.0
_MAX_PANELS = 50_000
# The largest part of the integral that may lie in unconverged panels or in the outermost panels.
_MAX_REST = 1e-6
#: Step of the difference quotients that approximate a derivative.
SLOPE_STEP = 1e-5
# Below this variance a function equals its tangent; smaller steps than this share would lose the slope's digits.
_TANGENT_VARIANCE, _MIN_STEP = 1e-6, 1e-2
# Many functions have their kinks and jumps at these edges of panels, where quadrature would miss a jump.
_EDGES = np.arange(-12.0, 12.5, 0.5)


def gaussian_mean(function: Function, variance: float = 1.0, *, tolerance: float = 1e-11) -> float:
    r"""Compute the mean of ``function(x)`` over ``x ~ N(0, variance)``.

    The method is Gauss-Legendre quadrature of order 20 on panels. The panels end at the multiples of 0.5, where the
    usual activation functions have their kinks. A panel is halved as long as halving changes its value, which
    encloses any other kink.

    Parameters
    ----------
    function : callable
        Function of a float64 array that works element by element.
    variance : float, default=1.0
        Variance of `x`, above 0.
    tolerance : float, default=1e-11
        Allowed total error, relative to the mean of ``|function(x)|``.

    Returns
    -------
    float
        :math:`\int f(x) \exp(-x^2 / 2 v) / \sqrt{2 \pi v}\, dx`.

    Raises
    ------
    InvalidParameterError
        If the variance is not above 0, the function is not finite within 12 standard deviations of 0, or its mean
        does not converge.

    Examples
    --------
    >>> round(gaussian_mean(lambda x: np.maximum(x, 0) ** 2, 3.0), 10)
    1.5
    """
    check_parameters("gaussian_mean", {"variance": variance}, {"variance": real(above=0)})
    scale = float(np.sqrt(variance))
    reach = _REACH * scale
    # Wide distributions get their panels from the kinks, narrow ones from their scale.
    kinks = np.arange(-min(reach, _MAX_KINK), min(reach, _MAX_KINK), _KINK_GRID) // _KINK_GRID * _KINK_GRID
    edges = np.unique(np.clip(np.concatenate([kinks, np.linspace(-reach, reach, 49)]), -reach, reach))
    low, high = edges[:-1], edges[1:]
    total = 0.0
    coarse = _panels(function, low, high, scale)
    size = max(float(np.abs(coarse).sum()), 1e-300)
    allowed = tolerance * size / 64
    # Where a function is zero near the middle, the outermost panels hold the whole integral, which is then tiny.
    if float(np.abs(coarse[[0, -1]]).sum()) > max(_MAX_REST * size, 1e-12):
        raise InvalidParameterError("activation grows too fast to have a mean over a normal distribution")
    for _ in range(48):
        middle = (low + high) / 2
        left, right = _panels(function, low, middle, scale), _panels(function, middle, high, scale)
        open_ = np.abs(left + right - coarse) > allowed
        total += float((left + right)[~open_].sum())
        if not open_.any():
            return total
        if open_.sum() > _MAX_PANELS:
            raise InvalidParameterError("activation has no mean over a normal distribution (is it random?)")
        low, high = np.concatenate([low[open_], middle[open_]]), np.concatenate([middle[open_], high[open_]])
        coarse = np.concatenate([left[open_], right[open_]])
    if float(np.abs(coarse).sum()) > _MAX_REST * size:
        raise InvalidParameterError("activation has a pole, and so no mean over a normal distribution")
    return total + float(coarse.sum())


def _panels(function: Function, low: np.ndarray, high: np.ndarray, scale: float) -> np.ndarray:
    half = (high - low)[:, None] / 2
    x = (low + high)[:, None] / 2 + half * NODES
    with np.errstate(all="ignore"):
        values = np.asarray(function(x.ravel()), dtype=np.float64).reshape(x.shape)
    if not np.isfinite(values).all():
        raise InvalidParameterError(f"activation is not finite at {x[~np.isfinite(values)][0]:g}")
    density = np.exp(-0.5 * (x / scale) ** 2) / (scale * np.sqrt(2 * np.pi))
    panels: np.ndarray = (values * density * WEIGHTS * half).sum(axis=1)
    return panels


@cached
def gain(activation: ActivationLike) -> float:
    r"""Compute the factor on the weights' standard deviation that compensates an activation function.

    Parameters
    ----------
    activation : str or callable
        See `as_function`.

    Returns
    -------
    float
        :math:`g = 1 / \sqrt{E[\phi(z)^2]}` with :math:`z \sim N(0, 1)`; the error is below 1e-9
        relative for functions with finitely many kinks.

    Raises
    ------
    InvalidParameterError
        If the activation is unknown, not finite, or zero everywhere.

    Notes
    -----
    A layer whose `n` inputs are :math:`\phi(z)` has outputs of variance 1 if its weights have the variance
    :math:`g^2 / n`. By convention, in torch as here, the factor is applied to the layer that *feeds* the function. For
    functions that scale with their input (ReLU) both choices give the same variances in every layer. For others the
    first pre-activations have the variance :math:`g^2`, and the variances of later layers approach a fixed point of
    :math:`q = g^2 E[\phi(\sqrt{q} z)^2]`: 1 if that fixed point is stable (tanh), another one if it is not (GELU,
    SiLU: see `critical_point`).

    The gain of ReLU is the square root of 2 (He et al. 2015). torch's ``calculate_gain`` returns the empirical 5/3 for
    tanh, 3/4 for SELU and 1 for sigmoid; this function returns 1.5925, 1 and 1.8462.

    Examples
    --------
    >>> round(gain("relu"), 9), round(gain("tanh"), 4), round(gain("gelu"), 4)
    (1.414213562, 1.5925, 1.5335)
    """
    second_moment = mean_square(as_function(activation), 1.0)
    if second_moment <= 0:
        raise InvalidParameterError(f"activation={activation!r} is zero everywhere, so no gain compensates it")
    return float(second_moment**-0.5)


def mean_power_of_slope(function: Function, variance: float, power: int, step: float = SLOPE_STEP) -> float:
    """Compute the mean of a power of the function's derivative over ``x ~ N(0, variance)``."""
    if variance < _TANGENT_VARIANCE:
        # The function is its tangent, on either side of 0.
        at = function(np.array([-step, 0.0, step]))
        return float(np.mean((np.diff(at) / step) ** power))
    step *= min(1.0, max(variance**0.5, _MIN_STEP))
    return gaussian_mean(
        lambda x: ((function(x + step) - function(x - step)) / (2 * step)) ** power, variance, tolerance=1e-9
    )


def mean_square(function: Function, variance: float) -> float:
    """Compute the mean square of the function over ``x ~ N(0, variance)``; the variance may be 0."""
    if variance == 0:
        return float(function(np.zeros(1))[0]) ** 2
    return gaussian_mean(lambda x: function(x) ** 2, variance)


def slope_of_mean_square(function: Function, variance: float) -> float:
    """Compute the derivative of the mean square with respect to the variance."""
    return gaussian_mean(lambda x: function(x) ** 2 * (x * x / variance - 1), variance) / (2 * variance)


@cached
def jumps(activation: ActivationLike) -> bool:
    """Return whether a function has a jump, so that its slope has no mean square."""
    function, step = as_function(activation), 1e-9
    left, right = function(_EDGES - step), function(_EDGES + step)
    if (np.abs(right - left) > 1e-4 * (1 + np.abs(left))).any():
        return True
    mean_square(function, 1.0)
    try:
        coarse, fine = (mean_power_of_slope(function, 1.0, 2, step) for step in (SLOPE_STEP, SLOPE_STEP / 4))
    except InvalidParameterError:
        # The function itself has a mean square, so the error comes from a spike of its slope.
        return True
    return bool(fine > 2 * coarse)
