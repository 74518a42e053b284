"""Minibatches of the batch that `initialize` was given, and the default loss."""

from typing import Any

import torch
from torch import nn

from initsk.exceptions import ModuleError
from initsk.network import Network
from initsk.utils.torch_settings import working_type


class Batches:
    """Endless minibatches of rows in random order; `size` is None if each minibatch has all rows."""

    def __init__(self, owner: str, network: Network, size: int | None) -> None:
        self.n_samples = _n_targets(network)
        self.size = None if size is None or size >= self.n_samples else size
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
    return value if rows is None or not _has_rows(value, _n_targets(network)) else value[rows.to(value.device)]


def real_parts(values: torch.Tensor) -> torch.Tensor:
    """Return complex values as pairs of real values, and half precision as float32."""
    values = torch.view_as_real(values.resolve_conj()) if values.is_complex() else values
    return values.to(working_type(values.dtype))


def default_loss(output: Any, target: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy for integer targets, and the mean squared error for others."""
    if not isinstance(output, torch.Tensor):
        raise ModuleError(f"the module returns {type(output).__name__}, not a tensor (allowed: criterion=a function)")
    shapes = f"y of shape {tuple(target.shape)} does not fit the module's output of shape {tuple(output.shape)}"
    if target.is_floating_point() or target.is_complex():
        output, target = real_parts(output), real_parts(target)
        if output.squeeze().shape != target.squeeze().shape:
            raise ModuleError(f"{shapes} (allowed: the same shape)")
        return nn.functional.mse_loss(output, target.reshape(output.shape))
    if output.shape[:1] + output.shape[2:] != target.shape and output.shape[:-1] == target.shape:
        output = output.movedim(-1, 1)
    if output.dim() < 2 or output.shape[:1] + output.shape[2:] != target.shape or output.is_complex():
        raise ModuleError(f"{shapes} (allowed: real scores, one more axis than y)")
    if target.numel() and not 0 <= int(target.min()) <= int(target.max()) < output.shape[1]:
        labels = f"{int(target.min())} to {int(target.max())}"
        raise ModuleError(f"y has labels {labels}, but the module gives {output.shape[1]} scores (labels count from 0)")
    return nn.functional.cross_entropy(real_parts(output), target.long())


def _n_targets(network: Network) -> int:
    target = network.target
    return len(target) if target is not None and target.dim() else 1


def _has_rows(value: Any, n_samples: int) -> bool:
    return isinstance(value, torch.Tensor) and value.dim() > 0 and len(value) == n_samples
