"""Data sets of torch, torchvision and Hugging Face as arrays."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from initsk.exceptions import InvalidParameterError
from initsk.utils.random import isolated_torch_random
from initsk.utils.validation import check_parameters, integer, unknown_name
from initsk.utils.words import reason_of

_TARGETS = ("label", "labels", "target", "targets", "y")
_LIMIT = 4 * 2**30


def is_dataset(X: Any) -> bool:
    """Return whether X is a data set of torch, torchvision or Hugging Face, or a mapping of the latter.

    Examples
    --------
    >>> is_dataset([[1.0]])
    False
    """
    from torch.utils.data import DataLoader, Dataset

    parts = list(X.values()) if isinstance(X, Mapping) else []
    return (
        isinstance(X, Dataset | DataLoader)
        or _is_hugging_face(X)
        or (bool(parts) and all(map(_is_hugging_face, parts)))
    )


def to_arrays(dataset: Any, target: str | None = None, *, max_bytes: int = _LIMIT) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples and targets of a data set as arrays.

    Images of PIL, and images of bytes, become numbers from 0 to 1 of shape (channels, height, width), as torchvision's
    ``ToTensor`` makes them. Random transformations are applied once. All samples are in memory: n_samples times the
    size of a sample, 188 MB for the 60,000 images of MNIST.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset or datasets.Dataset
        A data set with a length. That of torch gives pairs of a sample and a target, or dicts with both. That of
        Hugging Face has one column of images or arrays, or columns of numbers, and a column of targets.
    target : str, optional
        The column of targets of a data set of Hugging Face or of dicts. None is the column of the type ``ClassLabel``,
        or the one that is called label, labels, target, targets or y.
    max_bytes : int, default=4294967296
        A data set that needs more memory is refused.

    Returns
    -------
    X : ndarray of shape (n_samples, ...)
    y : ndarray of shape (n_samples, ...)

    Raises
    ------
    InvalidParameterError
        If the data set is of another kind, is empty, has no length or no targets, has samples of different shapes or
        that are not numbers, or needs too much memory.

    Examples
    --------
    >>> import torch
    >>> from torch.utils.data import TensorDataset
    >>> from initsk.datasets import to_arrays
    >>> X, y = to_arrays(TensorDataset(torch.eye(3), torch.tensor([0, 1, 1])))
    >>> X.shape, y.tolist()
    ((3, 3), [0, 1, 1])
    """
    check_parameters("to_arrays", {"max_bytes": max_bytes}, {"max_bytes": integer(1)})
    if isinstance(dataset, Mapping) and is_dataset(dataset):
        raise InvalidParameterError(f"the data set has the parts {', '.join(map(repr, dataset))}; give one of them")
    if not is_dataset(dataset):
        raise InvalidParameterError(f"{type(dataset).__name__} is not a data set of torch or Hugging Face")
    if hasattr(dataset, "batch_size") and hasattr(dataset, "dataset"):
        raise InvalidParameterError("a DataLoader yields batches; give its data set, loader.dataset")
    if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
        raise InvalidParameterError(
            f"the data set {type(dataset).__name__} has no length and no rows; take a part of it as arrays"
        )
    if len(dataset) == 0:
        raise InvalidParameterError("the data set is empty (allowed: at least one sample)")
    pair_of: Callable[[int, Any], tuple[Any, Any]] = partial(_pair_of_item, target)
    if _is_hugging_face(dataset):
        pair_of = _pairs_of_columns(list(dataset.column_names), dataset.features, target)
    with isolated_torch_random(None):
        return _stacked((pair_of(number, dataset[number]) for number in range(len(dataset))), len(dataset), max_bytes)


def _is_hugging_face(X: Any) -> bool:
    return (
        isinstance(getattr(X, "features", None), Mapping) and hasattr(X, "column_names") and hasattr(X, "with_format")
    )


def _pair_of_item(target: str | None, number: int, item: Any) -> tuple[Any, Any]:
    if isinstance(item, Mapping):
        return _pairs_of_columns(list(item), {}, target)(number, item)
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise InvalidParameterError(
            f"row {number + 1} is no pair of a sample and a target, and no dict with both (a {type(item).__name__})"
        )
    return _array(item[0], number), np.asarray(item[1])


def _pairs_of_columns(
    columns: list[str], features: Mapping[str, Any], target: str | None
) -> Callable[[int, Any], tuple[Any, Any]]:
    """Return the function that makes a sample and a target of a row."""
    if target is None:
        labels = [name for name, kind in features.items() if type(kind).__name__ == "ClassLabel"]
        found = labels if len(labels) == 1 else [name for name in columns if name.lower() in _TARGETS]
        if len(found) != 1:
            allowed = ", ".join(map(repr, columns))
            raise InvalidParameterError(f"name the column of targets (allowed: {allowed}), such as y={columns[-1]!r}")
        target = found[0]
    elif target not in columns:
        raise InvalidParameterError(unknown_name("column", target, columns))
    names = [name for name in columns if name != target]
    if not names:
        raise InvalidParameterError(f"the data set has no column besides the targets {target!r}")

    def pair_of(number: int, row: Any) -> tuple[Any, Any]:
        values = [_array(row[name], number, name) for name in names]
        if len(values) > 1 and any(value.ndim for value in values):
            listed = ", ".join(map(repr, names))
            raise InvalidParameterError(f"the columns {listed} are no single numbers; select one with select_columns")
        return values[0] if len(values) == 1 and values[0].ndim else np.stack(values), np.asarray(row[target])

    return pair_of


def _array(value: Any, number: int, column: str | None = None) -> np.ndarray:
    """Return a value of a row as an array; images become channels of numbers from 0 to 1."""
    is_image = hasattr(value, "getbands") and hasattr(value, "convert")
    where = f"row {number + 1}" + (f" of the column {column!r}" if column else "")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InvalidParameterError(f"{where} is no array ({reason_of(error)})") from error
    if array.dtype.kind not in "biuf":
        raise InvalidParameterError(f"{where} is of the type {type(value).__name__} (allowed: numbers, images)")
    if is_image:
        array = np.moveaxis(np.atleast_3d(array), -1, 0)
    if array.dtype == np.uint8 and array.ndim > 1:
        return array.astype(np.float32) / np.float32(255)
    return array.astype(np.float32) if is_image else array


def _stacked(pairs: Iterator[tuple[Any, Any]], n: int, max_bytes: int) -> tuple[np.ndarray, np.ndarray]:
    X, y = next(pairs)
    needed = n * (X.nbytes + y.nbytes)
    if needed > max_bytes:
        sizes = f"{needed / 2**30:.1f} GiB of memory as arrays (allowed: {max_bytes / 2**30:.1f})"
        hint = "take fewer samples, such as with torch.utils.data.Subset, or give to_arrays another max_bytes"
        raise InvalidParameterError(f"the data set needs {sizes}; {hint}")
    samples, targets = np.empty((n, *X.shape), X.dtype), [y]
    samples[0] = X
    for number, (x, label) in enumerate(pairs, start=1):
        if x.shape != X.shape or label.shape != y.shape:
            shapes = f"{x.shape} and {label.shape}, and the first one has {X.shape} and {y.shape}"
            raise InvalidParameterError(f"row {number + 1} has a sample and a target of the shapes {shapes}")
        if not np.can_cast(x.dtype, samples.dtype):
            samples = samples.astype(np.promote_types(x.dtype, samples.dtype))
        samples[number] = x
        targets.append(label)
    return samples, np.stack(targets)
