"""The surroundings of each parameter in a network, and plain chains of layers."""

from collections.abc import Iterator
from dataclasses import replace

from torch import nn

from initsk.network._activations import ACTIVATION_TYPES, activation_value
from initsk.network._layer_types import AFFINE, EMBEDDINGS
from initsk.network._network_graph import Context, NetworkGraph
from initsk.network._parameters import PlannedParameter

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
    followers: list[nn.Module] = [part for _, part in parts[1:]]
    for (name, part), following in zip(parts, [*followers, module], strict=False):
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
