"""Colors, panels and titles that all displays share."""

import warnings
from collections.abc import Sequence
from math import ceil
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from initsk.displays._settings import SMALLEST_SCALE, chosen, ink, points, set_scale, text_scale
from initsk.displays._texts import text_width
from initsk.language import message

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.transforms import Bbox

POSITION_COLORS = {"activation": 0, "pre_activation": 1, "output": 2}
POSITION_NAMES = {
    "pre_activation": message("pre-activation"),
    "activation": message("activation"),
    "output": message("output"),
}
GRAY = "#808080"
#: A legend takes at most this share of the height.
SHARE = 0.3
# Width and height in inches that a panel needs to have a readable name, and the texts around all panels.
_LEAST, _OUTSIDE = (0.8, 0.27), (0.8, 0.6)


def merge_style(artist: type, defaults: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return keywords for a matplotlib artist: the defaults, replaced by those given; ``lw`` is ``linewidth``."""
    from matplotlib.cbook import normalize_kwargs

    return defaults | normalize_kwargs(given, artist)


def sample(**style: Any) -> "Line2D":
    """Return a line without data, as a legend shows it."""
    from matplotlib.lines import Line2D

    return Line2D([], [], **style)


def make_panels(
    figure: "Figure", n_rows: int, n_columns: int, *, width: float, height: float,
    gap_x: float = 0.3, gap_y: float = 0.35, left: float = 0.85, right: float = 0.15, legend: float = 0,
    ratios: Sequence[float] | None = None, stack: int | None = None, gap_stacks: float = 0,
) -> Any:  # fmt: skip
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
    if figure.get_layout_engine():
        own = np.array([full_width, full_height]) * text_scale()
        size = _readable(np.array(chosen("figure.figsize", own)), (n_rows, n_columns), gap_x, has_legend=legend > 0)
        figure.set_size_inches(*size)
        set_scale(float((size / own).min()))
        return figure.subplots(n_rows, n_columns, squeeze=False, height_ratios=_repeated(ratios, n_rows))
    figure.set_size_inches(full_width, full_height)
    sides = {"left": left / full_width, "right": 1 - right / full_width}
    ends = {"top": 1 - top / full_height, "bottom": bottom / full_height}
    stacks = figure.add_gridspec(n_stacks, 1, hspace=gap_stacks / stack_height, **sides, **ends)
    gaps = {"wspace": gap_x / width, "hspace": gap_y / height}
    grids = [stacks[i].subgridspec(stack, n_columns, height_ratios=ratios, **gaps) for i in range(n_stacks)]
    return np.concatenate([grid.subplots(squeeze=False) for grid in grids])


def _readable(size: np.ndarray, shape: tuple[int, int], gap_x: float, *, has_legend: bool) -> np.ndarray:
    """Return the size of a figure; one in which panels have no room for their names becomes larger, with a warning."""
    # In a small figure texts are small, unless their size was chosen.
    scale = text_scale() if chosen("font.size", None) else SMALLEST_SCALE
    n_rows, n_columns = shape
    width, height = scale * (np.array(_OUTSIDE) + np.array([n_columns, n_rows]) * _LEAST)
    # Panels with ticks of their own are further apart.
    width += scale * n_columns * min(max(gap_x - 0.3, 0), 0.3)
    smallest = np.array([width, height / (1 - SHARE) if has_legend else height])
    if (size >= smallest).all():
        return size
    larger = np.maximum(size, smallest.round(2))
    panels = f"{n_rows} x {n_columns} panels"
    problem = f"plot: figure.figsize of {size[0]:g} x {size[1]:g} inches has no room for the names of {panels}"
    warnings.warn(f"{problem}; the figure has {larger[0]:g} x {larger[1]:g} inches", UserWarning, stacklevel=2)
    return larger


def _repeated(ratios: Sequence[float] | None, n: int) -> list[float] | None:
    return None if ratios is None else [ratios[i % len(ratios)] for i in range(n)]


def width_of(ax: "Axes") -> float:
    """Return the width of axes in inches."""
    return float(ax.bbox.width / ax.figure.dpi)


def height_of(ax: "Axes") -> float:
    """Return the height of axes in inches."""
    return float(ax.bbox.height / ax.figure.dpi)


def outer_sides(axes: Sequence["Axes"]) -> pd.DataFrame:
    """Return, for each of the axes, whether it is the leftmost, lowest and topmost of its row and column."""
    corners = pd.DataFrame([(ax.bbox.x0, ax.bbox.y0) for ax in axes], columns=["x", "y"]).round(3)
    x, y = corners["x"], corners["y"]
    of_column = y.groupby(x)
    bottom, top = y == of_column.transform("min"), y == of_column.transform("max")
    return pd.DataFrame({"left": x == x.groupby(y).transform("min"), "bottom": bottom, "top": top})


class _Room:
    """Locate axes in the place that they were given, less margins for texts around them."""

    def __init__(self, owner: "Axes", margins: dict[str, float]) -> None:
        self.margins = margins
        self._owner = owner

    def get_subplotspec(self) -> Any:
        """Return the place of the axes in a grid, which `Figure.tight_layout` asks a locator for."""
        return self._owner.get_subplotspec()

    def __call__(self, ax: Any, renderer: Any) -> "Bbox":
        from matplotlib.transforms import Bbox

        box, frame, dpi = ax.get_position(original=True), ax.figure.bbox, ax.figure.dpi
        left, right, bottom, top = (self.margins.get(side, 0) for side in ("left", "right", "bottom", "top"))
        width, height = frame.width / dpi, frame.height / dpi
        return Bbox.from_extents(
            box.x0 + left / width, box.y0 + bottom / height, box.x1 - right / width, box.y1 - top / height
        )


def leave_room(ax: "Axes", *, more: bool = False, **margins: float) -> None:
    """Shrink given axes by so many inches at the left, right, bottom or top, for texts beside them.

    A former margin at that side is replaced or, with `more`, becomes wider.
    """
    locator = ax.get_axes_locator()
    former = locator.margins if isinstance(locator, _Room) else {}
    added = {side: inches + former.get(side, 0) for side, inches in margins.items()}
    ax.set_axes_locator(_Room(ax, {**former, **(added if more else margins)}))


def clean_axes(ax: "Axes") -> None:
    """Draw the axes in ink, without top and right spines, over a faint grid."""
    clear_background(ax)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(ink("axes.edgecolor"))
    color_ticks(ax, 9)
    draw_grid(ax)


def clear_background(ax: "Axes") -> None:
    """Let the color of the figure, or of a page, show through."""
    ax.set_facecolor(chosen("axes.facecolor", "none"))


def color_ticks(ax: "Axes", size: float, **style: Any) -> None:
    """Draw ticks in ink, with labels of this size."""
    for name in ("x", "y"):
        color, label = ink(f"{name}tick.color"), points(size, f"{name}tick.labelsize")
        ax.tick_params(axis=name, which="both", colors=color, labelsize=label, **style)


def draw_grid(ax: "Axes", axis: Any = "both") -> None:
    """Draw a faint grid behind the data."""
    style = {"alpha": 0.25, "linewidth": 0.5, "color": GRAY, "linestyle": "-"}
    ax.grid(True, axis=axis, **{name: chosen(f"grid.{name}", value) for name, value in style.items()})
    ax.set_axisbelow(True)


def line_width(own: float) -> float:
    """Return the width of a line in points: the setting, or the display's own."""
    return float(chosen("lines.linewidth", own))


def write_title(ax: "Axes", words: str, size: float = 11, above: float = 0, **kwargs: Any) -> None:
    """Write a title as it is, so many inches higher; a fixed height spares matplotlib the search for one."""
    style = {"fontsize": points(size, "axes.titlesize"), "color": chosen("axes.titlecolor", ink())}
    ax.set_title(words, y=1.0, pad=6 * text_scale() + 72 * above, parse_math=False, **style, **kwargs)


def label_axis(axis: "Axis", words: str, size: float = 9) -> None:
    """Write the label of an axis as it is."""
    style: dict[str, Any] = {"fontsize": points(size, "axes.labelsize"), "color": ink("axes.labelcolor")}
    axis.set_label_text(words, parse_math=False, **style)


def label_quantity(ax: "Axes", words: str, room: float) -> None:
    """Label the y axis with what it shows, in two lines where one is too long; a title would be lost to the user's."""
    lines = ceil(text_width(words, points(9)) / (ax.bbox.height / ax.figure.dpi))
    wrapped = fill(words, ceil(len(words) / lines) + 3, break_long_words=False)
    label_left(ax, wrapped if lines > 1 else words, room)


def label_left(ax: "Axes", words: str, inches: float) -> None:
    """Label the y axis so many inches to its left, whatever its ticks, so that labels of several axes align."""
    label_axis(ax.yaxis, words)
    if not ax.figure.get_layout_engine():
        ax.yaxis.set_label_coords(-inches / width_of(ax), 0.5)


def stack_panels(
    figure: "Figure", titles: Sequence[str], stack: int, max_columns: int, y_label: str, y_room: float, **layout: Any
) -> Any:
    """Make `stack` axes below each title, side by side in at most `max_columns`, then further below.

    The y label is at the left side, `y_room` inches from the axes; `layout` is that of `make_panels`.

    Returns
    -------
    ndarray of matplotlib Axes of shape (n_titles, stack)
    """
    columns = min(len(titles), max_columns)
    grid = make_panels(figure, stack * ceil(len(titles) / columns), columns, stack=stack, **layout)
    stacks = grid.reshape(-1, stack, columns).swapaxes(1, 2).reshape(-1, stack)
    for title, axes in zip(titles, stacks, strict=False):
        write_title(axes[0], title, 10)
    for one in stacks[::columns].flat:
        label_left(one, y_label, y_room)
    for unused in stacks[len(titles) :].flat:
        unused.remove()
    return stacks[: len(titles)]
