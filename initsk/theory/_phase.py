"""Depth scales over a plane of weight and bias variances."""

from dataclasses import dataclass

import numpy as np

from initsk.exceptions import InvalidParameterError
from initsk.theory._activations import ActivationLike, activation_label, as_function
from initsk.theory._critical import products
from initsk.theory._gaussian import jumps, mean_power_of_slope, mean_square
from initsk.utils.validation import check_parameters, integer, real

_SHORTEST, _LONGEST, _LENGTHS = 1e-4, 1e3, 96
_CORRELATIONS = 1 - np.geomspace(1, 1e-6, 240)


@dataclass(frozen=True)
class PhaseDiagram:
    """Mean field theory's chi_1 and depth scales over a plane of variances.

    Attributes
    ----------
    activation : str
        Name of the activation function.
    weight_variances : ndarray of shape (n_weights,)
        Variances of the weights times fan_in.
    bias_variances : ndarray of shape (n_biases,)
        Variances of the biases.
    chi_1 : ndarray of shape (n_biases, n_weights)
        Factor by which a layer multiplies the mean square of gradients; NaN where no length is stable.
    xi_c : ndarray of shape (n_biases, n_weights)
        Depth scales of correlations, in layers; NaN where no length is stable.
    """

    activation: str
    weight_variances: np.ndarray
    bias_variances: np.ndarray
    chi_1: np.ndarray
    xi_c: np.ndarray


def phase_diagram(
    activation: ActivationLike, *, max_weight: float = 4.0, max_bias: float = 0.3, cells: int = 80
) -> PhaseDiagram:
    """Compute `MeanField`'s chi_1 and xi_c over a plane.

    For a given length of the signal, chi_1, xi_c and the bias variance are closed-form functions of the weight
    variance. The function evaluates them for 96 lengths and interpolates chi_1 and 1 / xi_c between these, which is
    accurate to about 1 % of chi_1.

    Parameters
    ----------
    activation : str or callable
        See `as_function`.
    max_weight, max_bias : float, default=4.0 and 0.3
        Largest variances, above 0.
    cells : int, default=80
        Number of values of each variance, at least 2.

    Returns
    -------
    PhaseDiagram

    Raises
    ------
    InvalidParameterError
        If the activation is unknown, cannot be integrated or jumps, or a number is not allowed.

    Examples
    --------
    >>> plane = phase_diagram("tanh", cells=5)
    >>> plane.weight_variances.tolist(), (plane.chi_1[1] > 1).tolist()
    ([0.8, 1.6, 2.4000000000000004, 3.2, 4.0], [False, False, True, True, True])
    """
    given = {"max_weight": max_weight, "max_bias": max_bias, "cells": cells}
    check_parameters("phase_diagram", given, dict.fromkeys(given, real(above=0)) | {"cells": integer(2)})
    if jumps(activation):
        raise InvalidParameterError(f"activation={activation!r} jumps, so every network is chaotic")
    weights = np.linspace(max_weight / cells, max_weight, cells)
    biases = np.linspace(0, max_bias, cells)
    columns = [_column(activation, length, weights) for length in _lengths(activation, weights, max_bias)]
    bias, chi, decay = (np.array([column[part] for column in columns]) for part in range(3))
    planes = np.full((2, cells, cells), np.nan)
    for i in range(cells):
        # A length is stable if a larger bias variance gives a longer signal.
        rising = np.append(np.diff(bias[:, i]) > 0, False)
        if rising.any():
            at = bias[rising, i]
            inside = (biases >= at.min()) & (biases <= at.max())
            order = np.argsort(at)
            for plane, values in zip(planes, (chi, decay), strict=True):
                plane[inside, i] = np.interp(biases[inside], at[order], values[rising, i][order])
    if np.isnan(planes).all():
        raise InvalidParameterError(f"activation={activation!r} has no stable length in this plane")
    return PhaseDiagram(activation_label(activation), weights, biases, planes[0], 1 / np.abs(planes[1]))


def _lengths(activation: ActivationLike, weights: np.ndarray, max_bias: float) -> np.ndarray:
    """Return the lengths that occur in the plane."""
    function = as_function(activation)
    lengths = np.geomspace(_SHORTEST, _LONGEST, _LENGTHS)
    squares = np.array([mean_square(function, length) for length in lengths])
    # The smallest and the largest weight variance enclose the lengths of all others.
    biases = lengths[:, None] - squares[:, None] * weights[[0, -1]]
    [used] = np.nonzero((biases.max(1) >= 0) & (biases.min(1) <= max_bias))
    if not len(used):
        return lengths
    # Two more lengths on either side keep the edges of the plane inside the range.
    shortest, longest = lengths[max(used[0] - 2, 0)], lengths[min(used[-1] + 2, _LENGTHS - 1)]
    return np.geomspace(shortest, longest, _LENGTHS)


def _column(activation: ActivationLike, length: float, weights: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the bias variance, chi_1 and 1 / xi_c for each weight variance, given the length of signals.

    1 / xi_c is negative in the chaotic phase, so that it crosses the critical line smoothly.
    """
    function = as_function(activation)
    bias = length - weights * mean_square(function, length)
    chi = weights * mean_power_of_slope(function, length, 2)
    means = products(activation, length)
    # The correlation map meets the diagonal where this is 1 / weight variance.
    steepness = (means(1.0) - means(_CORRELATIONS)) / (1 - _CORRELATIONS) / length
    correlations = np.interp(1 / weights, steepness, _CORRELATIONS)
    chaotic = weights * np.interp(correlations, _CORRELATIONS, means.deriv()(_CORRELATIONS) / length)
    decay = np.where(chi > 1, np.log(np.clip(chaotic, 1e-12, 1.0)), -np.log(np.clip(chi, 1e-12, None)))
    return bias, chi, decay
