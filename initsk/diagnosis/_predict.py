"""Predictions of mean field theory for a network: its depth scale, and its signals and gradients layer by layer."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pandas as pd
import torch
from torch import nn

from initsk import theory
from initsk.exceptions import InitskError, ModuleError
from initsk.initialization import choices_for
from initsk.initializers import InitializerLike, get_initializer
from initsk.network import ChainLayer, chain_of, get_model
from initsk.utils.validation import check_parameters, real


@dataclass(frozen=True)
class DepthBudget:
    """The hidden layers of a network as mean field theory describes them: one layer, repeated.

    Attributes
    ----------
    activation : str or callable
        The activation function of most layers.
    weight_variance, bias_variance : float
        Mean square of the weights times fan_in, as a geometric mean over the layers, and of the biases.
    depth : int
        Layers with that activation function.
    xi_c : float
        Depth scale of correlations.
    reach : float
        Depth up to which networks train, by theory: 6 xi_c (Schoenholz et al. 2017, figure 5).
    phase : {"ordered", "critical", "chaotic"}
    """

    activation: theory.ActivationLike
    weight_variance: float
    bias_variance: float
    depth: int
    xi_c: float
    reach: float
    phase: str

    @property
    def share(self) -> float:
        """Depth relative to the depth that theory allows."""
        return self.depth / self.reach if self.reach > 0 else float("inf")


def depth_budget(module: nn.Module) -> DepthBudget | None:
    """Return the depth budget of a plain chain of layers; None for other networks and for weights of zero."""
    chain = [layer for layer in chain_of(module) or () if layer.activation is not None]
    runs = [list(group) for _, group in groupby(chain, key=lambda layer: repr(layer.activation))]
    run = max(runs, key=len, default=[])
    weights = [_variance(layer) for layer in run]
    if not run or min(weights) <= 0:
        return None
    weight = float(torch.tensor(weights, dtype=torch.float64).log().mean().exp())
    bias = sum(_bias_square(layer) for layer in run) / len(run)
    activation = run[0].activation
    assert activation is not None
    try:
        field = theory.MeanField(activation, weight, bias)
        scales = field.depth_scales()
        return DepthBudget(activation, weight, bias, len(run), scales.xi_c, scales.reach, field.phase)
    except InitskError:
        # The function has no mean over a normal distribution.
        return None


def _variance(layer: ChainLayer) -> float:
    weight = layer.layer.weight.detach().double()
    return float(weight.square().mean()) * weight[0].numel() if weight.numel() else 0.0


def _bias_square(layer: ChainLayer) -> float:
    bias = layer.layer.bias
    return 0.0 if bias is None else float(bias.detach().double().square().mean())


_NUMBERS = [f"{direction}{bound}" for direction in ("forward", "backward") for bound in ("", "_low", "_high")]
_DTYPES = {"layer": "str", "position": "str"} | dict.fromkeys(_NUMBERS, "float64")


def predict_signal(
    model: Any, initializer: InitializerLike | None = None, *, input_square: float = 1.0, confidence: float = 0.99
) -> pd.DataFrame:
    """Predict the mean squares of signals and gradients in a network at initialization; nothing is drawn or run.

    Parameters
    ----------
    model : torch.nn.Module or estimator
        A plain chain of linear or convolution layers and activation functions, such as `initsk.network.MLP`.
    initializer : str, Initializer, callable or None, default=None
        Initializer of the weights and biases; None takes the current weights.
    input_square : float, default=1.0
        Mean square of the input, at least 0.
    confidence : float, default=0.99
        Probability that the mean square of one sample lies between the bounds, above 0 and below 1.

    Returns
    -------
    DataFrame
        A row per layer and position ("pre_activation" and "activation", or "output"): ``forward``, the mean
        square of the values, and ``backward``, that of the gradient if it is 1 in the last layer; each with the
        bounds ``_low`` and ``_high`` at finite width (`initsk.theory.forward_spread`).

    Raises
    ------
    InvalidParameterError
        If a number is not allowed, or an activation function has no mean over a normal distribution.
    ModuleError
        If the network is not a plain chain, or the initializer states no variance or a mean that is not zero.

    Examples
    --------
    >>> from initsk.diagnosis import predict_signal
    >>> from initsk.network import MLP
    >>> frame = predict_signal(MLP(100, 10, (100, 100)), "he_normal")
    >>> frame.loc[frame["position"] == "activation", "forward"].round(6).tolist()
    [1.0, 1.0]
    """
    given = {"input_square": input_square, "confidence": confidence}
    check_parameters("predict_signal", given, {"input_square": real(minimum=0), "confidence": real(above=0, below=1)})
    module = get_model(model).module
    chain = chain_of(module)
    if chain is None:
        raise ModuleError("predict_signal requires a plain chain of layers and activation functions")
    layers = list(_present_weights(chain) if initializer is None else _drawn_weights(chain, module, initializer))
    signal = theory.forward_signal(layers, float(input_square))
    lengths = [length for length, _ in signal]
    gradients = theory.backward_signal(layers, lengths, 1.0)
    spreads = zip(theory.forward_spread(layers, lengths), theory.backward_spread(layers, lengths), strict=True)
    rows = []
    for step, values, back, (spread, back_spread) in zip(chain, signal, gradients, spreads, strict=True):
        positions = ("output",) if step.activation is None else ("pre_activation", "activation")
        for part, position in enumerate(positions):
            forward = (values[part], *theory.prediction_interval(values[part], spread[part], confidence))
            backward = (back[part], *theory.prediction_interval(back[part], back_spread[part], confidence))
            rows.append((step.name, position, *forward, *backward))
    return pd.DataFrame(rows, columns=list(_DTYPES)).astype(_DTYPES)


def _present_weights(chain: list[ChainLayer]) -> Iterator[theory.SignalLayer]:
    for step in chain:
        weight_square = float(step.layer.weight.detach().double().square().mean())
        yield step.as_signal(weight_square, _bias_square(step))


def _drawn_weights(chain: list[ChainLayer], module: Any, initializer: InitializerLike) -> Iterator[theory.SignalLayer]:
    if get_initializer(initializer).refines:
        raise ModuleError(f"predict_signal requires a known variance, but {initializer!r} depends on measured values")
    expected = {}
    for step, choices in choices_for(module, initializer):
        found = [choice.initializer.expected_moments(spec) for spec, choice in zip(step.specs, choices, strict=False)]
        expected[step.name] = found[0] if found else None
    for layer in chain:
        weight, bias = (expected.get(f"{layer.name}.{part}".lstrip(".")) for part in ("weight", "bias"))
        if weight is None or (bias is None and layer.layer.bias is not None):
            raise ModuleError(f"{initializer!r} states no variance for {layer.name or 'the layer'}")
        if weight.mean != 0:
            raise ModuleError(
                f"predict_signal requires zero-mean weights, but those of {initializer!r} have mean {weight.mean:g}"
            )
        bias_square = 0.0 if bias is None else bias.variance + bias.mean**2
        orthogonal = weight.singular_value is not None
        yield layer.as_signal(weight.variance, bias_square, orthogonal=orthogonal, centered=weight.centered)
