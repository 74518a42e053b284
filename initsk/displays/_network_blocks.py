"""Folding of a network's picture: equal blocks that follow one another become one."""

from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np

from initsk.displays._network_nodes import Node, selected

# A fold that saves fewer nodes is not worth a frame.
_MIN_SAVED = 4


@dataclass(frozen=True)
class _Run:
    """Equal blocks: position of the first, nodes per block, number of blocks, and by how much the first may move."""

    start: int
    period: int
    count: int
    slack: int = 0

    @property
    def saved(self) -> int:
        return self.period * (self.count - 1)


def fold(nodes: list[Node]) -> list[Node]:
    """Return the nodes with one block in place of equal blocks that follow one another.

    Blocks are equal if their nodes have equal labels, shapes and initializers, and take the results of the same nodes
    before them, or of the same nodes of the network.
    """
    runs = _best_runs(nodes)
    stands_for = list(range(len(nodes)))
    for number, run in enumerate(runs):
        for place in range(run.start, run.start + run.period):
            copies = [nodes[place + k * run.period] for k in range(run.count)]
            first = copies[0]
            first.name = _pattern([copy.name for copy in copies])
            first.parameters = [name for copy in copies for name in copy.parameters]
            first.block, first.n_repeats = number, run.count
            for k in range(1, run.count):
                stands_for[place + k * run.period] = place
    kept = sorted(set(stands_for))
    for place in kept:
        node = nodes[place]
        node.inputs = list(dict.fromkeys(stands_for[source] for source in node.inputs))
        node.shortcut = None if node.shortcut is None else stands_for[node.shortcut]
    return selected(nodes, kept)


def _best_runs(nodes: list[Node]) -> list[_Run]:
    """Return runs that do not overlap, those that save most nodes first, in the order of the network."""
    keys: dict[tuple[object, ...], int] = {}
    kinds = [(n.kind, n.label, n.detail, n.shape, n.filled_by, bool(n.weight), n.shortcut is None) for n in nodes]
    codes = np.array([keys.setdefault(kind, len(keys)) for kind in kinds])
    width = max((len(node.inputs) for node in nodes), default=0)
    inputs = np.full((len(nodes), max(width, 1)), -1)
    for row, node in zip(inputs, nodes, strict=True):
        row[: len(node.inputs)] = node.inputs
    found = [run for period in range(1, len(nodes) // 2 + 1) for run in _runs(codes, inputs, period)]
    chosen: list[_Run] = []
    free = np.ones(len(nodes), bool)
    for run in sorted(found, key=lambda run: (-run.saved, run.period)):
        end = run.start + run.period * run.count
        if run.saved >= _MIN_SAVED and free[run.start : end].all():
            free[run.start : end] = False
            chosen.append(_aligned(run, nodes))
    return sorted(chosen, key=lambda run: run.start)


def _runs(codes: np.ndarray, inputs: np.ndarray, period: int) -> list[_Run]:
    """Return the longest runs of blocks with so many nodes."""
    distance = inputs[period:] - inputs[:-period]
    moved, same = distance == period, distance == 0
    # Nodes without inputs are equal too.
    linked = (moved & (inputs[:-period] >= 0)).any(1) | (inputs[period:] < 0).all(1)
    equal = (codes[period:] == codes[:-period]) & (moved | same).all(1) & linked
    edges = np.flatnonzero(np.diff(np.concatenate([[0], equal.astype(int), [0]])))
    return [
        _Run(int(start), period, int(end - start) // period + 1, int(end - start) % period)
        for start, end in zip(edges[::2], edges[1::2], strict=True)
        if end - start >= period
    ]


def _aligned(run: _Run, nodes: list[Node]) -> _Run:
    """Return a run whose blocks are modules of the network, if it can begin where one does."""

    def shared(shift: int) -> int:
        block = nodes[run.start + shift : run.start + shift + run.period]
        return len(_shared_beginning([node.name for node in block]))

    shift = max(range(run.slack + 1), key=lambda shift: (shared(shift), -shift))
    return replace(run, start=run.start + shift)


def _pattern(names: list[str]) -> str:
    """Return one name for the same layer of several blocks: ``h.*.mlp`` for ``h.0.mlp``, ``h.1.mlp``."""
    parts = [name.split(".") for name in names]
    if len({len(part) for part in parts}) > 1:
        return ".".join(_shared_beginning(names))
    return ".".join(each[0] if len(set(each)) == 1 else "*" for each in zip(*parts, strict=True))


def _shared_beginning(names: list[str]) -> list[str]:
    """Return the first parts of names that all of them have."""
    parts = zip(*(name.split(".") for name in names), strict=False)
    return [each[0] for each in takewhile(lambda each: len(set(each)) == 1, parts)]
