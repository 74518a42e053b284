"""Specs of parameters by their use in the forward pass."""

from dataclasses import dataclass, replace
from typing import Any

import torch

from initsk.network._layer_rules import embedding_spec, spec_of_layout
from initsk.network._network_graph import NetworkGraph
from initsk.network._operations import Operation, ParameterUse
from initsk.network._spec import ParameterSpec, convolution_spec
from initsk.network._views import Factors

# Why a parameter with such a use is not filled.
_KEPT = {
    "normalizes": "belongs to a normalization",
    "scales": "scales the signal value by value",
    "adds": "is added to the signal",
    "other": "is used in a way that is not known",
}
_ORDER = ("looked up", "multiplies", "recurrent", "normalizes", "scales", "adds", "other")


@dataclass(frozen=True)
class ReadSpec:
    """The spec and the role of a parameter, by its use in the forward pass.

    Attributes
    ----------
    spec : ParameterSpec
        The spec of one block.
    role : {"weight", "bias"}
    layout : tuple of (int, str), or None
        Sizes and roles of the values in the order of memory, for weights that are not stored as ``(out, in)``.
    note : str
        Why the parameter keeps its values; empty for one that initializers fill.
    decides : bool
        Whether the spec is that of a product, which holds whatever the class of the layer is.
    """

    spec: ParameterSpec
    role: str = "weight"
    layout: Factors | None = None
    note: str = ""
    decides: bool = False


def spec_by_use(graph: NetworkGraph, names: list[str], tensor: torch.Tensor) -> ReadSpec | None:
    """Return what the forward pass tells about a parameter; None if the forward pass does not use it.

    A parameter that is looked up is an embedding, also if another operation multiplies by it (a tied head).
    """
    uses = [found for name in names for found in graph.uses.get(name, ())]
    if not uses:
        return None
    operation, use = min(uses, key=lambda found: _ORDER.index(found[1].how))
    shape = tuple(tensor.shape)
    kept = ReadSpec(ParameterSpec(shape, kind="other", weight_shape=shape), note=_KEPT.get(use.how, ""))
    if use.how == "looked up":
        return ReadSpec(embedding_spec(shape)) if len(shape) == 2 else kept
    if use.how == "multiplies":
        return _of_product(operation, use, shape) or replace(
            kept, note="multiplies the signal in a way that is not known"
        )
    if use.how == "adds" and (product := _product_before(graph, operation, use, tensor)) is not None:
        weight = next(other for other in product.uses if other.how == "multiplies")
        owner = _of_product(product, weight, weight.shape)
        if owner is not None:
            # Of blocks that are added up, the units are those of one block.
            units = owner.spec.shape[0]
            count = max(tensor.numel() // units, 1)
            return ReadSpec(replace(owner.spec, shape=(units,), count=count), "bias", decides=True)
    if use.how == "normalizes" or (use.how == "scales" and any(name in graph.contexts for name in names)):
        kept = replace(kept, spec=replace(kept.spec, kind="normalization"))
    return kept


def _of_product(operation: Operation, use: ParameterUse, shape: tuple[int, ...]) -> ReadSpec | None:
    """Return the spec of a matrix, or of equal matrices stacked in a tensor."""
    if "convolution" in operation.kind:
        plain = use.shape == shape
        return ReadSpec(convolution_spec(shape, **_settings(operation))) if plain else None
    if use.roles is None:
        return None
    layout = use.roles
    if operation.n_parts > 1 and [role for _, role in layout].count("out") == 1:
        layout = tuple(factor for each in layout for factor in _divided(each, operation.n_parts))
    spec, stored = spec_of_layout(layout, shape)
    return ReadSpec(spec, layout=stored, decides=True)


def _divided(factor: tuple[int, str], n_parts: int) -> Factors:
    size, role = factor
    return ((n_parts, "block"), (size // n_parts, "out")) if role == "out" and size % n_parts == 0 else (factor,)


def _product_before(
    graph: NetworkGraph, operation: Operation, use: ParameterUse, tensor: torch.Tensor
) -> Operation | None:
    """Return the first of the products to whose sum a parameter is added, one value for each unit."""
    found: list[Operation] = []
    waiting = [operation]
    while waiting:
        part = waiting.pop()
        if any(other.how == "multiplies" for other in part.uses):
            found.append(part)
            continue
        if part.kind not in ("sum", "reshape") or not part.inputs:
            return None
        before = [graph.operations[source.operation] for source in part.inputs]
        if any(len(graph.users[other.number]) > 1 for other in before):
            return None
        waiting += before
    fits = all(_has_value_per_unit(product, operation, use, tensor.numel()) for product in found)
    return min(found, key=lambda product: product.number) if fits else None


def _has_value_per_unit(product: Operation, operation: Operation, use: ParameterUse, n_values: int) -> bool:
    """Return whether the values that a sum adds lie along the units of a product."""
    axis = product.unit_axis
    if axis is None or not product.shapes or product.shape[axis] != n_values:
        return False
    if product.shape != operation.shape or product is operation:
        return True
    from_end = len(product.shape) - axis
    return n_values == 1 or (len(use.shape) >= from_end and use.shape[-from_end] == n_values)


def _settings(operation: Operation) -> dict[str, Any]:
    """Return groups, stride and direction of a call of a convolution."""
    transposed = operation.kind.startswith("transposed")
    groups = operation.argument(6, "groups", 1)
    return {"groups": groups, "stride": operation.argument(3, "stride", 1), "transposed": transposed}
