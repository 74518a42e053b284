"""Scores and losses of trials at several learning rates."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from initsk.displays._axes import log_axis, power_ticks
from initsk.displays._colors import palette_color
from initsk.displays._display import Display, in_given_language
from initsk.displays._frames import SMALLEST, check_frames
from initsk.displays._legends import legends
from initsk.displays._style import GRAY, clean_axes, label_axis, label_quantity, line_width, merge_style, sample
from initsk.language import translate
from initsk.utils.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from initsk.diagnosis import Diagnosis


class LearningRateDisplay(Display):
    """Loss after the same number of steps and score at several learning rates; the rates that work are shaded.

    Parameters
    ----------
    rates : DataFrame
        ``lr``, ``score``, ``relative_loss`` and ``works``, as `Diagnosis.learning_rates` returns them.
    lr : float
        The learning rate of the training, which is marked; NaN marks none.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of two matplotlib Axes
        Loss relative to the baseline loss, and score.
    """

    def __init__(self, rates: pd.DataFrame, lr: float = np.nan) -> None:
        self.rates = rates
        self.lr = lr

    @classmethod
    def from_diagnosis(cls, diagnosis: "Diagnosis") -> Self:
        """Show the default rates of a diagnosis; their trials are carried out if they were not before.

        Parameters
        ----------
        diagnosis : Diagnosis

        Returns
        -------
        LearningRateDisplay
        """
        return cls(diagnosis.learning_rates(), diagnosis.lr)

    def _contents(self) -> list[str]:
        return [counted(len(self.rates), "learning rate")]

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

        self.axes_ = self._open_grid(ax, 1, 2, width=4.2, height=2.8, gap_x=0.9, legend=0.5)[0]
        style = merge_style(
            Line2D, {"color": palette_color(0), "linewidth": line_width(1.6), "marker": "o", "markersize": 4}, kwargs
        )
        legends(self.figure_, self.axes_, self._samples(), 1, given=ax is not None)
        titles = (translate("relative loss after the same number of steps"), translate("score"))
        for one, name, title in zip(self.axes_, ("relative_loss", "score"), titles, strict=True):
            clean_axes(one)
            rows = self._rows[np.isfinite(self._rows[name])]
            if name == "relative_loss":
                # The axis is logarithmic.
                rows = rows[rows[name] > SMALLEST]
            one.plot(rows["lr"], rows[name], **style)
            self._mark(one, 1.0 if name == "relative_loss" else 0.5)
            label_quantity(one, title, 0.5)
            label_axis(one.xaxis, translate("learning rate"))
        losses = self._rows["relative_loss"].to_numpy()
        log_axis(self.axes_[0], np.append(losses[losses < 1e3], 1.0), (0.02, 0.02))
        self.axes_[1].set_ylim(-0.04, 1.04)
        return self

    @cached_property
    def _rows(self) -> pd.DataFrame:
        needed = ("lr", "score", "relative_loss", "works")
        [rows] = check_frames(type(self).__name__, {"rates": (self.rates, needed, ("lr",))})
        return rows.sort_values("lr", ignore_index=True)

    def _mark(self, ax: "Axes", level: float) -> None:
        """Shade the rates that work, and draw the level and the learning rate of the training."""
        ax.set_xscale("log")
        low, high = self._limits()
        ax.set_xlim(low, high)
        power_ticks(ax.xaxis)
        ax.axhline(level, color=GRAY, linewidth=1.1, linestyle="--")
        for first, last in self._ranges():
            ax.axvspan(max(first, low), min(last, high), color=palette_color(2), alpha=0.15, linewidth=0)
        if self._shows_lr():
            ax.axvline(self.lr, color=palette_color(4), linewidth=1.2, linestyle=":")

    def _limits(self) -> tuple[float, float]:
        """Return the ends of the axis of the rates, with two powers of ten between them at least."""
        low, high = float(self._rows["lr"].min()) / 1.3, float(self._rows["lr"].max()) * 1.3
        first, last = np.ceil(np.log10(low)), np.floor(np.log10(high))
        return (low, high) if first < last else (10.0 ** np.floor(np.log10(low)), 10.0 ** np.ceil(np.log10(high)))

    def _shows_lr(self) -> bool:
        low, high = self._limits()
        return low <= self.lr <= high

    def _ranges(self) -> list[tuple[float, float]]:
        """Return the ends of the ranges that work; they reach half of the way to the next rates."""
        rates, works = self._rows["lr"].to_numpy(), self._rows["works"].to_numpy(bool)
        middles = np.sqrt(rates[1:] * rates[:-1])
        edges = np.concatenate([[rates[0] / 2], middles, [rates[-1] * 2]])
        return [(edges[i], edges[i + 1]) for i in range(len(rates)) if works[i]]

    def _samples(self) -> list[Any]:
        from matplotlib.patches import Patch

        shade = Patch(
            color=palette_color(2), alpha=0.3, linewidth=0, label=translate("rates that work (score at least 0.5)")
        )
        line = sample(color=palette_color(4), linewidth=1.2, linestyle=":", label=translate("rate of the training"))
        level = sample(color=GRAY, linewidth=1.1, linestyle="--", label=translate("baseline loss, and score 0.5"))
        shown = [(shade, self._rows["works"].any()), (level, True), (line, self._shows_lr())]
        return [drawn for drawn, is_shown in shown if is_shown]
