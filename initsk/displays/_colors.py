"""Colors of initializers: a name has the same color in all pictures and reports."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import count
from typing import Any
from zlib import crc32

from initsk.displays._settings import chosen
from initsk.initializers import class_of_label

# Okabe and Ito's palette for color-blind readers, without yellow, which is invisible on white.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8C6D31", "#7F7F7F")
LINES = ("-", "--", "-.", ":")
# Places in the palette; the six initializers that are compared by default are far apart for color-blind readers too.
# Of two initializers with one place, the first in this order keeps it.
_NAMES = {
    "he_normal": 0, "glorot_normal": 2, "lecun_normal": 1, "orthogonal": 3, "random_normal": 4, "zeros": 5,
    "torch_default": 6, "auto": 7, "he_uniform": 0, "glorot_uniform": 2, "lecun_uniform": 1,
}  # fmt: skip
_FAMILIES = {
    "variance scaling": 2, "free": 4, "orthogonal": 3, "constant": 5, "architecture-aware": 7, "data-dependent": 6,
    "gradient-based": 1,
}  # fmt: skip


def palette_color(index: int) -> str:
    """Return a color of the palette, or of `axes.prop_cycle` where that was changed."""
    return str(_cycle(index).get("color", PALETTE[index % len(PALETTE)]))


def palette_line(index: int) -> dict[str, Any]:
    """Return color, line style and marker at a place of the palette."""
    return {"color": palette_color(index), "linestyle": LINES[index % len(LINES)], "marker": "o"}


def color_of(label: str, labels: Sequence[str]) -> str:
    """Return the color of one of the initializers of a comparison in the palette of reports.

    A label has the color of its name, whatever else is compared and in whatever order. Of several with one color, the
    less common ones get the next free color, and after eight initializers colors come again.

    Examples
    --------
    >>> color_of("he_normal", ["zeros", "he_normal"]) == color_of("he_normal", ["he_normal", "orthogonal"])
    True
    """
    return PALETTE[_places(tuple(labels))[label] % len(PALETTE)]


def drawn_color(label: str, labels: Sequence[str]) -> str:
    """Return the color of an initializer in a picture: its own, or that of a changed `axes.prop_cycle`."""
    return str(_cycle(labels.index(label)).get("color", color_of(label, labels)))


def drawn_line(label: str, labels: Sequence[str]) -> dict[str, Any]:
    """Return color, line style and marker of an initializer in a picture; 32 initializers differ."""
    place = _places(tuple(labels))[label]
    line = LINES[(place + place // len(PALETTE)) % len(LINES)]
    own = {"color": PALETTE[place % len(PALETTE)], "linestyle": line, "marker": "o"}
    return own | _cycle(labels.index(label))


def _cycle(index: int) -> dict[str, Any]:
    """Return the style at a place of `axes.prop_cycle`; nothing where that was not changed."""
    cycle = chosen("axes.prop_cycle", None)
    styles = [] if cycle is None else list(cycle)
    return dict(styles[index % len(styles)]) if styles else {}


@lru_cache(maxsize=256)
def _places(labels: tuple[str, ...]) -> dict[str, int]:
    """Return the place of each label in the palette; places from 8 on are those of a second round."""
    taken: dict[int, str] = {}
    n = len(PALETTE)
    for label in sorted(dict.fromkeys(labels), key=_priority):
        wanted = _wanted(label)
        rounds = (start + (wanted + step) % n for start in count(0, n) for step in range(n))
        taken[next(place for place in rounds if place not in taken)] = label
    return {label: place for place, label in taken.items()}


def _name(label: str) -> str:
    kind = class_of_label(label)
    return label if kind is None else kind.name or label


def _priority(label: str) -> tuple[int, bool, str]:
    """Return the order in which labels take their places: common names, then others by name."""
    name, names = _name(label), list(_NAMES)
    return names.index(name) if name in names else len(names), label != name, label


def _wanted(label: str) -> int:
    kind, name = class_of_label(label), _name(label)
    family = "" if kind is None else kind.family
    # crc32 is the same in every process, unlike hash.
    return _NAMES.get(name, _FAMILIES.get(family, crc32(name.encode()) % len(PALETTE)))
