"""The commands and their options. Each command imports its libraries only when it runs, so ``--help`` stays fast."""

import sys
from pathlib import Path
from typing import Any

import click

from initsk._version import __version__
from initsk.cli import _options as options

_ARTICLE = "zeros,random_normal,glorot_normal,he_normal,lecun_normal,orthogonal"
_NETWORK = (
    "NETWORK is package.module:factory, file.py:factory, or a .pt file with a whole module. The command runs its code."
    " Without NETWORK, the command uses a perceptron made from --hidden, --activation and --initializer."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__, prog_name="initsk")
def cli() -> None:
    """Compare weight initializers, inspect and diagnose neural networks, and write reports."""


@cli.command()
@options.dataset
@options.target
@click.option("--initializers", default=_ARTICLE, help="Names, separated by commas.")
@click.option("--repeats", default=10, type=options.positive, help="Number of paired repeats.")
@click.option("--epochs", default=5, type=options.positive, help="Passes over the training data.")
@click.option("--batch-size", default=32, type=options.positive, help="Samples per step.")
@options.hidden
@options.activation
@click.option(
    "--lr",
    default="0.001",
    callback=options.learning_rates,
    help="Learning rate of Adam. With several, such as 0.001,0.01, each initializer is shown at its best rate.",
)
@click.option(
    "--racing", is_flag=True, help="Stop initializers that are significantly worse before all repeats are run."
)
@click.option(
    "--store",
    type=options.file_path,
    help="Keep every finished run in this SQLite file. After an interruption, the same command continues from there.",
)
@click.option("--jobs", type=options.positive, help="Number of runs at a time; default: the number of processors.")
@click.option("--device", default="cpu", help="Device of torch.")
@click.option("--limit", type=options.positive, help="Use only this many training samples.")
@options.axes
@options.random_state
@options.language
@options.open_report
@options.out
def compare(**arguments: Any) -> None:
    """Compare initializers. Without options, run the article's experiment on MNIST.

    The command scales pixels to 0..1 and standardizes the columns of a table. If the data have no test set, it holds
    out a quarter of the samples of every class for the scores.
    """
    from initsk.cli._compare import run_compare

    sys.exit(run_compare(**arguments))


@cli.command(epilog=_NETWORK)
@options.network_options
@click.option("--gradients/--no-gradients", default=True, help="Measure the gradients as well.")
def inspect(**arguments: Any) -> None:
    """Inspect a network: print statistics and findings of every layer over held-out samples."""
    from initsk.cli._network import run

    sys.exit(run("inspect", arguments))


@cli.command(epilog=_NETWORK)
@options.network_options
@click.option(
    "--optimizer",
    help="adam, adamw, rmsprop or sgd; default: the optimizer of the estimator, and sgd for a plain module.",
)
def diagnose(**arguments: Any) -> None:
    """Estimate whether a network will train. The exit code is 0 if it will, and 1 if it will not."""
    from initsk.cli._network import run

    sys.exit(run("diagnose", arguments))


@cli.command(epilog=_NETWORK)
@options.network_options
def recommend(**arguments: Any) -> None:
    """Recommend an initializer for each layer of a network, with reasons."""
    from initsk.cli._network import run

    sys.exit(run("recommend", arguments))


@cli.command()
@click.argument("store", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.out
@options.axes
@options.language
@options.open_report
def report(**arguments: Any) -> None:
    """Write the report of a store of runs. The comparison may be finished, interrupted or still running."""
    from initsk.cli._report import run_report

    sys.exit(run_report(**arguments))


@cli.command("list")
@click.option(
    "--framework",
    type=click.Choice(["torch", "keras", "jax", "timm"]),
    help="List the names of another framework and their meaning here.",
)
@click.option("--markdown", is_flag=True, help="Print a Markdown page with all initializers and all frameworks.")
def list_command(framework: str | None, markdown: bool) -> None:
    """List the initializers with their formulas and papers."""
    from initsk.cli._list import list_markdown, list_text

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
        click.echo("initsk: interrupted; no results were kept", err=True)
        code = 130
    except click.exceptions.Exit as done:
        code = done.exit_code
    sys.exit(code if isinstance(code, int) else 0)
