"""Checks of the frames that displays take, and the rows that they draw."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from initsk.utils.validation import check_parameters, each_of, one_of, refuse

# What `position` of a plot may be; a layer without an activation function has one position, "output", always drawn.
POSITIONS = ("activation", "pre_activation")
BOTH = ("both", *POSITIONS)
BINS = ("layer", "position", "left", "right", "count")
KEY = ("layer", "position")


def check_frames(owner: str, frames: Mapping[str, tuple[Any, Sequence[str], Sequence[str]]]) -> list[pd.DataFrame]:
    """Return the frames with layers and positions as text, or raise one error for all that is wrong.

    Parameters
    ----------
    owner : str
        The display that takes the frames.
    frames : mapping of str to (frame, columns, key)
        By the name that messages use: a frame, the columns that it needs, and those that
        distinguish its rows (none for bins).

    Raises
    ------
    InvalidParameterError
        If any is no DataFrame, has no rows, lacks columns, or has two rows of one key.
    """
    refuse(owner, [problem for name, given in frames.items() if (problem := _problem(name, *given))])
    return [frame.astype({"layer": str, "position": str}) for frame, *_ in frames.values()]


def _problem(name: str, frame: Any, columns: Sequence[str], key: Sequence[str]) -> str | None:
    if not isinstance(frame, pd.DataFrame):
        return f"{name} is not a DataFrame but {type(frame).__name__}"
    missing = [column for column in columns if column not in frame]
    if missing:
        return f"{name} lacks {', '.join(missing)}"
    if frame.empty:
        return f"{name} has no rows"
    repeated = frame.loc[frame.duplicated(list(key)), list(key)].to_dict("records") if key else []
    if repeated:
        first = ", ".join(f"{column} {value!r}" for column, value in repeated[0].items())
        return f"{name} has several rows of {first}"
    return None


def select_rows(
    frame: pd.DataFrame, position: str, layers: Sequence[str] | None = None, positions: Sequence[str] = POSITIONS
) -> pd.DataFrame:
    """Return the rows of the given layers at a position, and at "output"; "both" selects every position.

    Raises
    ------
    InvalidParameterError
        If a parameter of the plot is not allowed, or no row is left to draw.
    """
    known = list(frame["layer"].unique())
    wanted = known if layers is None else layers
    allowed = {"position": one_of("position", positions), "layers": each_of("layer", known)}
    check_parameters("plot", {"position": position, "layers": wanted}, allowed)
    rows = frame[frame["layer"].isin(wanted)]
    at = rows if position == "both" else rows[rows["position"].isin((position, "output"))]
    if at.empty:
        has = ", ".join(rows["position"].unique())
        refuse("plot", [f"position={position!r} is not allowed (these layers have {has} only)"])
    return at


def color_order(column: pd.Series) -> list[str]:
    """Return all initializers in the order of their colors: that of a categorical, or of first appearance.

    Examples
    --------
    >>> color_order(pd.Series(pd.Categorical(["b"], categories=["a", "b"]))), color_order(pd.Series(["b", "a", "b"]))
    (['a', 'b'], ['b', 'a'])
    """
    dtype: Any = column.dtype
    values = dtype.categories if isinstance(dtype, pd.CategoricalDtype) else column.unique()
    return [str(value) for value in values]


def present_labels(column: pd.Series) -> list[str]:
    """Return the initializers that have rows, in the order of their colors."""
    present = set(column.astype(str))
    return [label for label in color_order(column) if label in present]
