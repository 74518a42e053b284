"""Which of AutoInit's rules torch's modules follow."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import torch
from torch import fx, nn
from torch.nn.modules import activation as torch_activations

from initsk.exceptions import ModuleError
from initsk.network._moment_rules import DIMENSIONS, Operation, apply_rule
from initsk.network._moments import Moments
from initsk.network._state import BATCH_OR_INSTANCE_NORM_LAYERS
from initsk.network._trace import ElementwiseFunction, Tracer, attributes_stay, trace
from initsk.network._view import AFFINE, Layer, Network

_NOT_ELEMENTWISE = {"MultiheadAttention", "GLU", "Softmax", "Softmax2d", "Softmin", "LogSoftmax"}
#: Modules that are a function of one number.
ACTIVATIONS = (
    *(getattr(torch_activations, name) for name in torch_activations.__all__ if name not in _NOT_ELEMENTWISE),
    ElementwiseFunction,
)

_RESHAPING = (nn.Flatten, nn.Unflatten, nn.Upsample, nn.PixelShuffle, nn.PixelUnshuffle, nn.ChannelShuffle)
_KEEPING = (nn.Identity, nn.AlphaDropout, nn.FeatureAlphaDropout)
_PADS = tuple(getattr(nn, f"{kind}Pad{d}") for kind in ("Reflection", "Replication", "Circular") for d in DIMENSIONS)
#: Which rule a module follows, and which of its attributes are the function's arguments.
MODULES: dict[type, tuple[str, tuple[str, ...]]] = {
    **dict.fromkeys((*_RESHAPING, *_KEEPING, *_PADS), ("view", ())),
    **dict.fromkeys((nn.ConstantPad1d, nn.ConstantPad2d, nn.ConstantPad3d), ("pad", ("value",))),
    **dict.fromkeys((nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d), ("dropout", ("p",))),
    **{getattr(nn, f"AvgPool{d}"): (f"avg_pool{d}", ("kernel_size",)) for d in DIMENSIONS},
    **{getattr(nn, f"MaxPool{d}"): (f"max_pool{d}", ("kernel_size",)) for d in DIMENSIONS},
    **{getattr(nn, f"AdaptiveAvgPool{d}"): (f"adaptive_avg_pool{d}", ()) for d in DIMENSIONS},
    **{getattr(nn, f"AdaptiveMaxPool{d}"): (f"adaptive_max_pool{d}", ()) for d in DIMENSIONS},
    **dict.fromkeys(BATCH_OR_INSTANCE_NORM_LAYERS, ("batch_norm", ("weight", "bias"))),
    nn.LayerNorm: ("layer_norm", ("weight", "bias")),
    nn.GroupNorm: ("group_norm", ("weight", "bias")),
    nn.RMSNorm: ("rms_norm", ("weight",)),
    nn.GLU: ("glu", ()),
    nn.Softmax: ("softmax", ("dim",)),
    nn.Embedding: ("embedding", ("weight",)),
}


_ALLOWED = (
    "allowed: linear, bilinear and convolution layers, embeddings, activation functions, dropout, normalisation,"
    " pooling, reshaping, padding, sums, products and cat"
)


class _Sizes(fx.Interpreter):
    """Runs the graph, and keeps the shapes of tensors and the values of everything else."""

    def __init__(self, module: nn.Module, graph: fx.Graph) -> None:
        super().__init__(module, graph=graph)
        self.seen: dict[fx.Node, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Run one node."""
        value = super().run_node(n)
        self.seen[n] = value.shape if isinstance(value, torch.Tensor) else value
        return value


