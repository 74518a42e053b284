"""The command line that repeats a run, for the report of the run."""

import shlex
import sys

_WITHOUT_EFFECT = ("--jobs", "--out", "--store", "--report")
_FLAGS_WITHOUT_EFFECT = ("--open", "--force", "--json")


def command_line() -> str:
    """Return the command that repeats the run, without the options that do not change the numbers."""
    kept, skip = [], False
    for argument in sys.argv[1:]:
        if skip or argument.startswith(tuple(f"{option}=" for option in _WITHOUT_EFFECT)):
            skip = False
        elif argument in _WITHOUT_EFFECT:
            skip = True
        elif argument not in _FLAGS_WITHOUT_EFFECT:
            kept.append(argument)
    return shlex.join(["initsk", *kept])


def same_command() -> str:
    """Return the whole command, to be given again."""
    return shlex.join(["initsk", *sys.argv[1:]])
