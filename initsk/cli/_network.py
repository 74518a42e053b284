"""The commands about one network: ``initsk inspect``, ``diagnose``, ``audit`` and ``recommend``."""

import json
import sys
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone

from initsk.cli._command_line import command_line
from initsk.cli._model import FORWARD_PASS, hint_at_data, load_model, model_and_data
from initsk.cli._option_rules import Options, check_effect, given_options
from initsk.cli._output import OutputError, fail, show, table_text
from initsk.cli._report import choose_page, show_page
from initsk.diagnosis import Audit, Diagnosis, Recommendation, audit, diagnose, recommend_initializer
from initsk.exceptions import InitskError
from initsk.inspection import ActivationSummary, inspect_activations
from initsk.network import get_optimizer, initialized, is_unbuilt
from initsk.report import answer_of_rates, describe_findings, json_value
from initsk.text import visible_json
from initsk.utils.words import named_reason

_SHOWN = ["layer", "position", "units", "mean", "std", "rms", "zero_fraction", "dead_fraction", "saturated_fraction"]
_RATIOS = ["name", "size", "weight_norm", "gradient_norm", "gradient_to_weight", "update_to_weight"]


# Options with which `recommend` loads data.
_NEEDS_DATA = {"dataset", "target", "sep", "decimal", "drop", "task", "shape", "time_limit"}


class Outcome(NamedTuple):
    """The outcome of a command: the result, the exit code, the printed text, and options of the report."""

    result: ActivationSummary | Diagnosis | Audit | Recommendation
    code: int
    text: str
    of_report: tuple[tuple[str, Any], ...] = ()


def run(command: str, options: Options) -> int:
    """Carry out ``inspect``, ``diagnose``, ``audit`` or ``recommend``; return the exit code."""
    report = options["report"]
    # With --json, what the user's code prints goes to stderr.
    stdout = sys.stdout
    apart = redirect_stdout(sys.stderr) if options["json"] else nullcontext()
    try:
        check_effect(command, options)
        with apart:
            place = None
            if report is not None or options["open"]:
                place = choose_page(command, report, force=options["force"])
            outcome = _COMMANDS[command](options)
            try:
                show(outcome.text, stdout)
            finally:
                # What reads the output may have ended: the page is for other readers.
                if place is not None:
                    outcome.result.settings.update(_what_was_run(options))
                    page = outcome.result.to_html(place.path, language=options["language"], **dict(outcome.of_report))
                    show_page(page, place, options["open"])
    except SystemExit as end:
        # Only the user's code ends the process here: this must not pass for an answer.
        argument = "" if end.code is None else repr(end.code)
        return fail(command, f"{options['network']} called sys.exit({argument}), so there is no result")
    except InitskError as error:
        # The command has another name than the function.
        message = str(error).removeprefix(f"{_FUNCTIONS.get(command, command)}: ")
        return fail(
            command, message if _is_about_option(message, options) else message + hint_at_data(options, message)
        )
    except (OutputError, MemoryError):
        raise
    except Exception as error:  # the user's criterion, hooks and estimator may raise anything
        if isinstance(error, OSError) and error.strerror:
            return fail(command, f"{error.filename or report or 'a file'} cannot be read or written ({error.strerror})")
        problem = f"{named_reason(error)}{hint_at_data(options, FORWARD_PASS)}"
        return fail(command, f"the network does not accept these data ({problem})")
    return outcome.code


def _what_was_run(options: Options) -> dict[str, Any]:
    """Return the network, the data and the command, for the page."""
    found = {"network": options["network"], "command": command_line()}
    if options.get("has_data"):
        found |= {"dataset": options["dataset"], "target_name": options["target"]}
    return {name: value for name, value in found.items() if value is not None}


def _is_about_option(message: str, options: Options) -> bool:
    """Return whether a message is about the value of an option, and not about the data."""
    names = [options.get(name) for name in ("optimizer", "initializer", "activation")]
    given = [*(options.get("layers") or []), *filter(None, names)]
    return any(f"{name}=" in message for name in options) or any(repr(value) in message for value in given)


def _inspect(options: Options) -> Outcome:
    model, X, y = model_and_data(options, held_out=True)
    X, y = X[: options["max_samples"]], y[: options["max_samples"]]
    chosen = {name: options[name] for name in ("layers", "gradients", "training", "random_state")}
    summary = inspect_activations(model, X, y, weights=True, optimizer=_optimizer(options), **chosen)
    frame, parameters = summary.to_frame(), summary.parameters().dropna(axis="columns", how="all")
    if options["json"]:
        parts = {"layers": _rows(frame), "parameters": _rows(summary.parameters())}
        findings = _rows(describe_findings(summary))
        return Outcome(summary, 0, _json("inspect", summary.answer(), **parts, findings=findings))
    tables = [_table(frame[_SHOWN])]
    if not parameters.empty:
        tables.append(_table(parameters[[name for name in _RATIOS if name in parameters]]))
    return Outcome(summary, 0, "\n\n".join([*tables, "\n".join([summary.answer(), *_findings(summary)])]))


