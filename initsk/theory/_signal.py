"""Mean squares of signals and gradients, layer by layer, in a chain of wide layers with random weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

import numpy as np
from scipy.special import polygamma
from scipy.stats import norm

from initsk.theory._activations import ActivationLike, as_function, cached
from initsk.theory._gaussian import gaussian_mean, mean_power_of_slope, mean_square, slope_of_mean_square
from initsk.utils.validation import check_parameters, real

# Below this variance a function is its tangent.
_VANISHING = 1e-16


@dataclass(frozen=True)
class SignalLayer:
    """A layer of a chain, as its theory sees it.

    Attributes
    ----------
    activation : str, callable or None
        What follows the layer; None for the output.
    fan_in, fan_out : int
        Inputs of a unit, and units that an input goes to.
    weight_square, bias_square : float
        Mean squares of the weights and of the biases.
    width : int or None, default=None
        Units of the layer, where `fan_out` is another number (convolutions); None for `fan_out`.
    orthogonal : bool, default=False
        Whether the weights are a multiple of an orthogonal matrix, or of a part of one.
    centred : bool, default=False
        Whether the weights of each unit add up to zero, so that what its inputs have in common does not count.
    """

    activation: ActivationLike | None
    fan_in: int
    fan_out: int
    weight_square: float
    bias_square: float = 0.0
    width: int | None = None
    orthogonal: bool = False
    centred: bool = False

    @property
    def units(self) -> int:
        """Units that share what the layer's weights hold of chance."""
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
        For each layer the mean square of its pre-activations and of its activations (the same without a function).

    Notes
    -----
    With random weights of mean zero in wide layers, pre-activations are normal, so that

    .. math:: q_l = n_{l-1} E[W_l^2] a_{l-1} + E[b_l^2], \quad a_l = E[\phi(\sqrt{q_l} z)^2], \quad z \sim N(0, 1)

    (Poole et al. 2016, equation 3; He et al. 2015, equation 9). Centred weights see :math:`a_{l-1}` less the square of
    the activations' mean; the input's is taken for 0.

    Examples
    --------
    >>> he = [SignalLayer("relu", 100, 100, 2 / 100)] * 2
    >>> [(round(q, 9), round(a, 9)) for q, a in forward_signal(he, 1.0)]
    [(2.0, 1.0), (2.0, 1.0)]
    """
    found, square, mean = [], float(input_square), 0.0
    for layer in layers:
        received = square - mean**2 if layer.centred else square
        length = layer.fan_in * layer.weight_square * received + layer.bias_square
        square, mean = length, 0.0
        if layer.activation is not None:
            square, mean = _mean_square(layer.activation, length), mean_activation(layer.activation, length)
        found.append((length, square))
    return found


def backward_signal(
    layers: Sequence[SignalLayer], lengths: Sequence[float], output_square: float
) -> list[tuple[float, float]]:
    r"""Predict the mean squares of the loss's gradient before and after each activation function.

    Parameters
    ----------
    layers : sequence of SignalLayer
        In the order of the forward pass.
    lengths : sequence of float
        Mean squares of the layers' pre-activations, as `forward_signal` gives them.
    output_square : float
        Mean square of the gradient with respect to the last layer's activations.

    Returns
    -------
    list of (float, float)
        For each layer the mean square of the gradient with respect to its pre-activations, and to its activations.

    Notes
    -----
    With weights that are independent of what comes back,

    .. math:: g_{l-1} = m_l E[W_l^2] d_l, \quad d_l = g_l E[\phi'(\sqrt{q_l} z)^2]

    for :math:`m_l` units that each input goes to (Schoenholz et al. 2017, section 4).

    Examples
    --------
    >>> he = [SignalLayer("relu", 100, 100, 2 / 100)] * 2
    >>> [(round(d, 6), round(g, 6)) for d, g in backward_signal(he, [2.0, 2.0], 1.0)]
    [(0.5, 1.0), (0.5, 1.0)]
    """
    found, after = [], float(output_square)
    for layer, length in zip(reversed(layers), reversed(lengths), strict=True):
        before = after if layer.activation is None else after * _mean_square_slope(layer.activation, length)
        found.append((before, after))
        after = layer.fan_out * layer.weight_square * before
    return found[::-1]


@cached
def _mean_square(activation: ActivationLike, length: float) -> float:
    return mean_square(as_function(activation), length)


@cached
def mean_activation(activation: ActivationLike, length: float) -> float:
    """Compute the mean of an activation function over pre-activations of a variance."""
    function = as_function(activation)
    return float(function(np.zeros(1))[0]) if length == 0 else gaussian_mean(function, length)


@cached
def _mean_square_slope(activation: ActivationLike, length: float) -> float:
    return mean_power_of_slope(as_function(activation), max(length, _VANISHING), 2)


# Below this variance a function is its tangent.
_NO_SIGNAL = 1e-12


def forward_spread(layers: Sequence[SignalLayer], lengths: Sequence[float]) -> list[tuple[float, float]]:
    r"""Predict the variance, over draws of the weights, of the logarithm of one sample's mean squares.

    Parameters
    ----------
    layers : sequence of SignalLayer
        In the order of the forward pass.
    lengths : sequence of float
        Mean squares of the layers' pre-activations, as `forward_signal` gives them.

    Returns
    -------
    list of (float, float)
        For each layer that of its pre-activations and of its activations; see `prediction_interval`.

    Notes
    -----
    Given the layer before, the n units of a layer are independent normal values. Their mean square scatters with the
    relative variance 2 / n, and that of their activations with :math:`(\kappa - 1) / n`, where
    :math:`\kappa = E[\phi^4] / E[\phi^2]^2`: 5 / n for ReLU, as in Hanin and Rolnick 2018, theorem 5. What a
    layer receives is passed on as far as its mean square follows that of its input,
    :math:`s = d \ln E[\phi^2] / d \ln q`, so that variances add up along depth, with the sum of 1 / n.
    An orthogonal matrix keeps lengths: of its units' scatter the part that changes their length is gone
    (:math:`2 s^2 / n`), or the share of it that the matrix's shape allows.

    Examples
    --------
    >>> he = [SignalLayer("relu", 1000, 1000, 2 / 1000)] * 4
    >>> [round(after, 3) for _, after in forward_spread(he, [2.0] * 4)]
    [0.005, 0.01, 0.015, 0.02]
    """
    found, spread = [], 0.0
    following = [*layers[1:], None]
    for layer, after, length in zip(layers, following, lengths, strict=True):
        # Biases are added to what follows from the layer before.
        spread *= (1 - layer.bias_square / length) ** 2 if length > 0 else 0.0
        kept = _kept(layer, layer.units / layer.fan_in)
        before = spread + _log_variance(2 * (1 - kept) / layer.units)
        if layer.activation is None:
            found.append((before, before))
            spread = before
            continue
        found.append((before, _after_function(layer, length, kept, spread, 0.0)))
        # Centred weights see what is left without the mean.
        shift = mean_activation(layer.activation, length) if after is not None and after.centred else 0.0
        spread = _after_function(layer, length, kept, spread, shift)
    return found


def _after_function(layer: SignalLayer, length: float, kept: float, spread: float, shift: float) -> float:
    """Return the spread of the mean square of activations less a shift, from that of the pre-activations' variance."""
    assert layer.activation is not None
    kurtosis, slope = _shape(layer.activation, max(length, _NO_SIGNAL), shift)
    noise = max(kurtosis - 1 - 2 * kept * slope**2, 0.0)
    return slope**2 * spread + _log_variance(noise / layer.units)


def backward_spread(layers: Sequence[SignalLayer], lengths: Sequence[float]) -> list[tuple[float, float]]:
    r"""Predict the variance, over draws of the weights, of the logarithm of one sample's mean square gradients.

    Parameters
    ----------
    layers, lengths
        As in `forward_spread`.

    Returns
    -------
    list of (float, float)
        For each layer that of the gradient with respect to its pre-activations, and to its activations, from the last
        layer's on, which are given.

    Notes
    -----
    As forward, with :math:`\kappa' = E[\phi'^4] / E[\phi'^2]^2` in the relative variance :math:`(3 \kappa' - 1) / n` of
    a layer: 5 / n for ReLU. That slopes also depend on the lengths' scatter is left out.

    Examples
    --------
    >>> he = [SignalLayer("relu", 1000, 1000, 2 / 1000)] * 4
    >>> [round(before, 3) for before, _ in backward_spread(he, [2.0] * 4)]
    [0.015, 0.01, 0.005, 0.0]
    """
    found, spread = [], 0.0
    through: SignalLayer | None = None
    for layer, length in zip(reversed(layers), reversed(lengths), strict=True):
        after = spread
        # Gradients of the last layer are given, unit by unit; others come through the weights of the layer behind.
        if through is not None:
            n, kept = layer.units, _kept(through, layer.units / through.units)
            after += _log_variance(2 * (1 - kept) / n)
            kurtosis = 1.0 if layer.activation is None else _slopes_kurtosis(layer.activation, max(length, _NO_SIGNAL))
            spread += _log_variance((3 * kurtosis - 1 - 2 * kept) / n)
        found.append((spread, after))
        through = layer
    return found[::-1]


def prediction_interval(square: float, spread: float, level: float = 0.99) -> tuple[float, float]:
    r"""Return the bounds between which a mean square lies in a share of all draws.

    Parameters
    ----------
    square : float
        Mean over draws, as `forward_signal` and `backward_signal` give it.
    spread : float
        Variance of its logarithm.
    level : float, default=0.99
        The share, above 0 and below 1.

    Returns
    -------
    low, high : float
        Quantiles of the log-normal distribution with that mean (Hanin and Rolnick 2018: products along depth are
        log-normal in the limit).

    Examples
    --------
    >>> [round(bound, 2) for bound in prediction_interval(1.0, 0.2)]
    [0.29, 2.86]
    """
    check_parameters("prediction_interval", {"level": level}, {"level": real(above=0, below=1)})
    reach = float(norm.ppf((1 + level) / 2)) * spread**0.5
    return square * exp(-spread / 2 - reach), square * exp(-spread / 2 + reach)


def _kept(through: SignalLayer, ratio: float) -> float:
    """Return which share of lengths' scatter an orthogonal matrix takes away: all of it where it does not narrow."""
    return min(1.0, ratio) if through.orthogonal else 0.0


def _log_variance(relative_variance: float) -> float:
    """Return the variance of the logarithm of a mean of squares, which is nearly a gamma variable."""
    return float(polygamma(1, 1 / relative_variance)) if relative_variance > 0 else 0.0


@cached
def _shape(activation: ActivationLike, length: float, shift: float) -> tuple[float, float]:
    """Return the kurtosis of activations about a shift, and how their mean square follows that of pre-activations."""
    function = as_function(activation)

    def shifted(x: np.ndarray) -> np.ndarray:
        return function(x) - shift

    square = mean_square(shifted, length)
    if square == 0:
        return 1.0, 0.0
    kurtosis = gaussian_mean(lambda x: shifted(x) ** 4, length) / square**2
    return kurtosis, slope_of_mean_square(shifted, length) * length / square


@cached
def _slopes_kurtosis(activation: ActivationLike, length: float) -> float:
    function = as_function(activation)
    square = mean_power_of_slope(function, length, 2)
    return mean_power_of_slope(function, length, 4) / square**2 if square else 1.0
