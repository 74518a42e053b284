"""Checks of the frames that displays take, and the rows that they draw."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from initsk.utils.validation import check_parameters, each_of, one_of, refuse

# What `position` of a plot may be; a layer without an activation function has one position, "output", always drawn.
POSITIONS = ("activation", "pre_activation")
BOTH = ("both", *POSITIONS)
# A report shows weights in the place of positions.
_POSITIONS = (*POSITIONS, "output", "weight")
BINS = ("layer", "position", "left", "right", "count")
KEY = ("layer", "position")
#: Sizes between which a picture has a place for a number; float64 has a few more, which matplotlib's sums would leave.
SMALLEST, LARGEST = 1e-290, 1e300
_MAX_COUNT = 2**50
_TEXTS = ("initializer", "layer", "position", "parameter", "phase")
_COUNTS = ("count", "nonfinite", "epoch", "step", "repeat", "fold", "split")
_FLAGS = ("works",)
_SHARES = ("zero_fraction", "dead_fraction", "saturated_fraction")


def check_frames(owner: str, frames: Mapping[str, tuple[Any, Sequence[str], Sequence[str]]]) -> list[pd.DataFrame]:
    """Return the frames with the types that a display needs, or raise one error for all that is wrong.

    Frames that were read from a file may have numbers as text, counts as floats, and text as numbers.

    Parameters
    ----------
    owner : str
        The display that takes the frames.
    frames : mapping of str to (frame, columns, key)
        By the name that messages use: a frame, the columns that it needs, and those that
        distinguish its rows (none for any).

    Raises
    ------
    InvalidParameterError
        If any is no DataFrame, has no rows, lacks columns, has values that its columns cannot have, or has two rows
        of one key.
    """
    problems, checked = [], []
    for name, (frame, columns, key) in frames.items():
        found = _shape_problem(name, frame, columns)
        if not found and frame.empty and not (name == "histograms" and _has_no_values(frames)):
            found = [f"{name} has no rows"]
        if not found:
            frame, found = _typed(name, frame, columns)
        checked.append(frame)
        problems += found or _repeated(name, frame, key)
    refuse(owner, problems)
    return checked


def _shape_problem(name: str, frame: Any, columns: Sequence[str]) -> list[str]:
    if not isinstance(frame, pd.DataFrame):
        return [f"{name} is not a DataFrame but {type(frame).__name__}"]
    missing = [column for column in columns if column not in frame]
    if missing:
        return [f"{name} lacks {', '.join(missing)}"]
    twice = [column for column in columns if list(frame.columns).count(column) > 1]
    if twice:
        return [f"{name} has several columns of the name {', '.join(twice)}"]
    return []


def _has_no_values(frames: Mapping[str, tuple[Any, Sequence[str], Sequence[str]]]) -> bool:
    """Return whether the statistics have layers, but count no finite value in them: then there are no bins either."""
    statistics = frames["frame"][0]
    return isinstance(statistics, pd.DataFrame) and "count" in statistics and not statistics["count"].any()


def _typed(name: str, frame: pd.DataFrame, columns: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Return the frame with columns of their types, and what is wrong."""
    frame = frame.reset_index(drop=True)
    changed, problems = {}, []
    # Not needed, but read if it is there.
    optional = ("predicted_rms",) if "predicted_rms" in frame else ()
    for column in (*columns, *optional):
        try:
            changed[column] = _converted(frame[column], column)
        except ValueError as error:
            problems.append(f"{name} has values of {column} that are {error}")
    frame = frame.assign(**changed)
    if "initializer" in columns and not problems and frame.duplicated().any():
        problems = [f"{name} has a row twice: {frame[frame.duplicated()].iloc[0].to_dict()}"]
    if "left" in columns and not problems:
        problems = _width_problems(name, frame)
        if not problems and "initializer" not in columns:
            # Displays of several initializers pool the histograms of several runs.
            problems = _overlap_problems(name, frame, [column for column in columns if column in (*KEY, "step")])
        frame = _with_tails(frame)
    return frame, problems


def _converted(values: pd.Series, column: str) -> pd.Series:
    """Return the values of a column with its type; a ValueError says which they are if they are not allowed."""
    if column in _TEXTS:
        if values.isna().any():
            raise ValueError("missing")
        text = _as_text(values)
        if column == "position" and not text.isin(_POSITIONS).all():
            raise ValueError(f"none of {', '.join(_POSITIONS)}")
        return text
    if column in _FLAGS:
        values = values.map({True: True, False: False, "True": True, "False": False})
        if values.isna().any():
            raise ValueError("neither True nor False")
        return values.astype(bool)
    numbers = _as_numbers(values)
    wrong = _CHECKS[column](numbers) if column in _CHECKS else None
    if wrong is not None:
        raise ValueError(wrong)
    if column in ("left", "right"):
        return numbers
    return numbers.astype("int64") if column in _COUNTS else within_reach(numbers)


