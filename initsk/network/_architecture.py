"""The surroundings of each parameter in a network, and plain chains of layers."""

from collections.abc import Iterator
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

from torch import nn

from initsk.network._activations import ACTIVATION_TYPES, activation_value
from initsk.network._layer_types import AFFINE, EMBEDDINGS
from initsk.network._mlp import MLP
from initsk.network._network_graph import Context, NetworkGraph
from initsk.network._parameters import PlannedParameter
from initsk.theory import ActivationLike, SignalLayer

_WEIGHTED = (*AFFINE, nn.RNNBase, nn.RNNCellBase, *EMBEDDINGS, nn.MultiheadAttention)
_STACKED = {nn.TransformerEncoderLayer: "encoder", nn.TransformerDecoderLayer: "decoder"}


def add_architecture(module: nn.Module, graph: NetworkGraph, plan: list[PlannedParameter]) -> list[PlannedParameter]:
    """Return the plan with the activation, place, branch and stack of every spec."""
    stacks = dict(_stacks(module))
    by_order = {} if graph.operations else dict(_by_order(module))

    def with_context(planned: PlannedParameter) -> PlannedParameter:
        names = [planned.name, *planned.parameters]
        context = next((graph.contexts[name] for name in names if name in graph.contexts), None)
        if context is None:
            context = by_order.get(planned.name.rpartition(".")[0], Context(place=""))
        fields = vars(context) | {"stack": stacks.get(planned.name), "guessed": bool(by_order)}
        return replace(planned, specs=tuple(replace(spec, **fields) for spec in planned.specs))

    return [with_context(planned) for planned in plan]


def _by_order(module: nn.Module) -> Iterator[tuple[str, Context]]:
    """Yield the surroundings of layers, under the assumption that they follow one another as they are registered."""
    kinds = (*_WEIGHTED, *ACTIVATION_TYPES)
    parts: list[tuple[str, nn.Module]] = [found for found in module.named_modules() if isinstance(found[1], kinds)]
    weighted = [name for name, part in parts if isinstance(part, _WEIGHTED)]
    for (name, part), (_, following) in zip(parts, [*parts[1:], ("", module)], strict=True):
        if isinstance(part, _WEIGHTED):
            activation = activation_value(following) if isinstance(following, ACTIVATION_TYPES) else None
            place = "output" if name == weighted[-1] else "input" if name == weighted[0] else "hidden"
            yield name, Context(activation, place, depth=len(weighted))


def _stacks(module: nn.Module) -> Iterator[tuple[str, tuple[str, int]]]:
    """Yield the stack of each parameter in torch's transformer layers, and of the embeddings before the deepest one."""
    layers = {kind: [name for name, part in module.named_modules() if isinstance(part, kind)] for kind in _STACKED}
    for kind, names in layers.items():
        for name in names:
            for parameter, _ in module.get_submodule(name).named_parameters(prefix=name):
                yield parameter, (_STACKED[kind], len(names))
    deepest = max((len(names), _STACKED[kind] == "decoder") for kind, names in reversed(layers.items()))[0]
    n_decoder = len(layers[nn.TransformerDecoderLayer])
    for name, part in module.named_modules():
        if isinstance(part, EMBEDDINGS) and deepest:
            yield f"{name}.weight".lstrip("."), ("embedding", n_decoder or deepest)


# Layers of a chain, modules that keep the values of a signal, and functions of the last layer's scores.
_CHAIN_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
_SAME_VALUES = (nn.Flatten, nn.Unflatten, nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
_OF_SCORES = (nn.Softmax, nn.LogSoftmax)


class ChainLayer(NamedTuple):
    """A layer with weights in a chain: its name, the module, and the activation function after it."""

    name: str
    layer: nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d
    activation: ActivationLike | None

    def as_signal(
        self, weight_square: float, bias_square: float, *, orthogonal: bool = False, centered: bool = False
    ) -> SignalLayer:
        """Return the layer as an argument of `initsk.theory`, with the given mean squares of weights and biases."""
        weight: Any = self.layer.weight
        fan_in, units = weight[0].numel(), weight.shape[0]
        groups, stride = getattr(self.layer, "groups", 1), getattr(self.layer, "stride", (1,))
        fan_out = units * prod(weight.shape[2:]) // (groups * prod(stride))
        squares = weight_square, bias_square
        return SignalLayer(self.activation, fan_in, fan_out, *squares, units, orthogonal, centered)


def chain_of(module: nn.Module) -> list[ChainLayer] | None:
    """Return the layers of a module in which each layer feeds only the next one; None for other modules.

    Such modules are `MLP` without normalization, and ``torch.nn.Sequential`` of linear and convolution layers,
    activation functions, dropout and reshaping.

    Examples
    --------
    >>> chain = chain_of(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)))
    >>> [(name, activation) for name, _, activation in chain]
    [('0', 'relu'), ('2', None)]
    >>> chain_of(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))) is None
    True
    """
    chain: list[ChainLayer] = []
    parts = _parts(module)
    for position, (name, part) in enumerate(parts):
        if isinstance(part, _CHAIN_LAYERS):
            chain.append(ChainLayer(name, part, None))
        elif isinstance(part, _SAME_VALUES):
            continue
        elif isinstance(part, ACTIVATION_TYPES) and chain and chain[-1].activation is None:
            chain[-1] = chain[-1]._replace(activation=activation_value(part))
        elif not (isinstance(part, _OF_SCORES) and position == len(parts) - 1):
            return None
    return chain or None


def _parts(module: nn.Module, prefix: str = "") -> list[tuple[str, nn.Module]]:
    """Return the names and modules of the parts that are called one after the other."""
    if not isinstance(module, nn.Sequential | MLP):
        return [(prefix.rstrip("."), module)]
    return [part for name, child in module.named_children() for part in _parts(child, f"{prefix}{name}.")]
