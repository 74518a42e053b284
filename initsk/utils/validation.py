"""Validation of parameters: a table of constraints for each object, and one message for all mistakes."""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from initsk.exceptions import InvalidParameterError
from initsk.utils.precision import LARGEST
from initsk.utils.words import listed

# A constraint returns what is allowed, or None if the value is allowed.
Constraint = Callable[[Any], "str | None"]

# Far more than one machine has processors; with very many threads, torch ends the process.
_MAX_THREADS = 1024

# Whole floats with more values than this, and fewer than 20 samples for each value, are numbers.
_MAX_FLOAT_CLASSES = 20


def unknown_name(
    kind: str, given: object, allowed: Iterable[str], meant: str | None = "", *, most: int | None = None
) -> str:
    """Return a message about an unknown name, with the closest and all allowed names, or the first `most` of them.

    With `meant`, the message suggests this name only, and None suggests no name. A parameter of a nested estimator is
    suggested with its full name.

    Examples
    --------
    >>> unknown_name("color", "rod", ["red", "blue"])
    "unknown color 'rod'; did you mean 'red'? Allowed: 'blue', 'red'"
    >>> unknown_name("parameter", "lr", ["net", "net__lr"])
    "unknown parameter 'lr'; did you mean 'net__lr'? Allowed: 'net', 'net__lr'"
    """
    names = sorted(allowed)
    shown = _short_repr(given)
    if meant == "":
        as_written = {name.lower(): name for name in names}
        nested = [name for name in names if name.endswith(f"__{given}")]
        close = difflib.get_close_matches(str(given).lower(), as_written, n=3, cutoff=0.5)
        near = nested or [as_written[name] for name in close]
    else:
        near = [] if meant is None else [meant]
    hint = f"; did you mean {' or '.join(repr(name) for name in near)}?" if near else "."
    known = listed([repr(name) for name in names], len(names) if most is None else most)
    return f"unknown {kind} {shown}{hint} Allowed: {known}"


def _is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def allow(allows: Callable[[Any], bool], what: str) -> Constraint:
    """Return the constraint that values for which `allows` is true are allowed; `what` names these values."""
    return lambda value: None if allows(value) else what


def integer(minimum: int) -> Constraint:
    """Allow integers that are at least `minimum`."""
    return allow(lambda value: _is_number(value, Integral) and value >= minimum, f"an integer >= {minimum}")


def thread_count() -> Constraint:
    """Allow numbers of threads that a machine can have.

    Examples
    --------
    >>> thread_count()(10**9)
    'an integer from 1 to 1024'
    """
    return allow(
        lambda value: integer(1)(value) is None and value <= _MAX_THREADS, f"an integer from 1 to {_MAX_THREADS}"
    )


def real(
    above: float | None = None, minimum: float | None = None, below: float | None = None, maximum: float | None = None
) -> Constraint:
    """Allow finite real numbers > `above`, >= `minimum`, < `below` and <= `maximum`, where these are given.

    Examples
    --------
    >>> real(minimum=0, below=1)(1.0)
    'a finite number >= 0 and < 1'
    """
    limits = [(">", above), (">=", minimum), ("<", below), ("<=", maximum)]
    wanted = " and ".join(f"{sign} {limit:g}" for sign, limit in limits if limit is not None)

    def allows(value: Any) -> bool:
        allowed = _is_number(value, Real) and abs(value) < float("inf")
        allowed = allowed and (above is None or value > above) and (minimum is None or value >= minimum)
        return allowed and (below is None or value < below) and (maximum is None or value <= maximum)

    finite = f"a finite number {wanted}".rstrip()

    def check(value: Any) -> str | None:
        # A comparison in numpy's low precision would warn of an overflow.
        value = value.item() if isinstance(value, np.generic) else value
        if not allows(value):
            return finite
        return None if abs(value) <= LARGEST else f"{finite}, at most {LARGEST:.1e} in size"

    return check


def boolean() -> Constraint:
    """Allow True and False."""
    return allow(lambda value: isinstance(value, bool | np.bool_), "True or False")


def instance_of(kind: type, what: str) -> Constraint:
    """Allow instances of a class."""
    return allow(lambda value: isinstance(value, kind), what)


def one_of(kind: str, names: Iterable[str]) -> Constraint:
    """Allow the given names."""
    allowed = tuple(names)

    def check(value: Any) -> str | None:
        return None if isinstance(value, str) and value in allowed else unknown_name(kind, value, allowed)

    return check


