"""Options that have no effect beside the others are refused: a command ignores nothing silently."""

from collections.abc import Iterator
from typing import Any

import click
from click.core import ParameterSource

from initsk.exceptions import InvalidParameterError

Options = dict[str, Any]

ANY_DATA, TABLES, ARRAYS, UNDIVIDED = "any data", "tables", "arrays", "data without a test set"
#: The data that each option of ``initsk compare`` is for; beside other data, the option is refused.
DATA_OF_OPTIONS = {
    **dict.fromkeys(["target", "sep", "decimal", "drop", "test"], TABLES),
    "shape": ARRAYS,
    "cv": UNDIVIDED,
    **dict.fromkeys(["dataset", "task", "scoring", "limit"], ANY_DATA),
    **dict.fromkeys(["initializers", "repeats", "epochs", "batch_size", "hidden", "activation", "lr"], ANY_DATA),
    **dict.fromkeys(["racing", "store", "jobs", "device", "random_state"], ANY_DATA),
    **dict.fromkeys(["axes", "language", "open", "out", "force"], ANY_DATA),
}


def check_effect(command: str, options: Options) -> None:
    """Raise InvalidParameterError if an option of a command about a network has no effect beside the others.

    Only options that stand on the command line count, no defaults.
    """
    problems = list(_problems(command, options, given_options()))
    if problems:
        raise InvalidParameterError("; ".join(problems))


def given_options() -> list[str]:
    """Return the names of the options and arguments that stand on the command line, in the order of ``--help``."""
    context = click.get_current_context()
    names = [parameter.name for parameter in context.command.params if parameter.name]
    return [name for name in names if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]


def _problems(command: str, options: Options, given: list[str]) -> Iterator[str]:
    def among(*names: str) -> str:
        return " and ".join(f"--{name.replace('_', '-')}" for name in given if name in names)

    if options.get("no_data"):
        if options["network"] is None:
            yield "--no-data needs NETWORK"
        if unused := among("dataset", "target", "sep", "decimal", "drop", "task", "shape", "max_samples"):
            yield f"{unused}: not allowed with --no-data, which loads no data"
    if options["network"] is None:
        if unused := among("training"):
            yield f"{unused} needs NETWORK: the perceptron has no layers that depend on the mode"
    elif unused := among("hidden", "activation"):
        yield f"{unused}: not allowed with NETWORK, which has its own layers (leave out NETWORK, or the option)"
    if not (options["report"] or options["open"]) and (unused := among("language", "force")):
        yield f"{unused}: only for a report (add --report FILE or --open)"
    if command == "inspect":
        if not options["gradients"] and (unused := among("optimizer", "lr")):
            yield f"{unused}: not allowed with --no-gradients, since an update needs gradients"
        elif options["optimizer"] is None and (unused := among("lr")):
            yield f"{unused} needs --optimizer NAME"
    if command == "diagnose" and not options["trial_steps"] and options["rates"] and (unused := among("rates")):
        yield f"{unused} needs --trial-steps of at least 1"
