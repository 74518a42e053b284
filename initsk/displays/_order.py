"""Which initializer has which colour: the same in every picture of a comparison."""

from typing import Any

import pandas as pd


def order_of(column: pd.Series) -> list[str]:
    """Return all initializers in the order in which they are coloured: a categorical's own, or of first sight.

    Examples
    --------
    >>> order_of(pd.Series(pd.Categorical(["b"], categories=["a", "b"]))), order_of(pd.Series(["b", "a", "b"]))
    (['a', 'b'], ['b', 'a'])
    """
    dtype: Any = column.dtype
    values = dtype.categories if isinstance(dtype, pd.CategoricalDtype) else column.unique()
    return [str(value) for value in values]


def labels_in_order(column: pd.Series) -> list[str]:
    """Return those initializers that are there, in the same order."""
    there = set(column.astype(str))
    return [label for label in order_of(column) if label in there]
