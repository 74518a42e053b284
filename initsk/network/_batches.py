"""Batches of a module's own type and device, made from data of any form."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils.data import DataLoader, Dataset

from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.network._layer_types import EMBEDDINGS
from initsk.utils.torch_settings import as_tensor

PaddingMask = Any | Callable[[Any], Any]


@dataclass(frozen=True)
class Batch:
    """The arguments of one call of a module, with targets and a mask of the padding."""

    inputs: tuple[Any, ...]
    keywords: dict[str, Any]
    target: Any
    padding: torch.Tensor | None

    def copied(self) -> "Batch":
        """Return a batch whose tensors may be overwritten."""
        return replace(self, inputs=_map(_clone, self.inputs), keywords=_map(_clone, self.keywords))

    @property
    def n_samples(self) -> int:
        """Rows of the first tensor."""
        parts = [part for part in (*self.inputs, *self.keywords.values()) if isinstance(part, torch.Tensor)]
        return len(parts[0]) if parts and parts[0].dim() else 1


def as_batch(module: nn.Module, X: Any, y: Any = None) -> Batch:
    """Return X and y as one batch of the module's type and device.

    Raises
    ------
    ModuleError
        If X or y holds NaN or infinity.
    """
    return BatchConverter(module, finite=True).convert(X, np.asarray(y) if isinstance(y, tuple) else y)


def iterate_batches(
    module: nn.Module, X: Any, y: Any = None, batch_size: int = 1024, padding_mask: PaddingMask = None
) -> Iterator[Batch]:
    """Yield batches of the module's type and device; each batch overwrites the previous one.

    X is an array, a tuple or a mapping of arrays (arguments of the call), a packed sequence, or a stream: a
    DataLoader, a data set, or an iterator of batches. A batch of a stream is X or a pair of X and y.

    Raises
    ------
    InvalidParameterError
        If X does not consist of numbers, its parts differ in length, or y or the mask does not fit X.
    """
    converter = BatchConverter(module, reuse=True)
    if is_stream(X):
        if y is not None:
            raise InvalidParameterError(f"y with {type(X).__name__} is not allowed (the stream gives pairs of X and y)")
        if padding_mask is not None and not callable(padding_mask):
            raise InvalidParameterError("padding_mask of a stream must be a function of the batch, not an array")
        for part, target in _pairs(X, batch_size):
            yield converter.convert(part, target, padding_mask)
    elif isinstance(X, PackedSequence):
        yield converter.convert(X, y)
    else:
        # Once, so that lists are not converted again for every batch.
        X = _map(_as_array, X)
        n_samples = _common_length(X, y, padding_mask)
        for start in range(0, n_samples, batch_size):
            rows = slice(start, start + batch_size)
            mask = padding_mask if padding_mask is None or callable(padding_mask) else as_tensor(padding_mask)[rows]
            target = None if y is None else getattr(y, "iloc", y)[rows]
            yield converter.convert(_map(partial(_take, rows, n_samples), X), target, mask)


class BatchConverter:
    """Copies batches to a module's type and device.

    With `reuse`, each batch overwrites the previous one, since allocating memory takes longer than copying. Without it,
    `finite` makes NaN and infinity a `ModuleError`.
    """

    def __init__(self, module: nn.Module, *, reuse: bool = False, finite: bool = False) -> None:
        floats = (p for p in module.parameters() if p.is_floating_point() or p.is_complex())
        self.like = next(floats, torch.empty(0))
        # Embeddings take integers as indices; all other layers compute with numbers.
        self.keeps_integers = any(isinstance(part, EMBEDDINGS) for part in module.modules())
        self.buffers: dict[str, torch.Tensor] | None = {} if reuse else None
        self.finite = finite

    def convert(self, X: Any, y: Any = None, padding_mask: PaddingMask = None) -> Batch:
        """Return one batch; a tuple of several targets is not converted."""
        inputs: tuple[Any, ...] = ()
        keywords: dict[str, Any] = {}
        if isinstance(X, Mapping):
            keywords = {str(key): self._argument(f"X[{key!r}]", part) for key, part in X.items()}
        else:
            parts = X if isinstance(X, tuple) and not isinstance(X, PackedSequence) else (X,)
            names = [f"X[{i}]" for i in range(len(parts))] if len(parts) > 1 else ["X"]
            inputs = tuple(map(self._argument, names, parts))
        target = y if y is None or isinstance(y, tuple) else self._tensor("y", y, keeps_integers=True, reuse=False)
        return Batch(inputs, keywords, target, _padding(padding_mask, X))

    def _argument(self, name: str, part: Any) -> Any:
        if part is None or isinstance(part, bool | str):
            return part
        if isinstance(part, PackedSequence):
            moved = part.cuda(self.like.device) if self.like.is_cuda else part.cpu()
            return moved._replace(data=self._argument(name, moved.data))
        if isinstance(part, Mapping):
            return {key: self._argument(f"{name}[{key!r}]", value) for key, value in part.items()}
        return self._tensor(name, part, keeps_integers=self.keeps_integers)

    def _tensor(self, name: str, values: Any, *, keeps_integers: bool, reuse: bool = True) -> torch.Tensor:
        """Return a copy of the values that has the module's type and device."""
        if not isinstance(values, torch.Tensor):
            values = np.asarray(values)
            if values.dtype.kind not in "biufc":
                raise InvalidParameterError(f"{name} of type {values.dtype} is not allowed (numbers)")
            values = as_tensor(values)
        inexact = values.is_floating_point() or values.is_complex()
        # Bytes are pixels, which a network with embeddings takes as numbers too.
        keeps = values.dtype == torch.bool or (keeps_integers and not inexact and values.dtype != torch.uint8)
        dtype = values.dtype if keeps else self.like.dtype
        # A copy: a module that begins with an in-place operation would overwrite the caller's data.
        if self.buffers is None or not reuse or values.dim() == 0:
            copied = values.detach().to(self.like.device, dtype, copy=True)
            if self.finite and not copied.isfinite().all():
                raise ModuleError(f"{name} holds NaN or infinity")
            return copied
        held = self.buffers.get(name)
        if held is None or held.dtype != dtype or held.shape[1:] != values.shape[1:] or len(held) < len(values):
            held = self.buffers[name] = torch.empty(values.shape, dtype=dtype, device=self.like.device)
        return held[: len(values)].copy_(values.detach())


