"""The known name that a misspelled one stands for."""

from collections.abc import Hashable, Mapping
from itertools import groupby

# Two mistakes are likely only in long names: a short name with two other letters is another name.
_LONG = 9


def meant_name(given: str, names: Mapping[str, Hashable]) -> str | None:
    """Return the known name that differs by a typing mistake, or None if there is none or if it may be one of several.

    Parameters
    ----------
    given : str
    names : mapping of str to hashable
        What each known name stands for; names for the same thing are no choice.

    Examples
    --------
    >>> names = {"relu": 1, "selu": 2, "swish": 3, "silu": 3}
    >>> meant_name("rellu", names), meant_name("xelu", names), meant_name("swich", names)
    ('relu', None, 'swish')
    >>> meant_name("adamm", {"adam": 1, "adamw": 2})
    'adam'
    """
    allowed = 2 if len(given) >= _LONG else 1
    similar = [name for name in names if abs(len(name) - len(given)) <= allowed]
    once = [name for name in similar if _without_doubles(name) == _without_doubles(given)]
    # A letter that is doubled by mistake is likelier than another letter.
    similar = once or similar
    near = {name: distance for name in similar if (distance := edit_distance(given, name)) <= allowed}
    return min(near, key=near.__getitem__) if len({names[name] for name in near}) == 1 else None


def _without_doubles(word: str) -> str:
    return "".join(letter for letter, _ in groupby(word))


def edit_distance(first: str, second: str) -> int:
    """Return the least number of letters to insert, delete, replace or swap with the next, from one word to another.

    Examples
    --------
    >>> edit_distance("tnah", "tanh"), edit_distance("logistik", "logistic"), edit_distance("elu", "relu6")
    (1, 1, 2)
    """
    above: list[int] = []
    row = list(range(len(second) + 1))
    for i, letter in enumerate(first, start=1):
        before, above, row = above, row, [i]
        for j, other in enumerate(second, start=1):
            best = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == second[j - 2] and first[i - 2] == other:
                best = min(best, before[j - 2] + 1)
            row.append(best)
    return row[-1]
