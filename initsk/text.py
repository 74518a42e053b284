"""Text that is safe to show: in terminals, pages and pictures, and in messages."""

import re
from collections.abc import Sequence
from itertools import zip_longest
from unicodedata import category

# Characters without a glyph that Python counts as printable: fillers, joiners and variation selectors.
_BLANK = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def visible(text: str, *, lines: bool = False) -> str:
    r"""Return text in which every character that has no glyph is written as an escape of Python.

    Terminals obey control characters, and pages obey characters that change the direction of the text. Names and
    messages of others may hold them, so everything that is shown passes through this function. A second pass changes
    nothing.

    Parameters
    ----------
    text : str
    lines : bool, default=False
        Whether line feeds and tabs stay, in text of several lines.

    Examples
    --------
    >>> print(visible("\x1b]0;title\x07"), visible("a\u202eb"), visible("one\ntwo"))
    \x1b]0;title\x07 a\u202eb one\ntwo
    """
    if text.isprintable() and not _BLANK.search(text):
        return str(text)
    kept = "\n\t" if lines else ""
    return "".join(letter if letter in kept or _has_glyph(letter) else _escape(letter) for letter in text)


def without_addresses(text: str) -> str:
    """Return text without the addresses of objects in memory, which differ in every process.

    Examples
    --------
    >>> without_addresses("<f at 0x7f3a> is not allowed (allowed: 0x1F)")
    '<f> is not allowed (allowed: 0x1F)'
    """
    return re.sub(r" at 0x[0-9a-fA-F]+| 0x[0-9a-fA-F]{6,}", "", text)


def number_text(value: float, digits: int = 4) -> str:
    """Return a finite number with so many digits after the point, or from 1000 on with four significant digits.

    Examples
    --------
    >>> [number_text(value) for value in (0.978, -123.4, 12345.678, -15222841.0804)]
    ['0.9780', '-123.4000', '12346', '-1.522e+07']
    """
    if abs(value) < 1000:
        # Adding zero turns a rounded -0.0 into 0.0.
        return f"{round(value, digits) + 0.0:.{digits}f}"
    return f"{value:.0f}" if abs(value) < 10**6 else f"{value:.4g}"


def _has_glyph(letter: str) -> bool:
    # Spaces of any width show as spaces; French numbers have them.
    return (letter.isprintable() and not _BLANK.match(letter)) or category(letter) == "Zs"


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


def visible_json(text: str) -> str:
    r"""Return JSON in which every character that has no glyph is an escape of JSON; a reader gets it back.

    Examples
    --------
    >>> print(visible_json('{"name": "a\u202eb"}'))
    {"name": "a\u202eb"}
    """
    return re.sub(r"[^\n -~]", lambda found: found[0] if _has_glyph(found[0]) else _utf_16(found[0]), text)


def _utf_16(letter: str) -> str:
    code = letter.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{code[start : start + 4]}" for start in range(0, len(code), 4))


def shortened(text: str, length: int, tail: int | None = None) -> str:
    """Return visible text of at most `length` characters, with an ellipsis in place of the middle.

    Both ends stay, since names of layers often differ in the last characters only. `tail` characters of the end
    stay, by default half.

    Examples
    --------
    >>> shortened("encoder.layers.11.mlp", 13)
    'encode…11.mlp'
    """
    # Of megabytes only the ends are needed.
    text = visible(text if len(text) <= 2 * length else text[:length] + text[-length:])
    if len(text) <= length:
        return text
    tail = (length - 1) // 2 if tail is None else tail
    return f"{text[: length - 1 - tail]}…{text[len(text) - tail :]}"


def distinct(names: Sequence[str], length: int) -> list[str]:
    """Shorten names so that different names stay different: as many as possible.

    The end of a name that stays is half of `length`, or as much longer or shorter as this needs. Of names that are
    equal at both ends, the part is shown in which they differ.

    Examples
    --------
    >>> distinct(["encoder.layers.0.linear1", "encoder.layers.1.linear1"], 16)
    ['encode…0.linear1', 'encode…1.linear1']
    >>> distinct(["encoder.layers.0.attention.output.norm", "encoder.layers.1.attention.output.norm"], 12)
    ['…ers.0.atte…', '…ers.1.atte…']
    """
    half, whole = (length - 1) // 2, length - 1
    # A beginning of one or two letters means nothing: keep more, or none.
    tails = [*range(half, whole - 2), whole, *range(half - 1, -1, -1)]
    candidates = ([shortened(name, length, tail) for name in names] for tail in tails)
    short = max(candidates, key=lambda candidate: len(set(candidate)))
    for text in {text for text in short if short.count(text) > 1}:
        alike = {i: visible(name) for i, name in enumerate(names) if short[i] == text}
        letters = enumerate(zip_longest(*alike.values()))
        start = next((place for place, each in letters if len(set(each)) > 1), 0) - length // 3
        for i, name in alike.items() if start > 0 else ():
            short[i] = f"…{shortened(name[start:], length - 1, 0)}"
    return short


def brief(text: str, length: int = 4000) -> str:
    r"""Return a message on one line of at most `length` characters; messages of others may have megabytes.

    Examples
    --------
    >>> brief("cannot be read:\n    no such column")
    'cannot be read: no such column'
    """
    return shortened(" ".join(text.split()), length)
