"""The options of all commands, and how their values are read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Command = Callable[..., None]
_ARTICLE = "zeros,random_normal,glorot_normal,he_normal,lecun_normal,orthogonal"


def _sizes(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    """Return sizes such as "512,256" as integers; an option that is not given has none."""
    if value is None:
        return ()
    try:
        numbers = tuple(int(part) for part in value.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        example = parameter.default if isinstance(parameter.default, str) else "1,28,28"
        raise click.BadParameter(f"{value!r} is not a list of sizes such as {example}")
    return numbers


def _separator(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Return one character; a backslash and t, which a shell does not replace, is a tab."""
    if value is None or len(value) == 1:
        return value
    if value == r"\t":
        return "\t"
    raise click.BadParameter(f"{value!r} is not one character, such as ; or \\t")


def _names(context: click.Context, parameter: click.Parameter, value: str | None) -> list[str] | None:
    """Return names separated by commas as a list; an option that is not given has none."""
    if value is None:
        return None
    names = [name.strip() for name in value.split(",") if name.strip()]
    if not names:
        raise click.BadParameter(f"{value!r} has no name")
    return names


def _learning_rates(context: click.Context, parameter: click.Parameter, value: str) -> list[float]:
    """Return learning rates such as "0.001,0.01" as numbers."""
    try:
        return [float(part) for part in value.split(",")]
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a list of learning rates such as 0.001,0.01") from error


