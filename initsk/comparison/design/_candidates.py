"""The candidates of a comparison: each value under its label, at every setting of the grid."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from typing_extensions import TypeAliasType

from initsk.comparison.design._model_builder import ModelBuilder
from initsk.exceptions import InvalidParameterError
from initsk.initializers import Initializer, get_initializer, initializer_name
from initsk.text import without_addresses
from initsk.utils.words import encodable

#: The values of each parameter.
Grid = TypeAliasType("Grid", Mapping[str, Sequence[Any]])


@dataclass(frozen=True)
class Candidate:
    """A value under its label, and the setting of the other parameters."""

    label: str
    params: dict[str, Any]
    setting: dict[str, Any]

    @property
    def key(self) -> tuple[str, str]:
        """Label and setting as text; unique in a comparison."""
        return self.label, json.dumps(self.setting)

    def __str__(self) -> str:
        return ", ".join([self.label, *(f"{name}={value}" for name, value in self.setting.items())])


def make_candidates(builder: ModelBuilder, values: Iterable[Any], grid: Grid | None) -> list[Candidate]:
    """Return every value at every setting of the grid, in the order given.

    Raises
    ------
    InvalidParameterError
        If a value is unknown or given twice, or the grid is not allowed.
    """
    labeled = _labeled(builder, values)
    choices = _checked_grid(builder, {} if grid is None else grid)
    settings = [dict(zip(choices, chosen, strict=True)) for chosen in product(*choices.values())]
    return [
        Candidate(
            label,
            {builder.parameter: value} | {name: choice for name, (choice, _) in setting.items()},
            {name: text for name, (_, text) in setting.items()},
        )
        for label, value in labeled.items()
        for setting in settings
    ]


def _labeled(builder: ModelBuilder, values: Iterable[Any]) -> dict[str, Any]:
    """Return the values under their labels; functions with the same name get a number."""
    if isinstance(values, str | Initializer | Mapping) or not isinstance(values, Iterable):
        raise InvalidParameterError(f"initializers={values!r} is not allowed (a list of at least one)")
    labeled: dict[str, Any] = {}
    given: list[tuple[Initializer, Any]] = []
    for item in values:
        if builder.varies_initializer:
            value, label = get_initializer(item), initializer_name(item)
            for known, typed in given:
                if _is_same(value, known, label):
                    raise InvalidParameterError(f"initializers: {_given_twice(label, typed, item)}")
            given.append((value, item))
        else:
            value, label = item, str(shown(item))
        label = encodable(label)
        n_same = sum(known == label or known.startswith(f"{label} (") for known in labeled)
        labeled[f"{label} ({n_same + 1})" if n_same else label] = value
    if not labeled:
        raise InvalidParameterError("initializers is empty (allowed: at least one)")
    return labeled


def _given_twice(label: str, first: Any, second: Any) -> str:
    """Return the message about an initializer that is given twice, perhaps by different names."""
    names = list(dict.fromkeys([repr(first), repr(second)]))
    texts = dict.fromkeys(name for name in (first, second) if isinstance(name, str) and name != label)
    other = list(map(repr, texts))
    by_names = f", as {' and '.join(names)}" if len(names) > 1 else ""
    synonyms = f"{' and '.join(other)} {'is a synonym' if len(other) == 1 else 'are synonyms'} of {label}; "
    return f"{label} is given twice{by_names} ({synonyms if other else ''}allowed: each one once)"


def _is_same(value: Initializer, known: Initializer, label: str) -> bool:
    """Return whether another initializer has the same label and draws the same."""
    return initializer_name(known) == label and known.special_case() == value.special_case()


def _checked_grid(builder: ModelBuilder, grid: Grid) -> dict[str, list[tuple[Any, Any]]]:
    """Return the values of each parameter, each with its form in frames."""
    if not isinstance(grid, Mapping):
        raise InvalidParameterError(f"grid={grid!r} is not allowed (a dict with a list of values for each parameter)")
    checked = {}
    for name, choices in grid.items():
        if name == builder.parameter:
            raise InvalidParameterError(f"grid: {name} is compared; give its values as initializers=")
        if problem := builder.problem_of(name):
            raise InvalidParameterError(f"grid: {problem}")
        if isinstance(choices, str) or not isinstance(choices, Sequence | np.ndarray) or not len(choices):
            raise InvalidParameterError(f"grid: {name}={choices!r} is not allowed (a list of at least one value)")
        texts = [shown(value) for value in choices]
        if len({json.dumps(text) for text in texts}) < len(choices):
            raise InvalidParameterError(f"grid: the values of {name} must differ: {texts}")
        checked[name] = list(zip(choices, texts, strict=True))
    return checked


def shown(value: Any) -> Any:
    """Return the form of a value in frames: numbers and words stay, anything else becomes text.

    Examples
    --------
    >>> shown(np.float32(0.5)), shown(None), shown((1, 2))
    (0.5, 'None', '(1, 2)')
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, bool | int | float):
        return value
    return initializer_name(value) if isinstance(value, Initializer) else name_or_repr(value)


def name_or_repr(value: Any) -> str:
    """Return the name of a function or class, and the repr of anything else.

    Examples
    --------
    >>> name_or_repr(len), name_or_repr([1])
    ('len', '[1]')
    """
    name = getattr(value, "__name__", None)
    return name if isinstance(name, str) else storable(repr(value))


def storable(text: str) -> str:
    r"""Return text on one line that stores can hold and that is the same in every process: without addresses.

    Examples
    --------
    >>> storable("<f at 0x7f3a>,\n  b")
    '<f>, b'
    """
    return " ".join(without_addresses(encodable(text)).split())


def storable_lines(text: str) -> str:
    """Return text as `storable` does, with its lines and their indentation."""
    return "\n".join(without_addresses(encodable(line)) for line in text.splitlines())
