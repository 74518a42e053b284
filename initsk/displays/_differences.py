"""Paired differences to the best initializer, a row each."""

from typing import Any, Self

import numpy as np
import pandas as pd

from initsk.comparison.results import paired_scores, tuned_runs
from initsk.displays._axes import few_ticks
from initsk.displays._colors import drawn_color
from initsk.displays._display import Display, in_given_language
from initsk.displays._frames import check_frames, color_order
from initsk.displays._settings import ink, points
from initsk.displays._style import clean_axes, label_axis, leave_room, merge_style
from initsk.displays._texts import text_width
from initsk.language import current_language, translate
from initsk.text import distinct
from initsk.utils.words import counted

# A row whose differences reach more than this many times further than those of nearer rows is an arrow.
_FAR = 6.0
_ROW = 0.34
_ALPHA = 0.05
# So many inches are left of given axes anyway, for tick labels.
_MARGIN = 0.5


class DifferencesDisplay(Display):
    """Differences between the scores of each initializer and of the best one, run by run.

    Dots are paired differences (same repeat and fold), the thick mark is their mean, the line its 95 % interval. The
    intervals are adjusted for the number of pairs, as in `ComparisonResult.summary`: an interval excludes zero exactly
    if the adjusted p-value is below 5 %.
    The axis is up to 50 % longer than the differences need, if that shows more intervals whole; an arrow at its edge
    ends an interval that is still longer. An arrow with a number stands for a row that is outside the axis.

    Parameters
    ----------
    differences : DataFrame
        A row per initializer and pair: initializer, difference; the best initializer first.
    intervals : DataFrame
        Rows of initializer; columns mean, low, high. The best initializer has no interval.
    order : list of str
        Initializers in the order in which they are colored.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    """

    def __init__(self, differences: pd.DataFrame, intervals: pd.DataFrame, order: list[str]) -> None:
        self.differences = differences
        self.intervals = intervals
        self.order = order

    @classmethod
    @np.errstate(all="ignore")
    def from_frames(cls, runs: pd.DataFrame, *, bounds: tuple[float, float] = (-np.inf, np.inf)) -> Self:
        """Compute the differences of a comparison; with a grid, each initializer is at its own best setting.

        Parameters
        ----------
        runs : DataFrame
            `ComparisonResult.runs`.
        bounds : tuple of float, default=(-inf, inf)
            `ComparisonResult.bounds`: the differences of scores from 0 to 1 lie between -1 and 1.

        Returns
        -------
        DifferencesDisplay

        Raises
        ------
        InvalidParameterError
            If the frame has no rows, lacks columns, or has values that a column cannot have.
        """
        needed = ("initializer", "repeat", "fold", "split", "score", "val_ratio")
        [runs] = check_frames(cls.__name__, {"runs": (runs, needed, ())})
        order = color_order(runs["initializer"])
        runs = tuned_runs(runs)
        scores = paired_scores(runs, runs["initializer"].astype(str), bounds=bounds)
        pairs = scores.compare(alpha=_ALPHA)
        best, rows, intervals = scores.labels[0], [], {}
        for label in scores.labels:
            values = scores.differences(label, best)
            rows += [(label, value) for value in values]
            pair = pairs.get((best, label), {"low": np.nan, "high": np.nan})
            intervals[label] = (float(values.mean()) if len(values) else np.nan, -pair["high"], -pair["low"])
        frame = pd.DataFrame(intervals, index=["mean", "low", "high"]).T.rename_axis("initializer")
        return cls(pd.DataFrame(rows, columns=["initializer", "difference"]), frame, order)

    def _contents(self) -> list[str]:
        return [counted(len(self.intervals), "initializer"), counted(len(self.differences), "paired difference")]

    @in_given_language
    def plot(self, ax: Any = None, *, language: str = "en", **kwargs: Any) -> Self:
        """Draw the rows, the best on top.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.
        language : str, default="en"
            Language of words and numbers: "en", "id", or another file in ``initsk/locale``.
        **kwargs
            Passed to `matplotlib.axes.Axes.plot`, which draws the dots.

        Returns
        -------
        self
        """
        labels = list(self.intervals.index)
        shown = distinct(labels, 34)
        size = {"height": max(_ROW * len(labels), 0.8), "left": 0.3 + 0.08 * max(map(len, shown))}
        self.ax_ = self._open_grid(ax, 1, 1, width=5.6, right=0.3, **size)[0, 0]
        if ax is not None:
            size_of_names = points(9, "ytick.labelsize")
            leave_room(self.ax_, left=max(0, max(text_width(label, size_of_names) for label in shown) - _MARGIN))
        clean_axes(self.ax_)
        self.ax_.axvline(0, color=ink(), linewidth=1, alpha=0.6)
        lowest = self._lowest()
        means = self.intervals["mean"]
        inside = means.index[~(means < 1.05 * lowest)]
        highest = self.differences.loc[self.differences["initializer"].isin(inside), "difference"].max()
        limits = self._limits(inside, 1.08 * lowest, max(-0.35 * lowest, np.nan_to_num(1.08 * float(highest))))
        for row, label in enumerate(labels):
            color = drawn_color(label, self.order)
            if label in inside:
                self._draw(row, label, color, limits, kwargs)
            else:
                words = current_language().short(means[label])
                self.ax_.annotate(
                    words, (0.98 * limits[0], row), (0.83 * limits[0], row), color=ink(), fontsize=points(9),
                    va="center", arrowprops={"arrowstyle": "->", "color": color},
                )  # fmt: skip
        self.ax_.set_yticks(range(len(labels)), shown, parse_math=False)
        self.ax_.set_ylim(len(labels) - 0.5, -0.5)
        self.ax_.set_xlim(*limits)
        self.ax_.grid(False, axis="y")
        label_axis(self.ax_.xaxis, translate("score minus the score of {best}", best=shown[0]))
        few_ticks(self.ax_.xaxis, 6)
        return self

    def _lowest(self) -> float:
        """Return the lowest difference that lies on the axis."""
        reach = self.differences["difference"].abs().groupby(self.differences["initializer"]).max()
        furthest = 0.0
        for value in sorted(reach[reach > 0]):
            if furthest and value > _FAR * furthest:
                break
            furthest = value
        return -furthest or -1.0

    def _limits(self, inside: pd.Index, low: float, high: float) -> tuple[float, float]:
        """Return limits that are up to 50 % further from zero, if they then hold more intervals of these rows."""
        ends = self.intervals.loc[inside, ["low", "high"]].to_numpy(float)
        lows, highs = ends[:, 0][ends[:, 0] >= 1.45 * low], ends[:, 1][ends[:, 1] <= 1.45 * high]
        return min(low, 1.03 * lows.min(initial=0)), max(high, 1.03 * highs.max(initial=0))

    def _draw(self, row: int, label: str, color: str, limits: tuple[float, float], style: dict[str, Any]) -> None:
        from matplotlib.lines import Line2D

        ax = self.ax_
        mean, low, high = (float(self.intervals[name][label]) for name in ("mean", "low", "high"))
        values = self.differences.loc[self.differences["initializer"] == label, "difference"]
        dots = {"linestyle": "none", "marker": "o", "color": color, "alpha": 0.45, "markersize": 5}
        ax.plot(values, np.full(len(values), row + 0.24), **merge_style(Line2D, dots | {"markeredgewidth": 0}, style))
        ax.plot([low, high], [row, row], color=color, linewidth=2)
        for end, beyond, marker in ((limits[0], low < limits[0], "<"), (limits[1], high > limits[1], ">")):
            if beyond:
                ax.plot([end], [row], marker, color=color, markersize=6, markeredgewidth=0, clip_on=False)
        ax.plot([mean], [row], "|", color=color, markersize=13, markeredgewidth=3)
