"""The lines of Python that repeat a comparison."""

from collections.abc import Mapping, Sequence
from typing import Any

from initsk.comparison._candidates import Candidate, shown, without_addresses
from initsk.comparison._subject import Subject, names_initializer

# What is not said where it is as it is by itself.
_DEFAULTS = {"cv": None, "scoring": None, "n_repeats": 5, "random_state": 0, "halving": False, "activations": True,
             "n_threads": 1}  # fmt: skip


def code_of(subject: Subject, candidates: Sequence[Candidate], grid: Any, given: Mapping[str, Any]) -> str:
    """Return the call, with the data as X and y, and functions and splitters as they are shown."""
    labels = list(dict.fromkeys(candidate.label for candidate in candidates))
    if names_initializer(subject.parameter):
        # A name is one; anything else is a repr that makes it.
        values = ", ".join(label if "(" in label else repr(label) for label in labels)
    else:
        values = ", ".join(labels)
    arguments = [without_addresses(repr(subject.estimator)), "X", "y", f"initializers=[{values}]"]
    if subject.parameter != "initializer":
        arguments.append(f"parameter={subject.parameter!r}")
    if grid:
        shown_grid = {name: [shown(value) for value in choices] for name, choices in grid.items()}
        arguments.append(f"grid={shown_grid!r}")
    if given.get("X_test") is not None:
        arguments.append("X_test=X_test, y_test=y_test")
    for name, default in _DEFAULTS.items():
        value = given.get(name, default)
        if value is not default and value != default:
            arguments.append(f"{name}={without_addresses(repr(value))}")
    lines = "".join(f"    {argument},\n" for argument in arguments)
    return f"compare_initializers(\n{lines})"
