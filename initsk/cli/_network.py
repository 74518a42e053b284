"""What NETWORK stands for on the command line: a function in a module or in a file, or a saved module."""

import importlib
import importlib.util
import pickle
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd

from initsk.cli._data import is_continuous, load_data
from initsk.cli._list_and_report import check_report, write_on_request
from initsk.diagnosis import diagnose, recommend_initializer
from initsk.exceptions import InitskError, InvalidParameterError
from initsk.inspection import inspect_activations
from initsk.utils.results import Reported
from initsk.utils.validation import unknown_name

_ALLOWED = "allowed: package.module:factory, file.py:factory, or a module saved by torch.save in a .pt or .pth file"


def load_network(network: str) -> Any:
    """Return the module or estimator that is meant.

    The file or the module's code is run: it must be one's own. A factory is called without arguments; what is
    a module or an estimator already is taken as it is.

    Raises
    ------
    InvalidParameterError
        If it cannot be found or made.
    """
    place, _, name = network.rpartition(":")
    path = Path(network)
    if path.suffix.lower() in (".pt", ".pth") and path.is_file():
        return _saved(path)
    if not place or not name:
        raise InvalidParameterError(f"NETWORK {network!r} is not to be found ({_ALLOWED})")
    module = _imported(place)
    if not hasattr(module, name):
        names = [known for known, value in vars(module).items() if not known.startswith("_") and callable(value)]
        raise InvalidParameterError(f"{place}: {unknown_name('factory', name, names)}")
    found = getattr(module, name)
    if (hasattr(found, "parameters") and not isinstance(found, type)) or hasattr(found, "get_params"):
        return found if not isinstance(found, type) else _made(network, found)
    return _made(network, found)


def _made(network: str, factory: Any) -> Any:
    if not callable(factory):
        raise InvalidParameterError(f"{network} is a {type(factory).__name__}, and no function that makes a network")
    try:
        return factory()
    except Exception as error:  # whatever a stranger's code raises
        raise InvalidParameterError(f"{network} raised {type(error).__name__}: {error}") from error


def _imported(place: str) -> Any:
    path = Path(place)
    try:
        if path.suffix == ".py":
            return _run(path)
        # As with python -m: what lies in this folder can be imported.
        sys.path.insert(0, "")
        try:
            return importlib.import_module(place)
        finally:
            sys.path.remove("")
    except Exception as error:  # whatever a stranger's code raises
        raise InvalidParameterError(f"{place} cannot be imported ({type(error).__name__}: {error})") from error


