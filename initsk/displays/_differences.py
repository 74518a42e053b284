"""Paired differences to the best initializer, a row each."""

from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

from initsk.comparison.results import mean_interval, scores_of, tuned
from initsk.displays._axes import few_ticks
from initsk.displays._style import INK, colour_of, panels, quiet, shortened
from initsk.language import Language, get_language

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# A row whose differences reach so many times further than those of the rows before it is shown by an arrow.
_FAR = 6.0
_ROW = 0.34


class DifferencesDisplay:
    """How far each initializer is from the best one, run by run.

    Dots are paired differences (same repeat and fold), the thick mark their mean, the line its 95 % interval. Rows
    that are too far away to be drawn on the scale of the others are arrows with a number.

    Parameters
    ----------
    differences : DataFrame
        A row per initializer and pair: initializer, difference; the best initializer first.
    intervals : DataFrame
        Rows of initializer; columns mean, low, high.
    order : list of str
        Initializers in the order in which they are coloured.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : Axes
    """

    def __init__(self, differences: pd.DataFrame, intervals: pd.DataFrame, order: list[str]) -> None:
        self.differences = differences
        self.intervals = intervals
        self.order = order

    @classmethod
    def from_frames(cls, runs: pd.DataFrame) -> Self:
        """Take the differences of a comparison; with a grid, each initializer is at its own best setting.

        Parameters
        ----------
        runs : DataFrame
            `ComparisonResult.runs`.

        Returns
        -------
        DifferencesDisplay
        """
        order = list(runs["initializer"].cat.categories)
        runs = tuned(runs)
        scores = scores_of(runs, runs["initializer"].astype(str))
        best, rows, intervals = scores.labels[0], [], {}
        for label in scores.labels:
            values = scores.differences(label, best)
            rows += [(label, value) for value in values]
            low, high = mean_interval(values, scores.ratio)
            intervals[label] = (float(values.mean()) if len(values) else np.nan, low, high)
        frame = pd.DataFrame(intervals, index=["mean", "low", "high"]).T.rename_axis("initializer")
        return cls(pd.DataFrame(rows, columns=["initializer", "difference"]), frame, order)

    def plot(self, *, language: str = "en") -> Self:
        """Draw the rows, the best on top.

        Parameters
        ----------
        language : str, default="en"
            Of words and numbers: a file in ``initsk/locale``.

        Returns
        -------
        self
        """
        from matplotlib.figure import Figure

        translate = get_language(language)
        labels = list(self.intervals.index)
        shown = [shortened(label, 34) for label in labels]
        self.figure_ = Figure()
        height, left = max(_ROW * len(labels), 0.8), 0.3 + 0.08 * max(map(len, shown))
        self.axes_ = panels(self.figure_, 1, 1, width=5.6, height=height, left=left, right=0.3)[0, 0]
        quiet(self.axes_)
        self.axes_.axvline(0, color=INK, linewidth=1, alpha=0.6)
        least = self._least()
        near = self.differences[self.differences["initializer"].isin(self._near(least))]
        limits = 1.08 * least, max(-0.35 * least, 1.08 * float(near["difference"].max()) if len(near) else 0.0)
        for row, label in enumerate(labels):
            self._draw(self.axes_, row, label, least, limits, translate)
        self.axes_.set_yticks(range(len(labels)), shown)
        for text in self.axes_.get_yticklabels():
            text.set_parse_math(False)
        self.axes_.set_ylim(len(labels) - 0.5, -0.5)
        self.axes_.set_xlim(*limits)
        self.axes_.grid(False, axis="y")
        title = translate("score minus that of {best}", best=shortened(labels[0], 40))
        self.axes_.set_title(title, fontsize=11, color=INK, parse_math=False)
        few_ticks(self.axes_.xaxis, 6, translate=translate)
        return self

    def _least(self) -> float:
        """Return the lowest difference that has a place on the axis."""
        reach = self.differences.groupby("initializer")["difference"].agg(lambda values: float(np.abs(values).max()))
        least = 0.0
        for value in sorted(reach[reach > 0]):
            if least and value > _FAR * least:
                break
            least = value
        return -least or -1.0

    def _near(self, least: float) -> list[str]:
        """Return who is drawn on the scale, and not as an arrow."""
        means = self.intervals["mean"]
        return [str(label) for label in means.index[~(means < 1.05 * least)]]

    def _draw(
        self, axes: "Axes", row: int, label: str, least: float, limits: tuple[float, float], translate: Language
    ) -> None:
        mean, low, high = (float(self.intervals[name][label]) for name in ("mean", "low", "high"))
        colour = colour_of(self.order.index(label))
        if label not in self._near(least):
            axes.annotate(
                translate.short(mean), (1.06 * least, row), (0.9 * least, row), color=INK, fontsize=9, va="center",
                arrowprops={"arrowstyle": "->", "color": colour},
            )  # fmt: skip
            return
        values = self.differences.loc[self.differences["initializer"] == label, "difference"]
        below = np.full(len(values), row + 0.24)
        axes.plot(values, below, "o", color=colour, alpha=0.45, markersize=5, markeredgewidth=0)
        axes.plot([low, high], [row, row], color=colour, linewidth=2)
        for end, beyond, marker in ((limits[0], low < limits[0], "<"), (limits[1], high > limits[1], ">")):
            if beyond:
                axes.plot([end], [row], marker, color=colour, markersize=6, markeredgewidth=0, clip_on=False)
        axes.plot([mean], [row], "|", color=colour, markersize=13, markeredgewidth=3)
