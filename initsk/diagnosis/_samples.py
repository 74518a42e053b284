"""The batches of a trial, drawn from data of any form."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from skorch.utils import multi_indexing

from initsk.diagnosis._nonfinite import NonFinite, nonfinite_arrays, nonfinite_rows
from initsk.diagnosis._stream import Stream, join, rows_to_join
from initsk.network import (
    Batch,
    BatchConverter,
    Model,
    arguments_of,
    count_samples,
    is_integer,
    is_stream,
    map_arrays,
    several_targets,
    take_rows,
    take_targets,
    targets_in,
    to_array,
)
from initsk.utils.precision import to_numpy
from initsk.utils.validation import refuse
from initsk.utils.words import counted

#: Samples in a batch, where nothing says how many.
BATCH_SIZE = 64
# Samples of vectors in one part of a static measurement.
_JOINED = 256
# The gradients of two smaller halves agree by chance only.
MIN_SAMPLES = 20


@dataclass(frozen=True)
class Samples:
    """Batches of a network's own form, in random order; each is made when it is needed.

    Parameters
    ----------
    make : callable
        Returns some neighboring batches, by their numbers, as one.
    targets : list
        The targets of each batch, also where the module itself takes them as an argument; None without any.
    n_joined : int
        How many batches make one for static measurements.
    draw : callable, optional
        Draws a further batch of a stream, appends its targets to `targets`, and returns whether there was one.
    n_first : int, optional
        How many batches static measurements may use; None for all.
    nonfinite : list of NonFinite
        Arrays with values that are NaN or infinite; of a stream, those of its first batches.
    make_nonfinite : callable, optional
        Returns a batch of samples of arrays, about half of them with such values, given ``slice(1)``.
    halves : callable, optional
        Returns one of two batches for static measurements, where a batch of the training is too large for two.
    """

    make: Callable[[slice], Batch]
    targets: list[Any]
    n_joined: int = 1
    draw: Callable[[], bool] | None = None
    n_first: int | None = None
    nonfinite: list[NonFinite] = field(default_factory=list)
    make_nonfinite: Callable[[slice], Batch] | None = None
    halves: Callable[[slice], Batch] | None = None

    def cycle(self, n_steps: int) -> Iterator[Batch]:
        """Yield so many batches, which may be overwritten; after the last one, the first one follows."""
        for step in range(n_steps):
            if step >= len(self.targets) and self.draw is not None:
                self.draw()
            number = step % len(self.targets)
            yield self.make(slice(number, number + 1))

    def first(self, n_samples: int) -> list[Batch]:
        """Return the first batches that have at most so many samples together, at least one batch."""
        if self.halves is not None:
            return [self.halves(slice(number, number + 1)) for number in range(2)]
        batches: list[Batch] = []
        for start in range(0, self.n_first or len(self.targets), self.n_joined):
            batch = self.make(slice(start, start + self.n_joined))
            if batches and sum(known.n_samples for known in batches) + batch.n_samples > n_samples:
                break
            batches.append(batch)
        return batches


def draw_batches(
    model: Model,
    X: Any,
    y: Any,
    *,
    n_batches: int,
    n_of_stream: int,
    n_measured: int,
    batch_size: int | None,
    seed: int,
) -> Samples:
    """Return at most so many batches of samples in random order; of a stream, its first batches.

    Parameters
    ----------
    model : Model
    X, y : array-like
        As in `diagnose`.
    n_batches, n_of_stream : int
        Number of batches of arrays, and of a stream at the start. Later batches of a stream are drawn when a trial
        comes to them, and kept.
    n_measured : int
        Number of samples for static measurements.
    batch_size : int or None
    seed : int

    Raises
    ------
    InvalidParameterError
        If X and y differ in length, there are too few samples, all targets are equal, or a stream is empty.
    """
    converter = BatchConverter(model.module, casts=model.casts)
    if is_stream(X):
        return _of_stream(model, converter, X, y, n_of_stream, batch_size or BATCH_SIZE, seed)
    X, y = arguments_of(model.module, model.prepared(X), y)
    X, y = (to_array(name, part) if isinstance(part, list) else part for name, part in (("X", X), ("y", y)))
    n_samples = count_rows(X)
    if n_samples is None:
        y = model.encode(y)
        whole = converter.convert(map_arrays(to_array, X), y)
        return Samples(_Whole(whole), [targets_in(X) if y is None else y], nonfinite=nonfinite_arrays([(X, y)]))
    _check_samples(n_samples, y if y is not None else targets_in(X))
    size = min(batch_size or BATCH_SIZE, max(n_samples // 2, 1))
    # A smaller batch at the end would have noisier gradients, and batch normalization of one sample fails.
    shuffled = np.random.default_rng(seed).permutation(n_samples)
    order = shuffled[: n_batches * size]
    rows = [order[start : start + size] for start in range(0, len(order) // size * size, size)]
    # Vectors take little memory, and are measured in larger parts.
    joins = isinstance(X, np.ndarray | torch.Tensor) and X.ndim == 2 and not is_integer(X)
    n_joined = max(min(_JOINED // size, min(n_measured // size, len(rows)) // 2), 1) if joins else 1
    held = targets_in(X) if y is None else y
    targets = _split(None if held is None else model.encode(_take_targets(held, np.concatenate(rows))), len(rows), size)
    make = _Rows(model, converter, X, y, rows, n_samples)
    nonfinite = nonfinite_arrays([(X, y)])
    bad = nonfinite_rows(X, y, n_samples) if nonfinite else np.array([], int)
    make_bad = replace(make, rows=[_beside_others(bad, shuffled, size)]) if len(bad) else None
    half = min(n_measured, n_samples) // 2
    halves = replace(make, rows=[shuffled[:half], shuffled[half : 2 * half]]) if size > half else None
    return Samples(make, targets, n_joined, nonfinite=nonfinite, make_nonfinite=make_bad, halves=halves)


@dataclass(frozen=True)
class _Whole:
    """Makes copies of the only batch."""

    batch: Batch

    def __call__(self, numbers: slice) -> Batch:
        return self.batch.copied()


@dataclass(frozen=True)
class _Rows:
    """Makes batches of rows of arrays."""

    model: Model
    converter: BatchConverter
    X: Any
    y: Any
    rows: list[np.ndarray]
    n_samples: int

    def __call__(self, numbers: slice) -> Batch:
        X, y = _take(self.X, self.y, np.concatenate(self.rows[numbers]), self.n_samples)
        return self.converter.convert(X, self.model.encode(y))


@dataclass
class _Drawn:
    """Makes batches of what was drawn from a stream, and draws more; a copy that was saved draws no more."""

    model: Model
    converter: BatchConverter
    stream: Stream | None
    pairs: list[tuple[Any, Any]] = field(default_factory=list)
    targets: list[Any] = field(default_factory=list)

    def draw(self) -> bool:
        """Draw a further batch, and return whether there was one."""
        pair = None if self.stream is None else self.stream.draw()
        if pair is None:
            return False
        X, y = arguments_of(self.model.module, self.model.prepared(pair[0]), pair[1])
        self.pairs.append((X, y))
        self.targets.append(targets_in(X) if y is None else self.model.encode(y))
        return True

    def __call__(self, numbers: slice) -> Batch:
        found = self.pairs[numbers]
        return join([self.converter.convert(map_arrays(to_array, X), self.model.encode(y)) for X, y in found]).copied()

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"stream": None}


def count_rows(X: Any) -> int | None:
    """Return the number of samples in X, or None if X cannot be split into samples."""
    return X.shape[0] if hasattr(X, "shape") else count_samples(map_arrays(to_array, X))


def _take(X: Any, y: Any, rows: np.ndarray, n_samples: int) -> tuple[Any, Any]:
    """Return the given rows of X and y as arrays."""
    several = isinstance(X, Mapping | tuple)
    drawn = take_rows(map_arrays(to_array, X), rows, n_samples) if several else multi_indexing(X, rows)
    return map_arrays(to_array, drawn), None if y is None else _take_targets(y, rows)


def _take_targets(y: Any, rows: np.ndarray) -> Any:
    return take_targets(y, rows) if several_targets(y) else multi_indexing(y, rows)


def _split(y: Any, n_batches: int, size: int) -> list[Any]:
    """Return the targets of each batch."""
    parts = [slice(number * size, (number + 1) * size) for number in range(n_batches)]
    if y is None or isinstance(y, np.ndarray | torch.Tensor):
        return [None if y is None else y[part] for part in parts]
    return [_take_targets(y, np.arange(part.start, part.stop)) for part in parts]


def _beside_others(bad: np.ndarray, shuffled: np.ndarray, size: int) -> np.ndarray:
    """Return a batch with the given rows beside others, as in training: a loss may leave the given ones out."""
    others = shuffled[~np.isin(shuffled, bad)][: size // 2]
    return np.append(bad[: size - len(others)], others)


def _check_samples(n_samples: int, y: Any) -> None:
    if n_samples < MIN_SAMPLES:
        samples = counted(n_samples, "sample")
        refuse("diagnose", [f"X has {samples} (allowed: at least {MIN_SAMPLES}; a graph counts as one)"])
    if y is None or several_targets(y):
        return
    if len(y) != n_samples:
        refuse("diagnose", [f"y has {counted(len(y), 'row')}, and X has {n_samples} (allowed: the same number)"])
    values = to_numpy(y)
    if (values == values[:1]).all() and (values.ndim == 1 or values.dtype.kind == "f"):
        refuse(
            "diagnose",
            ["y holds one value only (allowed: targets that differ, otherwise there is nothing to learn)"],
        )


def _of_stream(
    model: Model, converter: BatchConverter, X: Any, y: Any, n_batches: int, batch_size: int, seed: int
) -> Samples:
    if y is not None:
        refuse("diagnose", [f"y with {type(X).__name__} is not allowed (the stream gives pairs of X and y)"])
    drawn = _Drawn(model, converter, Stream(X, batch_size, seed))
    while len(drawn.pairs) < n_batches and drawn.draw():
        pass
    if not drawn.pairs:
        refuse("diagnose", [f"X={X!r} yields no batch (allowed: at least one)"])
    n_joined = rows_to_join([drawn(slice(number, number + 1)) for number in range(len(drawn.pairs))])
    n_first = len(drawn.pairs) // n_joined * n_joined
    return Samples(drawn, drawn.targets, n_joined, drawn.draw, n_first, nonfinite_arrays(drawn.pairs))
