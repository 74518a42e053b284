"""Propagation of the mean and variance of signals through a network, for AutoInit."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import torch
from torch import fx, nn

from initsk.exceptions import ModuleError
from initsk.network._activations import ACTIVATION_TYPES
from initsk.network._graph import Tracer, trace
from initsk.network._layer_types import AFFINE
from initsk.network._moment_rules import Operation, family_of_module, rule_of_function
from initsk.network._moments import Moments, times
from initsk.network._network import Layer, Network
from initsk.network._operations import operation_name
from initsk.network._state import preserve_attributes

# Modules that are a function of one number.
_ELEMENTWISE = (*ACTIVATION_TYPES, nn.Threshold)
_ALLOWED = (
    "allowed: linear, bilinear and convolution layers, embeddings, activation functions, dropout, normalization,"
    " pooling, reshaping, padding, sums, products and cat"
)


class _Sizes(fx.Interpreter):
    """Runs the graph and records the shapes of tensors and the values of all other results."""

    def __init__(self, module: nn.Module, graph: fx.Graph) -> None:
        super().__init__(module, graph=graph)
        self.sizes: dict[fx.Node, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Run one node."""
        value = super().run_node(n)
        self.sizes[n] = value.shape if isinstance(value, torch.Tensor) else value
        return value