def _optimizer(options: Options) -> Callable[[Any], Any] | None:
    """Return the function that makes the optimizer of ``--optimizer`` and ``--lr``, or None."""
    if options["optimizer"] is None:
        return None
    return partial(get_optimizer(options["optimizer"]), **({} if options["lr"] is None else {"lr": options["lr"]}))


def _diagnose(options: Options) -> Outcome:
    # The score is about the training data, whose number sets the steps of an estimator's epochs.
    model, X, y = model_and_data(options, held_out=False)
    names = ("optimizer", "lr", "budget", "trial_steps", "batch_size", "max_samples", "time_limit", "random_state")
    diagnosis = diagnose(model, X, y, **{name: options[name] for name in names})
    tried = options["rates"] and not diagnosis.trial.empty and not diagnosis.is_trained
    rates = answer_of_rates(diagnosis) if tried else ""
    of_report = (("rates", options["rates"]),)
    if options["json"]:
        text = _json("diagnose", str(diagnosis), **_checked(diagnosis), **_values_of(diagnosis, rates))
        return Outcome(diagnosis, diagnosis.exit_code, text, of_report)
    lines = [str(diagnosis), *_findings(diagnosis), *([rates] if rates else [])]
    if not np.isnan(diagnosis.recommended_score):
        lines.append(f"score with the recommended initializers: {diagnosis.recommended_score:.2f}")
    return Outcome(diagnosis, diagnosis.exit_code, "\n".join(lines), of_report)


def _values_of(diagnosis: Diagnosis, rates: str) -> dict[str, Any]:
    names = ("score", "lr", "budget", "target", "loss", "baseline_loss", "recommended_score", "trial_status")
    values: dict[str, Any] = {name: json_value(getattr(diagnosis, name)) for name in names}
    return values | ({"learning_rates": _rows(diagnosis.learning_rates())} if rates else {})


def _audit(options: Options) -> Outcome:
    model, X, y = (load_model(options), None, None) if options["no_data"] else model_and_data(options, held_out=True)
    if X is not None and is_unbuilt(model):
        model = initialized(clone(model), X, y)
    result = audit(model, X, max_samples=options["max_samples"], random_state=options["random_state"])
    if options["json"]:
        text = _json("audit", str(result), **_checked(result), not_checked=_rows(result.not_checked))
    else:
        left = [f"not checked: {row.check}: {row.why}" for row in result.not_checked.itertuples()]
        text = "\n".join([str(result), *_findings(result), *left])
    return Outcome(result, result.exit_code, text)


def _recommend(options: Options) -> Outcome:
    # A plain module is enough: data are loaded only where they are needed or given.
    model, X, y = None if options["network"] is None else load_model(options), None, None
    if not hasattr(model, "parameters") or _NEEDS_DATA & set(given_options()):
        model, X, y = model_and_data(options, model, held_out=False)
    chosen = {name: options[name] for name in ("time_limit", "random_state")}
    recommendation = recommend_initializer(model, X, y, **chosen)
    measured = recommendation.measured
    if options["json"]:
        parts = {"parameters": _rows(recommendation.to_frame()), "learning_rate": recommendation.learning_rate}
        parts["not_tried"] = recommendation.not_tried
        text = _json("recommend", str(recommendation), **parts, measured=None if measured is None else _rows(measured))
    else:
        advice = recommendation.to_frame()[["name", "shape", "initializer", "variance", "why"]]
        tables = map(_table, [advice] if measured is None else [advice, measured])
        notes = "\n".join([*recommendation.on_samples, *recommendation.learning_rate])
        text = "\n\n".join([*tables, notes] if notes else tables)
    return Outcome(recommendation, 0, text)


_FUNCTIONS = {"inspect": "inspect_activations", "recommend": "recommend_initializer"}
_COMMANDS = {"inspect": _inspect, "diagnose": _diagnose, "audit": _audit, "recommend": _recommend}


def _table(frame: pd.DataFrame) -> str:
    return table_text(frame, float_format="{:.4g}".format)


def _json(command: str, answer: str, **parts: Any) -> str:
    """Return a result as one JSON object: the command, the answer, and its parts."""
    return visible_json(json.dumps({"command": command, "answer": answer} | parts, allow_nan=False))


def _checked(result: Diagnosis | Audit) -> Options:
    """Return the exit code, and the findings with sentences."""
    return {"exit_code": result.exit_code, "findings": _rows(describe_findings(result))}


def _rows(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    """Return the rows of a frame as JSON has them."""
    return [{name: json_value(value) for name, value in row.items()} for row in frame.to_dict("records")]


def _findings(result: ActivationSummary | Diagnosis | Audit) -> list[str]:
    """Return a line for each finding."""
    found = describe_findings(result, grouped=True).itertuples()
    return [f"{finding.kind}: {finding.evidence} Advice: {finding.advice}." for finding in found]