def _as_text(values: pd.Series) -> pd.Series:
    """Return text; categories keep their order. A name such as 3 may have been read as the number 3.0."""
    if values.dtype.kind == "f" and (values.abs() < _MAX_COUNT).all() and (values % 1 == 0).all():
        values = values.astype("int64")
    if isinstance(values.dtype, pd.CategoricalDtype) and values.name == "initializer":
        known = list(dict.fromkeys(map(str, values.cat.categories)))
        return pd.Series(pd.Categorical(values.astype(str), categories=known), values.index)
    return values.astype(str)


def _as_numbers(values: pd.Series) -> pd.Series:
    try:
        if values.dtype.kind not in "cmM":
            return values.astype("float64")
    except (TypeError, ValueError, OverflowError):
        pass
    raise ValueError("no numbers")


def within_reach(values: pd.Series) -> pd.Series:
    """Return numbers of which none is further from zero than `LARGEST`, except infinite ones."""
    return values.where(np.isinf(values), values.clip(-LARGEST, LARGEST))


def _count_problem(values: pd.Series) -> str | None:
    allowed = values.between(0, _MAX_COUNT) & (values % 1 == 0)
    return None if allowed.all() else f"no whole numbers from 0 to {_MAX_COUNT} ({values[~allowed].iloc[0]:g})"


def _share_problem(values: pd.Series) -> str | None:
    wrong = values[~values.between(0, 1) & values.notna()]
    return None if wrong.empty else f"not between 0 and 1 ({wrong.iloc[0]:g})"


def _outside(values: pd.Series, lowest: float, highest: float) -> str | None:
    """Return what is wrong with the first value that is not between two numbers."""
    wrong = values[~values.between(lowest, highest)]
    if wrong.empty:
        return None
    value = wrong.iloc[0]
    return "missing" if np.isnan(value) else f"not finite ({value:g})" if value > highest else f"too small ({value:g})"


_CHECKS: dict[str, Callable[[pd.Series], str | None]] = {
    **dict.fromkeys(_COUNTS, _count_problem),
    **dict.fromkeys(_SHARES, _share_problem),
    "lr": lambda values: _outside(values, SMALLEST, LARGEST),
    "val_ratio": lambda values: _outside(values.dropna(), 0, LARGEST),
}


def _width_problems(name: str, frame: pd.DataFrame) -> list[str]:
    """Return what is wrong with single bins; the outermost ones may be infinite."""
    narrow = ~(frame["right"] - frame["left"] >= SMALLEST)
    if narrow.any():
        left, right = frame.loc[narrow, ["left", "right"]].iloc[0]
        return [f"{name} has a bin from {left:g} to {right:g} (allowed: a right end above the left one)"]
    return []


def _overlap_problems(name: str, frame: pd.DataFrame, own: list[str]) -> list[str]:
    """Return which bins overlap; each value of `own` has a histogram."""
    first = frame.sort_values("left", kind="stable")
    before = first.groupby(own, sort=False, observed=True, dropna=False)["right"].shift()
    overlaps = before > first["left"]
    if overlaps.any():
        row = first[overlaps].iloc[0]
        same = frame[(frame[own] == row[own]).all(axis=1)]
        return [f"{name} has bins that overlap at {row['left']:g} (allowed: each bin once{_selection(same, own)})"]
    return []


def _with_tails(frame: pd.DataFrame) -> pd.DataFrame:
    """Return bins of which those without a place in a picture are tails, like the outermost ones of fixed edges."""
    left, right = frame["left"].clip(upper=LARGEST), frame["right"].clip(lower=-LARGEST)
    return frame.assign(left=left.where(left >= -LARGEST, -np.inf), right=right.where(right <= LARGEST, np.inf))


def _repeated(name: str, frame: pd.DataFrame, key: Sequence[str]) -> list[str]:
    repeated = frame.loc[frame.duplicated(list(key)), list(key)].to_dict("records") if key else []
    if not repeated:
        return []
    first = ", ".join(f"{column} {value!r}" for column, value in repeated[0].items())
    same = frame[(frame[list(key)] == pd.Series(repeated[0])).all(axis=1)]
    selection = _selection(same, key)
    return [f"{name} has several rows of {first}{f' (allowed: one{selection})' if selection else ''}"]


def _selection(rows: pd.DataFrame, key: Sequence[str]) -> str:
    """Return how to select one of several runs, if the columns before those of the key distinguish them."""
    leading = rows.iloc[:, : min(list(rows.columns).index(column) for column in key)]
    words = leading.astype(str)
    varied = leading.loc[:, (words != words.iloc[0]).any().to_numpy() & ~leading.columns.duplicated()]
    if varied.empty:
        return ""
    first = varied.iloc[:1].to_dict("records")[0]
    query = " and ".join(f"{column} == {value!r}" for column, value in first.items())
    return f"; select a single value of {', '.join(map(str, first))} in each frame, such as .query({query!r})"


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


def n_values(frame: pd.DataFrame, column: str) -> int:
    """Return how many different values a column has; 0 without the column."""
    return int(frame[column].nunique()) if column in frame else 0


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