def each_of(kind: str, names: Iterable[str]) -> Constraint:
    """Allow lists of one or more of the given names without repetition."""
    allowed = tuple(names)

    def check(value: Any) -> str | None:
        if not isinstance(value, tuple | list) or not value:
            return f"a list of at least one {kind}"
        unknown = [item for item in value if item not in allowed]
        if unknown:
            return unknown_name(kind, unknown[0], allowed)
        return None if len(set(value)) == len(value) else f"a list with each {kind} once"

    return check


def optional(constraint: Constraint) -> Constraint:
    """Allow None and what `constraint` allows."""

    def check(value: Any) -> str | None:
        wanted = None if value is None else constraint(value)
        return wanted and f"{wanted}, or None"

    return check


def sequence_of(constraint: Constraint, what: str) -> Constraint:
    """Allow tuples and lists of items that `constraint` allows."""
    return allow(lambda value: isinstance(value, tuple | list) and not any(map(constraint, value)), what)


def resolved_by(resolve: Callable[[Any], object]) -> Constraint:
    """Allow values for which `resolve` does not raise InvalidParameterError."""

    def check(value: Any) -> str | None:
        try:
            resolve(value)
        except InvalidParameterError as error:
            return str(error)
        return None

    return check


def check_known_labels(name: str, labels: np.ndarray, known: np.ndarray, holder: str = "y") -> None:
    """Raise InvalidParameterError if `labels` has labels that are not in `known`, the labels of `holder`.

    Examples
    --------
    >>> check_known_labels("y_val", np.array([1, 2]), np.array([0, 1, 2]))
    """
    unknown = sorted(set(labels.tolist()) - set(known.tolist()), key=str)
    if unknown:
        listed = ", ".join(map(repr, unknown[:10]))
        raise InvalidParameterError(f"{name} holds labels that {holder} does not have: {listed}")


def check_names(kind: str, names: Iterable[str]) -> None:
    """Raise InvalidParameterError for half of a surrogate pair in a name: no table and no file can hold it.

    Examples
    --------
    >>> check_names("layer", ["hidden_1", "schön"])
    """
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            problem = "has half of a surrogate pair, which no table can hold (allowed: whole characters)"
            raise InvalidParameterError(f"the name {name!r} of the {kind} {problem}") from None


def is_continuous(y: np.ndarray, *, allow_float_classes: bool = False) -> bool:
    """Return whether a target consists of numbers to predict, not of classes.

    Integers and strings are classes, and floats are numbers, as the losses of torch require. With
    `allow_float_classes`, as for tables that were read from files, floats are classes too if they are whole and
    have at most 20 values, or at least 20 samples for each value.

    Examples
    --------
    >>> y = np.array([0.0, 1.0, 1.0])
    >>> is_continuous(y), is_continuous(y, allow_float_classes=True)
    (True, False)
    """
    if y.dtype.kind != "f" or not allow_float_classes:
        return y.dtype.kind == "f"
    return bool((y % 1 != 0).any()) or len(np.unique(y)) > max(_MAX_FLOAT_CLASSES, len(y) // 20)


def check_parameters(owner: str, values: Mapping[str, Any], table: Mapping[str, Constraint]) -> None:
    """Check every value against its constraint and report all mistakes at once.

    Parameters
    ----------
    owner : str
        Name of the function or class that has the parameters; the message begins with it.
    values : mapping of str to object
        The given values.
    table : mapping of str to constraint
        Constraints by name; names that are not in the table are not checked.

    Raises
    ------
    InvalidParameterError
        If a value is not allowed.

    Examples
    --------
    >>> check_parameters("Net", {"lr": -1.0, "epochs": 0}, {"lr": real(above=0), "epochs": integer(1)})
    Traceback (most recent call last):
    ...
    initsk.exceptions.InvalidParameterError: Net: lr=-1.0 is not allowed (a finite number > 0); epochs=0
    is not allowed (an integer >= 1)
    """
    wanted = {name: what for name, constraint in table.items() if (what := constraint(values[name]))}
    refuse(owner, [_problem(name, values[name], what) for name, what in wanted.items()])


def _problem(name: str, value: Any, what: str) -> str:
    """Return the sentence about a value, without what a constraint that raises for it has said already."""
    problem = f"{name}={_short_repr(value)} is not allowed"
    if what.startswith(problem):
        return what
    return f"{problem} ({what.removeprefix(f'{name} {value!r} is not allowed: ')})"


def _short_repr(value: Any) -> str:
    """Return the repr of a value; of one with several lines, the first with an ellipsis."""
    first, *rest = repr(value).splitlines() or [""]
    return f"{first.rstrip()}...)" if rest else first


def refuse(owner: str, problems: Sequence[str]) -> None:
    """Raise InvalidParameterError with every problem in its message, if there is any.

    Examples
    --------
    >>> refuse("Net", [])
    """
    if problems:
        raise InvalidParameterError(f"{owner}: " + "; ".join(problems))
