"""Loading the data that ``--dataset`` names: scaled, and with a part held out."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from initsk.comparison.design import Arrays, hold_out
from initsk.datasets import load_idx, load_mnist, load_table
from initsk.exceptions import DataFormatError, InvalidParameterError
from initsk.utils.validation import is_continuous

TABLES = (".csv", ".csv.gz", ".parquet")


def load_data(dataset: str, target: str | None, limit: int | None, seed: int) -> tuple[str, Arrays]:
    """Return the name of the data set, and its training and held-out parts, scaled.

    Pixels are divided by the largest value of their type. The columns of a table are standardized with the mean and
    the standard deviation of the training part. The arrays of an NPZ file are used unchanged.
    """
    path = Path(dataset)
    is_table = path.name.lower().endswith(TABLES)
    if target is not None and not (path.is_file() and is_table):
        raise InvalidParameterError(f"--target {target!r} is for a CSV or Parquet file, not for --dataset {dataset!r}")
    if dataset == "mnist":
        parts = [load_mnist(split=split, return_X_y=True) for split in ("train", "test")]
        name, data = "mnist", _pixels(*parts[0], *parts[1])
    elif dataset == "digits":
        X, y = load_digits(return_X_y=True)
        name, data = "digits", hold_out(X / 16, y, seed)
    elif path.is_dir():
        name, data = path.resolve().name, _idx_folder(path, seed)
    elif is_table and path.is_file():
        if target is None:
            raise InvalidParameterError(f"--dataset {dataset}: name the column to predict with --target COLUMN")
        name, data = path.name.split(".")[0], _table(path, target, seed)
    elif path.suffix.lower() == ".npz" and path.is_file():
        name, data = path.stem, _arrays(path, seed)
    else:
        reason = "is of an unknown kind" if path.is_file() else "does not exist"
        allowed = "allowed: mnist, digits, an IDX folder, a .csv, .parquet or .npz file"
        raise InvalidParameterError(f"--dataset {dataset!r} {reason}; {allowed}")
    if limit is not None and limit < len(data[0]):
        rows = np.sort(np.random.default_rng(seed).permutation(len(data[0]))[:limit])
        data = (data[0][rows], data[1][rows], *data[2:])
    return name, data


def _pixels(X: np.ndarray, y: np.ndarray, X_val: np.ndarray, y_val: np.ndarray) -> Arrays:
    top = np.iinfo(X.dtype).max if X.dtype.kind in "iu" else max(float(np.abs(X).max()), 1.0)
    return (X / np.float32(top)).astype(np.float32), y, (X_val / np.float32(top)).astype(np.float32), y_val


def _idx_folder(path: Path, seed: int) -> Arrays:
    try:
        test = load_idx(path, split="test", return_X_y=True)
    except DataFormatError as error:
        if "no IDX file of test" not in str(error):
            raise
        X, y = load_idx(path, return_X_y=True)
        return _pixels(*hold_out(X, y, seed))
    return _pixels(*load_idx(path, split="train", return_X_y=True), *test)


def _table(path: Path, target: str, seed: int) -> Arrays:
    frame, y = load_table(path, target)
    missing = [str(name) for name, values in [*frame.items(), (target, y)] if values.isna().any()]
    if missing:
        raise InvalidParameterError(f"{path}: columns with missing values: {', '.join(missing[:8])}")
    values = y.to_numpy()
    stratify = not is_continuous(values, allow_float_classes=True)
    X, y_train, X_val, y_val = hold_out(frame.to_numpy(np.float64), values, seed, stratify=stratify)
    mean, std = X.mean(axis=0), X.std(axis=0)
    std[std == 0] = 1.0
    return (X - mean) / std, y_train, (X_val - mean) / std, y_val


def _arrays(path: Path, seed: int) -> Arrays:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise DataFormatError(f"{path}: cannot be read ({str(error).splitlines()[0]})") from error
    if not {"X", "y"} <= arrays.keys() or ("X_val" in arrays) != ("y_val" in arrays):
        names = ", ".join(arrays) or "none"
        raise DataFormatError(f"{path}: its arrays are {names} (allowed: X and y, with or without X_val and y_val)")
    for X, y in (("X", "y"), ("X_val", "y_val")):
        if X in arrays and len(arrays[X]) != len(arrays[y]):
            raise DataFormatError(
                f"{path}: the number of rows of {X} is {len(arrays[X])}, and that of {y} is {len(arrays[y])}"
            )
    if "X_val" in arrays:
        return arrays["X"], arrays["y"], arrays["X_val"], arrays["y_val"]
    return hold_out(arrays["X"], arrays["y"], seed, stratify=not is_continuous(arrays["y"], allow_float_classes=True))
