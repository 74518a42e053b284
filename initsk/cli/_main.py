"""The commands and their options. Each command imports its libraries only when it runs, so ``--help`` stays fast."""

import sys
from typing import Any

import click

from initsk._version import __version__
from initsk.cli._interrupts import INTERRUPTED, is_interrupt, noting_interrupts, was_interrupted
from initsk.cli._options import EXISTING_FILE, takes, takes_network
from initsk.cli._output import OutputError, all_streams, say, show, warnings_as_lines

# As the shell reports a program that the signal PIPE has ended.
_UNREAD = 141

_NETWORK = (
    "NETWORK is package.module:factory or file.py:factory, where factory is a function without arguments that returns a"
    " module or an estimator, or a .pt or .pth file that torch.save(module) wrote. The command runs its code: use only"
    " files that you trust. Without NETWORK, the command uses a perceptron made from {options}."
)
_ALL_OPTIONS = _NETWORK.format(options="--hidden, --activation and --initializer")


class _Commands(click.Group):
    """The commands, with one line and an exit code for what click itself does not handle."""

    def make_context(self, *arguments: Any, **settings: Any) -> click.Context:
        """Read the arguments; --help and --version print here."""
        try:
            return super().make_context(*arguments, **settings)
        except BaseException as error:
            _end(error, "initsk")
            raise

    def invoke(self, context: click.Context) -> Any:
        """Run the command."""
        with noting_interrupts(), warnings_as_lines(context):
            try:
                return super().invoke(context)
            except BaseException as error:
                _end(error, f"initsk {context.invoked_subcommand}")
                raise


def _end(error: BaseException, command: str) -> None:
    """End with one line after an interrupt, or if memory, a disk or a reader of the output is missing."""
    if isinstance(error, SystemExit) and (error.code == INTERRUPTED or not was_interrupted()):
        return
    if is_interrupt(error):
        say("initsk: interrupted; no results were kept")
        raise click.exceptions.Exit(INTERRUPTED) from error
    if isinstance(error, BrokenPipeError) or isinstance(error.__cause__, BrokenPipeError):
        raise click.exceptions.Exit(_UNREAD) from error
    if isinstance(error, OutputError | OSError | MemoryError):
        say(f"{command}: {str(error) or 'not enough memory'}")
        raise click.exceptions.Exit(2) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__, prog_name="initsk")
def cli() -> None:
    """Compare weight initializers, inspect and diagnose neural networks, and write reports."""


@cli.command()
@takes("--dataset", "--target", "--sep", "--decimal", "--drop", "--test", "--task", "--shape", "--cv", "--scoring")
@takes("--initializers", "--repeats", "--epochs", "--batch-size", "--hidden", "--activation")
@takes("--lr", "--racing", "--store", "--jobs", "--device", "--limit")
@takes("--axes", "--random-state", "--language", "--open", "--out", "--force")
def compare(**arguments: Any) -> None:
    """Compare initializers and write a report.

    The command trains a perceptron with each initializer; without options, with six initializers on MNIST. It scales
    pixels to 0..1 and makes numbers of the columns of a table. If the data have no test set, it holds out another
    quarter of the samples for the scores in every repeat.
    """
    from initsk.cli._compare import run_compare

    sys.exit(run_compare(**arguments))


@cli.command(epilog=_ALL_OPTIONS)
@takes_network
@takes("--initializer", "--layers", "--gradients/--no-gradients", "inspect --optimizer", "inspect --lr", "--training")
@takes("inspect --max-samples", "--json")
def inspect(**arguments: Any) -> None:
    """Print statistics and findings for each layer of a network.

    The command passes held-out samples through the network, and its loss back. It prints the statistics of each layer
    and, with gradients, of each parameter.
    """
    from initsk.cli._network import run

    sys.exit(run("inspect", arguments))


@cli.command(epilog=_ALL_OPTIONS)
@takes_network
@takes("--initializer", "--optimizer", "diagnose --lr", "--budget", "--trial-steps", "diagnose --batch-size")
@takes("diagnose --max-samples", "--time-limit", "--rates/--no-rates", "--json")
def diagnose(**arguments: Any) -> None:
    """Estimate whether a network will train.

    The command takes a few steps of training on a copy, with training samples. It prints the score, which is the
    estimated probability that training succeeds, the findings, and the learning rates at which the network would
    train. The exit code is 0 if the score is at least 0.5, and 1 if it is less.
    """
    from initsk.cli._network import run

    sys.exit(run("diagnose", arguments))


@cli.command(epilog=_ALL_OPTIONS)
@takes_network
@takes("--initializer", "--no-data", "audit --max-samples", "--json")
def audit(**arguments: Any) -> None:
    """Check a network before training, without targets.

    The command passes held-out samples through the network, less than twice. It prints the findings and
    the checks that could not be made. The exit code is 1 if a finding is a fault of the network, 2 after an error,
    otherwise 0.
    """
    from initsk.cli._network import run

    sys.exit(run("audit", arguments))


@cli.command(epilog=_NETWORK.format(options="--hidden and --activation"))
@takes_network
@takes("recommend --time-limit", "--json")
def recommend(**arguments: Any) -> None:
    """Recommend an initializer for each layer of a network.

    The command also compares these initializers with others on training samples. For a plain module it does so only if
    --dataset, --target, --sep, --decimal, --drop, --shape or --time-limit is given.
    """
    from initsk.cli._network import run

    sys.exit(run("recommend", arguments))


@cli.command()
@click.argument("store", type=EXISTING_FILE)
@takes("--out", "--force", "--axes", "--language", "--open")
def report(**arguments: Any) -> None:
    """Write the report of the runs in a store.

    STORE is the file that `initsk compare --store` wrote. The comparison may be finished, interrupted or still running.
    """
    from initsk.cli._report import run_report

    sys.exit(run_report(**arguments))


@cli.command("list")
@takes("--framework", "--markdown")
def list_command(framework: str | None, markdown: bool) -> None:
    """List the initializers with their formulas and papers."""
    from initsk.cli._list import list_markdown, list_text

    show(list_markdown(framework) if markdown else list_text(framework))


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a usage error is one line on standard error and exit code 2.

    A command whose standard output is closed runs as usual. If what reads the output ends first, as ``head`` does, the
    command ends without a message and with exit code 141, like a program that the signal PIPE has ended.
    """
    with all_streams():
        sys.exit(_exit_code(arguments))


def _exit_code(arguments: list[str] | None) -> int:
    try:
        code = cli.main(args=arguments, prog_name="initsk", standalone_mode=False)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "initsk"
        say(f"{where}: {_message_of(error)}")
        code = 2
    except click.exceptions.Exit as done:
        code = done.exit_code
    return code if isinstance(code, int) else 0


def _message_of(error: click.UsageError) -> str:
    """Return the message; the option for a page has another name than --html, which click does not find."""
    if isinstance(error, click.NoSuchOption) and error.ctx and error.option_name == "--html":
        options = [name for parameter in error.ctx.command.params for name in parameter.opts]
        for meant in ("--report", "--out"):
            if meant in options:
                return f"No such option '--html'. Did you mean '{meant}'?"
    return error.format_message()
