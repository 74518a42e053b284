"""Loading the data that ``--dataset`` names: checked, scaled, and with a part held out."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from initsk.cli._checks import check_range, check_samples, check_table, check_target, named
from initsk.cli._output import say
from initsk.comparison.design import Arrays, hold_out
from initsk.datasets import TABLE_SUFFIXES, load_idx, load_mnist, load_npz, load_table, read_table
from initsk.exceptions import DataFormatError, DataFormatWarning, InvalidParameterError
from initsk.utils.validation import is_continuous

_ALLOWED = f"allowed: mnist, digits, an IDX folder, or a file ending with {', '.join(TABLE_SUFFIXES)} or .npz"
# Squares of numbers outside of this range are not finite, or zero.
_SQUARABLE = (1e-140, 1e140)


def load_data(
    dataset: str,
    target: str | None,
    limit: int | None,
    seed: int,
    *,
    shape: tuple[int, ...] = (),
    **reading: str | None,
) -> tuple[str, Arrays]:
    """Return the name of the data set, and its training and held-out parts, scaled.

    Pixels are divided by the largest value of their type. The columns of a table are standardized with the mean and
    the standard deviation of the training part. The arrays of an NPZ file are used unchanged,
    except images of bytes, which become rows of pixels. `shape` is that of a
    sample, and `reading` has `sep` and `decimal` of `read_table`. What its warnings say is printed.

    Raises
    ------
    DataFormatError
        If a file is damaged.
    InvalidParameterError
        If the data cannot be used; the message names the data set and, where there is one, the column and the row.
    """
    with named(dataset or "--dataset ''"), _printed_warnings():
        name, data = _load(dataset, target, seed, {name: value for name, value in reading.items() if value is not None})
    if shape:
        data = (_shaped(data[0], shape), data[1], _shaped(data[2], shape), data[3])
    if limit is not None and limit < len(data[0]):
        rows = np.sort(np.random.default_rng(seed).permutation(len(data[0]))[:limit])
        data = (data[0][rows], data[1][rows], *data[2:])
    return name, data


def reading_of(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a command that say how to read its data."""
    return {name: options[name] for name in ("shape", "sep", "decimal")}


@contextmanager
def _printed_warnings() -> Iterator[None]:
    """Print the warnings about a file as lines on standard error."""
    with warnings.catch_warnings(record=True, action="always", category=DataFormatWarning) as caught:
        yield
    for warning in caught:
        say(f"initsk: {warning.message}")


