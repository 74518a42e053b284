"""Short texts: names that fit, shares and numbers."""

from math import isfinite


def shortened(text: str, most: int) -> str:
    """Return printable text of at most `most` characters, with an ellipsis in its middle where some are left out.

    Both ends stay, since names of layers often differ in the last characters only.

    Examples
    --------
    >>> shortened("encoder.layers.11.mlp", 13)
    'encode…11.mlp'
    """
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    if len(text) <= most:
        return text
    tail = (most - 1) // 2
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"


def percent(share: float) -> str:
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
    return ">99%" if 0.995 <= share < 1 else f"{share:.0%}"


def number(value: float) -> str:
    """Return two significant digits.

    Examples
    --------
    >>> [number(value) for value in (0.0123, -1.5, 123456.0, float("nan"))]
    ['0.012', '-1.5', '1.2e+05', '-']
    """
    if not isfinite(value):
        return "-"
    return f"{value:.0f}" if 10 <= abs(value) < 1000 else f"{value:.2g}"
