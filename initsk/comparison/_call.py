"""The lines of Python that repeat a comparison."""

from collections.abc import Mapping, Sequence
from typing import Any

from initsk.comparison._candidates import Candidate, shown, without_addresses
from initsk.comparison._subject import Subject
from initsk.initializers import FromCallable

# What is not said where it is as it is by itself.
_DEFAULTS = {"cv": None, "scoring": None, "n_repeats": 5, "random_state": 0, "halving": False, "activations": True,
             "n_threads": 1}  # fmt: skip


def code_of(subject: Subject, candidates: Sequence[Candidate], grid: Any, given: Mapping[str, Any]) -> str:
    """Return the call, with the data as X and y, and functions and splitters as they are shown."""
    values = {candidate.label: candidate.params.get(subject.parameter) for candidate in candidates}
    given_values = ", ".join(_source(label, value, subject) for label, value in values.items())
    arguments = [without_addresses(repr(subject.estimator)), "X", "y", f"initializers=[{given_values}]"]
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
            arguments.append(f"{name}={_written(value)}")
    lines = "".join(f"    {argument},\n" for argument in arguments)
    return f"compare_initializers(\n{lines})"


def _source(label: str, value: Any, subject: Subject) -> str:
    """Return what stands for a value in code: a function's name, an initializer's name in quotes, or a repr."""
    if isinstance(value, FromCallable) or not subject.is_of_initializers or "(" in label:
        return label
    return repr(label)


def _written(value: Any) -> str:
    name = getattr(value, "__name__", None)
    return name if isinstance(name, str) else without_addresses(repr(value))
