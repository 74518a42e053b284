"""Marks at the edge of an axis for what cannot be drawn on it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from initsk.displays._style import INK
from initsk.language import message

if TYPE_CHECKING:
    from matplotlib.axes import Axes

from collections.abc import Sequence
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from initsk.displays._axes import few_ticks
from initsk.language import Language

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW = 0.09
_AT = {"zero": ("v", 0.04, 1), "nonfinite": ("x", 0.95, -1)}
MEANING = {"zero": message("all values zero"), "nonfinite": message("values not finite")}


def mark(ax: "Axes", kind: str, positions: Iterable[float], colour: str, level: int = 0) -> None:
    """Mark positions along x: "zero" by a triangle at the lower edge, "nonfinite" by a cross at the upper.

    Marks of several lines stand above each other, each at its `level` from the edge.
    """
    positions = list(positions)
    if positions:
        marker, edge, inwards = _AT[kind]
        height = edge + inwards * level * _ROW
        style: dict[str, Any] = {"linestyle": "none", "marker": marker, "markersize": 5.5, "markeredgewidth": 1.4}
        ax.plot(
            positions, [height] * len(positions), color=colour, transform=ax.get_xaxis_transform(),
            clip_on=False, **style,
        )  # fmt: skip


def write_zero(ax: "Axes", positions: np.ndarray, levels: int, *, crowded: bool) -> None:
    """Write "0" above the marks of layers that are all zero; in a crowd once for layers side by side."""
    runs = np.split(positions, np.flatnonzero(np.diff(positions) > 1) + 1)
    for x in [run[len(run) // 2] for run in runs] if crowded else positions:
        ax.text(
            float(x), 0.01 + levels * _ROW, "0", transform=ax.get_xaxis_transform(),
            ha="center", va="bottom", fontsize=9, color=INK,
        )  # fmt: skip


def sample(kind: str) -> Any:
    """Return what stands for the mark in a legend."""
    from matplotlib.lines import Line2D

    marker, _, _ = _AT[kind]
    return Line2D([], [], linestyle="none", marker=marker, color=INK, markersize=5.5, markeredgewidth=1.4)


SCALES = ("auto", "linear", "symlog")
_FACTOR = 30
# Histograms resolve no finer.
_FINEST = 1e-18
_SAME = 1e-6


def strip_axis(
    ax: "Axes", ranges: Sequence[tuple[float, float]], scales: np.ndarray, scale: str, n_cells: int, translate: Language
) -> np.ndarray:
    """Scale the x axis for all ranges and return the edges of cells that are equally long on it.

    `scales` are the layers' orders of magnitude: the axis is symmetric-logarithmic from the smallest on.
    """
    low, high = min(pair[0] for pair in ranges), max(pair[1] for pair in ranges)
    largest = max(abs(low), abs(high))
    if high - low <= _SAME * largest:
        low, high = low - (largest or 1) / 2, high + (largest or 1) / 2
    scales = scales[np.isfinite(scales) & (scales > 0)]
    if scale == "linear" or not len(scales) or (scale == "auto" and scales.max() <= _FACTOR * scales.min()):
        few_ticks(ax.xaxis, 7, translate=translate)
        ax.set_xlim(low, high)
        return np.linspace(low, high, n_cells + 1)
    threshold = 10.0 ** floor(log10(max(scales.min(), _FINEST)))
    ax.set_xscale("symlog", linthresh=threshold)
    ax.set_xlim(low, high)
    _symlog_ticks(ax, threshold, low, high, translate)
    there = ax.xaxis.get_transform()
    first, last = (float(end) for end in there.transform(np.array([low, high])))
    edges = there.inverted().transform(np.linspace(first, last, n_cells + 1))
    edges[[0, -1]] = low, high
    return np.asarray(edges)


def _symlog_ticks(ax: "Axes", threshold: float, low: float, high: float, translate: Language) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    top = floor(log10(max(abs(low), abs(high))))
    first = round(log10(threshold))
    sides = 2 if low < -threshold and high > threshold else 1
    every = ceil((top - first + 1) * sides / 8)
    powers = 10.0 ** np.arange(top, first - 1, -every)
    ticks = np.concatenate([-powers, [0.0], powers[::-1]])
    ax.xaxis.set_major_locator(FixedLocator(ticks[(ticks >= low) & (ticks <= high)].tolist()))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: translate.short(value, 6)))
    ax.xaxis.set_minor_locator(NullLocator())
