"""The batches of a stream, taken while the random states of its owner stay as they are."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from math import ceil
from typing import Any

import torch
from torch.utils.data import DataLoader

from initsk.network import Batch, generator_state, generators_of, generators_restored, pairs, set_generator_state
from initsk.utils.random import derive_seed, isolated_random

# The gradients of samples are compared within a part of a measurement.
_MIN_ROWS = 16


class Stream:
    """Pairs of X and y of a stream, with random numbers of its own.

    Neither the global random states, nor the generators of a loader, its samplers and its data set, nor persistent
    workers notice that batches are taken. An iterator itself is used up.

    Parameters
    ----------
    stream : DataLoader, data set or iterable
    batch_size : int
        Of a data set.
    seed : int
    """

    def __init__(self, stream: Any, batch_size: int, seed: int) -> None:
        if isinstance(stream, DataLoader):
            # Workers that persist belong to the loader's own iteration.
            stream = copy.copy(stream)
            vars(stream)["_iterator"] = None
        self._pairs = pairs(stream, batch_size)
        self._own: list[tuple[Any, Any]] = [(found, None) for found in generators_of(stream)]
        self._seed, self._number = seed, 0

    def draw(self) -> tuple[Any, Any] | None:
        """Return the next pair, or None at the end."""
        self._number += 1
        with self._generators_apart(), isolated_random(derive_seed(self._seed, "stream", self._number)):
            return next(self._pairs, None)

    @contextmanager
    def _generators_apart(self) -> Iterator[None]:
        """Continue with the states of the last draw inside the block, and put those of the owner back."""
        generators = [found for found, _ in self._own]
        with generators_restored(generators):
            for found, state in self._own:
                if state is not None:
                    set_generator_state(found, state)
            try:
                yield
            finally:
                self._own = [(found, generator_state(found)) for found in generators]


def rows_to_join(batches: Sequence[Batch]) -> int:
    """Return how many small batches make one part of a measurement; 1 if they are large, or differ in shape."""
    n_joined = max(min(ceil(_MIN_ROWS / batches[0].n_samples), len(batches) // 2), 1)
    try:
        join(batches)
    except (RuntimeError, TypeError):
        return 1
    return n_joined


def join(batches: Sequence[Batch]) -> Batch:
    """Return neighboring batches as one.

    Raises
    ------
    TypeError or RuntimeError
        If they do not consist of tensors of equal shapes, except for the number of rows.
    """
    first, *others = batches
    if not others:
        return first
    inputs, keywords, target = (_joined([getattr(batch, name) for batch in batches]) for name in _FIELDS)
    return replace(first, inputs=inputs, keywords=keywords, target=target)


_FIELDS = ("inputs", "keywords", "target")


def _joined(parts: list[Any]) -> Any:
    first = parts[0]
    if first is None:
        return None
    if isinstance(first, torch.Tensor):
        return torch.cat(parts)
    if isinstance(first, dict):
        return {name: _joined([part[name] for part in parts]) for name in first}
    if type(first) is tuple:
        return tuple(_joined(list(values)) for values in zip(*parts, strict=True))
    raise TypeError(f"{type(first).__name__} has no rows")
