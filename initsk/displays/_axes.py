"""Limits, ticks and names along an axis."""

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from initsk.displays._style import distinct, text_width
from initsk.language import Language, get_language

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

from collections.abc import Mapping
from typing import Any

import pandas as pd

from initsk.utils.validation import check_parameters, each_of, one_of, refuse

_NAME = 30
_SIZE = 8
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def log_axis(ax: "Axes", values: np.ndarray, room: tuple[float, float], translate: Language) -> None:
    """Make y logarithmic around the positive finite values, over a decade at least.

    Shares of `room` stay free below and above; they have no ticks, nor has an axis without values.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

    logs = np.log10(values[np.isfinite(values) & (values > 0)])
    low, high = (float(logs.min()), float(logs.max())) if len(logs) else (0.0, 0.0)
    wider = max(1 - (high - low), 0) / 2 + 0.05 * max(high - low, 1)
    low, high = low - wider, high + wider
    span = (high - low) / (1 - sum(room))
    ax.set_yscale("log")
    ax.set_ylim(10 ** (low - room[0] * span), 10 ** (high + room[1] * span))
    finder = LogLocator(subs=(1, 2, 5)) if high - low < 2.5 else LogLocator(numticks=7)
    ticks = np.asarray(finder.tick_values(10**low, 10**high) if len(logs) else [], float)
    inside = ticks[(ticks >= 10**low) & (ticks <= 10**high)]
    ax.yaxis.set_major_locator(FixedLocator(inside.tolist()))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: translate.short(value, 6)))
    ax.yaxis.set_minor_locator(NullLocator())


def power_ticks(axis: "Axis", most: int = 4) -> None:
    """Label a logarithmic axis with powers of ten; superscripts are letters, as formulas take long to draw."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(numticks=most))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"10{str(round(np.log10(value))).translate(_RAISED)}"))
    axis.set_minor_locator(NullLocator())


def few_ticks(axis: "Axis", most: int = 4, *, integer: bool = False, translate: Language | None = None) -> None:
    """Label a linear axis with at most `most` round numbers, each written in full."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(most, integer=integer))
    language = translate or get_language("en")
    axis.set_major_formatter(FuncFormatter(lambda value, _: language.short(value, 6)))


def name_layers(axes: "Axes", names: Sequence[str], inches: float, *, shown: bool) -> None:
    """Put layers side by side along x, and label as many as have room, upright where they are long."""
    every = ceil(len(names) * 0.16 / inches)
    positions = range(0, len(names), every)
    labels = distinct(names, _NAME)
    rotation = 90 if _upright(labels, inches) else 0
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_xticks(positions, labels[::every], rotation=rotation, parse_math=False, fontsize=_SIZE)
    axes.tick_params(labelbottom=shown)


def name_room(names: Sequence[str], inches: float) -> float:
    """Return how many inches upright names need below the axis; none where they fit side by side."""
    labels = distinct(names, _NAME)
    return max(_longest(labels) - 0.2, 0.0) if _upright(labels, inches) else 0.0


def _upright(labels: Sequence[str], inches: float) -> bool:
    return _longest(labels) + 0.12 > inches / len(labels)


def _longest(labels: Sequence[str]) -> float:
    return max(text_width(label, _SIZE) for label in labels)


# What `position` of a plot may be; a layer without an activation function has one position, "output", drawn for each.
POSITIONS = ("activation", "pre_activation")
BOTH = ("both", *POSITIONS)
BINS = ("layer", "position", "left", "right", "count")
KEY = ("layer", "position")


def checked(owner: str, frames: Mapping[str, tuple[Any, Sequence[str], Sequence[str]]]) -> list[pd.DataFrame]:
    """Return the frames with layers and positions as text, or refuse all that is wrong in one message.

    Parameters
    ----------
    owner : str
        Whose frames these are.
    frames : mapping of str to (frame, columns, key)
        Under the name that messages use: a frame, the columns that it needs, and those that
        tell its rows apart (none for bins).

    Raises
    ------
    InvalidParameterError
        If any is no DataFrame, has no rows, lacks columns, or has two rows of one key.
    """
    problems = [problem for name, given in frames.items() if (problem := _problem(name, *given))]
    refuse(owner, problems)
    return [
        frame.assign(layer=frame["layer"].astype(str), position=frame["position"].astype(str))
        for frame, *_ in frames.values()
    ]


def _problem(name: str, frame: Any, columns: Sequence[str], key: Sequence[str]) -> str | None:
    if not isinstance(frame, pd.DataFrame):
        return f"{name} is not a DataFrame but {type(frame).__name__}"
    missing = [column for column in columns if column not in frame]
    if missing:
        return f"{name} lacks {', '.join(missing)}"
    if frame.empty:
        return f"{name} has no rows"
    twice = frame.duplicated(list(key)) if key else pd.Series(dtype=bool)
    if twice.any():
        first = frame.loc[twice, list(key)].to_dict("records")[0]
        return f"{name} has several rows of " + ", ".join(f"{column} {value!r}" for column, value in first.items())
    return None


def chosen(
    frame: pd.DataFrame, position: str, layers: Sequence[str] | None = None, positions: Sequence[str] = POSITIONS
) -> pd.DataFrame:
    """Return the rows at a position (of layers with one position only: at that one; "both": all), of the given layers.

    Raises
    ------
    InvalidParameterError
        If a parameter of the plot is not allowed, or nothing is left to draw.
    """
    known = list(frame["layer"].unique())
    wanted = known if layers is None else layers
    allowed = {"position": one_of("position", positions), "layers": each_of("layer", known)}
    check_parameters("plot", {"position": position, "layers": wanted}, allowed)
    rows = frame[frame["layer"].isin(wanted)]
    at = rows if position == "both" else rows[rows["position"].isin((position, "output"))]
    if at.empty:
        refuse(
            "plot",
            [f"position={position!r} is not allowed (these layers have {', '.join(rows['position'].unique())} only)"],
        )
    return at
