"""Short texts: names that fit, shares and numbers."""

from collections.abc import Sequence
from math import isfinite

from initsk.utils._language import Language, get_language


def shortened(text: str, most: int, tail: int | None = None) -> str:
    """Return printable text of at most `most` characters, with an ellipsis in its middle where some are left out.

    Both ends stay, since names of layers often differ in the last characters only; `tail` characters of
    the end, half by default.

    Examples
    --------
    >>> shortened("encoder.layers.11.mlp", 13)
    'encode…11.mlp'
    """
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    if len(text) <= most:
        return text
    tail = (most - 1) // 2 if tail is None else tail
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"


def distinct(names: Sequence[str], most: int) -> list[str]:
    """Shorten names so that different ones still differ, by as much of their ends as that needs.

    Where nothing tells all of them apart, as many as possible.

    Examples
    --------
    >>> distinct(["encoder.layers.0.linear1", "encoder.layers.1.linear1"], 16)
    ['encode…0.linear1', 'encode…1.linear1']
    """
    half, whole = (most - 1) // 2, most - 1
    # A beginning of one or two letters says nothing.
    tails = [*range(half, whole - 2), whole, *range(half - 1, -1, -1)]
    candidates = ([shortened(name, most, tail) for name in names] for tail in tails)
    n_names, best = len(set(names)), list[str]()
    for candidate in candidates:
        if len(set(candidate)) > len(set(best)):
            best = candidate
        if len(set(best)) == n_names:
            break
    return best


def text_width(text: str, size: float) -> float:
    """Return the inches that text takes at this size of the font, in points."""
    from matplotlib.textpath import TextPath

    # A dollar sign would begin a formula.
    path = TextPath((0, 0), text.replace("$", "S"), size=size)
    return float(path.get_extents().x1) / 72 if len(path.vertices) else 0.0


def percent(share: float, say: Language | None = None) -> str:
    """Return a share in whole percent; 0% and 100% are said of none and all only.

    Examples
    --------
    >>> [percent(share) for share in (0, 0.001, 0.42, 0.999, 1)]
    ['0%', '<1%', '42%', '>99%', '100%']
    """
    if not isfinite(share):
        return "-"
    if 0 < share < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= share < 1 else (say or get_language("en")).percent(share)


def number(value: float, say: Language | None = None) -> str:
    """Return two significant digits.

    Examples
    --------
    >>> [number(value) for value in (0.0123, -1.5, 123456.0, float("nan"))]
    ['0.012', '-1.5', '1.2e+05', '-']
    """
    if not isfinite(value):
        return "-"
    return f"{value:.0f}" if 10 <= abs(value) < 1000 else (say or get_language("en")).short(value, 2)
