"""Learning curves, a line per initializer."""

from typing import Self

import pandas as pd

from initsk.displays._style import INK, colour_of, line_of, panels, quiet


class LearningCurvesDisplay:
    """Held-out error and training loss after each epoch; lines are means, bands the range over repeats.

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
        measures = history.assign(test_error=1 - history["test_score"])
        grouped = measures.groupby(keys, sort=False)[["test_error", "train_loss"]]
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
        from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

        self.figure_ = Figure()
        self.axes_ = panels(self.figure_, 1, 2, width=4.6, height=3.4, gap_x=0.7, legend=0.45)[0]
        titles = {"test_error": "error on held-out data (1 - score)", "train_loss": "training loss"}
        for ax, (measure, title) in zip(self.axes_, titles.items(), strict=True):
            quiet(ax)
            for i, label in enumerate(self.curves["initializer"].unique()):
                curve = self.curves[self.curves["initializer"] == label]
                colour, epochs = colour_of(i), curve["epoch"].to_numpy()
                low, high = curve[f"{measure}_min"], curve[f"{measure}_max"]
                ax.fill_between(epochs, low, high, color=colour, alpha=0.18, linewidth=0)
                style = {"color": colour, "linestyle": line_of(i), "marker": "o", "markersize": 4}
                ax.plot(epochs, curve[f"{measure}_mean"], label=str(label), **style)
            # Logarithmic, since one initializer that does not learn would flatten all others.
            ax.set_yscale("log")
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            ax.yaxis.set_minor_locator(NullLocator())
            ax.set_title(title, fontsize=11, color=INK)
            ax.set_xlabel("epoch", fontsize=9, color=INK)
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        handles, labels = self.axes_[0].get_legend_handles_labels()
        if handles:
            # Outside of the axes, so that it hides no data.
            self.figure_.legend(
                handles, labels, loc="lower center", ncols=min(len(labels), 6), frameon=False,
                labelcolor=INK, fontsize=9, handlelength=2.6,
            )  # fmt: skip
        return self
