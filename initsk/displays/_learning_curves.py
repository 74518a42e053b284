"""Learning curves, a line per initializer."""

from math import ceil
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

from initsk.displays._style import INK, colour_of, legend_below, legend_columns, line_of, panels, quiet
from initsk.displays._text import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_TITLES = {
    "test_error": "error on held-out data (1 - score)",
    "test_score": "score on held-out data",
    "train_loss": "training loss",
}


class LearningCurvesDisplay:
    """Held-out error and training loss after each epoch; lines are means, bands the range over repeats.

    Of scores beyond 0..1 there is no error: they are drawn themselves.

    Parameters
    ----------
    curves : DataFrame
        Rows of initializer and epoch; columns mean, min and max of each measure, as
        `from_frames` makes them.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of two Axes
    """

    def __init__(self, curves: pd.DataFrame) -> None:
        self.curves = curves

    @classmethod
    def from_frames(cls, history: pd.DataFrame) -> Self:
        """Average over repeats.

        Parameters
        ----------
        history : DataFrame
            `ComparisonResult.history`.

        Returns
        -------
        LearningCurvesDisplay
        """
        keys = [history["initializer"].astype(str), history["epoch"]]
        # A share of correct answers is read best as that of wrong ones; other scores as they are.
        is_share = history["test_score"].dropna().between(0, 1).all()
        measures = history.assign(test_error=1 - history["test_score"])
        chosen = ["test_error" if is_share else "test_score", "train_loss"]
        grouped = measures.groupby(keys, sort=False)[chosen]
        curves = grouped.agg(["mean", "min", "max"])
        curves.columns = ["_".join(pair) for pair in curves.columns.to_flat_index()]
        return cls(curves.reset_index())

    def plot(self) -> Self:
        """Draw both panels.

        Returns
        -------
        self
        """
        from matplotlib.figure import Figure

        labels = [shortened(str(label), 40) for label in self.curves["initializer"].unique()]
        columns = legend_columns(labels, inches=10.8)
        self.figure_ = Figure()
        legend = 0.25 + 0.2 * ceil(len(labels) / columns)
        self.axes_ = panels(self.figure_, 1, 2, width=4.6, height=3.4, gap_x=0.7, legend=legend)[0]
        measures = [name for name in _TITLES if f"{name}_mean" in self.curves]
        for ax, measure in zip(self.axes_, measures, strict=True):
            quiet(ax)
            self._draw(ax, measure)
            self._scale(ax, measure)
            ax.set_title(_TITLES[measure], fontsize=11, color=INK)
            ax.set_xlabel("epoch", fontsize=9, color=INK)
        legend_below(self.figure_, self.axes_[0].get_lines(), labels, columns)
        return self

    def _draw(self, ax: "Axes", measure: str) -> None:
        for i, (_, curve) in enumerate(self.curves.groupby("initializer", sort=False)):
            colour, epochs = colour_of(i), curve["epoch"].to_numpy()
            low, high = curve[f"{measure}_min"], curve[f"{measure}_max"]
            ax.fill_between(epochs, low, high, color=colour, alpha=0.18, linewidth=0)
            ax.plot(epochs, curve[f"{measure}_mean"], color=colour, linestyle=line_of(i), marker="o", markersize=4)

    def _scale(self, ax: "Axes", measure: str) -> None:
        from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if self.curves["epoch"].eq(1).all():
            ax.set_xticks([1])
        values = self.curves[f"{measure}_mean"]
        if measure != "test_score" and (np.isfinite(values) & (values > 0)).any():
            # Logarithmic, since one initializer that does not learn would flatten all others.
            ax.set_yscale("log")
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            ax.yaxis.set_minor_locator(NullLocator())
