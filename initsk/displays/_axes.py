"""Limits, ticks and names along an axis."""

from collections.abc import Sequence
from math import ceil, floor, log10
from typing import TYPE_CHECKING

import numpy as np

from initsk.displays._frames import SMALLEST
from initsk.displays._settings import points
from initsk.displays._style import leave_room, width_of
from initsk.displays._texts import text_width
from initsk.language import current_language
from initsk.text import distinct

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.ticker import Locator

_NAME = 30
# The powers of ten that float64 has.
_REACH = 305.0
_SIZE = 8
# About the width of a letter of this size, in inches.
_LETTER = 0.065
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def few_ticks(axis: "Axis", max_ticks: int = 4, *, integer: bool = False) -> None:
    """Label a linear axis with at most `max_ticks` round numbers, each written in full."""
    from matplotlib.ticker import MaxNLocator

    _set_ticks(axis, MaxNLocator(max_ticks, integer=integer))


def fixed_ticks(axis: "Axis", ticks: np.ndarray, low: float, high: float) -> None:
    """Label an axis at those of the ticks that lie between `low` and `high`."""
    from matplotlib.ticker import FixedLocator, NullLocator

    _set_ticks(axis, FixedLocator(ticks[(ticks >= low) & (ticks <= high)].tolist()))
    axis.set_minor_locator(NullLocator())


def _set_ticks(axis: "Axis", locator: "Locator") -> None:
    # Labels are written when the figure is rendered, perhaps in another language.
    short = current_language().short
    axis.set_major_locator(locator)
    axis.set_major_formatter(lambda value, _: short(value, 6))


def power_ticks(axis: "Axis") -> None:
    """Label a logarithmic axis with powers of ten; superscripts are letters, as formulas take long to draw."""
    from matplotlib.ticker import LogLocator, NullLocator

    axis.set_major_locator(LogLocator(numticks=4))
    axis.set_major_formatter(lambda value, _: f"10{str(round(np.log10(value))).translate(_RAISED)}")
    axis.set_minor_locator(NullLocator())


def log_axis(ax: "Axes", values: np.ndarray, room: tuple[float, float]) -> None:
    """Make y logarithmic around the positive finite values, over a decade at least.

    Shares of `room` stay free below and above, without ticks. An axis without values has no ticks.
    """
    from matplotlib.ticker import LogLocator

    logs = np.log10(values[np.isfinite(values) & (values > SMALLEST)])
    low, high = (float(logs.min()), float(logs.max())) if len(logs) else (0.0, 0.0)
    wider = max(1 - (high - low), 0) / 2 + 0.05 * max(high - low, 1)
    low, high = max(low - wider, -_REACH), min(high + wider, _REACH)
    span = (high - low) / (1 - sum(room))
    # In this order, since without positive values matplotlib would look for limits in vain.
    ax.set_ylim(10.0 ** max(low - room[0] * span, -_REACH), 10.0 ** min(high + room[1] * span, _REACH))
    ax.set_yscale("log")
    locator = LogLocator(subs=(1, 2, 5)) if high - low < 2.5 else LogLocator(numticks=7)
    ticks = np.asarray(locator.tick_values(10**low, 10**high) if len(logs) else [], float)
    fixed_ticks(ax.yaxis, ticks, 10**low, 10**high)


SCALES = ("auto", "linear", "symlog")
_FACTOR = 30
# Histograms resolve no finer.
_FINEST = 1e-18
_SAME = 1e-6


def strip_axis(
    ax: "Axes", ranges: Sequence[tuple[float, float]], scales: np.ndarray, scale: str, n_cells: int, inches: float
) -> np.ndarray:
    """Scale the x axis for all ranges and return the edges of cells that are equally long on it.

    The axis has a length of `inches`. `scales` are the layers' orders of magnitude: the axis is symmetric-logarithmic
    from the smallest on.
    """
    max_ticks = max(int(1.6 * inches), 2)
    low, high = min(pair[0] for pair in ranges), max(pair[1] for pair in ranges)
    largest = max(abs(low), abs(high))
    if high - low <= _SAME * largest:
        low, high = low - (largest or 1) / 2, high + (largest or 1) / 2
    scales = scales[np.isfinite(scales) & (scales > 0)]
    if scale == "linear" or not len(scales) or (scale == "auto" and scales.max() <= _FACTOR * scales.min()):
        few_ticks(ax.xaxis, max_ticks)
        ax.set_xlim(low, high)
        return np.linspace(low, high, n_cells + 1)
    threshold = 10.0 ** floor(log10(max(scales.min(), _FINEST)))
    ax.set_xscale("symlog", linthresh=threshold)
    ax.set_xlim(low, high)
    transform = ax.xaxis.get_transform()
    first, last, zero = (float(value) for value in transform.transform(np.array([low, high, 0.0])))
    ticks = _symlog_ticks(threshold, low, high, max_ticks)
    # The smallest powers may be too close to zero for their numbers.
    distances = np.abs(transform.transform(ticks) - zero) / (last - first) * inches
    fixed_ticks(ax.xaxis, ticks[(ticks == 0) | (distances >= 0.2)], low, high)
    edges = np.asarray(transform.inverted().transform(np.linspace(first, last, n_cells + 1)))
    edges[[0, -1]] = low, high
    return edges


def _symlog_ticks(threshold: float, low: float, high: float, max_ticks: int) -> np.ndarray:
    """Return zero and powers of ten on both sides, about `max_ticks`."""
    top, first = floor(log10(max(abs(low), abs(high)))), round(log10(threshold))
    sides = 2 if low < -threshold and high > threshold else 1
    powers = 10.0 ** np.arange(top, first - 1, -ceil((top - first + 1) * sides / (max_ticks + 1)))
    return np.concatenate([-powers, [0.0], powers[::-1]])


def name_layers(ax: "Axes", names: Sequence[str], inches: float, *, shown: bool, length: int = _NAME) -> None:
    """Put layers side by side along x, and label as many as have room, upright where names are long."""
    every = ceil(len(names) * 0.16 / inches)
    labels = distinct(names, length)
    rotation = 90 if _are_upright(labels, inches) else 0
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.set_xticks(
        range(0, len(names), every), labels[::every], rotation=rotation, parse_math=False, fontsize=points(_SIZE)
    )
    ax.tick_params(labelbottom=shown)


def name_layers_within(ax: "Axes", names: Sequence[str], *, shown: bool) -> None:
    """Name layers along x in given axes: upright names take their room from the axes, at most 60 % of the height."""
    inches, height = width_of(ax), ax.bbox.height / ax.figure.dpi
    length = int(np.clip(0.6 * height / _LETTER, 8, _NAME))
    name_layers(ax, names, inches, shown=shown, length=length)
    if shown:
        leave_room(ax, bottom=name_room(names, inches, length))


def name_room(names: Sequence[str], inches: float, length: int = _NAME) -> float:
    """Return how many inches upright names need below the axis; none where they fit side by side."""
    labels = distinct(names, length)
    return max(_longest(labels) - 0.2, 0.0) if _are_upright(labels, inches) else 0.0


def _are_upright(labels: Sequence[str], inches: float) -> bool:
    return _longest(labels) + 0.12 > inches / len(labels)


def _longest(labels: Sequence[str]) -> float:
    return max(text_width(label, points(_SIZE, "xtick.labelsize")) for label in labels)