def _known_language(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Return the code of the language if there is a catalogue for it."""
    from initsk.language import languages

    if value not in languages():
        raise click.BadParameter(f"{value!r} is not one of {', '.join(languages())}")
    return value


class _Whole(click.IntRange):
    """Whole numbers of a range; text gets a message about the numbers that are allowed."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        """Return the number."""
        try:
            int(value)
        except ValueError:
            largest = "" if self.max is None else f" and at most {self.max}"
            self.fail(f"{value!r} is not a whole number (allowed: at least {self.min}{largest})", parameter, context)
        return super().convert(value, parameter, context)


class _Path(click.Path):
    """A path that may exist; an empty one, which would be the current folder, is refused."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        """Return the path."""
        if not str(value) or "\0" in str(value):
            self.fail(f"{value!r} is not a path", parameter, context)
        return super().convert(value, parameter, context)


_POSITIVE = _Whole(min=1)
_FILE = _Path(dir_okay=False, path_type=Path)
_FOLDER = _Path(file_okay=False, path_type=Path)
#: The type of an argument that names a file to read.
EXISTING_FILE = _Path(exists=True, dir_okay=False, path_type=Path)

# The settings of each option, as click takes them.
_OPTIONS: dict[str, dict[str, Any]] = {
    "--dataset": {"default": "mnist",
        "help": "The data: mnist, digits, a folder of IDX files, a table (CSV, TSV, ARFF or Parquet), or an NPZ file."},
    "--target": {"help": "The column to predict; required for a table."},
    "--sep": {"callback": _separator,
        "help": "The character between two values of a CSV file, such as ; or \\t; default: found in the file."},
    "--decimal": {"type": click.Choice([".", ","]),
        "help": "The decimal mark of a CSV file; default: found in the file."},
    "--drop": {"help": "Columns of a table to leave out, separated by commas; names with commas in double quotes."},
    "--test": {"type": EXISTING_FILE,
        "help": "A table with the same columns, whose samples are held out for the scores."},
    "--task": {"type": click.Choice(["classification", "regression"]),
        "help": "What the target is; default: numbers with fractions, or of many values, are for regression."},
    "--scoring": {
        "help": "Scores, names of scikit-learn separated by commas; the first one ranks. Default: accuracy, or r2 and"
        " neg_root_mean_squared_error."},
    "--cv": {"type": _Whole(min=2), "help": "Cross-validate with this many folds, new ones in every repeat;"
        " default: a new held-out quarter in every repeat."},
    "--shape": {"callback": _sizes,
        "help": "Shape that the network expects of a sample, such as 1,28,28; of a perceptron, such as 784."},
    "--initializers": {"default": _ARTICLE, "help": "Names in `initsk list`, separated by commas."},
    "--initializer": {
        "help": "Draw the weights anew with this initializer, a name in `initsk list`; default: those of NETWORK, or"
        " he_normal without NETWORK."},
    "--repeats": {"default": 10, "type": _POSITIVE, "help": "Number of paired repeats."},
    "--epochs": {"default": 5, "type": _POSITIVE, "help": "Passes over the training data."},
    "--batch-size": {"default": 32, "type": _POSITIVE, "help": "Samples per step."},
    "--hidden": {"default": "512,256,128,64", "callback": _sizes, "help": "Units of each hidden layer."},
    "--activation": {"default": "relu",
        "help": "Activation function of the hidden layers, such as relu, tanh or gelu."},
    "--optimizer": {
        "help": "Name of one of torch's optimizers, such as adam, adamw, rmsprop or sgd; default: the optimizer of the"
        " estimator, and adam for a plain module."},
    "diagnose --lr": {"type": click.FloatRange(min=0, min_open=True),
        "help": "Learning rate of the training; default: that of the optimizer."},
    "--budget": {"type": _POSITIVE,
        "help": "Steps that the training may take; default: those of the estimator, and 500 for a plain module."},
    "--trial-steps": {"default": 32, "type": _Whole(min=0), "help": "Steps of the trial on a copy."},
    "diagnose --batch-size": {"type": _POSITIVE,
        "help": "Samples per step; default: those of the estimator, and 64 for a plain module."},
    "--time-limit": {"default": 60.0, "type": click.FloatRange(min=0, min_open=True),
        "help": "Seconds for the whole diagnosis, with the other learning rates."},
    "--rates/--no-rates": {"default": True, "help": "Try other learning rates as well."},
    "inspect --optimizer": {
        "help": "Measure the first update of adam, adamw, rmsprop or sgd; default: the optimizer of the estimator, and"
        " none for a plain module."},
    "inspect --lr": {"type": click.FloatRange(min=0, min_open=True),
        "help": "Learning rate of --optimizer; default: that of the optimizer."},
    "--layers": {"callback": _names, "help": "Layers to inspect: names or patterns such as 'encoder.*', separated by"
        " commas; default: all layers with parameters."},
    "--training": {"is_flag": True,
        "help": "Run the network in training mode, with dropout and the moments of each batch."},
    "inspect --max-samples": {"default": 10_000, "type": _POSITIVE, "help": "Number of held-out samples to use."},
    "diagnose --max-samples": {"default": 512, "type": _POSITIVE,
        "help": "Number of training samples for the values at the start."},
    "audit --max-samples": {"default": 256, "type": _Whole(min=2),
        "help": "Number of held-out samples to use."},
    "recommend --time-limit": {"type": click.FloatRange(min=0, min_open=True),
        "help": "Seconds for the comparison with other initializers; default: no limit."},
    "--lr": {"default": "0.001", "callback": _learning_rates,
        "help": "Learning rate of Adam. With several, such as 0.001,0.01, the ranking has each initializer at its best"
        " one."},
    "--racing": {"is_flag": True,
        "help": "Stop initializers that are significantly worse before all repeats are run."},
    "--store": {"type": _FILE, "help": "Keep every finished run in this SQLite file. After an interruption,"
        " the same command continues from there."},
    "--jobs": {"type": _POSITIVE, "help": "Number of runs at a time; default: the number of processors."},
    "--device": {"default": "cpu", "help": "Device that torch computes on: cpu, cuda, mps, auto, ..."},
    "--limit": {"type": _POSITIVE, "help": "Use at most this many training samples, drawn at random."},
    "--gradients/--no-gradients": {"default": True, "help": "Measure the gradients as well."},
    "--no-data": {"is_flag": True, "help": "Audit only the weights; no data are loaded, and NETWORK is required."},
    "--json": {"is_flag": True, "help": "Print the result as one JSON object instead of sentences."},
    "--random-state": {"default": 0, "type": _Whole(min=0, max=2**63 - 1),
        "help": "Seed of all random numbers, also of those that the code of NETWORK draws."},
    "--axes": {"default": "shared", "type": click.Choice(["shared", "article"]),
        "help": "Axes of the histograms: fitted to the data and shared, or values -1..1 and densities 0..4 as in the"
        " article."},
    "--report": {"type": _FILE, "help": "Write a report to this HTML file; default with --open: reports/COMMAND.html."},
    "--language": {"default": "en", "callback": _known_language, "help": "Language of the report: en or id."},
    "--open": {"is_flag": True, "help": "Open the report in the browser."},
    "--out": {"type": _FOLDER, "help": "Folder for the report and the tables; default: reports/NAME, or with the next"
        " free number."},
    "--force": {"is_flag": True, "help": "Overwrite an earlier report."},
    "--framework": {"type": click.Choice(["torch", "keras", "jax", "timm"]),
        "help": "List the names of another framework and their meaning here."},
    "--markdown": {"is_flag": True,
        "help": "Print Markdown tables of all initializers and of the names of all frameworks."},
}  # fmt: skip


def takes(*names: str) -> Callable[[Command], Command]:
    """Return a decorator that adds options to a command, in the order in which ``--help`` shows them."""

    def add(command: Command) -> Command:
        for name in reversed(names):
            # A name may begin with the command for which an option has other values.
            command = click.option(name.rpartition(" ")[2], **_OPTIONS[name])(command)
        return command

    return add


def takes_network(command: Command) -> Command:
    """Add the argument NETWORK and the options that all commands about one network share."""
    add = takes(
        "--dataset", "--target", "--sep", "--decimal", "--drop", "--task", "--shape", "--hidden", "--activation",
        "--random-state", "--report", "--language", "--open", "--force",
    )  # fmt: skip
    return click.argument("network", required=False)(add(command))
