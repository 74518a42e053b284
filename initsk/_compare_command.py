"""What ``initsk compare`` does once its options are read."""

import shlex
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import click
import joblib
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.exceptions import FitFailedWarning

from initsk.comparison import Arrays, ComparisonInterrupted, ComparisonResult, compare_initializers, hold_out
from initsk.datasets import load_idx, load_mnist, load_table
from initsk.estimators import MLPClassifier
from initsk.exceptions import DataFormatError, InitskError, InvalidParameterError

_NOT_PRINTED = [
    "std_score", "difference_to_best", "effect_size", "seconds_to_target", "area_under_curve", "n_runs",
]  # fmt: skip
_WITHOUT_EFFECT = ("--jobs", "--out", "--store")


def run_compare(dataset: str, target: str | None, out: Path | None, jobs: int | None, **options: Any) -> int:
    """Load, compare, write; returns the exit code."""
    names = [name.strip() for name in options["initializers"].split(",") if name.strip()]
    estimator = MLPClassifier(
        options["hidden"],
        options["activation"],
        lr=options["lr"][0],
        batch_size=options["batch_size"],
        max_epochs=options["epochs"],
        device=options["device"],
    )
    code, said = 0, ""
    try:
        estimator.check_parameters()
        name, data = load_data(dataset, target, options["limit"], options["random_state"])
        folder = out or Path("reports") / name
        _check_folder(folder)
        result = _compare(estimator, data, names, jobs, options)
    except ComparisonInterrupted as interrupt:
        code = 130
        if interrupt.result is None:
            return _say("interrupted before a run had finished; nothing was kept", code)
        result, said = interrupt.result, _how_to_resume(interrupt)
    except InitskError as error:
        return _say(" ".join(str(error).split()), 2)
    result.settings |= {"dataset": name, "command": command_line(sys.argv[1:])}
    try:
        _write(result, folder, options["axes"])
    except OSError as error:
        return _say(f"{folder} cannot be written ({error.strerror})", 1)
    if said:
        return _say(said.format(folder=folder), code)
    if not result.runs["score"].notna().any():
        return _say(f"no run gave a score; the first: {result.runs['reason'].iloc[0]}", 1)
    return 0


def _compare(
    estimator: MLPClassifier, data: Arrays, names: list[str], jobs: int | None, options: dict[str, Any]
) -> ComparisonResult:
    X, y, X_test, y_test = data
    with warnings.catch_warnings():
        # That no run gave a score is said in a line of its own.
        warnings.simplefilter("ignore", FitFailedWarning)
        return compare_initializers(
            estimator, X, y, initializers=names, X_test=X_test, y_test=y_test,
            grid={"lr": options["lr"]} if len(options["lr"]) > 1 else None, n_repeats=options["seeds"],
            random_state=options["random_state"], halving=options["halving"], store=options["store"],
            n_jobs=jobs or joblib.cpu_count(), progress=True,
        )  # fmt: skip


def _how_to_resume(interrupt: ComparisonInterrupted) -> str:
    kept = f"interrupted; {interrupt.finished} of {interrupt.planned} runs are reported in {{folder}}"
    if interrupt.store is None:
        return f"{kept}; with --store FILE, the same command would go on from there"
    return f"{kept}; to go on: {shlex.join(['initsk', *sys.argv[1:]])}"


def _say(message: str, code: int) -> int:
    click.echo(f"initsk compare: {message}", err=True)
    return code


def _write(result: ComparisonResult, folder: Path, axes: str) -> None:
    result.to_csv(folder)
    page = result.to_html(folder / "index.html", axes=axes)
    shown = result.summary().drop(columns=_NOT_PRINTED).set_index("rank").reset_index()
    shown["tied_with_best"] = shown["tied_with_best"].astype("string").fillna("not tested")
    whole = dict.fromkeys(["lr", "n_needed", "epochs_to_target"], _whole)
    click.echo(shown.to_string(index=False, na_rep="-", float_format="{:.4f}".format, formatters=whole))
    click.echo(f"report: {page}", err=True)


def _whole(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:g}"


def command_line(arguments: list[str]) -> str:
    """Return the command that repeats the run; what does not change the numbers is left out."""
    kept, skip = [], False
    for argument in arguments:
        if skip or argument.startswith(tuple(f"{option}=" for option in _WITHOUT_EFFECT)):
            skip = False
        elif argument in _WITHOUT_EFFECT:
            skip = True
        else:
            kept.append(argument)
    return shlex.join(["initsk", *kept])


def _check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be written before any time is spent; nothing is left there."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryDirectory(dir=existing):
            pass
    except OSError as error:
        reason = f"{error.strerror}: {existing}"
        raise InvalidParameterError(f"--out {str(folder)!r} cannot be written ({reason})") from error


def load_data(dataset: str, target: str | None, limit: int | None, seed: int) -> tuple[str, Arrays]:
    """Return the name of the data set, and its training and held-out parts, scaled.

    Pixels are divided by their type's largest value; the columns of a table are
    standardized with the training part's mean and standard deviation.
    """
    path = Path(dataset)
    if target is not None and not path.is_file():
        raise InvalidParameterError(f"--target {target!r} is for a CSV or Parquet file, not for --dataset {dataset!r}")
    if dataset == "mnist":
        parts = [load_mnist(split=split, return_X_y=True) for split in ("train", "test")]
        name, data = "mnist", _pixels(*parts[0], *parts[1])
    elif dataset == "digits":
        X, y = load_digits(return_X_y=True)
        name, data = "digits", hold_out(X / 16, y, seed)
    elif path.is_dir():
        name, data = path.resolve().name, _idx_folder(path, seed)
    elif path.name.lower().endswith((".csv", ".csv.gz", ".parquet")) and path.is_file():
        if target is None:
            raise InvalidParameterError(f"--dataset {dataset}: name the column to predict with --target COLUMN")
        name, data = path.name.split(".")[0], _table(path, target, seed)
    else:
        reason = "is of a kind that is not read" if path.is_file() else "is not there"
        allowed = "allowed: mnist, digits, an IDX folder, a .csv or .parquet file"
        raise InvalidParameterError(f"--dataset {dataset!r} {reason}; {allowed}")
    if limit is not None and limit < len(data[0]):
        data = _limited(data, limit, seed)
    return name, data


def _pixels(X: np.ndarray, y: np.ndarray, X_test: np.ndarray, y_test: np.ndarray) -> Arrays:
    top = np.iinfo(X.dtype).max if X.dtype.kind in "iu" else max(float(np.abs(X).max()), 1.0)
    return (X / np.float32(top)).astype(np.float32), y, (X_test / np.float32(top)).astype(np.float32), y_test


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
        raise InvalidParameterError(f"{path}: values are missing in the columns {', '.join(missing[:8])}")
    return _standardized(*hold_out(frame.to_numpy(np.float64), y.to_numpy(), seed))


def _standardized(X: np.ndarray, y: np.ndarray, X_test: np.ndarray, y_test: np.ndarray) -> Arrays:
    mean, std = X.mean(axis=0), X.std(axis=0)
    std[std == 0] = 1.0
    return (X - mean) / std, y, (X_test - mean) / std, y_test


def _limited(data: Arrays, limit: int, seed: int) -> Arrays:
    X, y, X_test, y_test = data
    rows = np.sort(np.random.default_rng(seed).permutation(len(X))[:limit])
    return X[rows], y[rows], X_test, y_test
