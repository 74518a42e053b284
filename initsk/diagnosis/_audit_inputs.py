"""Checks of the inputs: numbers that are not standardized before the first layer multiplies them."""

from collections.abc import Iterator
from typing import Any

import torch

from initsk.diagnosis._audit_subject import CheckResult, Flagged, Subject, not_checked
from initsk.inspection import Finding
from initsk.network import NetworkGraph, Operation, map_arrays, tensors_in
from initsk.utils.reason import Reason
from initsk.utils.torch_settings import in_double, real_parts, stored_values

_CHECK = "unscaled input"
# Operations that keep the scale of a signal.
_KEEPING = ("reshape", "concatenation", "dropout", "pooling")
# Sound and other signals are often a tenth of a standard deviation large.
_SMALL = 0.01
# Of fewer rows, the mean may be several standard deviations away from zero by chance.
_MIN_ROWS = 30


def find_in_inputs(subject: Subject) -> Iterator[CheckResult]:
    """Find inputs that are not finite, and real inputs far from standardized that a layer multiplies as they are."""
    for name, n_samples, what in subject.nonfinite:
        yield from Flagged(name, "non-finite", float(n_samples), "samples", what=what).findings()
    inputs = _multiplied_inputs(subject.graph, subject.arguments)
    if not inputs:
        is_real = any(not _is_whole(tensor) for tensor in tensors_in(subject.arguments))
        changed = Reason("the network changes the inputs before a layer multiplies them")
        yield from not_checked([_CHECK], changed if is_real else Reason("the network takes integers"))
    yield from _unscaled(inputs)


def unscaled_inputs(graph: NetworkGraph, arguments: Any) -> Iterator[Finding]:
    """Find real inputs far from standardized that a layer multiplies as they are.

    Parameters
    ----------
    graph : NetworkGraph
    arguments : tuple or dict
        Of the network: samples that are passed to it together.
    """
    yield from _unscaled(_multiplied_inputs(graph, arguments))


def _unscaled(inputs: dict[str, tuple[torch.Tensor, int]]) -> Iterator[Finding]:
    for name, (values, axis) in inputs.items():
        if bool(stored_values(values).isfinite().all()):
            yield from Flagged(name, _CHECK, scale_of(real_parts(values), axis), "inputs").findings()


def _is_whole(tensor: torch.Tensor) -> bool:
    return not (tensor.is_floating_point() or tensor.is_complex())


def _multiplied_inputs(graph: NetworkGraph, arguments: Any) -> dict[str, tuple[torch.Tensor, int]]:
    """Return the real inputs that a layer multiplies, by name, with the axis of their units."""
    names: dict[int, str] = {}
    map_arrays(lambda name, part: names.setdefault(id(part), name), arguments)
    given = {id(tensor): tensor for tensor in tensors_in(arguments)}.values()
    operations = [operation for operation in graph.operations if operation.kind == "input"]
    if len(operations) != len(given):
        return {}
    found = {}
    for operation, tensor in zip(operations, given, strict=True):
        layer = _first_layer(graph, operation) if operation.real[0] and tensor.dim() else None
        if layer is not None:
            found[names.get(id(tensor), "X")] = (tensor, 1 if layer.channels_first else tensor.dim() - 1)
    return found


def _first_layer(graph: NetworkGraph, start: Operation) -> Operation | None:
    """Return the first layer that multiplies an input by weights, with only rearrangements between them."""
    waiting, seen = [start.number], {start.number}
    while waiting:
        for number in graph.users[waiting.pop(0)]:
            user = graph.operations[number]
            if any(use.how in ("multiplies", "recurrent") for use in user.uses):
                return user
            if (user.kind in _KEEPING or user.name == "pad") and number not in seen:
                seen.add(number)
                waiting.append(number)
    return None


def scale_of(values: torch.Tensor, axis: int) -> float:
    """Return by which factor values are away from a common scale of one and a mean near zero.

    The factor is the largest of these: the root mean square of the largest unit; its inverse, if that unit is below a
    hundredth; the root mean square of the largest unit relative to the median unit; and the mean of the median unit in
    standard deviations. Zeros do not count for the root mean square, so that units which are rarely set do not seem
    small.

    Examples
    --------
    >>> pixels = torch.tensor([[0.0, 255.0], [255.0, 0.0]])
    >>> scale_of(pixels, 1), scale_of(pixels / 255, 1), round(scale_of(pixels / 255 / 255, 1))
    (255.0, 1.0, 255)
    """
    units = in_double(values.movedim(axis, -1).reshape(-1, values.shape[axis] if values.dim() > 1 else 1))
    squares, counts = units.square().sum(0), (units != 0).sum(0)
    used = counts > 0
    if not bool(used.any()):
        return 1.0
    sizes = (squares[used] / counts[used]).sqrt()
    largest = float(sizes.max())
    factors = [largest, largest / float(sizes.median())] + ([1 / largest] if largest < _SMALL else [])
    if len(units) >= _MIN_ROWS:
        spread = units[:, used].std(0, correction=0)
        varies = spread > 0
        shifts = units[:, used].mean(0).abs()[varies] / spread[varies]
        factors += [float(shifts.median())] if len(shifts) else []
    return max(factors)
