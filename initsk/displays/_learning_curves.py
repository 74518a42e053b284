"""Learning curves, a line per initializer."""

from math import ceil
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from initsk.comparison.results import mean_interval
from initsk.displays._axes import few_ticks, fixed_ticks
from initsk.displays._colors import drawn_line
from initsk.displays._display import Display, in_given_language
from initsk.displays._frames import SMALLEST, check_frames, color_order, n_values, present_labels
from initsk.displays._legends import legend_above, legend_below, legend_rows
from initsk.displays._style import (
    GRAY,
    clean_axes,
    label_axis,
    label_quantity,
    leave_room,
    line_width,
    merge_style,
    sample,
)
from initsk.language import message, translate
from initsk.text import distinct
from initsk.utils.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLES = {
    "val_error": message("error on held-out data (1 - score)"),
    "val_score": message("score on held-out data"),
    "train_loss": message("training loss"),
}

_UNBOUNDED = (-np.inf, np.inf)
_BASELINE: dict[str, Any] = {"color": GRAY, "linestyle": ":", "linewidth": 1.5}


class LearningCurvesDisplay(Display):
    """Held-out error and training loss after each epoch; lines are means, bands their 95 % intervals.

    Scores outside 0..1 have no error: the display draws them as they are. One repeat has no interval;
    that of a score stays within the bounds of the score, and that of an error between 0 and 1. The axes fit the means;
    wider bands are cut off.

    Parameters
    ----------
    curves : DataFrame
        Rows of initializer and epoch; columns mean, low and high of each measure, as
        `from_frames` makes them.
    order : list of str, optional
        Initializers in the order in which they are colored; by default that of the rows.
    baseline : float, optional
        Score of a model that does not look at the features: a dotted line.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of two matplotlib Axes
        Error or score, and training loss.
    """

    def __init__(
        self, curves: pd.DataFrame, order: list[str] | None = None, *, baseline: float | None = None
    ) -> None:  # fmt: skip
        self.curves = curves
        self.baseline = baseline
        self.order = list(curves["initializer"].unique()) if order is None else order

    @classmethod
    @np.errstate(all="ignore")
    def from_frames(
        cls,
        history: pd.DataFrame,
        *,
        ratio: float = 0.0,
        baseline: float | None = None,
        bounds: tuple[float, float] = _UNBOUNDED,
    ) -> Self:
        """Average over repeats.

        Parameters
        ----------
        history : DataFrame
            `ComparisonResult.history`.
        ratio : float, default=0
            For several splits of the same data, the number of held-out samples divided by that of training samples:
            it corrects the intervals for samples that splits share (Nadeau and Bengio 2003).
        baseline : float, optional
            `ComparisonResult.baseline_score()`.
        bounds : tuple of float, default=(-inf, inf)
            `ComparisonResult.bounds()`: the lowest and the highest value that a score can have.

        Returns
        -------
        LearningCurvesDisplay

        Raises
        ------
        InvalidParameterError
            If the frame has no rows, lacks columns, or has values that a column cannot have.
        """
        needed = ("initializer", "epoch", "val_score", "train_loss")
        [history] = check_frames(cls.__name__, {"history": (history, needed, ())})
        is_share = history["val_score"].dropna().between(0, 1).all()
        measures = history.assign(val_error=1 - history["val_score"])
        limits = {"val_error": (0.0, 1.0)} if is_share else {"val_score": bounds}
        limits["train_loss"] = _UNBOUNDED
        rows = []
        for (label, epoch), part in measures.groupby([history["initializer"].astype(str), "epoch"], sort=False):
            row: dict[str, Any] = {"initializer": label, "epoch": epoch}
            for name, limit in limits.items():
                low, high = mean_interval(part[name].to_numpy(), ratio, bounds=limit)
                row |= {f"{name}_mean": part[name].mean(), f"{name}_low": low, f"{name}_high": high}
            rows.append(row)
        curves, labels = pd.DataFrame(rows), present_labels(history["initializer"])
        curves = curves.sort_values("initializer", key=lambda c: c.map(labels.index), kind="stable", ignore_index=True)
        return cls(curves, color_order(history["initializer"]), baseline=baseline)

    def _contents(self) -> list[str]:
        return [
            counted(n_values(self.curves, "initializer"), "initializer"),
            counted(n_values(self.curves, "epoch"), "epoch"),
        ]

    @in_given_language
    def plot(self, ax: Any = None, *, language: str = "en", **kwargs: Any) -> Self:
        """Draw both panels.

        Parameters
        ----------
        ax : two matplotlib Axes, optional
            Where to draw; by default a new figure.
        language : str, default="en"
            Language of words and numbers: "en", "id", or another file in ``initsk/locale``.
        **kwargs
            Passed to `matplotlib.axes.Axes.plot`, which draws the lines.

        Returns
        -------
        self
        """
        from matplotlib.lines import Line2D

        styles, labels = {}, list(self.curves["initializer"].astype(str).unique())
        for label, shown in zip(labels, distinct(labels, 40), strict=True):
            own = {
                **drawn_line(label, self.order),
                "markersize": 4,
                "linewidth": line_width(1.5),
                "label": shown,
            }
            styles[label] = merge_style(Line2D, own, kwargs)
        samples = [sample(**style) for style in styles.values()]
        if self._level("val_score") is not None:
            samples.append(sample(**_BASELINE, label=translate("baseline")))
        legend = 0.25 + 0.2 * legend_rows(samples, 10.8)
        self.axes_ = self._open_grid(ax, 1, 2, width=4.6, height=3.4, gap_x=0.85, legend=legend)[0]
        if ax is None:
            legend_below(self.figure_, samples, 10.8)
        else:
            # Half of the legend is over each panel, so that both are equally high.
            half = ceil(len(samples) / 2)
            height = legend_above(self.axes_[0], samples[:half])
            legend_above(self.axes_[1], samples[half:])
            leave_room(self.axes_[1], top=height)
        measures = [name for name in _TITLES if f"{name}_mean" in self.curves]
        for one, measure in zip(self.axes_, measures, strict=True):
            clean_axes(one)
            self._draw(one, measure, styles)
            self._scale(one, measure)
            label_quantity(one, translate(_TITLES[measure]), 0.5)
            label_axis(one.xaxis, translate("epoch"))
        return self

    def _draw(self, ax: "Axes", measure: str, styles: dict[str, dict[str, Any]]) -> None:
        for label, curve in self.curves.groupby("initializer", sort=False):
            style, epochs = styles[str(label)], curve["epoch"].to_numpy()
            low, high = curve[f"{measure}_low"], curve[f"{measure}_high"]
            if len(epochs) == 1:
                ax.vlines(epochs, low, high, color=style["color"], alpha=0.45, linewidth=2)
            else:
                ax.fill_between(epochs, low, high, color=style["color"], alpha=0.18, linewidth=0)
            ax.plot(epochs, curve[f"{measure}_mean"], **style)
        level = self._level(measure)
        if level is not None:
            ax.axhline(level, **_BASELINE)

    def _level(self, measure: str) -> float | None:
        """Return the baseline in the units of a panel; None without one."""
        if self.baseline is None or not np.isfinite(self.baseline) or measure == "train_loss":
            return None
        return 1 - self.baseline if measure == "val_error" else self.baseline

    def _scale(self, ax: "Axes", measure: str) -> None:
        from matplotlib.ticker import Locator, LogLocator, MaxNLocator

        few_ticks(ax.xaxis, 8, integer=True)
        if self.curves["epoch"].eq(1).all():
            ax.set_xticks([1])
        level = self._level(measure)
        values = np.append(self.curves[f"{measure}_mean"], [] if level is None else [level])
        if measure == "val_score":
            self._fit_to_means(ax, values[np.isfinite(values)])
            return
        shown = values[np.isfinite(values) & (values > SMALLEST)]
        if not len(shown):
            few_ticks(ax.yaxis, 6)
            return
        # Logarithmic, since one initializer that does not learn would flatten all others.
        low, high = float(shown.min()), float(shown.max())
        ax.set_yscale("log")
        ax.set_ylim(low / 1.4, high * 1.4)
        locator: Locator = LogLocator(subs=(1, 2, 5)) if high < 300 * low else LogLocator(numticks=7)
        if high < 4 * low:
            # Between two powers of ten there would be one tick or none.
            locator = MaxNLocator(6)
        ticks = np.asarray(locator.tick_values(low / 1.4, high * 1.4))
        fixed_ticks(ax.yaxis, ticks, low / 1.4, high * 1.4)

    @staticmethod
    def _fit_to_means(ax: "Axes", means: np.ndarray) -> None:
        """Fit a linear axis to the means, because the band of a few runs may be a hundred times as wide."""
        few_ticks(ax.yaxis, 6)
        if not len(means):
            return
        low, high = float(means.min()), float(means.max())
        margin = 0.4 * (high - low)
        if margin > 0 and np.isfinite(margin):
            ax.set_ylim(low - margin, high + margin)
