"""Mean squares of signals and gradients in a chain of wide layers with random weights."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import exp

from scipy.stats import norm

from initsk.theory._activations import ActivationLike
from initsk.theory._wide_signal import Signal, removed_share
from initsk.utils.validation import check_parameters, real


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
    return [(before.square, after.square) for before, after in _forward(layers, input_square)]


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
    return [(before.square, after.square) for before, after in _backward(layers, lengths, output_square)]


def forward_spread(layers: Sequence[SignalLayer], input_square: float) -> list[tuple[float, float]]:
    r"""Predict how the logarithm of one sample's mean squares varies over draws of the weights.

    Parameters
    ----------
    layers : sequence of SignalLayer
        In the order of the forward pass.
    input_square : float
        Mean square of the input, at least 0.

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
    >>> [round(after, 3) for _, after in forward_spread(he, 1.0)]
    [0.005, 0.01, 0.015, 0.02]
    """
    return [(before.spread, after.spread) for before, after in _forward(layers, input_square)]


def backward_spread(layers: Sequence[SignalLayer], lengths: Sequence[float]) -> list[tuple[float, float]]:
    r"""Predict how the logarithm of one sample's mean square gradients varies over draws of the weights.

    Parameters
    ----------
    layers, lengths
        As in `backward_signal`.

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
    return [(before.spread, after.spread) for before, after in _backward(layers, lengths, 1.0)]


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


def _forward(layers: Sequence[SignalLayer], input_square: float) -> Iterator[tuple[Signal, Signal]]:
    """Yield for each layer its pre-activations and its activations."""
    signal = Signal(float(input_square))
    for layer in layers:
        gain, removed = layer.fan_in * layer.weight_square, removed_share(layer.orthogonal, layer.units, layer.fan_in)
        before = signal.through_layer(gain, layer.bias_square, layer.units, 1, removed=removed, centered=layer.centered)
        signal = before if layer.activation is None else before.through(layer.activation)
        yield before, signal


def _backward(
    layers: Sequence[SignalLayer], lengths: Sequence[float], output_square: float
) -> list[tuple[Signal, Signal]]:
    """Return for each layer the gradients of its pre-activations and of its activations."""
    found, after = [], Signal(float(output_square), units=layers[-1].units) if layers else None
    for position in reversed(range(len(layers))):
        assert after is not None
        layer = layers[position]
        before = after if layer.activation is None else after.times_slope(layer.activation, Signal(lengths[position]))
        if position == len(layers) - 1:
            # The gradients of the last layer are given.
            before = replace(before, noise={})
        found.append((before, after))
        if position:
            units = layers[position - 1].units
            removed = removed_share(layer.orthogonal, units, layer.units)
            after = before.through_layer(layer.fan_out * layer.weight_square, 0.0, units, 1, removed=removed)
    return found[::-1]