def is_stream(X: Any) -> bool:
    """Return whether X yields batches one after another instead of being an array."""
    if isinstance(X, Dataset | DataLoader) or hasattr(X, "__next__"):
        return True
    return isinstance(X, Iterable) and not hasattr(X, "__getitem__") and not hasattr(X, "__array__")


def _pairs(stream: Any, batch_size: int) -> Iterator[tuple[Any, Any]]:
    for batch in DataLoader(stream, batch_size) if isinstance(stream, Dataset) else stream:
        pair = isinstance(batch, tuple | list) and len(batch) == 2 and not isinstance(batch, PackedSequence)
        yield tuple(batch) if pair else (batch, None)


def _map(function: Callable[[Any], Any], X: Any) -> Any:
    """Apply a function to the parts of tuples and mappings, or to X itself."""
    if isinstance(X, Mapping) and not hasattr(X, "columns"):
        return {key: _map(function, part) for key, part in X.items()}
    if isinstance(X, tuple) and not isinstance(X, PackedSequence):
        return tuple(_map(function, part) for part in X)
    return function(X)


def _as_array(part: Any) -> Any:
    return part if isinstance(part, torch.Tensor | PackedSequence | str | bool | None) else np.asarray(part)


def _take(rows: slice, n_samples: int, part: Any) -> Any:
    return part[rows] if _length(part) == n_samples else part


def _length(part: Any) -> int | None:
    return len(part) if getattr(part, "ndim", 0) else None


def _common_length(X: Any, y: Any, mask: Any) -> int:
    parts = X.values() if isinstance(X, dict) else X if isinstance(X, tuple) else [X]
    lengths = [length for part in parts if (length := _length(part)) is not None]
    if not lengths:
        raise InvalidParameterError(f"X={X!r} is not allowed (numbers, a row per sample)")
    for name, other in (("y", y), ("padding_mask", None if callable(mask) else mask)):
        if other is not None and len(other) != lengths[0]:
            rows = f"{len(other)} rows, and X has {lengths[0]}"
            raise InvalidParameterError(f"{name} has {rows} (allowed: the same number)")
    return lengths[0]


def _padding(mask: Any, batch: Any) -> torch.Tensor | None:
    if mask is None:
        return None
    mask = as_tensor(mask(batch) if callable(mask) else mask)
    if mask.dtype != torch.bool or mask.dim() != 2:
        given = f"padding_mask of type {mask.dtype} and shape {tuple(mask.shape)}"
        allowed = "True or False for each sample and position; True is padding"
        raise InvalidParameterError(f"{given} is not allowed ({allowed})")
    return mask


def _clone(part: Any) -> Any:
    if isinstance(part, PackedSequence):
        return part._replace(data=part.data.clone())
    return part.clone() if isinstance(part, torch.Tensor) else part
