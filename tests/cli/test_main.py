"""The commands in general: help, versions, and errors in options."""

import re
import subprocess
import sys

import pytest

from initsk.cli._main import cli
from tests.cli.helpers import error_of

LIBRARIES = {"torch", "pandas", "sklearn", "matplotlib", "numpy", "scipy", "skorch", "jinja2"}


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in cli.commands)], ids=" ".join)
def test_help_loads_no_library(arguments):
    code = (
        "import sys; from initsk.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit as error: assert not error.code\n"
        f"assert not {LIBRARIES!r} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage: initsk" in done.stdout


def test_python_dash_m():
    done = subprocess.run([sys.executable, "-m", "initsk", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("initsk, version ")


def test_an_unknown_language_is_an_error_before_the_work(networks, capsys):
    assert "'xx' is not one of en, id" in error_of(capsys, "inspect", "--language", "xx")


@pytest.mark.parametrize("name", cli.commands)
def test_the_help_of_a_command_names_only_its_own_options(name):
    command = cli.commands[name]
    own = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert set(re.findall(r"--[a-z][a-z-]*", f"{command.help} {command.epilog}")) <= own | {"--store"}
