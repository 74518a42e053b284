"""Strips: one line per layer, with its histogram in shades and a few numbers."""

from collections.abc import Callable, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from initsk.displays._axes import SCALES, strip_axis
from initsk.displays._bins import central_range, count_below, split_histograms
from initsk.displays._colors import palette_color
from initsk.displays._display import Display, in_given_language
from initsk.displays._frames import BINS, BOTH, KEY, check_frames, n_values, select_rows
from initsk.displays._heat import draw_cells
from initsk.displays._settings import ink, points, text_scale
from initsk.displays._style import GRAY, clear_background, color_ticks, draw_grid, label_axis, leave_room, width_of
from initsk.displays._texts import number, percent, text_width
from initsk.language import current_language, message, translate
from initsk.text import distinct
from initsk.utils.validation import check_parameters, one_of
from initsk.utils.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POSITIONS = {"activation": message("activation"), "pre_activation": message("pre-act."), "output": message("output")}
_NUMBERS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "mean": (message("mean"), number),
    "std": (message("std"), number),
    "zero_fraction": (message("zero"), percent),
    "dead_fraction": (message("dead"), percent),
    "saturated_fraction": (message("saturated"), percent),
    "outside": (message("outside"), percent),
    "nonfinite": (message("not finite"), lambda n: current_language().integer(n)),
}
_WIDTH = 4.4
_ROW = 0.21
_COLUMN = 0.74
_CELLS = 240
# In given axes, names have at most this share of the width; the width of a letter is in inches.
_NAMES = 0.3
_LETTER = 0.065
_LONG = 25
_ROUNDING = 1e-6


