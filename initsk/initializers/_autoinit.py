"""AutoInit: scale each layer by the calculated mean and variance of its input, without data."""

from math import prod
from typing import Any

import torch
from torch import nn

from initsk.exceptions import ModuleError
from initsk.initializers._variance_scaling import ZeroMeanDraw
from initsk.initializers.core._answers import ExpectedMoments
from initsk.initializers.core._base import Initializer
from initsk.initializers.core._calibrate import is_calibrated, write_weight
from initsk.initializers.core._draws import DISTRIBUTIONS
from initsk.network import (
    AFFINE,
    Batch,
    Layer,
    Network,
    NetworkGraph,
    Operation,
    ParameterSpec,
    Propagation,
    Source,
    pair_of,
    read,
)
from initsk.theory import Signal, times
from initsk.utils.torch_settings import in_double
from initsk.utils.validation import integer, one_of, optional, real, sequence_of

_SHAPE = "AutoInit(input_shape=(channels, height, width)), without the batch's axis"
_ALLOWED = (
    "allowed: linear, bilinear and convolution layers, embeddings, activation functions, dropout, normalization,"
    " pooling, reshaping, padding, sums, products, attention and cat"
)


class AutoInit(ZeroMeanDraw, Initializer):
    """Calculate the moments of every signal, and scale each layer so that its output has mean 0 and variance 1.

    Parameters
    ----------
    input_mean : float, default=0.0
        Mean of the network's input.
    input_variance : float, default=1.0
        Variance of the network's input, at least 0; mean and variance must not both be 0.
    distribution : {"normal", "truncated_normal", "uniform", "orthogonal"}, default="truncated_normal"
        Distribution of the weights; see `VarianceScaling`.
    input_shape : tuple of int or None, default=None
        Shape of one input without the batch axis; None takes the shape of X, if `initialize` has an X. Only needed if
        no input fits the first layers, or if sizes matter: for adaptive pooling, means, padding, softmax, attention, or
        cat of different signals before a layer.

    Notes
    -----
    Formula: ``Var(W) = 1 / (fan_in (v + m^2))`` for linear and convolution layers whose input has mean ``m`` and
    variance ``v``; their output then has mean 0 and variance 1 (Bingham and Miikkulainen 2023, section 3). AutoInit
    assumes normal and independent signals, and calculates ``m`` and ``v`` as follows. The module runs once in training
    mode, on X, on zeros of `input_shape`, or on an input that fits its first layer.

    - activation functions and other functions of one element, also in several operations (``x * sigmoid(x)``): by
      Gaussian quadrature;
    - dropout: ``m`` stays, ``v + m^2`` is divided by ``1 - p``; alpha dropout changes nothing;
    - batch, layer, group and instance normalization: mean 0 and variance 1, then their own scale and shift; RMS
      normalization: divided by ``sqrt(v + m^2)``;
    - average pooling of `k` elements: ``m, v / k``; maximum pooling: mean and variance of the largest of `k`;
    - softmax over `k` elements: ``1 / k, 1 / k^2``; attention over `k` positions: as their average;
    - sums: ``m1 + m2, v1 + v2``; products: ``m1 m2`` and mean square ``(v1 + m1^2) (v2 + m2^2)``; cat and constant
      padding: the mixture; embeddings: the moments of their values, which are drawn with variance 1;
    - reshaping, reflecting pads and interpolation change nothing.

    AutoInit uses the current weights and biases of layers that it does not set: frozen layers, and layers at their
    second call. AutoInit ignores zero padding inside of convolutions.

    Differences from the authors' code: it treats unknown operations as the identity and does not change recurrent
    layers, while this class raises an error if they come before a layer that it sets; its dropout divides only ``v``;
    it samples the moments of pooling, which this class calculates; and it takes mean 0 and variance 1 after batch and
    layer normalization, whatever their scale.

    Raises
    ------
    ModuleError
        By `initialize`, if the module cannot be run, or has an operation without a rule before its last layer.

    Examples
    --------
    >>> from initsk import initialize
    >>> from initsk.initializers import AutoInit
    >>> from initsk.network import MLP
    >>> module = MLP(400, 300, (500,))
    >>> record = initialize(module, AutoInit(input_variance=4.0), random_state=0)
    >>> [round(layer.weight.var().item() * layer.in_features, 2) for layer in (module.hidden_1, module.output)]
    [0.25, 2.0]
    """

    name = "autoinit"
    family = "architecture-aware"
    formula = "Var(W) = 1 / (fan_in (v + m^2)), input of mean m and variance v by calculation"
    reference = "Bingham and Miikkulainen 2023, section 3"
    parameter_constraints = {
        "input_mean": real(), "input_variance": real(minimum=0), "distribution": one_of("distribution", DISTRIBUTIONS),
        "input_shape": optional(sequence_of(integer(1), "a tuple of integers >= 1")),
    }  # fmt: skip

    input_mean: float = 0.0
    input_variance: float = 1.0
    distribution: str = "truncated_normal"
    input_shape: tuple[int, ...] | None = None

    def variance_and_distribution(self, spec: ParameterSpec) -> tuple[float, str]:
        """Return ``1 / fan_in``, which `refine` corrects, or 1 for an embedding, and the distribution."""
        return 1.0 if spec.kind == "embedding" else 1 / spec.fan("fan_in"), self.distribution

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments | None:
        """Return the expected moments of the values for a spec, or None if they depend on the network."""
        return None if is_calibrated(spec) else super().expected_moments(spec)

    def refine(self, network: Network) -> None:
        """Calculate the moments in the order of the network and scale each layer."""
        for layer in network.layers():
            if layer.weight.is_complex():
                raise ModuleError(f"AutoInit: the weight of layer {layer.name!r} is complex (allowed: real weights)")
        with network.mode(training=False), torch.no_grad():
            _Pass(network, self).run()


