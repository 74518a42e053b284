"""What is compared: initializers (or other values) under their labels, each at every setting of a grid."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from initsk.comparison.design._subject import Subject
from initsk.exceptions import InvalidParameterError
from initsk.initializers import Initializer, get_initializer, initializer_name
from initsk.utils.validation import unknown_name


@dataclass(frozen=True)
class Candidate:
    """A value under its label, and the setting of the other parameters."""

    label: str
    params: dict[str, Any]
    setting: dict[str, Any]

    @property
    def key(self) -> tuple[str, str]:
        """Label and setting as text; no two candidates of a comparison have the same."""
        return self.label, json.dumps(self.setting)

    def __str__(self) -> str:
        return ", ".join([self.label, *(f"{name}={value}" for name, value in self.setting.items())])


def make_candidates(
    subject: Subject, values: Iterable[Any], grid: Mapping[str, Sequence[Any]] | None
) -> list[Candidate]:
    """Return every value at every setting of the grid, in the order given.

    Raises
    ------
    InvalidParameterError
        If a value is there twice or not known, or the grid is none.
    """
    labelled = _labelled(subject, values)
    grid = _checked_grid(subject, grid)
    shown = {name: _shown_values(name, choices) for name, choices in grid.items()}
    return [
        Candidate(
            label,
            {subject.parameter: value} | {name: grid[name][i] for name, i in zip(grid, chosen, strict=True)},
            {name: shown[name][i] for name, i in zip(grid, chosen, strict=True)},
        )
        for label, value in labelled.items()
        for chosen in product(*(range(len(choices)) for choices in grid.values()))
    ]


def _labelled(subject: Subject, values: Iterable[Any]) -> dict[str, Any]:
    """Return the values under their labels; two functions of one name are numbered."""
    if isinstance(values, str | Initializer | Mapping) or not isinstance(values, Iterable):
        raise InvalidParameterError(f"initializers={values!r} is not allowed (a list of at least one)")
    labelled: dict[str, Any] = {}
    for item in values:
        if subject.is_of_initializers:
            value, label = get_initializer(item), initializer_name(item)
            if value in labelled.values():
                raise InvalidParameterError(f"initializers must be each given once; {label} is there twice")
        else:
            value, label = item, str(shown(item))
        same = sum(known == label or known.startswith(f"{label} (") for known in labelled)
        labelled[f"{label} ({same + 1})" if same else label] = value
    if not labelled:
        raise InvalidParameterError("initializers must be at least one")
    return labelled


def _checked_grid(subject: Subject, grid: Mapping[str, Sequence[Any]] | None) -> dict[str, list[Any]]:
    if grid is None:
        return {}
    if not isinstance(grid, Mapping):
        raise InvalidParameterError(f"grid={grid!r} is not allowed (a dict of a list of values for each parameter)")
    names = list(subject.estimator.get_params())
    checked = {}
    for name, choices in grid.items():
        if name == subject.parameter:
            raise InvalidParameterError(f"grid: the values of {name} are given by initializers=")
        if name.rpartition("__")[2] in ("random_state", "n_threads"):
            raise InvalidParameterError(f"grid: {name} is set for every run, by random_state= or n_threads=")
        if name not in names and not name.startswith(tuple(f"{known}__" for known in names)):
            raise InvalidParameterError(f"grid: {unknown_name('parameter', name, names)}")
        if isinstance(choices, str) or not isinstance(choices, Sequence | np.ndarray) or not len(choices):
            raise InvalidParameterError(f"grid: {name}={choices!r} is not allowed (a list of at least one value)")
        checked[name] = list(choices)
    return checked


def _shown_values(name: str, choices: Sequence[Any]) -> list[Any]:
    shown_values = [shown(value) for value in choices]
    if len({json.dumps(value) for value in shown_values}) < len(choices):
        raise InvalidParameterError(f"grid: the values of {name} must be told apart: {shown_values}")
    return shown_values


def shown(value: Any) -> Any:
    """Return a value as it stands in a frame: numbers and words as they are, anything else as text.

    Examples
    --------
    >>> shown(np.float32(0.5)), shown(None), shown((1, 2))
    (0.5, 'None', '(1, 2)')
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Initializer):
        return initializer_name(value)
    name = getattr(value, "__name__", None)
    return name if isinstance(name, str) else without_addresses(repr(value))


def without_addresses(text: str) -> str:
    r"""Return text on one line and without addresses of objects, which differ every time.

    Examples
    --------
    >>> without_addresses("<f at 0x7f3a>,\n  b")
    '<f>, b'
    """
    return " ".join(re.sub(r"( at)? 0x[0-9a-fA-F]+", "", text).split())
