"""The meaning of the axes of every signal in a network: samples, units and positions."""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch

from initsk.network._network_graph import NetworkGraph
from initsk.network._operations import Operation, Source, replace_tensors
from initsk.network._views import shares_memory

SAMPLE, UNIT, POSITION = "sample", "unit", "position"
Axes = tuple[str, ...]
# Operations that remove axes, or make them 1.
_REDUCTIONS = ("mean", "sum", "amax", "amin", "max", "logsumexp")


def size_along(shape: Sequence[int], axes: Axes, meaning: str) -> int:
    """Return the number of samples, units or positions of a result.

    Examples
    --------
    >>> size_along((2, 3, 4, 5), (SAMPLE, UNIT, POSITION, POSITION), POSITION)
    20
    """
    return prod(n for n, axis in zip(shape, axes, strict=True) if axis == meaning)


def axes_of(graph: NetworkGraph) -> dict[Source, Axes]:
    """Return for each result of each operation the meaning of its axes.

    The units are the last axis of linear products and the second one of convolutions; an operation without weights
    keeps the meaning of the axes that it moves, and values that an operation flattens into units are units.
    """
    found: dict[Source, Axes] = {}
    for operation in graph.operations:
        given = [found[source] for source in operation.inputs if source in found]
        results = _axes(graph, operation, given, found)
        for position, (axes, shape) in enumerate(zip(results, operation.shapes, strict=True)):
            fits = axes is not None and len(axes) == len(shape)
            found[Source(operation.number, position)] = axes if fits and axes else _by_rank(shape)
    return found


def _by_rank(shape: Sequence[int]) -> Axes:
    """Return the usual axes of a tensor with so many axes: the units are last, and second in images."""
    n = len(shape)
    if n >= 4:
        return (SAMPLE, UNIT, *[POSITION] * (n - 2))
    return (SAMPLE, *[POSITION] * (n - 2), UNIT)[-n:] if n else ()


def _axes(graph: NetworkGraph, operation: Operation, given: list[Axes], found: dict[Source, Axes]) -> list[Axes | None]:
    """Return the axes of each result; None where only the rank tells."""
    if operation.kind == "input":
        return [_of_input(graph, operation)]
    n_results, first = len(operation.shapes), given[0] if given else None
    if operation.is_weighted and operation.unit_axis is not None:
        rank, unit = len(operation.shape), operation.unit_axis
        before = [POSITION if axis == UNIT else axis for axis in first] if first else []
        kept = before[:-1] if len(before) == rank and operation.kind != "embedding" else before
        labels = (SAMPLE, *[POSITION] * (rank - 1)) if len(kept) != rank - 1 else kept
        if "convolution" in operation.kind or len(kept) != rank - 1:
            return [(*labels[:unit], UNIT, *[POSITION] * (rank - unit - 1))]
        return [(*kept, UNIT)]
    if first is None:
        return [None] * n_results
    if operation.kind == "reshape":
        return _moved(graph, operation, found)
    if operation.kind in ("product", "attention") and len(given) > 1:
        return [(*first[:-1], given[-1][-1])] * n_results
    if operation.name in _REDUCTIONS and operation.kind == "pooling":
        return [_reduced(operation, first)] * n_results
    widest = max(given, key=len)
    return [widest] * n_results


def _of_input(graph: NetworkGraph, operation: Operation) -> Axes | None:
    """Return the axes of an input: a convolution takes the units from the second axis."""
    users = [graph.operations[number] for number in graph.users[operation.number]]
    if len(operation.shape) == 3 and any("convolution" in user.kind for user in users):
        return (SAMPLE, UNIT, POSITION)
    if not operation.real[0]:
        return (SAMPLE, *[POSITION] * (len(operation.shape) - 1))
    return None


def _reduced(operation: Operation, axes: Axes) -> Axes:
    dims = operation.argument(1, "dim")
    if dims is None:
        return ()
    removed = {dim % len(axes) for dim in (dims if isinstance(dims, list | tuple) else [dims])}
    if len(operation.shape) == len(axes):
        return axes
    return tuple(axis for number, axis in enumerate(axes) if number not in removed)


def _moved(graph: NetworkGraph, operation: Operation, found: dict[Source, Axes]) -> list[Axes | None]:
    """Follow the axes through an operation that rearranges its first argument, by the strides of its result."""
    source = operation.inputs[0]
    axes, shape = found[source], graph.operations[source.operation].shapes[source.output]

    given = torch.empty(shape, device="meta")

    def without_memory(value: Any) -> Any:
        return given if value == source else value

    try:
        arguments, keywords = _replace_sources([operation.arguments, operation.keywords], without_memory)
        assert operation.function is not None
        with torch.no_grad():
            results = operation.function(*arguments, **keywords)
    except Exception:  # an index by values, or a function that the meta device does not have
        results = []
    results = list(results) if isinstance(results, list | tuple) else [results]
    if len(results) != len(operation.shapes) or any(not isinstance(part, torch.Tensor) for part in results):
        same = [axes if len(shape) == len(axes) else None for shape in operation.shapes]
        return list(same)
    return [_by_strides(part, axes, given) for part in results]


def _by_strides(result: torch.Tensor, axes: Axes, given: torch.Tensor) -> Axes | None:
    """Return the axes of a view of a contiguous tensor: each holds the source's axes that lie within its stride."""
    if not shares_memory(result, given) and result.shape != given.shape:
        return axes if result.dim() == len(axes) else None
    labels: list[str] = []
    for size, stride in zip(result.shape, result.stride(), strict=True):
        inside = {
            axis
            for axis, n, step in zip(axes, given.shape, given.stride(), strict=True)
            if n > 1 and step < stride * size and stride < step * n
        }
        # Values of a sample that become units are units, and repeated values are at several positions.
        fallback = SAMPLE if not labels and axes[:1] == (SAMPLE,) else POSITION
        order = [axis for axis in (UNIT, SAMPLE, POSITION) if axis in inside]
        labels.append(order[0] if size > 1 and order else fallback)
    if UNIT not in labels and result.dim() and axes.count(UNIT):
        return None
    return tuple(labels)


def _replace_sources(value: Any, replacement: Any) -> Any:
    if isinstance(value, Source):
        return replacement(value)
    if isinstance(value, list | tuple):
        return type(value)(_replace_sources(part, replacement) for part in value)
    if isinstance(value, dict):
        return {key: _replace_sources(part, replacement) for key, part in value.items()}
    return replace_tensors(value, lambda tensor: tensor)
