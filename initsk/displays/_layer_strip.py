"""A strip per layer: where its values lie, and a few numbers, in one line each."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from initsk.displays._axes import BINS, BOTH, KEY, checked, chosen
from initsk.displays._bins import central_range, count_below, heat_colours, take_apart
from initsk.displays._marks import SCALES, strip_axis
from initsk.displays._style import INK, colour_of, distinct, number, panels, percent, text_width
from initsk.language import Language, get_language, message
from initsk.utils.validation import check_parameters, one_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POSITIONS = {"activation": message("activation"), "pre_activation": message("pre-act."), "output": message("output")}
_NUMBERS: dict[str, tuple[str, Callable[[Any, Language], str]]] = {
    "mean": (message("mean"), number),
    "std": (message("std"), number),
    "zero_fraction": (message("zero"), percent),
    "dead_fraction": (message("dead"), percent),
    "saturated_fraction": (message("saturated"), percent),
    "outside": (message("outside"), percent),
    "nonfinite": (message("not finite"), lambda value, translate: translate.integer(value)),
}
_WIDTH = 4.4
_ROW = 0.21
_COLUMN = 0.74
_CELLS = 240
_LONG = 25
_ROUNDING = 1e-6


class LayerStripDisplay:
    """One line per layer: name, position, the histogram as a strip of shades, and its numbers.

    All strips share one axis, linear or, where layers differ by orders of magnitude, symmetric-logarithmic. It holds
    99.9 % of every layer's values. The darkest shade is the fullest place of each strip, per length
    on the axis; exact zeros are left out and written as a share. On a linear axis a tick marks the mean.

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
    axes_ : Axes

    Examples
    --------
    >>> import pandas as pd
    >>> from initsk.displays import LayerStripDisplay
    >>> bins = pd.DataFrame({"left": [-1.0, 0.0], "right": [0.0, 1.0], "count": [2, 6]})
    >>> row = {"layer": "out", "position": "output", "count": 8, "mean": 0.25, "std": 0.5, "rms": 0.56, "nonfinite": 0}
    >>> frame = pd.DataFrame([row]).assign(zero_fraction=0.0, dead_fraction=0.0, saturated_fraction=float("nan"))
    >>> display = LayerStripDisplay.from_frames(bins.assign(layer="out", position="output"), frame).plot()
    >>> display.axes_.get_xscale(), [text.get_text() for text in display.axes_.texts]
    ('linear', ['out', 'output', 'mean', '0.25', 'std', '0.5', 'zero', '0%', 'dead', '0%'])
    """

    def __init__(self, panels: dict[tuple[str, str], pd.DataFrame], statistics: pd.DataFrame) -> None:
        self.panels = panels
        self.statistics = statistics

    @classmethod
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
        histograms, frame = checked(cls.__name__, given)
        parts, shares = take_apart(histograms, frame)
        return cls(parts, frame.assign(outside=(shares["below"] + shares["above"]).to_numpy()))

    def plot(
        self,
        *,
        position: str = "activation",
        layers: Sequence[str] | None = None,
        scale: str = "auto",
        language: str = "en",
    ) -> Self:
        """Draw the strips.

        Parameters
        ----------
        position : {"both", "activation", "pre_activation"}, default="activation"
            Which values. Layers without an activation function have one position, "output", always drawn.
        layers : list of str, optional
            Layers to draw; all by default.
        scale : {"auto", "linear", "symlog"}, default="auto"
            Of the axis; "auto" is linear while the root mean squares of layers are within a factor of 30.
        language : str, default="en"
            Of words and numbers: a file in ``initsk/locale``.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            If a parameter is not allowed.
        """
        from matplotlib.figure import Figure

        check_parameters("plot", {"scale": scale}, {"scale": one_of("scale", SCALES)})
        translate = get_language(language)
        rows = chosen(self.statistics, position, layers, BOTH)
        shown = {name: _NUMBERS[name] for name in _NUMBERS if _worth(rows[name], name)}
        names = distinct(list(rows["layer"]), 30)
        left = 1.0 + max(text_width(name, 8) for name in names)
        self.figure_ = Figure()
        self.axes_ = ax = panels(
            self.figure_, 1, 1, width=_WIDTH, height=_ROW * len(rows), left=left, right=0.15 + _COLUMN * len(shown)
        )[0, 0]
        self._draw(ax, rows, scale, translate)
        before = None
        for i, (layer, name, at) in enumerate(zip(rows["layer"], names, rows["position"], strict=True)):
            # The second position of a layer goes without its name.
            if layer != before:
                _write(ax, -0.85, i, name, ha="right")
            if at in _POSITIONS:
                _write(ax, -0.08, i, translate(_POSITIONS[at]), ha="right", alpha=0.75)
            before = layer
        for k, (column, (words, form)) in enumerate(shown.items()):
            at_x = _WIDTH + _COLUMN * (k + 1)
            _write(ax, at_x, -0.9, translate(words), ha="right", weight="bold")
            values = rows[column]
            if column == "mean":
                # What single precision leaves of a sum that cancels.
                values = values.where(values.abs() > _ROUNDING * rows["std"], 0.0).where(values.notna())
            for i, value in enumerate(values):
                _write(ax, at_x, i, form(value, translate), ha="right")
        return self

    def _draw(self, ax: "Axes", rows: pd.DataFrame, scale: str, translate: Language) -> None:
        parts = [self.panels[layer, position] for layer, position in zip(rows["layer"], rows["position"], strict=True)]
        edges = strip_axis(
            ax, [central_range([part]) for part in parts], rows["rms"].to_numpy(float), scale, _CELLS, translate
        )
        # Every second row is a gap.
        shades = np.zeros((2 * len(parts) - 1, _CELLS))
        for i, part in enumerate(parts):
            counts = np.diff(count_below(part, edges))
            shades[2 * i] = counts / max(counts.max(), 1e-300)
        heights = (np.arange(len(parts))[:, None] + [-0.4, 0.4]).ravel()
        self._quiet(ax, len(parts))
        ax.pcolormesh(
            edges, heights, np.ma.masked_equal(shades, 0), cmap=heat_colours(), vmin=0, vmax=1, rasterized=True
        )
        linear = ax.get_xscale() == "linear"
        if linear:
            mean = rows["mean"].where(np.array([len(part) > 0 for part in parts]))
            # Of a colour that is seen on every shade.
            ax.plot(mean, np.arange(len(rows)), "|", color=colour_of(4), markersize=8, markeredgewidth=1.6)
        words = translate("value (darkest where most are; zeros left out)")
        if linear:
            words = translate("value (darkest where most are; zeros left out; tick: mean)")
        ax.set_xlabel(words, fontsize=9, color=INK)
        for i, (part, count) in enumerate(zip(parts, rows["count"], strict=True)):
            if part.empty:
                _write(
                    ax, _WIDTH / 2, i, translate("no finite value") if not count else translate("all zero"), ha="center"
                )

    def _quiet(self, ax: "Axes", n_rows: int) -> None:
        ax.set_facecolor("none")
        ax.spines[:].set_visible(False)
        ax.grid(True, axis="x", alpha=0.3, linewidth=0.5, color="#808080")
        ax.set_axisbelow(True)
        ax.set(ylim=(n_rows - 0.5, -0.5), yticks=[])
        ax.tick_params(which="both", colors=INK, labelsize=8, length=2, labeltop=n_rows > _LONG)
        for i in range(n_rows):
            ax.axhspan(i - 0.4, i + 0.4, color="#808080", alpha=0.08, linewidth=0)


def _worth(column: pd.Series, name: str) -> bool:
    """Tell whether a column of numbers says anything."""
    if name in ("outside", "nonfinite"):
        return bool((column > 0).any())
    return name in ("mean", "std") or bool(column.notna().any())


def _write(ax: "Axes", inches: float, row: float, words: str, **style: Any) -> None:
    """Write so many inches right of the axes' left edge."""
    ax.text(
        inches / _WIDTH, row, words, transform=ax.get_yaxis_transform(), va="center_baseline", fontsize=8,
        color=INK, parse_math=False, **style,
    )  # fmt: skip
