"""What ``initsk compare`` does once its options are read."""

import shlex
import sys
import warnings
from pathlib import Path
from typing import Any

import click
import joblib
import pandas as pd
from sklearn.exceptions import FitFailedWarning

from initsk.cli._data import is_continuous, load_data
from initsk.cli._list_and_report import check_folder, open_page
from initsk.comparison import ComparisonInterrupted, ComparisonResult, compare_initializers
from initsk.comparison.design import Arrays
from initsk.estimators import MLPClassifier
from initsk.exceptions import InitskError, InvalidParameterError

_NOT_PRINTED = [
    "std_score", "difference_to_best", "effect_size", "seconds_to_target", "area_under_curve", "n_runs",
]  # fmt: skip
_WITHOUT_EFFECT = ("--jobs", "--out", "--store")
_FLAGS_WITHOUT_EFFECT = ("--open",)


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
        check_folder("--out", folder)
        if is_continuous(data[1]):
            raise InvalidParameterError(
                f"{dataset}: the target has continuous numbers, and the command compares classifiers (allowed: classes;"
                " for numbers, compare_initializers with an MLPRegressor in Python)"
            )
        about = {"dataset": name, "command": command_line(sys.argv[1:])}
        result = _compare(estimator, data, names, jobs, about, options)
    except ComparisonInterrupted as interrupt:
        code = 130
        if interrupt.result is None:
            return _say("interrupted before a run had finished; nothing was kept", code)
        result, said = interrupt.result, _how_to_resume(interrupt)
    except InitskError as error:
        return _say(" ".join(str(error).split()), 2)
    try:
        page = _write(result, folder, options["axes"], options["language"])
    except OSError as error:
        return _say(f"{folder} cannot be written ({error.strerror})", 1)
    if options["open"]:
        open_page(page)
    if said:
        return _say(said.format(folder=folder), code)
    if not result.runs["score"].notna().any():
        return _say(f"no run gave a score; the first: {result.runs['reason'].iloc[0]}", 1)
    return 0


def _compare(
    estimator: MLPClassifier,
    data: Arrays,
    names: list[str],
    jobs: int | None,
    about: dict[str, str],
    options: dict[str, Any],
) -> ComparisonResult:
    X, y, X_val, y_val = data
    with warnings.catch_warnings():
        # That no run gave a score is said in a line of its own.
        warnings.simplefilter("ignore", FitFailedWarning)
        return compare_initializers(
            estimator, X, y, initializers=names, X_val=X_val, y_val=y_val,
            grid={"lr": options["lr"]} if len(options["lr"]) > 1 else None, n_repeats=options["seeds"],
            random_state=options["random_state"], racing=options["racing"], store=options["store"],
            n_jobs=jobs or joblib.cpu_count(), progress=True, about=about,
        )  # fmt: skip


def _how_to_resume(interrupt: ComparisonInterrupted) -> str:
    kept = f"interrupted; {interrupt.finished} of {interrupt.planned} runs are reported in {{folder}}"
    if interrupt.store is None:
        return f"{kept}; with --store FILE, the same command would go on from there"
    return f"{kept}; to go on: {shlex.join(['initsk', *sys.argv[1:]])}"


def _say(message: str, code: int) -> int:
    click.echo(f"initsk compare: {message}", err=True)
    return code


def _write(result: ComparisonResult, folder: Path, axes: str, language: str) -> Path:
    result.to_csv(folder)
    page = result.to_html(folder / "index.html", axes=axes, language=language)
    shown = result.summary().drop(columns=_NOT_PRINTED).set_index("rank").reset_index()
    shown["tied_with_best"] = shown["tied_with_best"].astype("string").fillna("not tested")
    whole = dict.fromkeys(["lr", "n_needed", "epochs_to_target"], _whole)
    click.echo(shown.to_string(index=False, na_rep="-", float_format="{:.4f}".format, formatters=whole))
    click.echo(f"report: {page}", err=True)
    return page


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
        elif argument not in _FLAGS_WITHOUT_EFFECT:
            kept.append(argument)
    return shlex.join(["initsk", *kept])
