"""Audit of the weights: copies of layers, and values that no initializer has set."""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

import torch

from initsk.diagnosis._audit_subject import CheckResult, Flagged, Subject, label_of, not_checked, values_of
from initsk.network import NetworkGraph, Operation, PlannedParameter
from initsk.utils.reason import Reason
from initsk.utils.torch_settings import in_double

# Values that are compared before whole weights are.
_FEW = 32
# Random weights have at least so many different values among the first ones; grids, filters and identities have fewer.
_LOOKED_AT, _DIFFERENT = 1000, 64
# No initializer draws larger values. Bits that stand for other things than floats often do.
_HUGE = 1e10
# Nor does it draw values beyond this one that are so many times the median size.
_LARGE, _OUTLYING = 10.0, 1e4
_TINY = torch.finfo(torch.float32).tiny
# Limits of size, and the share of the values from which those below a limit count. Decay makes weights subnormal too,
# but seldom as small as the upper halves of addresses and small integers are as floats.
_SUBNORMAL = ((_TINY, 0.5), (2.0**-133, 0.01))


def find_clones(subject: Subject) -> Iterator[CheckResult]:
    """Find layers whose random weights are exact copies of one another; tied and frozen weights are none."""
    random = {
        planned.name: planned
        for planned in subject.weights
        if planned.specs[0].kind != "embedding" and _is_random(values_of(planned))
    }
    groups: dict[tuple[str, ...], list[str]] = {}
    for group in _equal_groups(list(random.values())):
        # A copy that the forward pass does not use may be kept on purpose, such as a target network.
        if not subject.graph.operations or sum(bool(subject.users_of(random[name])) for name in group) > 1:
            groups.setdefault(_owners(group), []).extend(group)
    for owners, names in groups.items():
        for layers in _whole_layers(owners, names, random):
            yield from Flagged(in_short(layers), "cloned", float(len(layers)), "weights").findings()
    for planned in subject.weights:
        # Kernels before a rearrangement to pixels begin equal on purpose.
        if planned.specs[0].kind in ("dense", "attention", "recurrent"):
            yield from Flagged(label_of(planned), "cloned", _n_equal(values_of(planned)), "parts").findings()


def _n_equal(values: torch.Tensor) -> float:
    """Return the number of matrices stacked in a tensor, or units of a matrix, if all are equal and random; else 1.

    Examples
    --------
    >>> _n_equal(torch.arange(12.0).repeat(3, 1)), _n_equal(torch.arange(36.0).reshape(3, 12))
    (3.0, 1.0)
    """
    equal = values.dim() > 1 and len(values) > 1 and bool((values == values[:1]).all()) and _is_random(values[0])
    return float(len(values)) if equal else 1.0


