"""Options that several commands share, and how their values are read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Command = Callable[..., None]


def sizes(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    """Return sizes such as "512,256" as integers; an option that is not given has none."""
    if value is None:
        return ()
    try:
        numbers = tuple(int(part) for part in value.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        example = parameter.default or "1,28,28"
        raise click.BadParameter(f"{value!r} is not a list of sizes such as {example}")
    return numbers


def learning_rates(context: click.Context, parameter: click.Parameter, value: str) -> list[float]:
    """Return learning rates such as "0.001,0.01" as numbers."""
    try:
        return [float(part) for part in value.split(",")]
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a list of learning rates such as 0.001,0.01") from error


def known_language(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Return the code of the language if there is a catalogue for it."""
    from initsk.language import languages

    if value not in languages():
        raise click.BadParameter(f"{value!r} is not one of {', '.join(languages())}")
    return value


positive = click.IntRange(min=1)
file_path = click.Path(dir_okay=False, path_type=Path)
folder_path = click.Path(file_okay=False, path_type=Path)

dataset = click.option(
    "--dataset", default="mnist", help="The data: mnist, digits, a folder of IDX files, or a CSV, Parquet or NPZ file."
)
target = click.option("--target", help="The column to predict, for a CSV or Parquet file.")
hidden = click.option("--hidden", default="512,256,128,64", callback=sizes, help="Widths of the hidden layers.")
activation = click.option("--activation", default="relu", help="Activation function of the hidden layers.")
random_state = click.option("--random-state", default=0, type=click.IntRange(min=0), help="Seed of all random numbers.")
axes = click.option(
    "--axes",
    default="shared",
    type=click.Choice(["shared", "article"]),
    help="Axes of the histograms: fitted to the data and shared, or the article's -1..1 by 0..4.",
)
language = click.option("--language", default="en", callback=known_language, help="Language of the report: en or id.")
open_report = click.option("--open", is_flag=True, help="Open the report in the browser.")
out = click.option("--out", type=folder_path, help="Folder for the report and the tables; default: reports/NAME.")


def network_options(command: Command) -> Command:
    """Add the argument NETWORK and the options that all commands about one network share."""
    shared: list[Callable[[Any], Any]] = [
        click.argument("network", required=False),
        dataset,
        target,
        click.option("--shape", callback=sizes, help="Shape of a sample as the network takes it, such as 1,28,28."),
        hidden,
        activation,
        click.option(
            "--initializer",
            default="he_normal",
            help="Initializer of the perceptron that is used when NETWORK is not given.",
        ),
        random_state,
        click.option("--report", type=file_path, help="Write a report to this HTML file."),
        language,
        open_report,
    ]
    for option in reversed(shared):
        command = option(command)
    return command
