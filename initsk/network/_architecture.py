"""The architecture of any module: each layer's activation function, place and residual branch; plain chains of layers.

A module is traced symbolically (torch.fx), which computes nothing. A module that cannot be traced as a
whole is traced child by child, and the children are assumed to follow one another in the order of registration.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

from torch import nn

from initsk.network._activations import ACTIVATION_TYPES, activation_value
from initsk.network._graph import WEIGHTED, Context, Reading, attention_contexts, read_graph
from initsk.network._layer_types import EMBEDDINGS
from initsk.network._mlp import MLP
from initsk.network._parameters import PlannedParameter
from initsk.network._spec import Branch, ParameterSpec
from initsk.theory import ActivationLike, SignalLayer

_TRANSFORMER_LAYERS = (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)


def add_architecture(module: nn.Module, plan: list[PlannedParameter]) -> list[PlannedParameter]:
    """Return the plan with the activation, place, branch and stack of every spec."""
    contexts = read_architecture(module)
    return [replace(step, specs=tuple(_in_context(spec, contexts) for spec in step.specs)) for step in plan]


def _in_context(spec: ParameterSpec, contexts: dict[str, Context]) -> ParameterSpec:
    return replace(spec, **vars(contexts.get(spec.layer_name, Context(place=""))))


def read_architecture(module: nn.Module) -> dict[str, Context]:
    """Return the context of each layer by the layer's name in the module."""
    readings = list(_read_parts(module, ""))
    if len(readings) > 1:
        _join(readings)
    contexts = {name: context for reading in readings for name, context in reading.contexts.items()}
    total, depth = sum(reading.n_branches for reading in readings), sum(reading.depth for reading in readings)
    for name, context, n_branches in _transformer_contexts(module):
        contexts[name] = context
        total += n_branches
    _mark_embeddings(module, contexts)
    return {
        name: replace(context, branch=context.branch and replace(context.branch, n_branches=total), depth=depth)
        for name, context in contexts.items()
    }


def _read_parts(module: nn.Module, prefix: str) -> Iterator[Reading]:
    """Yield the reading of the whole module if it can be traced, otherwise those of its children."""
    name = prefix.rstrip(".")
    if isinstance(module, WEIGHTED):
        context = Context(place="output")
        attention = isinstance(module, nn.MultiheadAttention)
        yield Reading(attention_contexts(name, context) if attention else {name: context}, depth=1)
    elif isinstance(module, ACTIVATION_TYPES):
        yield Reading(lone_activation=activation_value(module))
    elif isinstance(module, _TRANSFORMER_LAYERS):
        yield Reading({f"{prefix}linear1": Context(), f"{prefix}linear2": Context()})
    elif (reading := read_graph(module)) is not None:
        reading.contexts = {f"{prefix}{key}": value for key, value in reading.contexts.items()}
        yield reading
    else:
        for short, child in module.named_children():
            yield from _read_parts(child, f"{prefix}{short}.")


def _join(readings: list[Reading]) -> None:
    """Complete the contexts of parts that were read separately, by their order of registration."""
    filled = [reading for reading in readings if any(c.place for c in reading.contexts.values())]
    for number, reading in enumerate(readings):
        nonempty = (r for r in readings[number + 1 :] if r.contexts or r.lone_activation is not None)
        following = next(nonempty, Reading()).lone_activation
        for name, context in reading.contexts.items():
            place = context.place
            if reading is not filled[-1] and place == "output":
                place = "input" if reading is filled[0] and len(reading.contexts) == 1 else "hidden"
            if reading is not filled[0] and place == "input":
                place = "hidden"
            activation = context.activation
            if activation is None and context.place == "output":
                activation = following
            reading.contexts[name] = replace(context, place=place, activation=activation, guessed=True)


def _transformer_contexts(module: nn.Module) -> Iterator[tuple[str, Context, int]]:
    """Yield name, context and number of branches of the parts of torch's transformer layers, which have no trace."""
    for kind, stack in ((nn.TransformerEncoderLayer, "encoder"), (nn.TransformerDecoderLayer, "decoder")):
        layers = [(name, layer) for name, layer in module.named_modules() if isinstance(layer, kind)]
        place = (stack, len(layers))
        for name, layer in layers:
            prefix, function = f"{name}." if name else "", layer.activation
            activation = activation_value(function) if isinstance(function, nn.Module) else function
            second = Context(branch=Branch(0, 2, 2), stack=place)
            yield f"{prefix}linear1", Context(activation, branch=Branch(0, 2, 1), stack=place), 0
            yield f"{prefix}linear2", second, 1
            for attention in ("self_attn", "multihead_attn"):
                if hasattr(layer, attention):
                    parts = attention_contexts(f"{prefix}{attention}", second)
                    for number, (part, context) in enumerate(parts.items()):
                        yield part, context, number


def _mark_embeddings(module: nn.Module, contexts: dict[str, Context]) -> None:
    """Mark embeddings as inputs, with the deepest stack of the transformer."""
    stacks = [context.stack for context in contexts.values() if context.stack]
    stack = max(stacks, key=lambda item: (item[0] == "decoder", item[1]), default=None)
    for name, child in module.named_modules():
        if isinstance(child, EMBEDDINGS):
            known = contexts.get(name, Context())
            contexts[name] = replace(known, place="input", stack=stack and ("embedding", stack[1]), guessed=False)


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