def _is_random(values: torch.Tensor) -> bool:
    first = values.flatten()[:_LOOKED_AT]
    return len(first.unique()) >= max(3, min(len(first) // 2, _DIFFERENT))


def _equal_groups(planned: list[PlannedParameter]) -> Iterator[list[str]]:
    """Yield the names of weights with equal values, for each group of two or more."""
    alike: dict[object, list[PlannedParameter]] = {}
    for one in planned:
        values = values_of(one)
        step = max(1, values.numel() // _FEW)
        key = (tuple(values.shape), tuple(values.flatten()[::step][:_FEW].tolist()))
        alike.setdefault(key, []).append(one)
    for found in alike.values():
        while len(found) > 1:
            first = values_of(found[0])
            same = [one.name for one in found if torch.equal(values_of(one), first)]
            if len(same) > 1:
                yield same
            found = [one for one in found[1:] if one.name not in same]


def _owners(names: list[str]) -> tuple[str, ...]:
    """Return the names without their common end: the layers that are copies, as far as these weights tell.

    Examples
    --------
    >>> _owners(["layers.0.linear.weight", "layers.1.linear.weight"])
    ('layers.0', 'layers.1')
    """
    parts = [name.split(".") for name in names]
    while all(len(part) > 1 for part in parts) and len({part[-1] for part in parts}) == 1:
        parts = [part[:-1] for part in parts]
    return tuple(".".join(part) for part in parts)


def _whole_layers(
    owners: tuple[str, ...], names: list[str], random: dict[str, PlannedParameter]
) -> Iterator[tuple[str, ...]]:
    """Yield the copied layers: the owners if all of their random weights are equal, otherwise those of each weight."""
    inside = [name for name in random if any(name == owner or name.startswith(f"{owner}.") for owner in owners)]
    if set(inside) == set(names):
        yield owners
        return
    for start in range(0, len(names), len(owners)):
        yield tuple(label_of(random[name]) for name in names[start : start + len(owners)])


def in_short(names: Iterable[str]) -> str:
    """Return names in one text, with the first and the last number of those that follow one another.

    Examples
    --------
    >>> in_short(["layers.0", "layers.1", "layers.2", "head"])
    'layers.0-2, head'
    """
    found: list[str] = []
    for (prefix, _), group in groupby(enumerate(names), lambda item: _run_of(*item)):
        run = [name for _, name in group]
        numbered = prefix is not None and len(run) > 1
        found += [f"{run[0]}-{run[-1].rpartition('.')[2]}"] if numbered else run
    return ", ".join(found)


def _run_of(position: int, name: str) -> tuple[str | None, object]:
    """Return the same key for names that follow one another: what stands before the number, and its distance."""
    matched = re.fullmatch(r"((?:.*\.)?)(\d+)", name)
    return (matched[1], int(matched[2]) - position) if matched else (None, name)


def find_unset(subject: Subject) -> Iterator[CheckResult]:
    """Find weights that no initializer has set: memory that was not filled, and constants where a signal must pass."""
    for planned in subject.plan:
        if planned.tensor.is_floating_point() or planned.tensor.is_complex():
            share = _arbitrary_share(values_of(planned))
            yield from Flagged(label_of(planned), "uninitialized", share, "memory").findings()
    if not subject.graph.operations:
        reason = Reason("the network could not be read, so constants that are meant cannot be told from others")
        yield from not_checked(["uninitialized"], reason)
        return
    for planned in constant_weights(subject):
        if not is_meant(subject, planned):
            yield from Flagged(label_of(planned), "uninitialized", 1.0, "weights").findings()


def _arbitrary_share(values: torch.Tensor) -> float:
    """Return the share of the nonzero values that stand for something else than a weight.

    These are values that are NaN, infinite, huge or far larger than the others, and subnormal values if they are more
    than a few.

    Examples
    --------
    >>> _arbitrary_share(torch.tensor([[0.3, 4e-41], [-0.1, 3e-41]])), _arbitrary_share(torch.tensor([0.3, -0.1]))
    (0.5, 0.0)
    """
    n_values = int(values.count_nonzero())
    n_arbitrary = _n_subnormal(values, n_values) + _n_large(values)
    return n_arbitrary / max(n_values, 1)


def _n_subnormal(values: torch.Tensor, n_values: int) -> int:
    """Return the number of subnormal values; 0 if decay may have made them so small."""
    for limit, share in _SUBNORMAL:
        n_below = int(((values > -limit) & (values < limit)).sum()) - (values.numel() - n_values)
        if n_below >= max(share * n_values, min(2, n_values)):
            return n_below
    return 0


def _n_large(values: torch.Tensor) -> int:
    """Return the number of values that are not finite, or too large beside the others."""
    if not values.numel() or float(_largest(values)) <= _LARGE:
        return 0
    limit, sizes = _HUGE, in_double(_sample(values)).abs()
    # A few values that stand together may be different quantities.
    if values.numel() >= _FEW:
        limit = min(limit, max(_LARGE, _OUTLYING * float(sizes[sizes != 0].nanmedian())))
    return int((~(values.abs() <= limit)).sum())


def _largest(values: torch.Tensor) -> torch.Tensor:
    """Return the largest size of a value; NaN if there is any."""
    lowest, highest = values.aminmax()
    return torch.maximum(-lowest, highest)


def _sample(values: torch.Tensor) -> torch.Tensor:
    """Return a part of the values that are not zero; all values if the part has none."""
    # An odd step meets each half of numbers of twice the size.
    part = values.flatten()[:: max(1, values.numel() // _LOOKED_AT) | 1]
    return part if bool(part.any()) else values


def constant_weights(subject: Subject) -> list[PlannedParameter]:
    """Return the weights whose values are all equal, without those that average one unit's inputs."""
    found = []
    for planned in subject.weights:
        values = values_of(planned)
        few = values.flatten()[:_FEW]
        if values.numel() > 1 and all(bool((part == few[0]).all()) for part in (few, values)):
            is_mean = planned.specs[0].shape[0] == 1 and bool(values.any())
            found += [] if is_mean else [planned]
    return found


def is_meant(subject: Subject, planned: PlannedParameter) -> bool:
    """Return whether a constant weight is deliberate: at the output, or where a signal passes around it."""
    graph, users = subject.graph, subject.users_of(planned)
    if not users:
        return True
    names = (planned.name, *planned.aliases, *planned.parameters)
    context = next((graph.contexts[name] for name in names if name in graph.contexts), None)
    if context is not None and context.place == "output":
        # Zeros in the last layer are common, unless all other weights are zero too.
        return bool(planned.deliberate) or len(subject.weights) == 1
    if blocks_output(graph, users):
        return False
    is_last = context is not None and context.branch is not None and context.branch.is_last
    return is_last or not _blocks_branch(graph, users)


def blocks_output(graph: NetworkGraph, blocked: Iterable[Operation]) -> bool:
    """Return whether no signal from an input reaches the output without the given operations."""
    starts = {operation.number for operation in graph.operations if operation.kind == "input"}
    ends = [s.operation for o in graph.operations if o.kind == "output" for s in graph.signals(o)[:1]]
    return bool(ends) and not _reached(graph, starts, blocked) & set(ends)


def _blocks_branch(graph: NetworkGraph, blocked: list[Operation]) -> bool:
    """Return whether no signal passes through a residual branch without the given operations."""
    for number, shortcut in graph.shortcuts.items():
        ends = {s.operation for s in graph.operations[number].inputs if s != shortcut}
        starts = {shortcut.operation}
        if ends & _reached(graph, starts, []) and not ends & _reached(graph, starts, blocked):
            return True
    return False


def _reached(graph: NetworkGraph, starts: set[int], blocked: Iterable[Operation]) -> set[int]:
    """Return the operations that a signal reaches from the given ones."""
    closed, reached = {operation.number for operation in blocked}, set(starts)
    for operation in graph.operations:
        if operation.number not in closed and any(s.operation in reached for s in graph.signals(operation)):
            reached.add(operation.number)
    return reached
