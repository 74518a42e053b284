"""The commands about one network: ``initsk inspect``, ``diagnose``, ``audit`` and ``recommend``."""

import json
import sys
from contextlib import nullcontext, redirect_stdout
from typing import Any

import numpy as np
import pandas as pd

from initsk.cli._checks import check_classes, check_for_perceptron, named
from initsk.cli._data import load_data, of_tables
from initsk.cli._load_network import load_network
from initsk.cli._output import OutputError, fail, show, table_text
from initsk.cli._report import choose_page, show_page
from initsk.diagnosis import Audit, Diagnosis, audit, diagnose, recommend_initializer
from initsk.exceptions import InitskError, InvalidParameterError
from initsk.inspection import ActivationSummary, inspect_activations
from initsk.report import answer_of_rates, describe_findings, json_value
from initsk.text import visible_json
from initsk.utils.results import Reported
from initsk.utils.validation import is_continuous
from initsk.utils.words import named_reason

_SHOWN = ["layer", "position", "units", "mean", "std", "rms", "zero_fraction", "dead_fraction", "saturated_fraction"]
_MAX_SAMPLES = 10_000

Options = dict[str, Any]


def run(command: str, options: Options) -> int:
    """Carry out ``inspect``, ``diagnose``, ``audit`` or ``recommend``; return the exit code."""
    report = options["report"]
    # With --json, what the user's code prints goes to stderr.
    options = options | {"stdout": sys.stdout}
    apart = redirect_stdout(sys.stderr) if options.get("json") else nullcontext()
    try:
        with apart:
            page = None
            if report is not None or options["open"]:
                page = choose_page(command, report, force=options["force"])
            result, code = _COMMANDS[command](options)
            if page is not None:
                show_page(result.to_html(page, language=options["language"]), options["open"])
    except SystemExit as end:
        # Only the user's code ends the process here: this must not pass for an answer.
        argument = "" if end.code is None else repr(end.code)
        return fail(command, f"{options['network']} called sys.exit({argument}), so there is no result")
    except InitskError as error:
        # A message about the value of an option is not about the data.
        is_about_data = not any(f"{name}=" in str(error) for name in options)
        return fail(command, f"{error}{_hint(options)}" if is_about_data else str(error))
    except (OutputError, MemoryError):
        raise
    except Exception as error:  # the user's criterion, hooks and estimator may raise anything
        if isinstance(error, OSError) and error.strerror:
            return fail(command, f"{error.filename or report or 'a file'} cannot be read or written ({error.strerror})")
        problem = f"{named_reason(error)}{_hint(options)}"
        return fail(command, f"the network does not accept these data ({problem})")
    return code


def _hint(options: Options) -> str:
    """Return which data were used, and how to give a network of the user's own the data that it takes."""
    if not options.get("has_data"):
        return ""
    shape = "" if options["shape"] or options["network"] is None else ", and --shape sets the shape of the samples"
    return f"; the data are those of --dataset {options['dataset']}{shape}"


def _inspect(options: Options) -> tuple[Reported, int]:
    model, X, y = _model_and_data(options)
    summary = inspect_activations(model, X, y, gradients=options["gradients"], weights=True)
    _print_frame(summary.to_frame()[_SHOWN])
    show("")
    show(summary.answer())
    _print_findings(summary)
    return summary, 0


def _diagnose(options: Options) -> tuple[Reported, int]:
    model, X, y = _model_and_data(options)
    chosen = {name: options[name] for name in ("optimizer", "lr", "budget", "trial_steps", "batch_size", "time_limit")}
    diagnosis = diagnose(model, X, y, random_state=options["random_state"], **chosen)
    rates = answer_of_rates(diagnosis) if options["rates"] and not diagnosis.trial.empty else ""
    if options["json"]:
        _print_json(options, "diagnose", diagnosis, **_checked(diagnosis), **_values_of(diagnosis, rates))
    else:
        show(str(diagnosis))
        _print_findings(diagnosis)
        if rates:
            show(rates)
        if not np.isnan(diagnosis.recommended_score):
            show(f"score with the recommended initializers: {diagnosis.recommended_score:.2f}")
    return diagnosis, diagnosis.exit_code


