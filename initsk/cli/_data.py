"""Loading the data that ``--dataset`` names: checked, scaled, and with a part held out."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from initsk.cli._checks import check_range, check_samples, check_target, named
from initsk.cli._option_rules import DATA_OF_OPTIONS, TABLES
from initsk.cli._output import say
from initsk.cli._samples import Samples, shaped
from initsk.cli._tables import load_table_samples
from initsk.comparison.design import Arrays
from initsk.datasets import TABLE_SUFFIXES, load_idx, load_mnist, load_npz, read_table
from initsk.exceptions import DataFormatError, DataFormatWarning, InvalidParameterError

_ALLOWED = f"allowed: mnist, digits, an IDX folder, or a file ending with {', '.join(TABLE_SUFFIXES)} or .npz"


def load_data(
    dataset: str,
    target: str | None,
    seed: int,
    *,
    shape: tuple[int, ...] = (),
    task: str | None = None,
    **of_tables: Any,
) -> tuple[Arrays, bool]:
    """Return the training and the held-out part of a data set, scaled, and whether the targets are numbers to predict.

    Pixels are divided by the largest value of their type. The columns of a table are prepared by `table_preparation`,
    fitted on the training part. The arrays of an NPZ file are used unchanged, except images of bytes, which become rows
    of pixels. `shape` is that of a sample, `task` the task or None, and `of_tables` has the options for tables. What
    warnings about a file say is printed.

    Raises
    ------
    DataFormatError
        If a file is damaged.
    InvalidParameterError
        If the data cannot be used; the message names the data set and, where there is one, the column and the row.
    """
    _, samples = load_samples(dataset, target, **of_tables)
    with named(dataset):
        samples = samples.for_task(task)
        X, y, X_val, y_val = samples.divided(seed)
    X, X_val = (shaped(part, shape, samples.shape_in_file) for part in (X, X_val))
    return (X, y, X_val, y_val), samples.are_numbers


def load_samples(dataset: str, target: str | None, **of_tables: Any) -> tuple[str, Samples]:
    """Return the name of the data set, and its samples, not divided and, if they are a table, not prepared.

    Raises
    ------
    DataFormatError, InvalidParameterError
        As in `load_data`.
    """
    with named(dataset or "--dataset ''"), _printed_warnings():
        return _load(dataset, target, {name: value for name, value in of_tables.items() if value is not None})


def of_tables(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a command that are for tables only, besides the target."""
    names = [name for name, data in DATA_OF_OPTIONS.items() if data == TABLES and name != "target"]
    return {name: options[name] for name in names if name in options}


@contextmanager
def _printed_warnings() -> Iterator[None]:
    """Print the warnings about a file as lines on standard error."""
    with warnings.catch_warnings(record=True, action="always", category=DataFormatWarning) as caught:
        yield
    for warning in caught:
        say(f"initsk: {warning.message}")


def _load(dataset: str, target: str | None, of_tables: dict[str, Any]) -> tuple[str, Samples]:
    path = Path(dataset)
    is_folder = bool(dataset) and os.path.isdir(path)
    is_named = dataset in ("mnist", "digits")
    if not is_folder and not is_named:
        _check_exists(dataset)
    is_table = path.name.lower().endswith(TABLE_SUFFIXES) and not is_folder
    is_npz = path.suffix.lower() == ".npz"
    if not (is_folder or is_named or is_table or is_npz):
        raise InvalidParameterError(f"--dataset {dataset!r} is of an unknown kind; {_ALLOWED}")
    given = ({} if target is None else {"target": target}) | of_tables
    if given and not is_table:
        (name, value), *_ = given.items()
        is_for = f"--{name} {str(value)!r} is for a table, such as a CSV file"
        raise InvalidParameterError(f"{is_for}, not for --dataset {dataset!r}")
    if dataset == "mnist":
        parts = [load_mnist(split=split, return_X_y=True) for split in ("train", "test")]
        return "mnist", _pixels(Samples(*parts[0], *parts[1]))
    if dataset == "digits":
        X, y = load_digits(return_X_y=True)
        return "digits", Samples(X / 16, y)
    if is_folder:
        folder = path.resolve()
        # torchvision has the files of MNIST in the folder MNIST/raw.
        return (folder.parent if folder.name == "raw" else folder).name, _idx_folder(path)
    if is_table:
        if target is None:
            reading = {name: of_tables[name] for name in ("sep", "decimal") if name in of_tables}
            last = read_table(path, **reading).columns[-1:].tolist()
            columns = f"; the last column is {last[0]!r}" if last else ""
            raise InvalidParameterError(
                f"--dataset {dataset}: name the column to predict with --target COLUMN{columns}"
            )
        return path.name.split(".")[0] or path.name, load_table_samples(path, target, **of_tables)
    return path.stem, _arrays(path)


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


def _pixels(samples: Samples) -> Samples:
    X, X_val = samples.X, samples.X_val
    # In the type of the pixels, since they may be too large for single precision.
    top = np.float32(np.iinfo(X.dtype).max) if X.dtype.kind in "iu" else max(np.abs(X).max(), X.dtype.type(1))
    scaled = (X / top).astype(np.float32)
    return samples._replace(X=scaled, X_val=None if X_val is None else (X_val / top).astype(np.float32))


def _idx_folder(path: Path) -> Samples:
    try:
        test = load_idx(path, split="test", return_X_y=True)
    except DataFormatError as error:
        if "no IDX file of test" not in str(error):
            raise
        X, y = load_idx(path, return_X_y=True)
        _check_pair(X, y)
        return _pixels(Samples(X, y))
    train = load_idx(path, split="train", return_X_y=True)
    _check_pair(*train)
    _check_pair(*test, part="test")
    return _pixels(Samples(*train, *test))


def _check_pair(X: np.ndarray, y: np.ndarray, *, part: str = "training") -> None:
    check_samples(X, f"the {part} images")
    check_target(y, f"the {part} labels")


def _arrays(path: Path) -> Samples:
    arrays = load_npz(path)
    for name, array in arrays.items():
        if name.startswith("X"):
            check_samples(array, name)
            check_range(array, name)
        else:
            check_target(array, name)
    samples = Samples(arrays["X"], arrays["y"], arrays.get("X_val"), arrays.get("y_val"))
    if all(array.dtype == np.uint8 and array.ndim > 2 for name, array in arrays.items() if name.startswith("X")):
        return _images(samples)
    return samples


def _images(samples: Samples) -> Samples:
    """Return images as those of an IDX folder: a row of scaled pixels for each."""
    X, X_val = samples.X, samples.X_val
    X_val = None if X_val is None else X_val.reshape(len(X_val), -1)
    return _pixels(samples._replace(X=X.reshape(len(X), -1), X_val=X_val, shape_in_file=X.shape[1:]))