def _run(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError("there is no such file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _saved(path: Path) -> Any:
    import torch

    try:
        found = torch.load(path, map_location="cpu", weights_only=False)
    except (OSError, RuntimeError, EOFError, AttributeError, ImportError, pickle.UnpicklingError) as error:
        raise InvalidParameterError(f"{path} cannot be read ({type(error).__name__}: {error})") from error
    if not isinstance(found, torch.nn.Module):
        raise InvalidParameterError(
            f"{path} holds a {type(found).__name__}, and no module (allowed: torch.save(module))"
        )
    return found


_SHOWN = ["layer", "position", "units", "mean", "std", "rms", "zero_fraction", "dead_fraction", "saturated_fraction"]
_MAX_SAMPLES = 10_000


def run_inspect(network: str | None, **options: Any) -> int:
    """Print statistics and verdicts of the held-out samples; returns the exit code."""
    return _carried_out("inspect", _inspect, network, options)


def run_diagnose(network: str | None, **options: Any) -> int:
    """Print what is wrong; returns 0 for a network that will train, and 1 for another."""
    return _carried_out("diagnose", _diagnose, network, options)


def run_recommend(network: str | None, **options: Any) -> int:
    """Print which initializer suits each parameter; returns the exit code."""
    return _carried_out("recommend", _recommend, network, options)


def _carried_out(name: str, command: Any, network: str | None, options: dict[str, Any]) -> int:
    try:
        check_report(options)
        result, code = command(network, options)
        write_on_request(result, name, options)
    except InitskError as error:
        return _say(name, str(error))
    except OSError as error:
        return _say(name, f"{options['report']} cannot be written ({error.strerror})")
    except (RuntimeError, ValueError, TypeError, LookupError) as error:
        # The user's network on the user's data: what one does not take of the other is known to its author alone.
        hint = "" if options["shape"] or network is None else "; --shape gives samples the shape that it takes"
        return _say(name, f"the network does not take these data ({type(error).__name__}: {error}{hint})")
    return int(code)


def _say(name: str, message: str) -> int:
    click.echo(f"initsk {name}: {' '.join(message.split())}", err=True)
    return 2


def _inspect(network: str | None, options: dict[str, Any]) -> tuple[Reported, int]:
    model, X, y = _subject(network, options)
    summary = inspect_activations(model, X, y, gradients=options["gradients"], weights=True)
    frame = summary.to_frame()
    click.echo(frame[_SHOWN].to_string(index=False, na_rep="-", float_format="{:.4g}".format))
    click.echo("")
    _say_findings(summary.verdicts(), "advice")
    return summary, 0


def _diagnose(network: str | None, options: dict[str, Any]) -> tuple[Reported, int]:
    model, X, y = _subject(network, options)
    diagnosis = diagnose(model, X, y, optimizer=options["optimizer"])
    click.echo(str(diagnosis))
    _say_findings(diagnosis.findings, "fix")
    if not np.isnan(diagnosis.recommended_score):
        click.echo(f"with the recommended initializers: score {diagnosis.recommended_score:.2f}")
    return diagnosis, diagnosis.exit_code


def _say_findings(findings: pd.DataFrame, column: str) -> None:
    for verdict, evidence, advice in findings[["verdict", "evidence", column]].to_numpy().tolist():
        click.echo(f"{verdict}: {evidence}" + (f" ({advice})" if advice else ""))


def _recommend(network: str | None, options: dict[str, Any]) -> tuple[Reported, int]:
    if network is None:
        model, X, y = _subject(network, options)
    else:
        model, X, y = load_network(network), None, None
        if not hasattr(model, "parameters"):
            model, X, y = _subject(network, options)
    recommendation = recommend_initializer(model, X, y)
    frame = recommendation.to_frame()[["name", "shape", "initializer", "variance", "why"]]
    click.echo(frame.to_string(index=False, na_rep="-", float_format="{:.4g}".format))
    return recommendation, 0


def _subject(network: str | None, options: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Return the network and the held-out samples, in the shape that it takes."""
    _, (X, y, X_val, y_val) = load_data(options["dataset"], options["target"], None, options["random_state"])
    if network is None:
        from initsk.estimators import MLPClassifier, MLPRegressor

        made = {name: options[name] for name in ("activation", "initializer", "random_state")}
        kind = MLPRegressor if is_continuous(y) else MLPClassifier
        return kind(options["hidden"], **made).initialize(X, y), X_val[:_MAX_SAMPLES], y_val[:_MAX_SAMPLES]
    model = load_network(network)
    X_val = X_val[:_MAX_SAMPLES].astype(np.float32) if X_val.dtype.kind == "f" else X_val[:_MAX_SAMPLES]
    if options["shape"]:
        try:
            X_val = X_val.reshape(len(X_val), *options["shape"])
        except ValueError as error:
            each = X_val[0].size
            raise InvalidParameterError(f"--shape does not fit: a sample has {each} values") from error
    y_val = y_val[:_MAX_SAMPLES]
    if hasattr(model, "parameters"):
        # A plain module counts classes from 0, and computes in single precision.
        y_val = y_val.astype(np.float32) if is_continuous(y) else np.searchsorted(np.unique(y), y_val)
    return model, X_val, y_val
