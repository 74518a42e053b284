"""Minibatches of the batch that `initialize` was given."""

from collections.abc import Mapping
from typing import Any

import torch

from initsk.exceptions import ModuleError
from initsk.network import Network, count_samples, several_targets, take_rows


class Batches:
    """Endless minibatches of rows in random order; `size` is None if each minibatch has all rows.

    Each minibatch has all rows, too, if X cannot be split into rows; see `initsk.network.count_samples`.
    """

    def __init__(self, owner: str, network: Network, size: int | None) -> None:
        self.n_samples = _count_rows(network)
        whole = size is None or size >= self.n_samples or count_samples(_arguments(network)) is None
        self.size = None if whole else size
        self._generator = network.generator("minibatches")
        self._queue = torch.empty(0, dtype=torch.int64, device="cpu")
        parts = (*(network.inputs or ()), *network.keywords.values())
        if self.size is not None and not any(_has_rows(part, self.n_samples) for part in parts):
            raise ModuleError(
                f"{owner}: y has {self.n_samples} rows, and no part of X has as many"
                " (allowed: one row per target, or batch_size=None to take X whole)"
            )

    def next(self) -> torch.Tensor | None:
        """Return the rows of the next minibatch; None means every row."""
        return None if self.size is None else self.take(self.size)

    def take(self, size: int) -> torch.Tensor:
        """Return the next rows."""
        while len(self._queue) < size:
            order = torch.randperm(self.n_samples, generator=self._generator, device="cpu")
            self._queue = torch.cat([self._queue, order])
        rows, self._queue = self._queue[:size], self._queue[size:]
        return rows


def pick(value: Any, network: Network, rows: torch.Tensor | None) -> Any:
    """Return the given rows of a value with one row per target; return other values unchanged."""
    return value if rows is None else take_rows(value, rows, _count_rows(network))


def _count_rows(network: Network) -> int:
    """Return the number of targets or, if the module computes its own loss, the number of samples."""
    target = network.target
    if target is None:
        return count_samples(_arguments(network)) or 1
    if several_targets(target):
        target = next(iter(target.values() if isinstance(target, Mapping) else target))
    return len(target) if target.dim() else 1


def _arguments(network: Network) -> Any:
    return network.keywords or network.inputs


def _has_rows(value: Any, n_samples: int) -> bool:
    return isinstance(value, torch.Tensor) and value.dim() > 0 and len(value) == n_samples
