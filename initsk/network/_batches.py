"""From data of any kind to batches: arguments of the module's call, targets, and what is padding."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils.data import DataLoader, Dataset

from initsk.exceptions import InvalidParameterError
from initsk.network._inputs import input_type, to_input
from initsk.utils.torch_settings import as_tensor

PaddingMask = Any | Callable[[Any], Any]


@dataclass(frozen=True)
class Batch:
    """What goes through the module at once."""

    inputs: tuple[Any, ...]
    keywords: dict[str, Any]
    target: Any
    padding: torch.Tensor | None

    def copied(self) -> "Batch":
        """Return a batch that may be written to."""
        return replace(self, inputs=_copied(self.inputs), keywords=_copied(self.keywords))

    @property
    def n_samples(self) -> int:
        """Rows of the first tensor."""
        parts = [part for part in (*self.inputs, *self.keywords.values()) if isinstance(part, torch.Tensor)]
        return len(parts[0]) if parts and parts[0].dim() else 1


def iterate_batches(
    module: nn.Module, X: Any, y: Any = None, batch_size: int = 1024, padding_mask: PaddingMask = None
) -> Iterator[Batch]:
    """Yield batches of the module's own type and device, each to be done with before the next.

    X is an array, a tuple or a mapping of arrays (arguments of the call), a packed sequence, or a stream: a
    DataLoader, a data set, an iterator of batches, each of which is X alone or a pair of X and y.

    Raises
    ------
    InvalidParameterError
        If X is not made of numbers, parts differ in length, or y or the mask does not fit X.
    """
    intake = Intake(module, reuse=True)
    if is_stream(X):
        if y is not None:
            raise InvalidParameterError(f"y beside {type(X).__name__} is not allowed (pairs of X and y in the stream)")
        if padding_mask is not None and not callable(padding_mask):
            raise InvalidParameterError("padding_mask beside a stream is not allowed (a function of the batch)")
        for part, target in _pairs(X, batch_size):
            yield intake.batch(part, target, padding_mask)
    elif isinstance(X, PackedSequence):
        yield intake.batch(X, y)
    else:
        X = _parts(X)
        n_samples = _common_length(X, y, padding_mask)
        for start in range(0, n_samples, batch_size):
            rows = slice(start, start + batch_size)
            mask = padding_mask if padding_mask is None or callable(padding_mask) else as_tensor(padding_mask)[rows]
            yield intake.batch(_sliced(X, rows, n_samples), None if y is None else _rows_of(y, rows), mask)


class Intake:
    """Brings batches to a module's type and device.

    With `reuse`, each batch overwrites the one before, since fresh memory costs more than the copy.
    """

    def __init__(self, module: nn.Module, *, reuse: bool = False) -> None:
        self.like, self.integers = input_type(module)
        self.buffers: dict[str, torch.Tensor] | None = {} if reuse else None

    def batch(self, X: Any, y: Any = None, padding_mask: PaddingMask = None) -> Batch:
        """Return one batch; several targets in a tuple are left to who takes them."""
        inputs, keywords = self._arguments(X)
        target = y if y is None or isinstance(y, tuple) else to_input("y", y, self.like, integers=True)
        return Batch(inputs, keywords, target, _padding(padding_mask, X))

    def _arguments(self, X: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if isinstance(X, Mapping):
            return (), {str(key): self._taken(f"X[{key!r}]", part) for key, part in X.items()}
        parts = X if isinstance(X, tuple) and not isinstance(X, PackedSequence) else (X,)
        return tuple(self._taken(f"X[{i}]" if len(parts) > 1 else "X", part) for i, part in enumerate(parts)), {}

    def _taken(self, name: str, part: Any) -> Any:
        if part is None or isinstance(part, bool | str):
            return part
        if isinstance(part, PackedSequence):
            return part._replace(data=self._taken(name, part.data))
        return to_input(name, part, self.like, self.integers, self.buffers)


def is_stream(X: Any) -> bool:
    """Say whether X gives batches one after another, and is no array."""
    if isinstance(X, Dataset | DataLoader) or hasattr(X, "__next__"):
        return True
    return isinstance(X, Iterable) and not hasattr(X, "__getitem__") and not hasattr(X, "__array__")


def _pairs(stream: Any, batch_size: int) -> Iterator[tuple[Any, Any]]:
    if isinstance(stream, Dataset):
        stream = DataLoader(stream, batch_size)
    for batch in stream:
        pair = isinstance(batch, tuple | list) and len(batch) == 2 and not isinstance(batch, PackedSequence)
        yield tuple(batch) if pair else (batch, None)


def _parts(X: Any) -> Any:
    """Return arrays once, so that lists are not read again for every batch."""
    if isinstance(X, Mapping) and not hasattr(X, "columns"):
        return {key: _parts(part) for key, part in X.items()}
    if isinstance(X, tuple):
        return tuple(_parts(part) for part in X)
    return X if isinstance(X, torch.Tensor | str | bool) or X is None else np.asarray(X)


def _rows_of(values: Any, rows: slice) -> Any:
    return values.iloc[rows] if hasattr(values, "iloc") else values[rows]


def _sliced(X: Any, rows: slice, n_samples: int) -> Any:
    if isinstance(X, dict):
        return {key: _sliced(part, rows, n_samples) for key, part in X.items()}
    if isinstance(X, tuple):
        return tuple(_sliced(part, rows, n_samples) for part in X)
    return X[rows] if _length(X) == n_samples else X


def _length(part: Any) -> int | None:
    return len(part) if getattr(part, "ndim", 0) else None


def _common_length(X: Any, y: Any, mask: Any) -> int:
    parts = list(X.values()) if isinstance(X, dict) else list(X) if isinstance(X, tuple) else [X]
    lengths = [length for part in parts if (length := _length(part)) is not None]
    if not lengths:
        raise InvalidParameterError(f"X={X!r} is not allowed (numbers, a row per sample)")
    for name, other in (("y", y), ("padding_mask", None if callable(mask) else mask)):
        if other is not None and len(other) != lengths[0]:
            raise InvalidParameterError(f"{name} has {len(other)} rows, and X has {lengths[0]} (allowed: as many)")
    return lengths[0]


def _padding(mask: Any, batch: Any) -> torch.Tensor | None:
    if mask is None:
        return None
    mask = as_tensor(mask(batch) if callable(mask) else mask)
    if mask.dtype != torch.bool or mask.dim() != 2:
        raise InvalidParameterError(
            f"padding_mask of type {mask.dtype} and shape {tuple(mask.shape)} is not allowed (True or False for each"
            " sample and position; True is padding)"
        )
    return mask


def _copied(part: Any) -> Any:
    if isinstance(part, torch.Tensor):
        return part.clone()
    if isinstance(part, PackedSequence):
        return part._replace(data=part.data.clone())
    if isinstance(part, dict):
        return {key: _copied(value) for key, value in part.items()}
    return tuple(map(_copied, part)) if isinstance(part, tuple) else part
