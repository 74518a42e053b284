"""The commands about one network: ``initsk inspect``, ``diagnose``, ``audit`` and ``recommend``."""

import importlib
import json
import pickle
import runpy
import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from initsk.cli._data import load_data
from initsk.cli._report import check_folder, fail, show_page
from initsk.cli._terminal import say, table_text
from initsk.diagnosis import Audit, Diagnosis, audit, diagnose, recommend_initializer
from initsk.exceptions import InitskError, InvalidParameterError, ModuleError
from initsk.inspection import ActivationSummary, inspect_activations
from initsk.report import answer_of_rates, describe_findings, json_value
from initsk.text import visible_json
from initsk.utils.results import Reported
from initsk.utils.validation import is_continuous, unknown_name

_ALLOWED = "allowed: package.module:factory, file.py:factory, or a .pt or .pth file that torch.save wrote"
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
            if report is not None:
                check_folder("--report", report.parent)
            result, code = _COMMANDS[command](options)
            if report is not None or options["open"]:
                page = result.to_html(report or Path("reports") / f"{command}.html", language=options["language"])
                show_page(page, options["open"])
    except SystemExit as end:
        # Only the user's code ends the process here: this must not pass for an answer.
        argument = "" if end.code is None else repr(end.code)
        return fail(command, f"{options['network']} called sys.exit({argument}), so there is no result")
    except InitskError as error:
        # An error of the network itself is the cause: it does not accept the user's data.
        is_about_data = isinstance(error, ModuleError) and error.__cause__ is not None
        return fail(command, f"{error}{_hint(options)}" if is_about_data else str(error))
    except OSError as error:
        return fail(command, f"{report} cannot be written ({error.strerror})")
    except (RuntimeError, ValueError, TypeError, LookupError) as error:
        # The user's network raised an error for the user's data.
        problem = f"{type(error).__name__}: {error}{_hint(options)}"
        return fail(command, f"the network does not accept these data ({problem})")
    return code


def _hint(options: Options) -> str:
    """Return how to give a network of the user's own the data that it takes."""
    if options["network"] is None or options.get("no_data"):
        return ""
    shape = "" if options["shape"] else ", and --shape sets the shape of the samples"
    return f"; the data are those of --dataset {options['dataset']}{shape}"


def _inspect(options: Options) -> tuple[Reported, int]:
    model, X, y = _model_and_data(options)
    summary = inspect_activations(model, X, y, gradients=options["gradients"], weights=True)
    _print_frame(summary.to_frame()[_SHOWN])
    say("")
    say(summary.answer())
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
        say(str(diagnosis))
        _print_findings(diagnosis)
        if rates:
            say(rates)
        if not np.isnan(diagnosis.recommended_score):
            say(f"score with the recommended initializers: {diagnosis.recommended_score:.2f}")
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
        say(str(result))
        _print_findings(result)
        for row in result.not_checked.itertuples():
            say(f"not checked: {row.check}: {row.why}")
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
    say(table_text(frame, float_format="{:.4g}".format))


def _print_json(options: Options, command: str, result: Reported, **parts: Any) -> None:
    """Print a result as one JSON object: the command, the answer, and its parts."""
    content = {"command": command, "answer": str(result)} | parts
    say(visible_json(json.dumps(content, allow_nan=False)), file=options["stdout"])


def _checked(result: Diagnosis | Audit) -> Options:
    """Return the exit code, and the findings with sentences."""
    return {"exit_code": result.exit_code, "findings": _rows(describe_findings(result))}


