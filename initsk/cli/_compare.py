"""The command ``initsk compare``."""

import shlex
import sys
import warnings
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from sklearn.exceptions import FitFailedWarning

from initsk.cli._checks import check_classes, check_for_perceptron, named
from initsk.cli._data import load_data
from initsk.cli._output import fail, show, table_text
from initsk.cli._report import check_folder, show_page, write_comparison
from initsk.comparison import ComparisonInterrupted, ComparisonResult, compare_initializers
from initsk.comparison.design import Arrays
from initsk.estimators import MLPClassifier
from initsk.exceptions import InitskError, InvalidParameterError
from initsk.utils.validation import is_continuous

_NOT_PRINTED = [
    "std_score", "difference_to_best", "effect_size", "seconds_to_target", "area_under_curve", "n_runs",
    "n", "difference_low", "difference_high", "p_equivalence", "margin", "significant",
]  # fmt: skip
_WITHOUT_EFFECT = ("--jobs", "--out", "--store")


def run_compare(dataset: str, target: str | None, out: Path | None, **options: Any) -> int:
    """Compare initializers, print the ranking and write the report; return the exit code."""
    estimator = MLPClassifier(
        options["hidden"], options["activation"], lr=options["lr"][0], batch_size=options["batch_size"],
        max_epochs=options["epochs"], device=options["device"],
    )  # fmt: skip
    code, note = 0, ""
    try:
        estimator.check_parameters()
        name, data = load_data(dataset, target, options["limit"], options["random_state"])
        folder = out or Path("reports") / name
        check_folder("--out", folder)
        with named(dataset):
            _check_classification(data, options["limit"])
        about = {"dataset": name, "command": command_line(sys.argv[1:])}
        result = _compare(estimator, data, about, options)
    except ComparisonInterrupted as interrupt:
        code = 130
        if interrupt.result is None:
            return fail("compare", "interrupted before the first run had finished; no results were kept", code)
        result, note = interrupt.result, _how_to_continue(interrupt, folder)
    except InitskError as error:
        return fail("compare", str(error))
    try:
        page = write_comparison(result, folder, **options)
    except OSError as error:
        return fail("compare", f"{folder} cannot be written ({error.strerror})", 1)
    _print_ranking(result)
    show_page(page, options["open"])
    if note:
        return fail("compare", note, code)
    if not result.runs["score"].notna().any():
        return fail("compare", f"no run gave a score; reason of the first: {result.runs['reason'].iloc[0]}", 1)
    return 0


def _check_classification(data: Arrays, limit: int | None) -> None:
    check_for_perceptron(data)
    if is_continuous(data[1], allow_float_classes=True):
        raise InvalidParameterError(
            "the target has continuous numbers, but the command compares classifiers (allowed: classes; for numbers,"
            " use compare_initializers with an MLPRegressor in Python)"
        )
    check_classes(data, limit)


def _compare(
    estimator: MLPClassifier, data: Arrays, about: dict[str, str], options: dict[str, Any]
) -> ComparisonResult:
    X, y, X_val, y_val = data
    names = [name.strip() for name in options["initializers"].split(",") if name.strip()]
    grid = {"lr": options["lr"]} if len(options["lr"]) > 1 else None
    as_given = {name: options[name] for name in ("random_state", "racing", "store")}
    # The command prints a line of its own if no run gives a score.
    with warnings.catch_warnings(action="ignore", category=FitFailedWarning):
        return compare_initializers(
            estimator, X, y, initializers=names, grid=grid, X_val=X_val, y_val=y_val, n_repeats=options["repeats"],
            n_jobs=options["jobs"] or joblib.cpu_count(), progress=True, about=about, **as_given,
        )  # fmt: skip


def _how_to_continue(interrupt: ComparisonInterrupted, folder: Path) -> str:
    kept = f"interrupted; the report in {folder} has {interrupt.finished} of {interrupt.planned} runs"
    if interrupt.store is None:
        return f"{kept}; with --store FILE, the same command would continue from there"
    return f"{kept}; to continue: {shlex.join(['initsk', *sys.argv[1:]])}"


def _print_ranking(result: ComparisonResult) -> None:
    ranking = result.summary().drop(columns=_NOT_PRINTED).set_index("rank").reset_index()
    whole = dict.fromkeys(["lr", "n_needed", "epochs_to_target"], _whole)
    show(table_text(ranking, float_format="{:.4f}".format, formatters=whole))


def _whole(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:g}"


def command_line(arguments: list[str]) -> str:
    """Return the command that repeats the run, without the options that do not change the numbers."""
    kept, skip = [], False
    for argument in arguments:
        if skip or argument.startswith(tuple(f"{option}=" for option in _WITHOUT_EFFECT)):
            skip = False
        elif argument in _WITHOUT_EFFECT:
            skip = True
        elif argument != "--open":
            kept.append(argument)
    return shlex.join(["initsk", *kept])
