"""Limits, ticks and names along an axis."""

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from initsk.displays._text import distinct, text_width
from initsk.utils._language import Language, get_language

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

_NAME = 30
_SIZE = 8
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def log_axis(ax: "Axes", values: np.ndarray, room: tuple[float, float], say: Language) -> None:
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
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: say.short(value, 6)))
    ax.yaxis.set_minor_locator(NullLocator())


def power_ticks(axis: "Axis", most: int = 4) -> None:
    """Label a logarithmic axis with powers of ten; superscripts are letters, as formulas take long to draw."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(numticks=most))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"10{str(round(np.log10(value))).translate(_RAISED)}"))
    axis.set_minor_locator(NullLocator())


def few_ticks(axis: "Axis", most: int = 4, *, integer: bool = False, say: Language | None = None) -> None:
    """Label a linear axis with at most `most` round numbers, each written in full."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(most, integer=integer))
    language = say or get_language("en")
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
