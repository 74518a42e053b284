"""Short tables for notebooks."""

from html import escape

import pandas as pd

from initsk.text import visible

_MAX_ROWS = 20


def table_html(words: str, frame: pd.DataFrame) -> str:
    """Return a sentence and a table as HTML; of a long table, the first and last rows.

    Examples
    --------
    >>> print(table_html("1 < 2", pd.DataFrame({"n": [1]})).splitlines()[0])
    <p>1 &lt; 2</p>
    """
    texts = frame.map(lambda value: visible(value) if isinstance(value, str) else value)
    return f"<p>{escape(visible(words))}</p>\n{texts.to_html(index=False, border=0, max_rows=_MAX_ROWS)}"