class _Pass:
    """One pass through the network in the order of its operations, which sets each layer at its first call."""

    def __init__(self, network: Network, initializer: AutoInit) -> None:
        self.network, self.initializer = network, initializer
        self.layers = {layer.name: layer for layer in network.layers()}
        self.not_set = dict(self.layers)
        self.graph = self._read()

    def run(self) -> None:
        """Set the layers, and note those that the forward pass does not call."""
        operations = self.graph.operations
        called = {operation.number for operation in operations if self._name_of(operation) in self.layers}
        Propagation(
            self.graph, self._of_input, self._of_layer, self._parameter, self._refuse, self._shape_of, exact=True
        ).run(self.graph.needed_for(called))
        for layer in self.not_set.values():
            self.network.note(layer.spec.name, "AutoInit: not called in the forward pass")

    def _read(self) -> NetworkGraph:
        network, shape = self.network, self.initializer.input_shape
        X: Any = None
        if shape is not None:
            like = next((p for p in network.module.parameters() if p.is_floating_point()), torch.empty(0))
            X = Batch((torch.zeros((2, *shape), dtype=like.dtype, device=like.device),), {}, None, None)
        elif network.inputs is not None or network.keywords:
            X = Batch(network.inputs or (), network.keywords, None, None)
        graph = read(network.module, X, training=True)
        if not graph.operations:
            raise ModuleError(
                "AutoInit needs the input's shape, because no input was found with which the module runs"
                f" (allowed: X in `initialize`, or {_SHAPE})"
            )
        return graph

    def _name_of(self, operation: Operation) -> str:
        """Return the name of the layer that runs, or of the module whose weight an operation multiplies by."""
        if operation.module in self.layers:
            return operation.module
        weights = [use.name for use in operation.uses if use.how == "multiplies"]
        return weights[0].rpartition(".")[0] if len(weights) == 1 else operation.module

    def _of_input(self, operation: Operation) -> Signal | None:
        mean, variance = float(self.initializer.input_mean), float(self.initializer.input_variance)
        return Signal(variance + mean**2, mean) if operation.real[0] else None

    @staticmethod
    def _parameter(operation: Operation, values: torch.Tensor, uses: Any) -> tuple[float, float]:
        return pair_of(values)

    def _refuse(self, operation: Operation) -> None:
        where = f", at {operation.module!r}" if operation.module else ""
        raise ModuleError(f"AutoInit has no rule for the operation {operation.name!r}{where} ({_ALLOWED})")

    def _shape_of(self, source: Source) -> tuple[int, ...]:
        if self.graph.is_guess:
            needing = "adaptive pooling, means, padding, softmax, attention or cat"
            raise ModuleError(f"AutoInit needs the input's shape, for {needing} (allowed: {_SHAPE})")
        return self.graph.operations[source.operation].shapes[source.output]

    def _of_layer(self, operation: Operation, signals: list[Signal], propagation: Propagation) -> Any:
        name = self._name_of(operation)
        layer, module = self.not_set.pop(name, None), self.network.module.get_submodule(name)
        bias = getattr(module, "bias", None)
        if not isinstance(module, AFFINE):
            return self._of_parameters(operation, signals)
        # One signal may be both of a bilinear layer's inputs.
        signals = signals * 2 if isinstance(module, nn.Bilinear) and len(signals) == 1 else signals
        out = _through_affine(module, signals) if layer is None else self._set(layer, signals)
        # A layer that is frozen, filled by another initializer or called again keeps its values.
        return out.affine(shift=pair_of(bias)) if isinstance(bias, torch.Tensor) else out

    def _of_parameters(self, operation: Operation, signals: list[Signal]) -> Any:
        """Return the signal after a product with parameters that are no layer's, or rows of a table."""
        weights = [use for use in operation.uses if use.how in ("multiplies", "looked up")]
        if len(weights) != 1 or any(use.how == "recurrent" for use in operation.uses):
            return NotImplemented
        mean, square = pair_of(self.network.module.get_parameter(weights[0].name))
        if weights[0].how == "looked up":
            return Signal(square, mean)
        if weights[0].roles is None or not signals:
            return NotImplemented
        n = weights[0].n_summed
        total = Signal(
            n * (square - mean**2) * signals[0].square + (n * mean * signals[0].mean) ** 2, n * mean * signals[0].mean
        )
        for use in operation.uses:
            total = (
                total.affine(shift=pair_of(self.network.module.get_parameter(use.name))) if use.how == "adds" else total
            )
        return total

    def _set(self, layer: Layer, signals: list[Signal]) -> Signal:
        size = prod(signal.square for signal in signals)
        if size == 0:
            raise ModuleError(
                f"AutoInit: the input of layer {layer.name!r} is zero (allowed: inputs that are not zero)"
            )
        write_weight("AutoInit", layer, layer.weight / size**0.5)
        moments = " and ".join(f"mean {signal.mean:.4g}, variance {signal.variance:.4g}" for signal in signals)
        self.network.note(layer.spec.name, f"AutoInit: input of {moments}")
        return Signal(1.0)


def _through_affine(module: Any, signals: list[Signal]) -> Signal:
    """Return the products of signals and a layer's current weights."""
    weight = in_double(module.weight.detach())
    if getattr(module, "transposed", False):
        weight = weight.unflatten(0, (module.groups, -1)).transpose(1, 2).flatten(0, 1)
    rows = weight.flatten(1)
    signal = times(*signals) if isinstance(module, nn.Bilinear) else signals[0]
    # A strided transposed convolution sums over a part of a unit's weights at a time.
    share = 1 / prod(module.stride) if getattr(module, "transposed", False) else 1.0
    means = signal.mean * rows.sum(dim=1) * share
    variance = signal.variance * float(rows.square().sum(dim=1).mean()) * share
    return Signal(variance + float(means.square().mean()), float(means.mean()))