@dataclass
class SignalGraph:
    """The moments of all signals from the input of a network to its last layer.

    Attributes
    ----------
    network : Network
        The network, whose layers `set_layer` sets.
    source : Moments
        Moments of the network's input.
    input_shape : tuple of int or None
        Shape of one input, without the batch's axis; None if unknown.
    set_layer : callable
        Sets a layer, given the layer and the moments of its inputs, and returns the moments of its output.
    """

    network: Network
    source: Moments
    input_shape: tuple[int, ...] | None
    set_layer: Callable[[Layer, list[Moments]], Moments]

    def __post_init__(self) -> None:
        module = self.network.module
        # A container, so that tracing does not enter one of torch's own modules.
        self.root = nn.Sequential(module) if Tracer().is_leaf_module(module, "") else module
        self.modules = dict(self.root.named_modules())
        self.not_set = {id(layer.module): layer for layer in self.network.layers()}
        self.moments: dict[fx.Node, Moments | None] = {}

    def walk(self) -> list[Layer]:
        """Propagate the moments to the last layer, and return the layers that the forward pass does not call."""
        module = self.network.module
        if isinstance(module, AFFINE):
            self._through_layer(module, [self.source] * (2 if isinstance(module, nn.Bilinear) else 1))
            return []
        with preserve_attributes(self.root):
            self.graph = self._trace()
            needed: set[fx.Node] = set()
            for node in reversed(self.graph.nodes):
                if node in needed or self._has_layers(node):
                    needed.update([node, *node.all_input_nodes])
            for node in self.graph.nodes:
                if node in needed:
                    self.moments[node] = self._visit(node)
        return list(self.not_set.values())

    def _has_layers(self, node: fx.Node) -> bool:
        """Return whether a node is a layer to set, or a module that tracing did not enter and that has such layers."""
        module = self.modules.get(str(node.target)) if node.op == "call_module" else None
        return module is not None and any(id(part) in self.not_set for part in module.modules())

    def _trace(self) -> fx.Graph:
        try:
            # In training mode, so that the trace has the dropout of a forward that checks the mode.
            with self.network.mode(training=True):
                return trace(self.root)
        except Exception as error:  # a user's forward may raise anything for symbols
            reason = str(error).partition("\n")[0]
            problem = f"AutoInit: torch.fx cannot trace {type(self.network.module).__name__} ({reason})"
            allowed = "a forward without decisions that depend on the values of tensors"
            raise ModuleError(f"{problem} (allowed: {allowed})") from error

    def _visit(self, node: fx.Node) -> Moments | None:
        if node.op == "placeholder":
            return None if node.args else self.source
        if node.op == "get_attr":
            owner, _, attribute = str(node.target).rpartition(".")
            value = getattr(self.root.get_submodule(owner), attribute)
            return Moments.of(value) if isinstance(value, torch.Tensor) and value.is_floating_point() else None
        # A value that depends only on sizes is no signal, except the output of an embedding of positions.
        is_embedding = isinstance(self.modules.get(str(node.target)), nn.Embedding)
        if not is_embedding and all(self.moments[source] is None for source in node.all_input_nodes):
            return None
        arguments, keywords = fx.node.map_arg((node.args, node.kwargs), self._argument)
        operation = Operation(list(arguments), dict(keywords), node, lambda source: self._sizes[source])
        if node.op == "call_module":
            module = self.modules[str(node.target)]
            name = f"{type(module).__name__}, at {str(node.target)!r}"
            moments = self._through_module(module, operation)
        else:
            name = f"the operation {operation_name(node.target)!r}"
            moments = rule_of_function(operation_name(node.target))(operation)
        if moments is NotImplemented:
            raise ModuleError(f"AutoInit has no rule for {name} ({_ALLOWED})")
        return moments

    def _through_module(self, module: nn.Module, operation: Operation) -> Any:
        if isinstance(module, AFFINE):
            return self._through_layer(module, operation.signals)
        family = family_of_module(module)
        if family is None:
            return operation.signals[0].through(module) if isinstance(module, _ELEMENTWISE) else NotImplemented
        for attribute in family.attributes:
            value = getattr(module, attribute, None)
            operation.keywords[attribute] = Moments.of(value) if isinstance(value, torch.Tensor) else value
        return family.rule(operation)

    def _through_layer(self, module: Any, signals: list[Moments]) -> Moments:
        layer = self.not_set.pop(id(module), None)
        bias = None if module.bias is None else Moments.of(module.bias)
        if layer is not None:
            return self.set_layer(layer, signals).affine(None, bias)
        # A layer that is frozen, filled by another initializer or called again keeps its values.
        return through_affine(module, signals).affine(None, bias)

    def _argument(self, node: fx.Node) -> Any:
        moments = self.moments[node]
        return node if moments is None else moments

    @cached_property
    def _sizes(self) -> dict[fx.Node, Any]:
        """Shapes of tensors, and values of numbers, in a run on one input."""
        shape = self.input_shape if self.input_shape is not None else self._guess_shape()
        if shape is None:
            needing = "adaptive pooling, means, padding, softmax or cat"
            allowed = "AutoInit(input_shape=(channels, height, width)), without the batch's axis"
            raise ModuleError(f"AutoInit needs the input's shape, for {needing} (allowed: {allowed})")
        like = next((p for p in self.root.parameters() if p.is_floating_point()), torch.empty(0))
        interpreter = _Sizes(self.root, self.graph)
        try:
            interpreter.run(torch.zeros((1, *shape), dtype=like.dtype, device=like.device))
        except Exception as error:  # a user's forward may raise anything
            reason = str(error).strip().partition("\n")[0]
            problem = f"AutoInit: the module cannot be run on one input of shape {shape} ({reason})"
            allowed = "an input_shape, without the batch's axis, that fits"
            raise ModuleError(f"{problem} (allowed: {allowed})") from error
        return interpreter.sizes

    def _guess_shape(self) -> tuple[int, ...] | None:
        """Return the shape of one input if there is a batch or the first layer is linear, else None."""
        if self.network.inputs and isinstance(self.network.inputs[0], torch.Tensor):
            return tuple(self.network.inputs[0].shape[1:])
        for node in self.graph.nodes:
            if node.op == "call_module" and all(source.op == "placeholder" for source in node.all_input_nodes):
                module = self.modules[str(node.target)]
                if isinstance(module, nn.Linear):
                    return (module.in_features,)
        return None


def fan_in_share(module: Any) -> float:
    """Return the share of a unit's weights in one of its sums; less than 1 for strided transposed convolutions."""
    return 1 / prod(module.stride) if getattr(module, "transposed", False) else 1.0


def through_affine(module: Any, signals: list[Moments]) -> Moments:
    """Return the moments of the products of signals and a layer's current weights."""
    weight = module.weight.detach()
    if getattr(module, "transposed", False):
        weight = weight.unflatten(0, (module.groups, -1)).transpose(1, 2).flatten(0, 1)
    signal = times(*signals) if isinstance(module, nn.Bilinear) else signals[0]
    return signal.weighted(weight.flatten(1), fan_in_share(module))
