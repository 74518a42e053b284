"""Legends around axes, and marks at the edges of an axis."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from initsk.displays._settings import ink, points
from initsk.displays._style import SHARE, height_of, label_axis, leave_room, outer_sides, sample, width_of, write_title
from initsk.displays._texts import text_width
from initsk.language import message, translate
from initsk.text import distinct

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D

# In font sizes: the height of a row, the margin, and the width of a line's sample with the gaps beside it.
_ROW, _PAD, _SAMPLE = 1.66, 0.5, 5.4
# Points, and lengths of names in letters.
_SMALLEST = 5.5
_LENGTHS = (20, 14, 10)


@dataclass(frozen=True)
class _Shape:
    """Labels of a legend, the size of their font in points, and how many columns and rows they have."""

    labels: list[str]
    size: float
    columns: int

    @property
    def height(self) -> float:
        """The height of the legend in inches, with the margin around it."""
        rows = ceil(len(self.labels) / self.columns)
        return (_ROW * rows + 2 * _PAD) * self.size / 72


def _shape(handles: Sequence["Artist"], size: float, inches: float, height: float = np.inf) -> _Shape:
    """Return a legend of at most this width and height in inches: in a smaller font, then with shorter names.

    Where even the smallest font and the shortest names need more height, they have it.
    """
    labels = [str(handle.get_label()) for handle in handles]
    smallest = min(size, _SMALLEST)
    sizes = [(labels, float(less)) for less in np.linspace(size, smallest, 6)]
    for names, font in [*sizes, *((distinct(labels, length), smallest) for length in _LENGTHS)]:
        column = max((text_width(name, font) for name in names), default=0) * 72 + _SAMPLE * font
        found = _Shape(names, font, int(np.clip((inches * 72) // column, 1, max(len(names), 1))))
        if found.height <= height and column <= 72 * inches:
            break
    return found


def legend_rows(handles: Sequence["Artist"], inches: float) -> int:
    """Return how many rows a legend has below new panels, so many inches wide."""
    return ceil(len(handles) / _shape(handles, points(9, "legend.fontsize"), inches).columns)


def legend_below(figure: "Figure", handles: Sequence["Artist"], inches: float) -> None:
    """Put a legend below the axes, where it hides no data; it is at most so many inches wide.

    In a figure of a size that the user chose, it takes at most 30 % of the height.
    """
    if not handles:
        return
    place, height = "lower center", np.inf
    if figure.get_layout_engine():
        place, inches, height = "outside lower center", figure.get_figwidth(), SHARE * figure.get_figheight()
    shape = _shape(handles, points(9, "legend.fontsize"), inches, height)
    _add_legend(figure, handles, shape, loc=place, handlelength=2.6)


def legend_above(ax: "Axes", handles: Sequence["Artist"]) -> float:
    """Put a legend between given axes and their title, and return its height in inches.

    It takes at most 30 % of the height of the axes, if its smallest form has room there, and leaves them half of it.
    """
    if not handles:
        return 0
    available = height_of(ax)
    shape = _shape(handles, points(8, "legend.fontsize"), width_of(ax), SHARE * available)
    height = min(shape.height, available / 2)
    leave_room(ax, top=height)
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2}
    legend = _add_legend(ax, handles, shape, handlelength=2.2, **place)
    _keep_titles_above(ax, legend)
    return height


def _keep_titles_above(ax: "Axes", legend: "Legend") -> None:
    """Put invisible inset axes where the legend is: a title that is written later comes above inset axes."""
    from matplotlib.transforms import TransformedBbox

    def place(_: Any, renderer: Any) -> Any:
        return TransformedBbox(legend.get_window_extent(renderer), ax.figure.transSubfigure.inverted())

    inset = ax.inset_axes((0, 1, 1, 0.1))
    inset.set_axis_off()
    inset.set_axes_locator(place)


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


def _add_legend(owner: "Figure | Axes", handles: Sequence["Artist"], shape: _Shape, **style: Any) -> "Legend":
    """Add a legend; labels appear as they are."""
    own: dict[str, Any] = {"ncols": shape.columns, "fontsize": shape.size, "labelcolor": ink(), "frameon": False}
    legend = owner.legend(handles, shape.labels, **own, **style)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return legend


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
