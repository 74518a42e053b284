"""Legends around axes, and marks at the edges of an axis."""

from collections.abc import Iterable, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from initsk.displays._settings import ink, points, text_scale
from initsk.displays._style import label_axis, leave_room, outer_sides, sample, width_of, write_title
from initsk.language import message, translate

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D


def _legend_columns(handles: Sequence["Artist"], inches: float) -> int:
    """Return how many columns of labels fit into so many inches, with about 10 characters for a line's sample."""
    longest = max((len(str(handle.get_label())) for handle in handles), default=0)
    return max(1, min(len(handles), int(inches * 13 / text_scale()) // (longest + 10)))


def legend_rows(handles: Sequence["Artist"], inches: float) -> int:
    """Return how many rows a legend has, so many inches wide."""
    return ceil(len(handles) / _legend_columns(handles, inches))


def legend_below(figure: "Figure", handles: Sequence["Artist"], inches: float) -> None:
    """Put a legend below the axes, where it hides no data; it is at most so many inches wide."""
    place = "lower center"
    if figure.get_layout_engine():
        place, inches = "outside lower center", figure.get_figwidth()
    _add_legend(figure, handles, inches, loc=place, fontsize=points(9, "legend.fontsize"), handlelength=2.6)


def legend_above(ax: "Axes", handles: Sequence["Artist"]) -> float:
    """Put a legend between given axes and their title, and return its height in inches."""
    if not handles:
        return 0
    height = 0.18 * text_scale() * legend_rows(handles, width_of(ax)) + 0.08
    height = min(height, 0.6 * ax.bbox.height / ax.figure.dpi)
    leave_room(ax, top=height)
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2}
    _add_legend(ax, handles, width_of(ax), fontsize=points(8, "legend.fontsize"), handlelength=2.2, **place)
    # A title that is written later comes above inset axes.
    ax.inset_axes((0, 1, 1, height * ax.figure.dpi / ax.bbox.height)).set_axis_off()
    return height


def legends(
    figure: "Figure", axes: Sequence["Axes"], handles: Sequence["Artist"], n_first: int, *, given: bool
) -> None:
    """Put a legend below two new panels, or above given ones.

    Above given panels, the first `n_first` handles are over the first panel, and the others over the second.
    """
    if not given:
        legend_below(figure, handles, 9.5)
        return
    heights = [legend_above(ax, part) for ax, part in zip(axes, (handles[:n_first], handles[n_first:]), strict=True)]
    for ax in axes:
        leave_room(ax, top=max(heights))


def _add_legend(owner: "Figure | Axes", handles: Sequence["Artist"], inches: float, **style: Any) -> None:
    """Add a legend unless it is empty; labels appear as they are."""
    if handles:
        own: dict[str, Any] = {"ncols": _legend_columns(handles, inches), "labelcolor": ink(), "frameon": False}
        legend = owner.legend(handles, [str(handle.get_label()) for handle in handles], **own, **style)
        for text in legend.get_texts():
            text.set_parse_math(False)


# Marks at the edge of an axis for what has no place on it: the marker, the height of the first mark, and the
# direction in which those of other lines follow.
_MARKS = {"zero": ("v", 0.04, 1), "nonfinite": ("x", 0.95, -1)}
_MARK_STEP = 0.09
_MEANINGS = {"zero": message("all values zero"), "nonfinite": message("values not finite")}


def draw_marks(ax: "Axes", kind: str, x: Iterable[float], color: str, level: int = 0) -> None:
    """Mark places along x: "zero" by a triangle at the lower edge, "nonfinite" by a cross at the upper one.

    Marks of several lines stand above each other, each at its `level` from the edge.
    """
    x = list(x)
    if x:
        _, edge, inwards = _MARKS[kind]
        line = mark_sample(kind, color)
        line.set_data(x, [edge + inwards * level * _MARK_STEP] * len(x))
        line.set(transform=ax.get_xaxis_transform(), clip_on=False)
        ax.add_line(line)


def write_zero(ax: "Axes", places: np.ndarray, levels: int, *, crowded: bool) -> None:
    """Write "0" above the marks of layers that are all zero; in a crowd, once for layers side by side."""
    runs = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    for x in [run[len(run) // 2] for run in runs] if crowded else places:
        ax.text(
            float(x), 0.01 + levels * _MARK_STEP, "0", transform=ax.get_xaxis_transform(),
            ha="center", va="bottom", fontsize=points(9), color=ink(),
        )  # fmt: skip


def mark_sample(kind: str, color: str) -> "Line2D":
    """Return the mark without data, as a legend shows it."""
    style = {"linestyle": "none", "marker": _MARKS[kind][0], "markersize": 5.5, "markeredgewidth": 1.4}
    return sample(color=color, label=translate(_MEANINGS[kind]), **style)


def label_panels(
    axes: Sequence["Axes"], titles: Sequence[str], y_label: str, x_label: str = "", samples: Sequence["Artist"] = ()
) -> None:
    """Write titles over given axes, the y label at their left side, the x label below, and a legend over the first."""
    for ax, title, outer in zip(axes, titles, outer_sides(axes).to_dict("records"), strict=True):
        above = legend_above(ax, samples) if ax is axes[0] else 0
        write_title(ax, title, 10, above)
        if not outer["top"] and not ax.figure.get_layout_engine():
            # Between the title and the ticks of the axes above.
            leave_room(ax, top=above + 0.2)
        label_axis(ax.yaxis, y_label if outer["left"] else "")
        label_axis(ax.xaxis, x_label if outer["bottom"] else "")