def _shaped(X: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if prod(X.shape[1:]) != prod(shape):
        raise InvalidParameterError(f"--shape does not fit: the number of values of a sample is {prod(X.shape[1:])}")
    return X.reshape(len(X), *shape)


def _load(dataset: str, target: str | None, seed: int, reading: dict[str, Any]) -> tuple[str, Arrays]:
    path = Path(dataset)
    is_folder = bool(dataset) and os.path.isdir(path)
    is_named = dataset in ("mnist", "digits")
    if not is_folder and not is_named:
        _check_exists(dataset)
    is_table = path.name.lower().endswith(TABLE_SUFFIXES) and not is_folder
    of_tables = {f"--{name}": value for name, value in ({"target": target} | reading).items() if value is not None}
    if of_tables and not is_table:
        (option, value), *_ = of_tables.items()
        raise InvalidParameterError(
            f"{option} {value!r} is for a table, such as a CSV file, not for --dataset {dataset!r}"
        )
    if dataset == "mnist":
        parts = [load_mnist(split=split, return_X_y=True) for split in ("train", "test")]
        return "mnist", _pixels(*parts[0], *parts[1])
    if dataset == "digits":
        X, y = load_digits(return_X_y=True)
        return "digits", hold_out(X / 16, y, seed)
    if is_folder:
        folder = path.resolve()
        # torchvision has the files of MNIST in the folder MNIST/raw.
        return (folder.parent if folder.name == "raw" else folder).name, _idx_folder(path, seed)
    if is_table:
        if target is None:
            last = read_table(path, **reading).columns[-1:].tolist()
            columns = f"; the last column is {last[0]!r}" if last else ""
            raise InvalidParameterError(
                f"--dataset {dataset}: name the column to predict with --target COLUMN{columns}"
            )
        return path.name.split(".")[0] or path.name, _table(path, target, seed, reading)
    if path.suffix.lower() == ".npz":
        return path.stem, _arrays(path, seed)
    raise InvalidParameterError(f"--dataset {dataset!r} is of an unknown kind; {_ALLOWED}")


def _check_exists(dataset: str) -> None:
    reason = "is empty"
    try:
        if dataset:
            os.stat(dataset)
            return
    except FileNotFoundError:
        reason = "does not exist"
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
    except ValueError:
        reason = "cannot be read (a path has no NUL character)"
    raise InvalidParameterError(f"--dataset {dataset!r} {reason}; {_ALLOWED}")


def _pixels(X: np.ndarray, y: np.ndarray, X_val: np.ndarray, y_val: np.ndarray) -> Arrays:
    # In the type of the pixels, since they may be too large for single precision.
    top = np.float32(np.iinfo(X.dtype).max) if X.dtype.kind in "iu" else max(np.abs(X).max(), X.dtype.type(1))
    return (X / top).astype(np.float32), y, (X_val / top).astype(np.float32), y_val


def _idx_folder(path: Path, seed: int) -> Arrays:
    try:
        test = load_idx(path, split="test", return_X_y=True)
    except DataFormatError as error:
        if "no IDX file of test" not in str(error):
            raise
        X, y = load_idx(path, return_X_y=True)
        _check_pair(X, y)
        return _pixels(*hold_out(X, y, seed))
    train = load_idx(path, split="train", return_X_y=True)
    _check_pair(*train)
    _check_pair(*test, part="test")
    return _pixels(*train, *test)


def _check_pair(X: np.ndarray, y: np.ndarray, *, part: str = "training") -> None:
    check_samples(X, f"the {part} images")
    check_target(y, f"the {part} labels")


def _table(path: Path, target: str, seed: int, reading: dict[str, Any]) -> Arrays:
    frame, y = load_table(path, target, **reading)
    X = frame.to_numpy(np.float64, na_value=np.nan)
    check_table(X, y, [*frame.columns, target])
    # Numbers of pandas' own types are objects otherwise.
    is_number = not isinstance(y.dtype, np.dtype) and y.dtype.kind in "iuf"
    values = y.to_numpy(np.dtype(f"{y.dtype.kind}8") if is_number else None)
    check_target(values, f"the column {target!r}")
    stratify = not is_continuous(values, allow_float_classes=True)
    return _standardized(*hold_out(X, values, seed, stratify=stratify))


def _standardized(X: np.ndarray, y: np.ndarray, X_val: np.ndarray, y_val: np.ndarray) -> Arrays:
    peak = np.maximum(np.abs(X).max(axis=0), np.abs(X_val).max(axis=0))
    extreme = (peak > 0) & ((peak < _SQUARABLE[0]) | (peak > _SQUARABLE[1]))
    if extreme.any():
        unit = np.where(extreme, peak, 1.0)
        X, X_val = X / unit, X_val / unit
    mean, std = X.mean(axis=0), X.std(axis=0)
    std[std == 0] = 1.0
    return (X - mean) / std, y, (X_val - mean) / std, y_val


def _arrays(path: Path, seed: int) -> Arrays:
    arrays = load_npz(path)
    for name, array in arrays.items():
        if name.startswith("X"):
            check_samples(array, name)
            check_range(array, name)
        else:
            check_target(array, name)
    if all(array.dtype == np.uint8 and array.ndim > 2 for name, array in arrays.items() if name.startswith("X")):
        return _images(arrays, seed)
    if "X_val" in arrays:
        return arrays["X"], arrays["y"], arrays["X_val"], arrays["y_val"]
    return hold_out(arrays["X"], arrays["y"], seed, stratify=not is_continuous(arrays["y"], allow_float_classes=True))


def _images(arrays: dict[str, np.ndarray], seed: int) -> Arrays:
    """Return images as those of an IDX folder: a row of scaled pixels for each."""
    X, y, *held_out = (arrays[name] for name in ("X", "y", "X_val", "y_val") if name in arrays)
    parts = (X, y, *held_out) if held_out else hold_out(X, y, seed, stratify=not is_continuous(y))
    X, y, X_val, y_val = parts
    return _pixels(X.reshape(len(X), -1), y, X_val.reshape(len(X_val), -1), y_val)
