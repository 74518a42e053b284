"""Means of functions of one and of two normal values, and how they depend on the variance."""

import numpy as np
from scipy.special import ndtr, polygamma

from initsk.theory._activations import ActivationLike, Function, as_function, cached
from initsk.theory._gaussian import SLOPE_STEP, gaussian_mean, mean_power_of_slope, mean_square, slope_of_mean_square

# Below this variance a function equals its tangent, for ratios of moments.
MIN_VARIANCE = 1e-12
# Step of the difference quotient of a mean square by the scale of the values.
_SCALE_STEP = 1e-4
# Normal values for means over one value and over two, whose errors for functions with kinks are below 1e-3.
OUTER, INNER = np.linspace(-7, 7, 201), np.linspace(-7, 7, 401)


def log_variance(relative_variance: float) -> float:
    """Return the variance of the logarithm of a mean of squares, which approximately has a gamma distribution."""
    return float(polygamma(1, 1 / relative_variance)) if relative_variance > 0 else 0.0


@cached
def mean_activation(activation: ActivationLike, length: float) -> float:
    """Compute the mean of an activation function over normal pre-activations with the variance `length`."""
    return mean_of(as_function(activation), length)


def mean_of(function: Function, variance: float) -> float:
    """Compute the mean of a function over normal values; the variance may be 0."""
    return float(function(np.zeros(1))[0]) if variance == 0 else gaussian_mean(function, variance)


@cached
def square_of(activation: ActivationLike, length: float) -> float:
    """Compute the mean square of an activation function over normal values; the variance may be 0."""
    return mean_square(as_function(activation), length)


def shifted(activation: ActivationLike, shift: float) -> Function:
    """Return the function of ``x + shift``."""
    function = as_function(activation)
    # The sum is a new array, which functions that work in place may overwrite.
    return lambda x: function(x + shift)


@cached
def mean_product(activation: ActivationLike, mean: float, variance: float, covariance: float) -> float:
    """Return the mean of f(x) f(x') for two normal values with the same mean and variance."""
    return _product_of_means(as_function(activation), mean, variance, covariance)


@cached
def mean_product_of_slopes(activation: ActivationLike, mean: float, variance: float, covariance: float) -> float:
    """Return the same for the derivative of the function."""
    return _product_of_means(slope_of(as_function(activation), variance), mean, variance, covariance)


@cached
def power_of_slope(activation: ActivationLike, mean: float, variance: float, power: int) -> float:
    """Return the mean of a power of the function's derivative."""
    return mean_power_of_slope(shifted(activation, mean) if mean else as_function(activation), variance, power)


def slope_of(function: Function, variance: float) -> Function:
    """Return the derivative of a function of values with the variance, by differences."""
    step = SLOPE_STEP * min(1.0, max(variance**0.5, 1e-2))
    return lambda x: (function(x + step) - function(x - step)) / (2 * step)


def _product_of_means(function: Function, mean: float, variance: float, covariance: float) -> float:
    share = min(abs(covariance) / variance, 1.0) if variance > 0 else 1.0
    scale = variance**0.5
    x = mean + scale * (share**0.5 * OUTER[:, None] + (1 - share) ** 0.5 * INNER)
    inner = function(x.ravel()).reshape(x.shape) @ density(INNER)
    # The grid is symmetric, so that the reversed array holds the means for the opposite common part.
    return float((inner * (inner[::-1] if covariance < 0 else inner)) @ density(OUTER))


def means_of_largest(
    function: Function, n: int, *, mean: float, variance: float, common: float, power: int
) -> np.ndarray:
    """Return means of a power of a function of the largest of `n` values, by the value of what they have in common.

    `mean`, `variance` and `common` are the mean of the values, their variance, and the variance of the common part.
    """
    weights = density(INNER) * ndtr(INNER) ** (n - 1)
    x = mean + common**0.5 * OUTER[:, None] + (variance - common) ** 0.5 * INNER
    means: np.ndarray = function(x.ravel()).reshape(x.shape) ** power @ (weights / weights.sum())
    return means


def density(grid: np.ndarray) -> np.ndarray:
    """Return the normal density at points of a grid, so that the values add up to 1."""
    values = np.exp(-(grid**2) / 2)
    return np.asarray(values / values.sum())


#: Weights of the values of a common part.
COMMON = density(OUTER)


@cached
def kurtosis_and_slope(activation: ActivationLike, length: float, shift: float) -> tuple[float, float]:
    """Return E[f^4] / E[f^2]^2 and d ln E[f^2] / d ln q for f, the activation function minus a shift."""
    function = as_function(activation)
    return _shape(lambda x: function(x) - shift, length)


@cached
def kurtosis_and_slope_around(
    activation: ActivationLike, mean: float, variance: float, shift: float
) -> tuple[float, float]:
    """Return the same for values with a mean, where the derivative is with respect to the scale of all values."""
    function = as_function(activation)

    def scaled(factor: float) -> Function:
        return lambda x: function(factor * (x + mean)) - shift

    kurtosis, _ = _shape(scaled(1.0), variance)
    low, high = (mean_square(scaled(1 + step), variance) for step in (-_SCALE_STEP, _SCALE_STEP))
    return kurtosis, float(np.log(high / low)) / (4 * _SCALE_STEP) if low > 0 and high > 0 else 0.0


def _shape(function: Function, length: float) -> tuple[float, float]:
    square = mean_square(function, length)
    if square == 0:
        return 1.0, 0.0
    kurtosis = gaussian_mean(lambda x: function(x) ** 4, length) / square**2
    return kurtosis, slope_of_mean_square(function, length) * length / square


def slope_of_logarithm(function: Function, at: float) -> float:
    """Return the derivative of ln f(x)^2 with respect to ln x^2."""
    low, high = np.abs(function(np.array([at * (1 - SLOPE_STEP), at * (1 + SLOPE_STEP)])))
    return float(np.log(high / low)) / (2 * SLOPE_STEP) if low > 0 and high > 0 else 0.0
