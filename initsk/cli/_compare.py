"""The command ``initsk compare``."""

import shlex
import warnings
from collections.abc import Callable
from math import isfinite, isinf
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from sklearn.exceptions import FitFailedWarning
from sklearn.pipeline import Pipeline

from initsk.cli._checks import check_for_perceptron, named
from initsk.cli._command_line import command_line, same_command
from initsk.cli._data import load_samples, of_tables
from initsk.cli._design import check_scoring_names, describe_imbalance, describe_task, divide, scorers
from initsk.cli._interrupts import INTERRUPTED, is_interrupt
from initsk.cli._output import fail, say, show, table_text
from initsk.cli._report import Place, choose_folder, show_page, write_comparison
from initsk.cli._samples import Samples
from initsk.comparison import ComparisonInterrupted, ComparisonResult, compare_initializers
from initsk.comparison.results import error_name, grid_columns, grid_names, missing_runs, score_names
from initsk.estimators import MLPClassifier, MLPRegressor
from initsk.exceptions import InitskError, InvalidParameterError, StoreError
from initsk.report import answer_of, describe_not_beating, name_of_baseline
from initsk.text import number_text

_ABOUT_STORE = "with --store FILE, the same command would continue from there"
_NOT_PRINTED = [
    "std_score", "difference_to_best", "effect_size", "seconds_to_target", "area_under_curve", "n_runs",
    "n", "difference_low", "difference_high", "p_equivalence", "margin", "significant",
]  # fmt: skip


def run_compare(dataset: str, target: str | None, out: Path | None, **options: Any) -> int:
    """Compare initializers, print the ranking and write the report; return the exit code."""
    try:
        return _run(dataset, target, out, options)
    except BaseException as error:
        if not is_interrupt(error):
            raise
        return fail("compare", f"interrupted; {_what_is_kept(options['store'])}", INTERRUPTED)


def _run(dataset: str, target: str | None, out: Path | None, options: dict[str, Any]) -> int:
    code, note = 0, ""
    try:
        _network(MLPClassifier, options).check_parameters()
        check_scoring_names(options["scoring"])
        name, samples = load_samples(dataset, target, **of_tables(options))
        place = choose_folder(name, out, options["store"], force=options["force"])
        with named(dataset):
            arguments = _arguments(samples, is_table=target is not None, options=options)
        about = {"dataset": name, "command": command_line()}
        if target is not None:
            about["target_name"] = target
        result = _compare(arguments | {"about": about}, options)
    except ComparisonInterrupted as interrupt:
        if interrupt.result is None:
            raise
        code, result, note = INTERRUPTED, interrupt.result, _how_to_continue(interrupt, place.path)
    except InitskError as error:
        return fail("compare", str(error))
    if not note and not result.runs["score"].notna().any():
        step = "; try a lower --lr" if (result.runs["status"] == "diverged").all() else ""
        return fail("compare", f"no run gave a score; reason of the first: {result.runs['reason'].iloc[0]}{step}", 1)
    code = _write(result, place, code, options)
    return fail("compare", note, code) if note and code == INTERRUPTED else code


def _write(result: ComparisonResult, place: Place, code: int, options: dict[str, Any]) -> int:
    """Write the report and print the ranking; return the exit code, `code` if nothing went wrong."""
    try:
        page = write_comparison(result, place.path, **options)
    except OSError as error:
        return fail("compare", f"{place.path} cannot be written ({error.strerror})", 1)
    except BaseException as error:
        if options["store"] is not None or not is_interrupt(error):
            raise
        unfinished = f"interrupted while the report was written; {place.path} has only a part of it"
        return fail("compare", f"{unfinished}, and the same command makes all runs again; {_ABOUT_STORE}", INTERRUPTED)
    _print_ranking(result)
    show_page(page, place, options["open"])
    return code


def _network(kind: type[MLPClassifier | MLPRegressor], options: dict[str, Any]) -> MLPClassifier | MLPRegressor:
    return kind(
        options["hidden"], options["activation"], lr=options["lr"][0], batch_size=options["batch_size"],
        max_epochs=options["epochs"], device=options["device"],
    )  # fmt: skip


