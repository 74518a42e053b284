"""Colours, panels, titles, legends and marks that all displays share."""

from collections.abc import Iterable, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from initsk.language import message

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.transforms import Bbox

# Okabe and Ito's palette for colour-blind readers, without yellow, which is invisible on white.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8C6D31", "#7F7F7F")
POSITION_COLOURS = {"activation": PALETTE[0], "pre_activation": PALETTE[1], "output": PALETTE[2]}
POSITION_NAMES = {
    "pre_activation": message("pre-activation"),
    "activation": message("activation"),
    "output": message("output"),
}
LINES = ("-", "--", "-.", ":")
# In SVG this becomes the page's own text colour, so that pictures follow light and dark.
INK = "#1b1f24"


def colour_of(index: int) -> str:
    """Return the colour of the initializer at this index."""
    return PALETTE[index % len(PALETTE)]


def line_style(index: int) -> dict[str, Any]:
    """Return colour, line style and marker of the initializer at this index; 32 initializers differ."""
    return {"color": colour_of(index), "linestyle": LINES[(index + index // len(PALETTE)) % len(LINES)], "marker": "o"}


def merge_style(artist: type, defaults: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return keywords for a matplotlib artist: the defaults, replaced by those given; ``lw`` is ``linewidth``."""
    from matplotlib.cbook import normalize_kwargs

    return defaults | normalize_kwargs(given, artist)


def make_panels(
    figure: "Figure",
    n_rows: int,
    n_columns: int,
    *,
    width: float,
    height: float,
    gap_x: float = 0.3,
    gap_y: float = 0.35,
    left: float = 0.85,
    right: float = 0.15,
    legend: float = 0,
    ratios: Sequence[float] | None = None,
    stack: int | None = None,
    gap_stacks: float = 0,
) -> Any:
    """Make a grid of axes of `width` by `height` inches, with `legend` inches free below.

    Gaps and margins are inches too. `ratios` of the rows' heights leave their mean at `height`.
    Every `stack` rows belong together: they are `gap_y` apart, and `gap_stacks` from the next such rows.
    Margins are fixed, since matplotlib's layout engines draw every figure twice.
    """
    top, bottom = 0.35, 0.5 + legend
    inner_width = n_columns * width + (n_columns - 1) * gap_x
    stack = stack or n_rows
    stack_height, n_stacks = stack * height + (stack - 1) * gap_y, n_rows // stack
    inner_height = n_stacks * stack_height + (n_stacks - 1) * gap_stacks
    full_width, full_height = inner_width + left + right, inner_height + top + bottom
    figure.set_size_inches(full_width, full_height)
    stacks = figure.add_gridspec(
        n_stacks,
        1,
        left=left / full_width,
        right=1 - right / full_width,
        top=1 - top / full_height,
        bottom=bottom / full_height,
        hspace=gap_stacks / stack_height,
    )
    gaps = {"wspace": gap_x / width, "hspace": gap_y / height}
    grids = [stacks[i].subgridspec(stack, n_columns, height_ratios=ratios, **gaps) for i in range(n_stacks)]
    return np.concatenate([grid.subplots(squeeze=False) for grid in grids])


def width_of(ax: "Axes") -> float:
    """Return the width of axes in inches."""
    return float(ax.bbox.width / ax.figure.dpi)


def outer_sides(axes: Sequence["Axes"]) -> pd.DataFrame:
    """Return, for each of the axes, whether it is the leftmost, lowest and topmost of its row and column."""
    corners = pd.DataFrame([(ax.bbox.x0, ax.bbox.y0) for ax in axes], columns=["x", "y"]).round(3)
    by_x, by_y = corners.groupby("x")["y"], corners.groupby("y")["x"]
    return pd.DataFrame(
        {
            "left": corners["x"] == by_y.transform("min"),
            "bottom": corners["y"] == by_x.transform("min"),
            "top": corners["y"] == by_x.transform("max"),
        }
    )


class _Room:
    """Locate axes in the place that they were given, less margins for texts around them."""

    def __init__(self, margins: dict[str, float]) -> None:
        self.margins = margins

    def __call__(self, ax: Any, renderer: Any) -> "Bbox":
        from matplotlib.transforms import Bbox

        box, frame, dpi = ax.get_position(original=True), ax.figure.bbox, ax.figure.dpi
        left, right, bottom, top = (self.margins.get(side, 0) for side in ("left", "right", "bottom", "top"))
        width, height = frame.width / dpi, frame.height / dpi
        return Bbox.from_extents(
            box.x0 + left / width, box.y0 + bottom / height, box.x1 - right / width, box.y1 - top / height
        )


def leave_room(ax: "Axes", **margins: float) -> None:
    """Shrink given axes by so many inches at the left, right, bottom or top, for texts beside them."""
    former = ax.get_axes_locator()
    ax.set_axes_locator(_Room({**(former.margins if isinstance(former, _Room) else {}), **margins}))


def clean_axes(ax: "Axes") -> None:
    """Draw the axes in ink, without top and right spines, over a faint grid."""
    ax.set_facecolor("none")
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)
    ax.tick_params(which="both", colors=INK, labelsize=9)
    ax.grid(True, alpha=0.25, linewidth=0.5, color="#808080")
    ax.set_axisbelow(True)


def write_title(ax: "Axes", words: str, size: float = 11, above: float = 0, **kwargs: Any) -> None:
    """Write a title as it is, so many inches higher; a fixed height spares matplotlib the search for one."""
    ax.set_title(words, fontsize=size, color=INK, y=1.0, pad=6 + 72 * above, parse_math=False, **kwargs)


def label_left(ax: "Axes", words: str, inches: float) -> None:
    """Label the y axis so many inches to its left, whatever its ticks, so that labels of several axes align."""
    ax.set_ylabel(words, fontsize=9, color=INK)
    ax.yaxis.set_label_coords(-inches / width_of(ax), 0.5)


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
        ax.set_ylabel(y_label if outer["left"] else "", fontsize=9, color=INK)
        ax.set_xlabel(x_label if outer["bottom"] else "", fontsize=9, color=INK)


def _legend_columns(handles: Sequence["Artist"], inches: float) -> int:
    """Return how many columns of labels fit into so many inches, with about 10 characters for a line's sample."""
    longest = max((len(str(handle.get_label())) for handle in handles), default=0)
    return max(1, min(len(handles), int(inches * 13) // (longest + 10)))


def legend_rows(handles: Sequence["Artist"], inches: float) -> int:
    """Return how many rows a legend has, so many inches wide."""
    return ceil(len(handles) / _legend_columns(handles, inches))


def legend_below(figure: "Figure", handles: Sequence["Artist"], inches: float) -> None:
    """Put a legend below the axes, where it hides no data; it is at most so many inches wide."""
    style: dict[str, Any] = {"loc": "lower center", "frameon": False, "fontsize": 9, "handlelength": 2.6}
    _add_legend(figure, handles, ncols=_legend_columns(handles, inches), **style)


def legend_above(ax: "Axes", handles: Sequence["Artist"]) -> float:
    """Put a legend between given axes and their title, and return its height in inches."""
    if not handles:
        return 0
    height = min(0.18 * legend_rows(handles, width_of(ax)) + 0.08, 0.6 * ax.bbox.height / ax.figure.dpi)
    leave_room(ax, top=height)
    style: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2, "frameon": False}
    _add_legend(ax, handles, fontsize=8, ncols=_legend_columns(handles, width_of(ax)), handlelength=2.2, **style)
    return height


def _add_legend(owner: "Figure | Axes", handles: Sequence["Artist"], **style: Any) -> None:
    """Add a legend unless it is empty; labels appear as they are."""
    if handles:
        legend = owner.legend(handles, [str(handle.get_label()) for handle in handles], labelcolor=INK, **style)
        for text in legend.get_texts():
            text.set_parse_math(False)


# Marks at the edge of an axis for what has no place on it: the marker, the height of the first mark, and the
# direction in which those of other lines follow.
_MARKS = {"zero": ("v", 0.04, 1), "nonfinite": ("x", 0.95, -1)}
_MARK_STEP = 0.09
MARK_MEANINGS = {"zero": message("all values zero"), "nonfinite": message("values not finite")}


def draw_marks(ax: "Axes", kind: str, x: Iterable[float], colour: str, level: int = 0) -> None:
    """Mark places along x: "zero" by a triangle at the lower edge, "nonfinite" by a cross at the upper one.

    Marks of several lines stand above each other, each at its `level` from the edge.
    """
    x = list(x)
    if x:
        _, edge, inwards = _MARKS[kind]
        line = mark_sample(kind, colour)
        line.set_data(x, [edge + inwards * level * _MARK_STEP] * len(x))
        line.set(transform=ax.get_xaxis_transform(), clip_on=False)
        ax.add_line(line)


def write_zero(ax: "Axes", places: np.ndarray, levels: int, *, crowded: bool) -> None:
    """Write "0" above the marks of layers that are all zero; in a crowd, once for layers side by side."""
    runs = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    for x in [run[len(run) // 2] for run in runs] if crowded else places:
        ax.text(
            float(x), 0.01 + levels * _MARK_STEP, "0", transform=ax.get_xaxis_transform(),
            ha="center", va="bottom", fontsize=9, color=INK,
        )  # fmt: skip


def mark_sample(kind: str, colour: str = INK, label: str = "") -> "Line2D":
    """Return the mark without data, as a legend shows it."""
    from matplotlib.lines import Line2D

    style: dict[str, Any] = {"linestyle": "none", "marker": _MARKS[kind][0], "markersize": 5.5, "markeredgewidth": 1.4}
    return Line2D([], [], color=colour, label=label, **style)
