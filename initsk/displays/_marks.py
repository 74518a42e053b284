"""Marks at the edge of an axis for what cannot be drawn on it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from initsk.displays._style import INK
from initsk.utils._language import message

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