class LayerStripDisplay(Display):
    """One line per layer: name, position, the histogram as a strip of shades, and its numbers.

    All strips share one axis, linear or, where layers differ by orders of magnitude, symmetric-logarithmic. It holds
    99.9 % of every layer's values. The darkest shade of each strip marks the highest density of values along the axis.
    Exact zeros are left out and written as a share. On a linear axis a tick marks the mean.

    Parameters
    ----------
    panels : dict of (layer, position) to DataFrame
        Histogram without zeros: left, right, count.
    statistics : DataFrame
        Rows of layer and position: count, mean, std, rms, zero_fraction, dead_fraction, saturated_fraction,
        nonfinite, and `outside`, the share beyond the edges of a histogram with fixed bins.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes

    Examples
    --------
    >>> import pandas as pd
    >>> from initsk.displays import LayerStripDisplay
    >>> bins = pd.DataFrame({"left": [-1.0, 0.0], "right": [0.0, 1.0], "count": [2, 6]})
    >>> row = {"layer": "out", "position": "output", "count": 8, "mean": 0.25, "std": 0.5, "rms": 0.56, "nonfinite": 0}
    >>> frame = pd.DataFrame([row]).assign(zero_fraction=0.0, dead_fraction=0.0, saturated_fraction=float("nan"))
    >>> display = LayerStripDisplay.from_frames(bins.assign(layer="out", position="output"), frame).plot()
    >>> display.ax_.get_xscale(), [text.get_text() for text in display.ax_.texts]
    ('linear', ['out', 'output', 'mean', '0.25', 'std', '0.5', 'zero', '0%', 'dead', '0%'])
    """

    def __init__(self, panels: dict[tuple[str, str], pd.DataFrame], statistics: pd.DataFrame) -> None:
        self.panels = panels
        self.statistics = statistics

    @classmethod
    @np.errstate(all="ignore")
    def from_frames(cls, histograms: pd.DataFrame, frame: pd.DataFrame) -> Self:
        """Take the zeros out of the histograms of a summary.

        Parameters
        ----------
        histograms, frame : DataFrame
            `ActivationSummary.histograms()` and `ActivationSummary.to_frame()`.

        Returns
        -------
        LayerStripDisplay

        Raises
        ------
        InvalidParameterError
            If a frame has no rows or lacks columns, or `frame` has two rows of one layer and position.
        """
        needed = (*KEY, "count", "rms", *(name for name in _NUMBERS if name != "outside"))
        given: dict[str, Any] = {"histograms": (histograms, BINS, ()), "frame": (frame, needed, KEY)}
        histograms, frame = check_frames(cls.__name__, given)
        parts, shares = split_histograms(histograms, frame)
        return cls(parts, frame.assign(outside=(shares["below"] + shares["above"]).to_numpy()))

    def _contents(self) -> list[str]:
        return [counted(n_values(self.statistics, "layer"), "layer"), counted(len(self.panels), "histogram")]

    @in_given_language
    def plot(
        self, ax: Any = None, *, position: str = "activation", layers: Sequence[str] | None = None,
        scale: str = "auto", language: str = "en", **kwargs: Any,
    ) -> Self:  # fmt: skip
        """Draw the strips.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure. Names and numbers take space from the axes: the columns of numbers
            at the right are left out if the strips would get less than 30 % of the width. A row needs about 0.2 inches
            of height.
        position : {"both", "activation", "pre_activation"}, default="activation"
            Position to draw. Layers without an activation function have only the position "output", which is always
            drawn.
        layers : list of str, optional
            Layers to draw; all by default.
        scale : {"auto", "linear", "symlog"}, default="auto"
            Scale of the axis; "auto" is linear if the root mean squares of all layers are within a factor of 30.
        language : str, default="en"
            Language of words and numbers: "en", "id", or another file in ``initsk/locale``.
        **kwargs
            Passed to `matplotlib.axes.Axes.pcolormesh`, which draws the shades.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            If a parameter is not allowed.
        """
        check_parameters("plot", {"scale": scale}, {"scale": one_of("scale", SCALES)})
        rows = select_rows(self.statistics, position, layers, BOTH)
        columns = [name for name in _NUMBERS if _is_informative(rows[name], name)]
        names = distinct(list(rows["layer"]), 30)
        left = 1.0 + max(text_width(name, 8) for name in names)
        width, size = _WIDTH, {"height": _ROW * len(rows), "left": left, "right": 0.15 + _COLUMN * len(columns)}
        self.ax_ = self._open_grid(ax, 1, 1, width=width, **size)[0, 0]
        unit = text_scale()
        if not self._has_own_size:
            whole, step = width_of(self.ax_), _COLUMN * unit
            names = distinct(list(rows["layer"]), int(np.clip(_NAMES * whole / (_LETTER * unit), 8, 30)))
            left = unit + max(text_width(name, points(8)) for name in names)
            columns = columns[: max(int((0.7 * whole - left) / step), 0)]
            width = whole - left - step * len(columns)
            leave_room(self.ax_, left=left, right=step * len(columns), bottom=0.3 * unit)
        self._draw(self.ax_, rows, scale, width, kwargs)
        # The name stands at the layer's first position only.
        is_first = rows["layer"].ne(rows["layer"].shift())
        for i, (first, name, at) in enumerate(zip(is_first, names, rows["position"], strict=True)):
            if first:
                _write(self.ax_, 0, -0.85 * unit, i, name)
            if at in _POSITIONS:
                _write(self.ax_, 0, -0.08 * unit, i, translate(_POSITIONS[at]), alpha=0.75)
        for k, column in enumerate(columns, 1):
            heading, form = _NUMBERS[column]
            _write(self.ax_, 1, _COLUMN * unit * k, -0.9, translate(heading), weight="bold")
            values = rows[column]
            if column == "mean":
                # A sum that cancels leaves rounding errors of single precision.
                values = values.where(values.abs() > _ROUNDING * rows["std"], 0.0).where(values.notna())
            for i, value in enumerate(values):
                _write(self.ax_, 1, _COLUMN * unit * k, i, form(value))
        return self

    def _draw(self, ax: "Axes", rows: pd.DataFrame, scale: str, width: float, style: dict[str, Any]) -> None:
        parts = [self.panels[layer, position] for layer, position in zip(rows["layer"], rows["position"], strict=True)]
        ranges, scales = [central_range([part]) for part in parts], rows["rms"].to_numpy(float)
        edges = strip_axis(ax, ranges, scales, scale, _CELLS, width)
        # Every second row is a gap.
        shades = np.zeros((2 * len(parts) - 1, _CELLS))
        for i, part in enumerate(parts):
            counts = np.diff(count_below(part, edges))
            shades[2 * i] = counts / max(counts.max(), 1e-300)
        heights = (np.arange(len(parts))[:, None] + [-0.4, 0.4]).ravel()
        _clean_axes(ax, len(parts))
        draw_cells(ax, edges, heights, np.ma.masked_equal(shades, 0), style, vmin=0, vmax=1)
        if ax.get_xscale() == "linear":
            mean = rows["mean"].where(np.array([len(part) > 0 for part in parts]))
            # In a color that is visible on every shade.
            ax.plot(mean, np.arange(len(rows)), "|", color=palette_color(4), markersize=8, markeredgewidth=1.6)
            words = translate("value (darker: more values; zeros left out; tick: mean)")
        else:
            words = translate("value (darker: more values; zeros left out)")
        label_axis(ax.xaxis, fill(words, max(int(13 * width / text_scale()), 18)))
        for i, (part, count) in enumerate(zip(parts, rows["count"], strict=True)):
            if part.empty:
                _write(ax, 0.5, 0, i, translate("all zero") if count else translate("no finite value"), ha="center")


def _clean_axes(ax: "Axes", n_rows: int) -> None:
    clear_background(ax)
    ax.spines[:].set_visible(False)
    draw_grid(ax, "x")
    ax.set(ylim=(n_rows - 0.5, -0.5), yticks=[])
    color_ticks(ax, 8, length=2)
    ax.tick_params(labeltop=n_rows > _LONG)
    for i in range(n_rows):
        ax.axhspan(i - 0.4, i + 0.4, color=GRAY, alpha=0.08, linewidth=0)


def _is_informative(column: pd.Series, name: str) -> bool:
    """Return whether a column of numbers has anything to show."""
    if name in ("outside", "nonfinite"):
        return bool((column > 0).any())
    return name in ("mean", "std") or bool(column.notna().any())


def _write(ax: "Axes", x: float, inches: float, row: float, words: str, **style: Any) -> None:
    """Write so many inches right of a share `x` of the axes' width."""
    from matplotlib.transforms import ScaledTranslation

    transform = ax.get_yaxis_transform() + ScaledTranslation(inches, 0, ax.figure.dpi_scale_trans)
    style = {"ha": "right", "va": "center_baseline", "fontsize": points(8), "color": ink(), **style}
    ax.text(x, row, words, transform=transform, parse_math=False, **style)
