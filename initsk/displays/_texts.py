"""Short texts for pictures: their widths, percentages and numbers."""

from functools import lru_cache
from math import isfinite

import numpy as np

from initsk.language import current_language


@lru_cache(maxsize=10_000)
def text_width(text: str, size: float) -> float:
    """Return the width of a text in inches; `size` is that of the font, in points."""
    from matplotlib.textpath import TextPath

    # A dollar sign would begin a formula.
    path = TextPath((0, 0), text.replace("$", "S"), size=size)
    # Next to the exact extents, and much faster.
    return float(np.max(path.vertices[:, 0])) / 72 if len(path.vertices) else 0.0


def percent(share: float) -> str:
    """Return a share in whole percent; 0% means none and 100% means all.

    Examples
    --------
    >>> [percent(share) for share in (0, 0.001, 0.42, 0.999, 1)]
    ['0%', '<1%', '42%', '>99%', '100%']
    """
    if not isfinite(share):
        return "-"
    if 0 < share < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= share < 1 else current_language().percent(share)


def number(value: float) -> str:
    """Return a number with two significant digits.

    Examples
    --------
    >>> [number(value) for value in (0.0123, -1.5, 123456.0, float("nan"))]
    ['0.012', '-1.5', '1.2e+05', '-']
    """
    if not isfinite(value):
        return "-"
    return f"{value:.0f}" if 10 <= abs(value) < 1000 else current_language().short(value, 2)