def _arguments(samples: Samples, *, is_table: bool, options: dict[str, Any]) -> dict[str, Any]:
    """Return the estimator, the data, the splits and the scoring of the comparison, and print what misleads."""
    if is_table and options["shape"]:
        raise InvalidParameterError("--shape is for arrays; the samples of a table are its rows")
    if not is_table:
        samples = samples.shaped(options["shape"])
        check_for_perceptron(samples)
    samples = samples.for_task(options["task"])
    regression = samples.are_numbers
    samples, cv = divide(samples, regression, options)
    scoring = scorers(options["scoring"], regression)
    notes = [
        describe_task(samples.y, regression) if is_table and options["task"] is None else "",
        "" if regression else describe_imbalance(samples.y, scoring, samples.y_val),
    ]
    for note in filter(None, notes):
        say(f"initsk compare: {note}")
    network = _network(MLPRegressor if regression else MLPClassifier, options)
    estimator = Pipeline([("preparation", samples.preparation), ("network", network)]) if is_table else network
    data = {"X": samples.X, "y": samples.y, "X_val": samples.X_val, "y_val": samples.y_val}
    return {"estimator": estimator, **data, "cv": cv, "scoring": scoring}


def _compare(arguments: dict[str, Any], options: dict[str, Any]) -> ComparisonResult:
    names = [name.strip() for name in options["initializers"].split(",") if name.strip()]
    within = "network__" if isinstance(arguments["estimator"], Pipeline) else ""
    grid = {f"{within}lr": options["lr"]} if len(options["lr"]) > 1 else None
    as_given = {name: options[name] for name in ("random_state", "racing", "store")}
    # The command prints a line of its own if no run gives a score.
    with warnings.catch_warnings(action="ignore", category=FitFailedWarning):
        return compare_initializers(
            **arguments, initializers=names, parameter=f"{within}initializer", grid=grid, n_repeats=options["repeats"],
            n_jobs=options["jobs"] or joblib.cpu_count(), progress=True, **as_given,
        )  # fmt: skip


def _how_to_continue(interrupt: ComparisonInterrupted, folder: Path) -> str:
    kept = f"interrupted; the report in {folder} has {interrupt.finished} of {interrupt.planned} runs"
    if interrupt.store is None:
        return f"{kept}; {_ABOUT_STORE}"
    return f"{kept}; to continue: {same_command()}"


def _what_is_kept(store: Path | None) -> str:
    """Return which runs an interrupted command has kept, and how to go on."""
    if store is None:
        return f"no results were kept; {_ABOUT_STORE}"
    try:
        # The store may belong to another comparison, or have no run yet.
        result = ComparisonResult.from_store(store) if store.exists() else None
    except StoreError:
        result = None
    if result is None or result.runs.empty:
        return "no run had finished; the same command starts again"
    n_runs = len(result.runs)
    found = f"{store} has {n_runs} of {n_runs + missing_runs(result.runs, result.settings)} runs"
    report = shlex.join(["initsk", "report", str(store)])
    return f"{found}; to continue: {same_command()} (or {report}, for a report of these runs)"


def _print_ranking(result: ComparisonResult) -> None:
    ranking = result.summary().drop(columns=_NOT_PRINTED).set_index("rank").reset_index()
    runs = result.tuned().runs
    # The first scorer ranks; the others are shown beside it, errors without the sign of scikit-learn's scorers.
    names = score_names(runs)
    for place, name in enumerate(names[1:], start=list(ranking).index("high") + 1):
        sign = -1 if error_name(name) else 1
        means = sign * runs[f"score_{name}"].groupby(runs["initializer"].astype(str)).mean()
        ranking.insert(place, error_name(name) or name, ranking["initializer"].map(means))
    # A line has no room for columns that say nothing.
    empty = [name for name in ("n_failed", "n_diverged", "epochs_to_target") if not ranking[name].fillna(0).any()]
    ranking = ranking.drop(columns=empty)
    if names:
        ranking = ranking.rename(columns={"mean_score": names[0]})
    ranking = ranking.rename(columns=grid_names(grid_columns(runs)))
    forms = {"lr": _whole(), "n_needed": _whole("no number suffices"), "epochs_to_target": _whole("never")}
    table = table_text(ranking, float_format=number_text, formatters=forms)
    parts = [answer_of(result), _score_and_baseline(result, names), describe_not_beating(result), table]
    show("\n\n".join(filter(None, parts)))


def _score_and_baseline(result: ComparisonResult, names: list[str]) -> str:
    """Return which score ranks, and the score of the baseline if there is one."""
    score = f"score: {names[0] if names else result.settings['scoring']}"
    baseline = result.baseline_score()
    return f"{score}; {name_of_baseline(result)} {number_text(baseline)}" if isfinite(baseline) else score


def _whole(infinite: str = "inf") -> Callable[[float], str]:
    """Return what writes numbers without needless zeros, and infinite ones in words."""
    return lambda value: "-" if pd.isna(value) else infinite if isinf(value) else f"{value:g}"
