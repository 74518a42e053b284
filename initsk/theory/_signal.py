"""Mean squares of signals and gradients in a chain of wide layers with random weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

import numpy as np
from scipy.special import polygamma
from scipy.stats import norm

from initsk.theory._activations import ActivationLike, as_function, cached
from initsk.theory._gaussian import gaussian_mean, mean_power_of_slope, mean_square, slope_of_mean_square
from initsk.utils.validation import check_parameters, real

# Below these variances a function equals its tangent: for slopes, and for ratios of moments.
_MIN_SLOPE_VARIANCE, _MIN_VARIANCE = 1e-16, 1e-12


@dataclass(frozen=True)
class SignalLayer:
    """The properties of a layer in a chain that determine the mean squares of signals and gradients.

    Attributes
    ----------
    activation : str, callable or None
        Activation function after the layer; None for the output layer.
    fan_in, fan_out : int
        Inputs of a unit, and units that receive an input.
    weight_square, bias_square : float
        Mean squares of the weights and of the biases.
    width : int or None, default=None
        Units of the layer if their number is not `fan_out` (convolutions); None for `fan_out`.
    orthogonal : bool, default=False
        Whether the weights are a multiple of an orthogonal matrix or of some of its rows or columns.
    centered : bool, default=False
        Whether the weights of each unit add up to zero, so that the mean of its inputs has no effect.
    """

    activation: ActivationLike | None
    fan_in: int
    fan_out: int
    weight_square: float
    bias_square: float = 0.0
    width: int | None = None
    orthogonal: bool = False
    centered: bool = False

    @property
    def units(self) -> int:
        """Number of units of the layer; the more units, the smaller the variance over draws."""
        return self.width or self.fan_out


def forward_signal(layers: Sequence[SignalLayer], input_square: float) -> list[tuple[float, float]]:
    r"""Predict the mean squares before and after each activation function.

    Parameters
    ----------
    layers : sequence of SignalLayer
        In the order of the forward pass.
    input_square : float
        Mean square of the input, at least 0.

    Returns
    -------
    list of (float, float)
        For each layer the mean square of its pre-activations and of its activations; both are equal for a layer
        without an activation function.

    Notes
    -----
    In wide layers with random zero-mean weights, pre-activations are normal, so that

    .. math:: q_l = n_{l-1} E[W_l^2] a_{l-1} + E[b_l^2], \quad a_l = E[\phi(\sqrt{q_l} z)^2], \quad z \sim N(0, 1)

    (Poole et al. 2016, equation 3; He et al. 2015, equation 9). For centered weights
    :math:`a_{l-1}` is replaced by the variance of the activations; the input is assumed to have mean 0.

    Examples
    --------
    >>> he = [SignalLayer("relu", 100, 100, 2 / 100)] * 2
    >>> [(round(q, 9), round(a, 9)) for q, a in forward_signal(he, 1.0)]
    [(2.0, 1.0), (2.0, 1.0)]
    """
    signal, square, mean = [], float(input_square), 0.0
    for layer in layers:
        received = square - mean**2 if layer.centered else square
        length = layer.fan_in * layer.weight_square * received + layer.bias_square
        square, mean = length, 0.0
        if layer.activation is not None:
            square, mean = _mean_square(layer.activation, length), mean_activation(layer.activation, length)
        signal.append((length, square))
    return signal


def backward_signal(
    layers: Sequence[SignalLayer], lengths: Sequence[float], output_square: float
) -> list[tuple[float, float]]:
    r"""Predict the mean squares of the loss's gradient before and after each activation function.

    Parameters
    ----------
    layers : sequence of SignalLayer
        In the order of the forward pass.
    lengths : sequence of float
        Mean squares of the layers' pre-activations, from `forward_signal`.
    output_square : float
        Mean square of the gradient with respect to the last layer's activations.

    Returns
    -------
    list of (float, float)
        For each layer the mean square of the gradient with respect to its pre-activations, and to its activations.

    Notes
    -----
    If the weights are independent of the gradients,

    .. math:: g_{l-1} = m_l E[W_l^2] d_l, \quad d_l = g_l E[\phi'(\sqrt{q_l} z)^2]

    where each input feeds :math:`m_l` units (Schoenholz et al. 2017, section 4).

    Examples
    --------
    >>> he = [SignalLayer("relu", 100, 100, 2 / 100)] * 2
    >>> [(round(d, 6), round(g, 6)) for d, g in backward_signal(he, [2.0, 2.0], 1.0)]
    [(0.5, 1.0), (0.5, 1.0)]
    """
    gradients, after = [], float(output_square)
    for layer, length in zip(reversed(layers), reversed(lengths), strict=True):
        before = after if layer.activation is None else after * _mean_square_slope(layer.activation, length)
        gradients.append((before, after))
        after = layer.fan_out * layer.weight_square * before
    return gradients[::-1]


@cached
def _mean_square(activation: ActivationLike, length: float) -> float:
    return mean_square(as_function(activation), length)


@cached
def mean_activation(activation: ActivationLike, length: float) -> float:
    """Compute the mean of an activation function over normal pre-activations with the variance `length`."""
    function = as_function(activation)
    return float(function(np.zeros(1))[0]) if length == 0 else gaussian_mean(function, length)


@cached
def _mean_square_slope(activation: ActivationLike, length: float) -> float:
    return mean_power_of_slope(as_function(activation), max(length, _MIN_SLOPE_VARIANCE), 2)


def forward_spread(layers: Sequence[SignalLayer], lengths: Sequence[float]) -> list[tuple[float, float]]:
    r"""Predict how the logarithm of one sample's mean squares varies over draws of the weights.

    Parameters
    ----------
    layers : sequence of SignalLayer
        In the order of the forward pass.
    lengths : sequence of float
        Mean squares of the layers' pre-activations, from `forward_signal`.

    Returns
    -------
    list of (float, float)
        For each layer the variance for its pre-activations and for its activations; see `prediction_interval`.

    Notes
    -----
    Given the previous layer, the n units of a layer are independent normal values. Their mean square has the
    relative variance 2 / n, and the mean square of their activations :math:`(\kappa - 1) / n`, where
    :math:`\kappa = E[\phi^4] / E[\phi^2]^2`: 5 / n for ReLU, as in Hanin and Rolnick 2018, theorem 5. A layer passes
    on the variance of its input times :math:`s^2`, where :math:`s = d \ln E[\phi^2] / d \ln q`. The variances
    of the layers therefore add up along depth, in proportion to the sum of 1 / n.
    An orthogonal matrix preserves lengths. This removes the part :math:`2 s^2 / n` of a layer's variance, or a
    share of that part if the matrix has fewer rows than columns.

    Examples
    --------
    >>> he = [SignalLayer("relu", 1000, 1000, 2 / 1000)] * 4
    >>> [round(after, 3) for _, after in forward_spread(he, [2.0] * 4)]
    [0.005, 0.01, 0.015, 0.02]
    """
    spreads, spread = [], 0.0
    following = [*layers[1:], None]
    for layer, after, length in zip(layers, following, lengths, strict=True):
        # Biases add a part that does not vary with the previous layer.
        spread *= (1 - layer.bias_square / length) ** 2 if length > 0 else 0.0
        removed = _removed_share(layer, layer.units / layer.fan_in)
        before = spread + _log_variance(2 * (1 - removed) / layer.units)
        if layer.activation is None:
            spreads.append((before, before))
            spread = before
            continue
        spreads.append((before, _spread_after_function(layer, length, removed, spread, 0.0)))
        # Centered weights remove the mean of their inputs.
        shift = mean_activation(layer.activation, length) if after is not None and after.centered else 0.0
        spread = _spread_after_function(layer, length, removed, spread, shift)
    return spreads


def _spread_after_function(layer: SignalLayer, length: float, removed: float, spread: float, shift: float) -> float:
    """Return the spread of the mean square of activations minus a shift, given the spread of the layer's input."""
    assert layer.activation is not None
    kurtosis, slope = _kurtosis_and_slope(layer.activation, max(length, _MIN_VARIANCE), shift)
    noise = max(kurtosis - 1 - 2 * removed * slope**2, 0.0)
    return slope**2 * spread + _log_variance(noise / layer.units)


def backward_spread(layers: Sequence[SignalLayer], lengths: Sequence[float]) -> list[tuple[float, float]]:
    r"""Predict how the logarithm of one sample's mean square gradients varies over draws of the weights.

    Parameters
    ----------
    layers, lengths
        As in `forward_spread`.

    Returns
    -------
    list of (float, float)
        For each layer the variance for the gradient with respect to its pre-activations, and to its activations. The
        gradients of the last layer are given, so that their variance is 0.

    Notes
    -----
    As in `forward_spread`, with the relative variance :math:`(3 \kappa' - 1) / n` of a layer, where
    :math:`\kappa' = E[\phi'^4] / E[\phi'^2]^2`: 5 / n for ReLU. The prediction ignores that slopes also vary with the
    lengths of the signal.

    Examples
    --------
    >>> he = [SignalLayer("relu", 1000, 1000, 2 / 1000)] * 4
    >>> [round(before, 3) for before, _ in backward_spread(he, [2.0] * 4)]
    [0.015, 0.01, 0.005, 0.0]
    """
    spreads, spread = [], 0.0
    following: SignalLayer | None = None
    for layer, length in zip(reversed(layers), reversed(lengths), strict=True):
        after = spread
        # The gradients of the last layer are given; the others come through the weights of the following layer.
        if following is not None:
            n, removed = layer.units, _removed_share(following, layer.units / following.units)
            after += _log_variance(2 * (1 - removed) / n)
            kurtosis = _slopes_kurtosis(layer.activation, max(length, _MIN_VARIANCE))
            spread += _log_variance((3 * kurtosis - 1 - 2 * removed) / n)
        spreads.append((spread, after))
        following = layer
    return spreads[::-1]


def prediction_interval(square: float, spread: float, confidence: float = 0.99) -> tuple[float, float]:
    r"""Return the bounds of a mean square that hold for a given share of all draws.

    Parameters
    ----------
    square : float
        Mean over draws, from `forward_signal` or `backward_signal`.
    spread : float
        Variance of the logarithm of the mean square, from `forward_spread` or `backward_spread`.
    confidence : float, default=0.99
        Share of the draws inside the bounds, above 0 and below 1.

    Returns
    -------
    low, high : float
        Quantiles of the log-normal distribution with the mean `square`. In the limit of many layers, products along
        depth are log-normal (Hanin and Rolnick 2018).

    Examples
    --------
    >>> [round(bound, 2) for bound in prediction_interval(1.0, 0.2)]
    [0.29, 2.86]
    """
    check_parameters("prediction_interval", {"confidence": confidence}, {"confidence": real(above=0, below=1)})
    half_width = float(norm.ppf((1 + confidence) / 2)) * spread**0.5
    return square * exp(-spread / 2 - half_width), square * exp(-spread / 2 + half_width)


def _removed_share(layer: SignalLayer, ratio: float) -> float:
    """Return the share of the lengths' variance that a layer's orthogonal weights remove; all for a ratio from 1 on."""
    return min(1.0, ratio) if layer.orthogonal else 0.0


def _log_variance(relative_variance: float) -> float:
    """Return the variance of the logarithm of a mean of squares, which approximately has a gamma distribution."""
    return float(polygamma(1, 1 / relative_variance)) if relative_variance > 0 else 0.0


@cached
def _kurtosis_and_slope(activation: ActivationLike, length: float, shift: float) -> tuple[float, float]:
    """Return E[f^4] / E[f^2]^2 and d ln E[f^2] / d ln q for f, the activation function minus a shift."""
    function = as_function(activation)

    def shifted(x: np.ndarray) -> np.ndarray:
        return function(x) - shift

    square = mean_square(shifted, length)
    if square == 0:
        return 1.0, 0.0
    kurtosis = gaussian_mean(lambda x: shifted(x) ** 4, length) / square**2
    return kurtosis, slope_of_mean_square(shifted, length) * length / square


@cached
def _slopes_kurtosis(activation: ActivationLike | None, length: float) -> float:
    """Return E[f'^4] / E[f'^2]^2 for an activation function f; 1 without one."""
    if activation is None:
        return 1.0
    function = as_function(activation)
    square = mean_power_of_slope(function, length, 2)
    return mean_power_of_slope(function, length, 4) / square**2 if square else 1.0
