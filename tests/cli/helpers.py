"""Running commands in the process of the tests."""

import pytest

from initsk.cli import main

# Options of a comparison that takes a second.
QUICK = ["--epochs", "1", "--hidden", "8", "--repeats", "2", "--jobs", "1", "--initializers", "zeros,he_normal"]


def run(*arguments):
    """Run a command and return its exit code."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return caught.value.code


def error_of(capsys, *arguments):
    """Run a command that must fail with exit code 2, and return the one line that it prints on standard error."""
    assert run(*arguments) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    return shown
