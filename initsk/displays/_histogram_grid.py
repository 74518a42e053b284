"""Histograms of every layer of one network, before and after the activation function."""

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from initsk.displays._axes import BINS, BOTH, KEY, checked, chosen, few_ticks, power_ticks
from initsk.displays._bins import central_range, outline, take_apart
from initsk.displays._style import (
    INK,
    POSITION_COLOURS,
    POSITION_NAMES,
    distinct,
    label_left,
    number,
    panels,
    percent,
    quiet,
)
from initsk.language import Language, get_language

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 5
_ROWS = {"pre_activation": 0, "output": 0, "weight": 0, "activation": 1}
_DECADES = 4
_LINE = 0.135


class HistogramGridDisplay:
    """Histograms of one network's values, a column per layer, `pre_activation` above `activation`.

    After five layers the grid goes on below. Each panel has axes of its own: the range that holds
    99.9 % of its values by the four upper decades of its density. Exact zeros are taken out of the histogram
    and written as a share, since one spike would squeeze everything else; so is what lies beyond
    the edges of a histogram with fixed bins.

    Parameters
    ----------
    panels : dict of (layer, position) to DataFrame
        Histogram without zeros: left, right, count, density (of all values).
    shares : DataFrame
        Indexed by layer and position: `zero`, `below` and `above`, shares of the finite values; `lowest`
        and `highest`, the edges that they lie beyond.
    statistics : DataFrame
        The summary's rows: layer, position, count, std and nonfinite.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : dict of (layer, position) to Axes

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
    def from_frames(cls, histograms: pd.DataFrame, frame: pd.DataFrame) -> Self:
        """Take the histograms of a summary apart.

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
        histograms, frame = checked(cls.__name__, given)
        return cls(*take_apart(histograms, frame), frame)

    def plot(self, *, position: str = "both", layers: Sequence[str] | None = None, language: str = "en") -> Self:
        """Draw the grid.

        Parameters
        ----------
        position : {"both", "activation", "pre_activation"}, default="both"
            Which values. Layers without an activation function have one position, "output", always drawn.
        layers : list of str, optional
            Layers to draw; all by default.
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

        translate = get_language(language)
        rows = chosen(self.statistics, position, layers, BOTH)
        names = list(rows["layer"].unique())
        stack = 2 if position == "both" and rows["position"].isin(("pre_activation", "activation")).any() else 1
        columns = min(len(names), _COLUMNS)
        self.figure_ = Figure()
        grid = panels(
            self.figure_, stack * ceil(len(names) / columns), columns, width=2.3, height=1.4, gap_x=0.5, gap_y=0.38,
            stack=stack, gap_stacks=0.68,
        )  # fmt: skip
        titles = dict(zip(names, distinct(names, 30), strict=True))
        self.axes_ = {}
        for _, row in rows.iterrows():
            block, column = divmod(names.index(row["layer"]), columns)
            first = grid[block * stack, column]
            ax = grid[block * stack + _ROWS[row["position"]] % stack, column]
            self.axes_[row["layer"], row["position"]] = ax
            self._draw(ax, row, translate)
            if column == 0:
                label_left(ax, translate("density"), 0.5)
            if ax is first:
                ax.set_title(titles[row["layer"]], fontsize=10, color=INK, y=1.0, pad=6, parse_math=False)
        self._fill_gaps(grid, stack)
        return self

    def _fill_gaps(self, grid: Any, stack: int) -> None:
        """Take away panels that hold nothing; a layer with one position stretches over both."""
        used = set(self.axes_.values())
        for i, j in np.ndindex(grid.shape):
            if grid[i, j] in used:
                continue
            grid[i, j].remove()
            partner = grid[i - 1, j]
            if i % stack and partner in used:
                spec = partner.get_subplotspec().get_gridspec()
                partner.set_subplotspec(spec[:, j])

    def _draw(self, ax: "Axes", row: pd.Series, translate: Language) -> None:
        quiet(ax)
        key = row["layer"], row["position"]
        frame, notes = self.panels[key], self._notes(row, translate)
        colour = POSITION_COLOURS.get(row["position"], INK)
        if len(frame):
            edges, density = outline(frame)
            ax.stairs(density, edges, fill=True, color=colour, alpha=0.45, linewidth=0, baseline=1e-300)
            ax.stairs(density, edges, color=colour, linewidth=1.2, baseline=1e-300)
            self._scale(ax, frame, len(notes), translate)
        else:
            ax.set(xticks=[], yticks=[])
        style: dict[str, Any] = {"transform": ax.transAxes, "fontsize": 8, "color": INK}
        position = POSITION_NAMES.get(row["position"], row["position"])
        if row["position"] != "weight":
            ax.text(0.02, 0.97, translate(position), ha="left", va="top", parse_math=False, **style)
        if len(frame):
            ax.text(0.98, 0.97, "\n".join(notes), ha="right", va="top", **style)
        else:
            ax.text(0.5, 0.5, "\n".join(notes), ha="center", va="center", **style)

    def _scale(self, ax: "Axes", frame: pd.DataFrame, n_notes: int, translate: Language) -> None:
        low, high = central_range([frame])
        # A constant gets a line in the middle, not a bar of all the width with ticks that read the same.
        margin = max(0.03 * (high - low), 1e-3 * max(abs(low), abs(high)))
        peak = float(frame["density"].max())
        # Above the peak stays room for the notes.
        free = _LINE * (n_notes + 1) / 1.4
        ax.set(xlim=(low - margin, high + margin), yscale="log")
        ax.set_ylim(peak * 10.0**-_DECADES, peak * 10 ** (_DECADES * free / (1 - free)))
        few_ticks(ax.xaxis, translate=translate)
        power_ticks(ax.yaxis)

    def _notes(self, row: pd.Series, translate: Language) -> list[str]:
        share = self.shares.loc[(row["layer"], row["position"])]
        notes = [translate("{n} not finite", n=translate.integer(row["nonfinite"]))] if row["nonfinite"] else []
        if not row["count"]:
            return [*notes, translate("no finite value")]
        if share["zero"] == 1:
            return [*notes, translate("all others zero") if notes else translate("all zero")]
        notes.append(translate("std {number}", number=number(row["std"], translate)))
        if share["zero"]:
            notes.append(translate("{share} zero", share=percent(share["zero"], translate)))
        if share["below"]:
            below = {"share": percent(share["below"], translate), "edge": translate.short(share["lowest"], 4)}
            notes.append(translate("{share} below {edge}", **below))
        if share["above"]:
            above = {"share": percent(share["above"], translate), "edge": translate.short(share["highest"], 4)}
            notes.append(translate("{share} above {edge}", **above))
        return notes