def _rows(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    """Return the rows of a frame as JSON has them."""
    return [{name: json_value(value) for name, value in row.items()} for row in frame.to_dict("records")]


def _print_findings(result: ActivationSummary | Diagnosis | Audit) -> None:
    for finding in describe_findings(result, grouped=True).itertuples():
        say(f"{finding.kind}: {finding.evidence} Advice: {finding.advice}.")


def _model_and_data(options: Options) -> tuple[Any, Any, Any]:
    """Return the network and the held-out samples, in the shape that the network takes."""
    _, (X, y, X_val, y_val) = load_data(options["dataset"], options["target"], None, options["random_state"])
    X_val, y_val = X_val[:_MAX_SAMPLES], y_val[:_MAX_SAMPLES]
    if options["network"] is None:
        from initsk.estimators import MLPClassifier, MLPRegressor

        parameters = {name: options[name] for name in ("activation", "initializer", "random_state")}
        kind = MLPRegressor if is_continuous(y, allow_float_classes=True) else MLPClassifier
        return kind(options["hidden"], **parameters).initialize(X, y), X_val, y_val
    model = load_network(options["network"])
    if X_val.dtype.kind == "f":
        X_val = X_val.astype(np.float32)
    if options["shape"]:
        try:
            X_val = X_val.reshape(len(X_val), *options["shape"])
        except ValueError as error:
            raise InvalidParameterError(
                f"--shape does not fit: the number of values of a sample is {X_val[0].size}"
            ) from error
    if hasattr(model, "parameters"):
        # A plain module counts classes from 0, and computes in single precision.
        continuous = is_continuous(y, allow_float_classes=True)
        y_val = y_val.astype(np.float32) if continuous else np.searchsorted(np.unique(y), y_val)
    return model, X_val, y_val


def load_network(network: str) -> Any:
    """Return the module or estimator that NETWORK names.

    The code of the file or module is run, so use only files that you trust. A factory is called without arguments; an
    object that is a module or an estimator already is returned as it is.

    Raises
    ------
    InvalidParameterError
        If the network cannot be found or made.
    """
    path = Path(network)
    if path.suffix.lower() in (".pt", ".pth") and path.is_file():
        return _load_saved(path)
    # In two steps and not by pkgutil.resolve_name: a file can be named, and a wrong factory gets the nearest name.
    place, _, name = network.rpartition(":")
    if not place or not name:
        raise InvalidParameterError(f"NETWORK {network!r} cannot be found ({_ALLOWED})")
    module = _import(place)
    if not hasattr(module, name):
        names = [known for known, value in vars(module).items() if not known.startswith("_") and callable(value)]
        raise InvalidParameterError(f"{place}: {unknown_name('factory', name, names)}")
    found = getattr(module, name)
    if not isinstance(found, type) and (hasattr(found, "parameters") or hasattr(found, "get_params")):
        return found
    if not callable(found):
        raise InvalidParameterError(
            f"{network} has the type {type(found).__name__} (allowed: a module, an estimator, or a function)"
        )
    try:
        return found()
    except Exception as error:  # the user's code may raise anything
        raise InvalidParameterError(f"{network} raised {type(error).__name__}: {error}") from error


def _import(place: str) -> Any:
    """Return the module of a dotted name, or the names that a file defines."""
    try:
        if place.endswith(".py"):
            if not Path(place).is_file():
                raise FileNotFoundError("there is no such file")
            return SimpleNamespace(**runpy.run_path(place))
        # As with python -m, modules of the working directory can be imported.
        sys.path.insert(0, "")
        try:
            return importlib.import_module(place)
        finally:
            sys.path.remove("")
    except Exception as error:  # the user's code may raise anything
        raise InvalidParameterError(f"{place} cannot be imported ({type(error).__name__}: {error})") from error


def _load_saved(path: Path) -> Any:
    import torch

    try:
        found = torch.load(path, map_location="cpu", weights_only=False)
    except (OSError, RuntimeError, EOFError, AttributeError, ImportError, pickle.UnpicklingError) as error:
        raise InvalidParameterError(f"{path} cannot be read ({type(error).__name__}: {error})") from error
    if not isinstance(found, torch.nn.Module):
        kind = type(found).__name__
        raise InvalidParameterError(
            f"{path} holds an object of the type {kind}, not a module (allowed: what torch.save(module) writes)"
        )
    return found
