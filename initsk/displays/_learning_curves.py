"""Learning curves, a line per initializer."""

from math import ceil
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from initsk.comparison.results import mean_interval
from initsk.displays._axes import few_ticks
from initsk.displays._style import (
    INK,
    colour_of,
    labels_in_order,
    legend_below,
    legend_columns,
    line_of,
    order_of,
    panels,
    quiet,
    shortened,
)
from initsk.language import Language, get_language, message

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_TITLES = {
    "test_error": message("error on held-out data (1 - score)"),
    "val_score": message("score on held-out data"),
    "train_loss": message("training loss"),
}


class LearningCurvesDisplay:
    """Held-out error and training loss after each epoch; lines are means, bands their 95 % intervals.

    Of scores beyond 0..1 there is no error: they are drawn themselves. One repeat has no interval.

    Parameters
    ----------
    curves : DataFrame
        Rows of initializer and epoch; columns mean, low and high of each measure, as
        `from_frames` makes them.
    order : list of str, optional
        Initializers in the order in which they are coloured; by default that of the rows.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of two Axes
    """

    def __init__(self, curves: pd.DataFrame, order: list[str] | None = None) -> None:
        self.curves = curves
        self.order = list(curves["initializer"].unique()) if order is None else order

    @classmethod
    def from_frames(cls, history: pd.DataFrame, *, ratio: float = 0.0) -> Self:
        """Average over repeats.

        Parameters
        ----------
        history : DataFrame
            `ComparisonResult.history`.
        ratio : float, default=0
            Of several splits, held-out samples for each of those trained on: intervals are corrected for what
            splits share (Nadeau and Bengio 2003).

        Returns
        -------
        LearningCurvesDisplay
        """
        # A share of correct answers is read best as that of wrong ones; other scores as they are.
        is_share = history["val_score"].dropna().between(0, 1).all()
        measures = history.assign(test_error=1 - history["val_score"])
        chosen = ["test_error" if is_share else "val_score", "train_loss"]
        rows = []
        for (label, epoch), part in measures.groupby([history["initializer"].astype(str), "epoch"], sort=False):
            row: dict[str, Any] = {"initializer": label, "epoch": epoch}
            for name in chosen:
                low, high = mean_interval(part[name].to_numpy(), ratio)
                row |= {f"{name}_mean": part[name].mean(), f"{name}_low": low, f"{name}_high": high}
            rows.append(row)
        curves, labels = pd.DataFrame(rows), labels_in_order(history["initializer"])
        curves = curves.sort_values("initializer", key=lambda c: c.map(labels.index), kind="stable", ignore_index=True)
        return cls(curves, order_of(history["initializer"]))

    def plot(self, *, language: str = "en") -> Self:
        """Draw both panels.

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
        labels = [shortened(str(label), 40) for label in self.curves["initializer"].unique()]
        columns = legend_columns(labels, inches=10.8)
        self.figure_ = Figure()
        legend = 0.25 + 0.2 * ceil(len(labels) / columns)
        self.axes_ = panels(self.figure_, 1, 2, width=4.6, height=3.4, gap_x=0.7, legend=legend)[0]
        measures = [name for name in _TITLES if f"{name}_mean" in self.curves]
        for ax, measure in zip(self.axes_, measures, strict=True):
            quiet(ax)
            self._draw(ax, measure)
            self._scale(ax, measure, translate)
            ax.set_title(translate(_TITLES[measure]), fontsize=11, color=INK)
            ax.set_xlabel(translate("epoch"), fontsize=9, color=INK)
        legend_below(self.figure_, self.axes_[0].get_lines(), labels, columns)
        return self

    def _draw(self, ax: "Axes", measure: str) -> None:
        for label, curve in self.curves.groupby("initializer", sort=False):
            i, epochs = self.order.index(str(label)), curve["epoch"].to_numpy()
            low, high = curve[f"{measure}_low"], curve[f"{measure}_high"]
            if len(epochs) == 1:
                ax.vlines(epochs, low, high, color=colour_of(i), alpha=0.45, linewidth=2)
            else:
                ax.fill_between(epochs, low, high, color=colour_of(i), alpha=0.18, linewidth=0)
            ax.plot(
                epochs, curve[f"{measure}_mean"], color=colour_of(i), linestyle=line_of(i), marker="o", markersize=4
            )

    def _scale(self, ax: "Axes", measure: str, translate: Language) -> None:
        from matplotlib.ticker import FixedLocator, FuncFormatter, Locator, LogLocator, MaxNLocator, NullLocator

        few_ticks(ax.xaxis, 8, integer=True, translate=translate)
        if self.curves["epoch"].eq(1).all():
            ax.set_xticks([1])
        values = self.curves[f"{measure}_mean"]
        shown = values[np.isfinite(values) & (values > 0)]
        if measure == "val_score" or shown.empty:
            few_ticks(ax.yaxis, 6, translate=translate)
            return
        # Logarithmic, since one initializer that does not learn would flatten all others.
        low, high = float(shown.min()), float(shown.max())
        ax.set_yscale("log")
        ax.set_ylim(low / 1.4, high * 1.4)
        finder: Locator = LogLocator(subs=(1, 2, 5)) if high < 300 * low else LogLocator(numticks=7)
        if high < 4 * low:
            # Between two powers of ten there would be a number or none.
            finder = MaxNLocator(6)
        ticks = np.asarray(finder.tick_values(low / 1.4, high * 1.4))
        ax.yaxis.set_major_locator(FixedLocator(ticks[(ticks >= low / 1.4) & (ticks <= high * 1.4)].tolist()))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: translate.short(value, 6)))
        ax.yaxis.set_minor_locator(NullLocator())
