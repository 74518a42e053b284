"""The command line. Nothing heavy is imported before a command really runs."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from initsk._version import __version__

_ARTICLE = "zeros,random_normal,glorot_normal,he_normal,lecun_normal,orthogonal"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="initsk")
def cli() -> None:
    """Weight initialization for neural networks: compare, inspect, report."""


def _sizes(context: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(part) for part in value.split(","))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 1:
        example = parameter.default or "1,28,28"
        raise click.BadParameter(f"{value!r} is not a list of sizes such as {example}")
    return sizes


def _rates(context: click.Context, parameter: click.Parameter, value: str) -> list[float]:
    try:
        return [float(part) for part in value.split(",")]
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a list of learning rates such as 0.001,0.01") from error


def _language(context: click.Context, parameter: click.Parameter, value: str) -> str:
    from initsk.language import languages

    if value not in languages():
        raise click.BadParameter(f"{value!r} is not one of {', '.join(languages())}")
    return value


def _shape(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    return () if value is None else _sizes(context, parameter, value)


_POSITIVE = click.IntRange(min=1)
_Options = Callable[[Callable[..., None]], Callable[..., None]]
_DATA = click.option(
    "--dataset", default="mnist", show_default=True, help="mnist, digits, an IDX folder, or a CSV, Parquet or NPZ file."
)
_TARGET = click.option("--target", help="Column to predict, for a CSV or Parquet file.")
_HIDDEN = click.option(
    "--hidden", default="512,256,128,64", show_default=True, callback=_sizes, help="Widths of the hidden layers."
)
_ACTIVATION = click.option(
    "--activation", default="relu", show_default=True, help="Activation function of the hidden layers."
)
_SEED = click.option(
    "--random-state", default=0, show_default=True, type=click.IntRange(min=0), help="Seed of everything."
)
_AXES = click.option("--axes", default="shared", show_default=True, type=click.Choice(["shared", "article"]),
                     help="Axes of the histograms: sensible shared ones, or the article's -1..1 by 0..4.")  # fmt: skip
_LANGUAGE = click.option(
    "--language", default="en", show_default=True, callback=_language, help="Of the report: en, id, or another one."
)
_OPEN = click.option("--open", is_flag=True, help="Open the report in the browser.")


def _of_network(command: Callable[..., None]) -> Callable[..., None]:
    """Add what the commands about one network have in common."""
    options: list[_Options] = [
        click.argument("network", required=False),
        _DATA,
        _TARGET,
        click.option("--shape", callback=_shape, help="Shape of a sample as the network takes it: 1,28,28."),
        _HIDDEN,
        _ACTIVATION,
        click.option("--initializer", default="he_normal", show_default=True, help="Of the network without a NETWORK."),
        _SEED,
        click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write a report to this page."),
        _LANGUAGE,
        _OPEN,
    ]
    for option in reversed(options):
        command = option(command)
    return command


@cli.command()
@_DATA
@_TARGET
@click.option("--initializers", default=_ARTICLE, show_default=True, help="Names, separated by commas.")
@click.option("--seeds", default=10, show_default=True, type=_POSITIVE, help="Paired repeats.")
@click.option("--epochs", default=5, show_default=True, type=_POSITIVE, help="Passes over the training data.")
@click.option("--batch-size", default=32, show_default=True, type=_POSITIVE, help="Samples per step.")
@_HIDDEN
@_ACTIVATION
@click.option("--lr", default="0.001", show_default=True, callback=_rates,
              help="Learning rate of Adam; of several, 0.001,0.01, each initializer is shown at its best.")  # fmt: skip
@click.option("--racing", is_flag=True, help="Leave out who is clearly behind before all seeds are run.")
@click.option("--store", type=click.Path(dir_okay=False, path_type=Path),
              help="Keep every finished run in this SQLite file; the same command goes on from there.")  # fmt: skip
@click.option("--jobs", type=_POSITIVE, help="Runs at once; default: the number of processors.")
@click.option("--device", default="cpu", show_default=True, help="torch device.")
@click.option("--limit", type=_POSITIVE, help="Use this many training samples only.")
@_AXES
@_SEED
@_LANGUAGE
@_OPEN
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the report; default: reports/NAME.",
)
def compare(**options: Any) -> None:
    """Compare initializers; with no option, the article's experiment on MNIST.

    Pixels are scaled to 0..1, a table's columns standardized. Where there is no test set of its
    own, a quarter of the samples, drawn by class, is held out for the scores.
    """
    from initsk.cli._compare import run_compare

    sys.exit(run_compare(**options))


@cli.command()
@_of_network
@click.option("--gradients/--no-gradients", default=True, show_default=True, help="Measure the gradients as well.")
def inspect(**options: Any) -> None:
    """Look into a network: statistics and verdicts of every layer over held-out samples.

    NETWORK is package.module:factory, file.py:factory, or a .pt file of a whole module; its code is run. Without
    one, it is a perceptron of the options' kind at its initialization.
    """
    from initsk.cli._network import run_inspect

    sys.exit(run_inspect(**options))


@cli.command()
@_of_network
@click.option("--optimizer", help="adam, adamw, rmsprop or sgd; default: the estimator's, and sgd for a plain module.")
def diagnose(**options: Any) -> None:
    """Say whether a network will train, before it does: exit code 0 if so, 1 if it is ill.

    NETWORK is package.module:factory, file.py:factory, or a .pt file of a whole module; its code is run. Without
    one, it is a perceptron of the options' kind at its initialization.
    """
    from initsk.cli._network import run_diagnose

    sys.exit(run_diagnose(**options))


@cli.command()
@_of_network
def recommend(**options: Any) -> None:
    """Say which initializer suits each layer of a network, and why.

    NETWORK is package.module:factory, file.py:factory, or a .pt file of a whole module; its code is run. Without
    one, it is a perceptron of the options' kind.
    """
    from initsk.cli._network import run_recommend

    sys.exit(run_recommend(**options))


@cli.command()
@click.argument("store", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path),
              help="Folder of the report; default: reports/NAME.")  # fmt: skip
@_AXES
@_LANGUAGE
@_OPEN
def report(**options: Any) -> None:
    """Make the report of a store of runs, whether its comparison has finished, was killed or still runs."""
    from initsk.cli._list_and_report import run_report

    sys.exit(run_report(**options))


@cli.command("list")
@click.option(
    "--framework",
    type=click.Choice(["torch", "keras", "jax", "timm"]),
    help="List the names of another framework, and what each means here.",
)
@click.option("--markdown", is_flag=True, help="Write everything as a page of Markdown.")
def list_command(framework: str | None, markdown: bool) -> None:
    """List the initializers with their laws and papers."""
    from initsk.cli._list_and_report import list_markdown, list_text

    click.echo(list_markdown().removesuffix("\n") if markdown else list_text(framework))


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a usage error is one line on standard error and exit code 2."""
    try:
        code = cli.main(args=arguments, prog_name="initsk", standalone_mode=False)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "initsk"
        click.echo(f"{where}: {error.format_message()}", err=True)
        code = 2
    except click.exceptions.Abort:
        click.echo("initsk: interrupted; nothing was kept", err=True)
        code = 130
    except click.exceptions.Exit as done:
        code = done.exit_code
    sys.exit(code if isinstance(code, int) else 0)
