"""Markdown: tables, and text without special characters."""

import re
from collections.abc import Sequence

from initsk.text import visible

# These characters begin or end something in GitHub's Markdown, or a tag.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&$])")
# At its beginning, text would be an item of a list or a line.
_ITEM = re.compile(r"^(\d*)([-+.)])(?=[-\s])")


def escaped(text: str) -> str:
    r"""Return text on one line that Markdown shows unchanged.

    Examples
    --------
    >>> print(escaped("a|b <i>"), escaped("- a"), escaped("1. a"), escaped("a\nb"))
    a\|b \<i\> \- a 1\. a a\\nb
    """
    return _ITEM.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", visible(text)))


def markdown_table(titles: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool] = ()) -> str:
    """Return a table; its cells are Markdown already.

    Parameters
    ----------
    titles : sequence of str
    rows : sequence of sequences of str
    numeric : sequence of bool, optional
        Whether each column is aligned to the right. By default all columns are aligned to the left.

    Examples
    --------
    >>> print(markdown_table(["name", "score"], [["a", "0.9"]], [False, True]))
    | name | score |
    | --- | ---: |
    | a | 0.9 |
    """
    rule = ["---:" if right else "---" for right in numeric or [False] * len(titles)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [titles, rule, *rows])
