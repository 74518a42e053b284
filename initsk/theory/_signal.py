"""Mean squares of signals and gradients, layer by layer, in a chain of wide layers with random weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from initsk.theory._activations import ActivationLike, as_function
from initsk.theory._gaussian import gaussian_mean, mean_power_of_slope, mean_square
from initsk.theory._memory import remembers

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


@remembers
def _mean_square(activation: ActivationLike, length: float) -> float:
    return mean_square(as_function(activation), length)


@remembers
def mean_activation(activation: ActivationLike, length: float) -> float:
    """Compute the mean of an activation function over pre-activations of a variance."""
    function = as_function(activation)
    return float(function(np.zeros(1))[0]) if length == 0 else gaussian_mean(function, length)


@remembers
def _mean_square_slope(activation: ActivationLike, length: float) -> float:
    return mean_power_of_slope(as_function(activation), max(length, _VANISHING), 2)
