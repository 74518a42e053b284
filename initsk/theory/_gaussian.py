"""Means over a normal distribution, exact across the kinks of activation functions."""

import numpy as np

from initsk.exceptions import InvalidParameterError
from initsk.theory._activations import ActivationLike, Function, as_function, cached
from initsk.utils.validation import check_parameters, real

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
# The normal density beyond is below 1e-32.
_REACH = 12.0
_KINK_GRID = 0.5
_MAX_KINK = 1000.0
_MAX_PANELS = 50_000
# How much of the whole may be left open, or lie at the ends.
_LEFT = 1e-6
#: Of the differences that stand for a derivative.
SLOPE_STEP = 1e-5
# Where several functions have their kinks and jumps; quadrature would step over a jump there.
_PLACES = np.arange(-12.0, 12.5, 0.5)


def gaussian_mean(function: Function, variance: float = 1.0, *, tolerance: float = 1e-11) -> float:
    r"""Compute the mean of ``function(x)`` over ``x ~ N(0, variance)``.

    Gauss-Legendre quadrature of order 20 on panels that end at the multiples of 0.5, where
    the usual activation functions have their kinks, and that are halved where halving
    changes the value: a kink anywhere else is closed in upon.

    Parameters
    ----------
    function : callable
        Function of a float64 array, element by element.
    variance : float, default=1.0
        Variance of `x`, above 0.
    tolerance : float, default=1e-11
        Error allowed in all, relative to the mean of ``|function(x)|``.

    Returns
    -------
    float
        :math:`\int f(x) \exp(-x^2 / 2 v) / \sqrt{2 \pi v}\, dx`.

    Raises
    ------
    InvalidParameterError
        If the variance is not above 0, or the function is not finite where the distribution lies, or so rough that
        its mean does not converge.

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
    # A function that is zero near the middle has all there is at the ends, but that is next to nothing.
    if float(np.abs(coarse[[0, -1]]).sum()) > max(_LEFT * size, 1e-12):
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
    if float(np.abs(coarse).sum()) > _LEFT * size:
        raise InvalidParameterError("activation has a pole, and so no mean over a normal distribution")
    return total + float(coarse.sum())


def _panels(function: Function, low: np.ndarray, high: np.ndarray, scale: float) -> np.ndarray:
    half = (high - low)[:, None] / 2
    x = (low + high)[:, None] / 2 + half * _NODES
    with np.errstate(all="ignore"):
        values = np.asarray(function(x.ravel()), dtype=np.float64).reshape(x.shape)
    if not np.isfinite(values).all():
        raise InvalidParameterError(f"activation is not finite at {x[~np.isfinite(values)][0]:g}")
    density = np.exp(-0.5 * (x / scale) ** 2) / (scale * np.sqrt(2 * np.pi))
    panels: np.ndarray = (values * density * _WEIGHTS * half).sum(axis=1)
    return panels


def gain(activation: ActivationLike) -> float:
    r"""Compute the factor on the weights' standard deviation that makes up for an activation function.

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
    Where what a layer sums over is :math:`\phi(z)`, weights of variance :math:`g^2 / n` give its output variance 1
    again. By convention, in torch as here, the factor is put on the layer that *feeds* the function. For functions that
    scale with their input (ReLU) that comes to the same from layer to layer; for others the first pre-activations have
    variance :math:`g^2`, and the following approach the fixed point of
    :math:`q = g^2 E[\phi(\sqrt{q} z)^2]`, which is 1 where it is stable (tanh), and elsewhere where it is not (GELU,
    SiLU: see `critical_point`).

    For ReLU it is the square root of 2 (He et al. 2015). torch's ``calculate_gain`` has the empirical 5/3 for tanh,
    where this gives 1.5925, 3/4 for SELU, where this gives 1, and 1 for sigmoid, where this gives 1.8462.

    Examples
    --------
    >>> round(gain("relu"), 9), round(gain("tanh"), 4), round(gain("gelu"), 4)
    (1.414213562, 1.5925, 1.5335)
    """
    return float(_gain(activation))


@cached
def _gain(activation: ActivationLike) -> float:
    function = as_function(activation)
    second_moment = mean_square(function, 1.0)
    if second_moment <= 0:
        raise InvalidParameterError(f"activation={activation!r} is zero everywhere, so no gain makes up for it")
    return float(second_moment**-0.5)


def mean_power_of_slope(function: Function, variance: float, power: int, step: float = SLOPE_STEP) -> float:
    """Compute the mean of a power of the function's derivative over ``x ~ N(0, variance)``."""
    step *= min(1.0, variance**0.5)
    return gaussian_mean(
        lambda x: ((function(x + step) - function(x - step)) / (2 * step)) ** power, variance, tolerance=1e-9
    )


def mean_square(function: Function, variance: float) -> float:
    """Compute the mean square of the function over ``x ~ N(0, variance)``, also where the variance is 0."""
    if variance == 0:
        return float(function(np.zeros(1))[0]) ** 2
    return gaussian_mean(lambda x: function(x) ** 2, variance)


def slope_of_mean_square(function: Function, variance: float) -> float:
    """Compute the derivative of the mean square by the variance."""
    return gaussian_mean(lambda x: function(x) ** 2 * (x * x / variance - 1), variance) / (2 * variance)


@cached
def jumps(activation: ActivationLike) -> bool:
    """Say whether a function has a jump, so that its slope has no mean square."""
    function, step = as_function(activation), 1e-9
    left, right = function(_PLACES - step), function(_PLACES + step)
    if (np.abs(right - left) > 1e-4 * (1 + np.abs(left))).any():
        return True
    mean_square(function, 1.0)
    try:
        coarse, fine = (mean_power_of_slope(function, 1.0, 2, step) for step in (SLOPE_STEP, SLOPE_STEP / 4))
    except InvalidParameterError:
        # The function itself has a mean square, so that it is a spike of its slope that has none.
        return True
    return bool(fine > 2 * coarse)