@dataclass
class SignalGraph:
    """The moments of every signal on the way to the layers of a network.

    Attributes
    ----------
    network : Network
        The network; its layers are set on the way.
    source : Moments
        What goes in.
    input_shape : tuple of int or None
        Shape of one input, without the batch's axis; None if unknown.
    set_layer : callable
        Given a layer and the moments of its inputs, sets it and returns the moments of its output.
    """

    network: Network
    source: Moments
    input_shape: tuple[int, ...] | None
    set_layer: Callable[[Layer, list[Moments]], Moments]

    def __post_init__(self) -> None:
        module = self.network.module
        # A container of its own, so that one of torch's modules is not looked into.
        self.root = nn.Sequential(module) if Tracer().is_leaf_module(module, "") else module
        self.modules = dict(self.root.named_modules())
        self.left = {id(layer.module): layer for layer in self.network.layers()}
        self.moments: dict[fx.Node, Moments | None] = {}

    def walk(self) -> list[Layer]:
        """Carry the moments up to the last layer, and return the layers that were not met."""
        module = self.network.module
        if isinstance(module, AFFINE):
            self._through_layer(module, [self.source] * (2 if isinstance(module, nn.Bilinear) else 1))
            return []
        with attributes_stay(self.root):
            self.graph = self._trace()
            needed: set[fx.Node] = set()
            for node in reversed(self.graph.nodes):
                if node in needed or self._has_layers(node):
                    needed.update([node, *node.all_input_nodes])
            for node in self.graph.nodes:
                if node in needed:
                    self.moments[node] = self._visit(node)
        return list(self.left.values())

    def _has_layers(self, node: fx.Node) -> bool:
        """Say whether a node is a layer to set, or a module that is not looked into and has some inside."""
        module = self.modules.get(str(node.target)) if node.op == "call_module" else None
        return module is not None and any(id(part) in self.left for part in module.modules())

    def _trace(self) -> fx.Graph:
        try:
            # As in training, so that a dropout that asks for the mode is seen.
            with self.network.mode(training=True):
                return trace(self.root)
        except Exception as error:  # whatever a stranger's forward raises on symbols
            reason = str(error).partition("\n")[0]
            raise ModuleError(
                f"AutoInit: torch.fx cannot trace {type(self.network.module).__name__} ({reason})"
                " (allowed: a forward without decisions that depend on the values of tensors)"
            ) from error

    def _visit(self, node: fx.Node) -> Moments | None:
        if node.op == "placeholder":
            return None if node.args else self.source
        if node.op == "get_attr":
            owner, _, attribute = str(node.target).rpartition(".")
            value = getattr(self.root.get_submodule(owner), attribute)
            return Moments.of(value) if isinstance(value, torch.Tensor) and value.is_floating_point() else None
        # What is computed from sizes alone is no signal, except where an embedding looks positions up.
        looked_up = isinstance(self.modules.get(str(node.target)), nn.Embedding)
        if not looked_up and all(self.moments[source] is None for source in node.all_input_nodes):
            return None
        moments, what = (self._through_module if node.op == "call_module" else self._through_function)(node)
        if moments is NotImplemented:
            raise ModuleError(f"AutoInit has no rule for {what} ({_ALLOWED})")
        return moments

    def _through_module(self, node: fx.Node) -> tuple[Any, str]:
        module = self.modules[str(node.target)]
        what = f"{type(module).__name__}, at {str(node.target)!r}"
        operation = self._operation(node, "")
        if isinstance(module, AFFINE):
            return self._through_layer(module, operation.signals), what
        if isinstance(module, ACTIVATIONS):
            return operation.signals[0].through(module), what
        for kind, (name, attributes) in MODULES.items():
            if isinstance(module, kind):
                values = {attribute: getattr(module, attribute, None) for attribute in attributes}
                operation.name = name
                operation.keywords |= {
                    key: Moments.of(value) if isinstance(value, torch.Tensor) else value
                    for key, value in values.items()
                }
                return apply_rule(operation), what
        return NotImplemented, what

    def _through_layer(self, module: Any, signals: list[Moments]) -> Moments:
        layer = self.left.pop(id(module), None)
        bias = None if module.bias is None else Moments.of(module.bias)
        if layer is not None:
            return self.set_layer(layer, signals).affine(None, bias)
        # Frozen, filled by another initializer, or met before: its values are what they are.
        return through_affine(module, signals).affine(None, bias)

    def _through_function(self, node: fx.Node) -> tuple[Any, str]:
        name = str(getattr(node.target, "__name__", node.target)).rstrip("_")
        return apply_rule(self._operation(node, name)), f"the operation {name!r}"

    def _operation(self, node: fx.Node, name: str) -> Operation:
        arguments = fx.node.map_arg(node.args, self._argument)
        keywords = fx.node.map_arg(node.kwargs, self._argument)
        return Operation(name, list(arguments), dict(keywords), node, self._size)

    def _argument(self, node: fx.Node) -> Any:
        moments = self.moments[node]
        return node if moments is None else moments

    def _size(self, node: fx.Node) -> Any:
        """Return the shape of a tensor, or the value of a number, in a run on one input."""
        return self._sizes[node]

    @cached_property
    def _sizes(self) -> dict[fx.Node, Any]:
        shape = self.input_shape if self.input_shape is not None else self._guess_shape()
        if shape is None:
            raise ModuleError(
                "AutoInit needs sizes that depend on the input's, for adaptive pooling, means, padding, softmax or cat"
                " (allowed: AutoInit(input_shape=(channels, height, width)), without the batch's axis)"
            )
        like = next((p for p in self.root.parameters() if p.is_floating_point()), torch.empty(0))
        interpreter = _Sizes(self.root, self.graph)
        try:
            interpreter.run(torch.zeros((1, *shape), dtype=like.dtype, device=like.device))
        except Exception as error:  # whatever a stranger's forward raises
            reason = str(error).strip().partition("\n")[0]
            raise ModuleError(
                f"AutoInit: the module cannot be run on one input of shape {shape} ({reason})"
                " (allowed: an input_shape, without the batch's axis, that fits)"
            ) from error
        return interpreter.seen

    def _guess_shape(self) -> tuple[int, ...] | None:
        """Return the input's shape where a batch is given, or a linear layer begins the network."""
        if self.network.inputs and isinstance(self.network.inputs[0], torch.Tensor):
            return tuple(self.network.inputs[0].shape[1:])
        for node in self.graph.nodes:
            if node.op == "call_module" and all(source.op == "placeholder" for source in node.all_input_nodes):
                module = self.modules[str(node.target)]
                if isinstance(module, nn.Linear):
                    return (module.in_features,)
        return None


def fan_in_share(module: Any) -> float:
    """Return the part of a unit's weights that meet an input at a time; less than 1 for strided transposes."""
    return 1 / prod(module.stride) if getattr(module, "transposed", False) else 1.0


def through_affine(module: Any, signals: list[Moments]) -> Moments:
    """Return the moments after a layer's weights as they are."""
    weight = module.weight.detach()
    if getattr(module, "transposed", False):
        weight = weight.unflatten(0, (module.groups, -1)).transpose(1, 2).flatten(0, 1)
    signal = signals[0]
    if isinstance(module, nn.Bilinear):
        first, second = signals
        signal = Moments.by_square(first.mean * second.mean, first.square * second.square)
    return signal.weighted(weight.flatten(1), fan_in_share(module))
