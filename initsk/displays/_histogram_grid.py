"""Histograms of every layer of one network, before and after the activation function."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from initsk.displays._axes import few_ticks, power_ticks
from initsk.displays._bins import central_range, outline, split_histograms
from initsk.displays._colors import palette_color
from initsk.displays._display import Display, check_panels, in_given_language
from initsk.displays._frames import BINS, BOTH, KEY, check_frames, n_values, select_rows
from initsk.displays._legends import label_panels
from initsk.displays._settings import ink, points
from initsk.displays._style import POSITION_COLORS, POSITION_NAMES, clean_axes, line_width, merge_style, stack_panels
from initsk.displays._texts import number, percent
from initsk.language import current_language, message, translate
from initsk.text import distinct
from initsk.utils.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 5
_ROWS = {"pre_activation": 0, "output": 0, "weight": 0, "activation": 1}
_DECADES = 4
_LINE = 0.135


class HistogramGridDisplay(Display):
    """Histograms of one network's values, a column per layer, `pre_activation` above `activation`.

    After five layers the grid continues below. Each panel has axes of its own: the range that holds 99.9 % of its
    values by the four upper decades of its density. Exact zeros are left out of the histogram and written as a share,
    since their bin would be far higher than the others. Values beyond the edges of a histogram with fixed bins are
    written as shares too.

    Parameters
    ----------
    panels : dict of (layer, position) to DataFrame
        Histogram without zeros: left, right, count, density (of all values).
    shares : DataFrame
        Indexed by layer and position: `zero`, `below` and `above`, shares of the finite values; `lowest`
        and `highest`, the outer edges of the bins.
    statistics : DataFrame
        The summary's rows: layer, position, count, std and nonfinite.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : dict of (layer, position) to matplotlib Axes

    Examples
    --------
    >>> import pandas as pd
    >>> from initsk.displays import HistogramGridDisplay
    >>> bins = pd.DataFrame({"left": [-1.0, 0.0], "right": [0.0, 1.0], "count": [2, 6]})
    >>> row = {"layer": "out", "position": "output", "count": 8, "std": 0.5, "zero_fraction": 0.25, "nonfinite": 0}
    >>> display = HistogramGridDisplay.from_frames(bins.assign(layer="out", position="output"), pd.DataFrame([row]))
    >>> display.panels["out", "output"]["density"].tolist()
    [0.25, 0.5]
    >>> list(display.plot().axes_)
    [('out', 'output')]
    """

    def __init__(
        self, panels: dict[tuple[str, str], pd.DataFrame], shares: pd.DataFrame, statistics: pd.DataFrame
    ) -> None:
        self.panels = panels
        self.shares = shares
        self.statistics = statistics

    @classmethod
    @np.errstate(all="ignore")
    def from_frames(cls, histograms: pd.DataFrame, frame: pd.DataFrame) -> Self:
        """Split the histograms of a summary into bins, zeros and tails.

        Parameters
        ----------
        histograms, frame : DataFrame
            `ActivationSummary.histograms()` and `ActivationSummary.to_frame()`.

        Returns
        -------
        HistogramGridDisplay

        Raises
        ------
        InvalidParameterError
            If a frame has no rows or lacks columns, or `frame` has two rows of one layer and position.
        """
        needed = (*KEY, "count", "std", "zero_fraction", "nonfinite")
        given = {"histograms": (histograms, BINS, ()), "frame": (frame, needed, KEY)}
        histograms, frame = check_frames(cls.__name__, given)
        return cls(*split_histograms(histograms, frame), frame)

    def _contents(self) -> list[str]:
        return [counted(n_values(self.statistics, "layer"), "layer"), counted(len(self.panels), "histogram")]

    @in_given_language
    def plot(
        self, ax: Any = None, *, position: str = "both", layers: Sequence[str] | None = None, language: str = "en",
        **kwargs: Any,
    ) -> Self:  # fmt: skip
        """Draw the grid.

        Parameters
        ----------
        ax : array of matplotlib Axes, optional
            Where to draw, in the order of `axes_`: layer by layer, the pre-activation first. By default a new figure.
        position : {"both", "activation", "pre_activation"}, default="both"
            Position to draw. Layers without an activation function have only the position "output", which is always
            drawn.
        layers : list of str, optional
            Layers to draw; all by default.
        language : str, default="en"
            Language of words and numbers: "en", "id", or another file in ``initsk/locale``.
        **kwargs
            Passed to `matplotlib.axes.Axes.stairs`, which draws the histograms.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            If a parameter is not allowed.
        """
        rows = select_rows(self.statistics, position, layers, BOTH)
        names = list(rows["layer"].unique())
        titles = dict(zip(names, distinct(names, 30), strict=True))
        check_panels(len(rows))
        axes = self._open(ax, len(rows), 2.3, 1.4)
        if axes:
            label_panels(axes, list(rows["layer"].map(titles)), translate("density"))
        else:
            axes = self._lay_out(rows, titles, position)
        self.axes_ = dict(zip(rows[list(KEY)].itertuples(index=False, name=None), axes, strict=True))
        for one, (_, row) in zip(axes, rows.iterrows(), strict=True):
            self._draw(one, row, kwargs)
        return self

    def _lay_out(self, rows: pd.DataFrame, titles: dict[str, str], position: str) -> list["Axes"]:
        """Return a panel per row of a new figure; a layer with one position stretches over both."""
        stack = 2 if position == "both" and rows["position"].isin(("pre_activation", "activation")).any() else 1
        layout = {"width": 2.3, "height": 1.4, "gap_x": 0.5, "gap_y": 0.38, "gap_stacks": 0.68}
        words, names = list(titles.values()), list(titles)
        stacks = stack_panels(self.figure_, words, stack, _COLUMNS, translate("density"), 0.5, **layout)
        places = [(names.index(layer), _ROWS[at] % stack) for layer, at in rows[list(KEY)].itertuples(index=False)]
        for i, j in set(np.ndindex(stacks.shape)) - set(places):
            stacks[i, j].remove()
            if j and (i, j - 1) in places:
                place = stacks[i, j - 1].get_subplotspec()
                first = place.rowspan.start
                stacks[i, j - 1].set_subplotspec(place.get_gridspec()[first : first + stack, place.colspan.start])
        return [stacks[place] for place in places]

    def _draw(self, ax: "Axes", row: pd.Series, style: dict[str, Any]) -> None:
        from matplotlib.patches import StepPatch

        clean_axes(ax)
        frame, notes = self.panels[row["layer"], row["position"]], self._notes(row)
        if len(frame):
            edges, density = outline(frame)
            place = POSITION_COLORS.get(row["position"])
            color = ink() if place is None else palette_color(place)
            line = merge_style(StepPatch, {"color": color, "linewidth": line_width(1.2), "baseline": 1e-300}, style)
            ax.stairs(density, edges, **{**line, "fill": True, "alpha": 0.45, "linewidth": 0})
            ax.stairs(density, edges, **line)
            self._scale(ax, frame, len(notes))
        else:
            ax.set(xticks=[], yticks=[])
        text: dict[str, Any] = {"transform": ax.transAxes, "fontsize": points(8), "color": ink()}
        position = POSITION_NAMES.get(row["position"], row["position"])
        if row["position"] != "weight":
            ax.text(0.02, 0.97, translate(position), ha="left", va="top", parse_math=False, **text)
        x, y, ha, va = (0.98, 0.97, "right", "top") if len(frame) else (0.5, 0.5, "center", "center")
        ax.text(x, y, "\n".join(notes), ha=ha, va=va, **text)

    def _scale(self, ax: "Axes", frame: pd.DataFrame, n_notes: int) -> None:
        low, high = central_range([frame])
        # A constant gets a line in the middle, not a bar over the whole width with equal ticks.
        margin = max(0.03 * (high - low), 1e-3 * max(abs(low), abs(high)))
        peak = float(frame["density"].max())
        # The notes need room above the peak.
        free = _LINE * (n_notes + 1) / 1.4
        ax.set(xlim=(low - margin, high + margin), yscale="log")
        ax.set_ylim(peak * 10.0**-_DECADES, peak * 10 ** (_DECADES * free / (1 - free)))
        few_ticks(ax.xaxis)
        power_ticks(ax.yaxis)

    def _notes(self, row: pd.Series) -> list[str]:
        share = self.shares.loc[(row["layer"], row["position"])]
        lost = row["nonfinite"]
        notes = [translate("{n} not finite", n=current_language().integer(lost))] if lost else []
        if not row["count"]:
            return [*notes, translate("no finite value")]
        if share["zero"] == 1:
            return [*notes, translate("all others zero") if notes else translate("all zero")]
        notes.append(translate("std {number}", number=number(row["std"])))
        if share["zero"]:
            notes.append(translate("{share} zero", share=percent(share["zero"])))
        below, above = message("{share} below {edge:.4g}"), message("{share} above {edge:.4g}")
        for side, edge, words in (("below", "lowest", below), ("above", "highest", above)):
            if share[side]:
                notes.append(translate(words, share=percent(share[side]), edge=share[edge]))
        return notes