def _values_of(diagnosis: Diagnosis, rates: str) -> dict[str, Any]:
    names = ("score", "lr", "budget", "target", "loss", "baseline_loss", "recommended_score", "trial_status")
    values: dict[str, Any] = {name: json_value(getattr(diagnosis, name)) for name in names}
    return values | ({"learning_rates": _rows(diagnosis.learning_rates())} if rates else {})


def _audit(options: Options) -> tuple[Reported, int]:
    if options["no_data"] and options["network"] is None:
        raise InvalidParameterError("--no-data needs NETWORK")
    model, X = (load_network(options["network"]), None) if options["no_data"] else _model_and_data(options)[:2]
    result = audit(model, X, random_state=options["random_state"])
    if options["json"]:
        _print_json(options, "audit", result, **_checked(result), not_checked=_rows(result.not_checked))
    else:
        show(str(result))
        _print_findings(result)
        for row in result.not_checked.itertuples():
            show(f"not checked: {row.check}: {row.why}")
    return result, result.exit_code


def _recommend(options: Options) -> tuple[Reported, int]:
    # A plain module is enough: data are loaded only where they are needed to build an estimator.
    model, X, y = None if options["network"] is None else load_network(options["network"]), None, None
    if not hasattr(model, "parameters"):
        model, X, y = _model_and_data(options)
    recommendation = recommend_initializer(model, X, y)
    if options["json"]:
        measured = None if recommendation.measured is None else _rows(recommendation.measured)
        parts = {"parameters": _rows(recommendation.to_frame()), "learning_rate": recommendation.learning_rate}
        _print_json(options, "recommend", recommendation, **parts, measured=measured)
    else:
        _print_frame(recommendation.to_frame()[["name", "shape", "initializer", "variance", "why"]])
    return recommendation, 0


_COMMANDS = {"inspect": _inspect, "diagnose": _diagnose, "audit": _audit, "recommend": _recommend}


def _print_frame(frame: pd.DataFrame) -> None:
    show(table_text(frame, float_format="{:.4g}".format))


def _print_json(options: Options, command: str, result: Reported, **parts: Any) -> None:
    """Print a result as one JSON object: the command, the answer, and its parts."""
    content = {"command": command, "answer": str(result)} | parts
    show(visible_json(json.dumps(content, allow_nan=False)), options["stdout"])


def _checked(result: Diagnosis | Audit) -> Options:
    """Return the exit code, and the findings with sentences."""
    return {"exit_code": result.exit_code, "findings": _rows(describe_findings(result))}


def _rows(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    """Return the rows of a frame as JSON has them."""
    return [{name: json_value(value) for name, value in row.items()} for row in frame.to_dict("records")]


def _print_findings(result: ActivationSummary | Diagnosis | Audit) -> None:
    for finding in describe_findings(result, grouped=True).itertuples():
        show(f"{finding.kind}: {finding.evidence} Advice: {finding.advice}.")


def _model_and_data(options: Options) -> tuple[Any, Any, Any]:
    """Return the network and the held-out samples, in the shape that the network takes."""
    dataset = options["dataset"]
    reading = of_tables(options) | {"shape": options["shape"]}
    _, data = load_data(dataset, options["target"], options["random_state"], **reading)
    X, y, X_val, y_val = data
    continuous = is_continuous(y, allow_float_classes=True)
    with named(dataset):
        if not continuous:
            check_classes(data)
        if options["network"] is None:
            check_for_perceptron(data)
    X_val, y_val = X_val[:_MAX_SAMPLES], y_val[:_MAX_SAMPLES]
    if options["network"] is None:
        from initsk.estimators import MLPClassifier, MLPRegressor

        parameters = {name: options[name] for name in ("activation", "initializer", "random_state")}
        kind = MLPRegressor if continuous else MLPClassifier
        options["has_data"] = True
        return kind(options["hidden"], **parameters).initialize(X, y), X_val, y_val
    model = load_network(options["network"])
    options["has_data"] = True
    if X_val.dtype.kind == "f":
        X_val = X_val.astype(np.float32)
    if hasattr(model, "parameters"):
        # A plain module counts classes from 0, and computes in single precision.
        y_val = y_val.astype(np.float32) if continuous else np.searchsorted(np.unique(y), y_val)
    return model, X_val, y_val
