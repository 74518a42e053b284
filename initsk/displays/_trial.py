"""The course of a trial: loss, gradients and updates, step by step."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from initsk.displays._axes import few_ticks, log_axis
from initsk.displays._display import Display, in_given_language
from initsk.displays._legends import legends
from initsk.displays._style import INK, PALETTE, clean_axes, merge_style, sample, write_title
from initsk.exceptions import InvalidParameterError
from initsk.language import message, translate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from initsk.diagnosis import Diagnosis

_GRAY = "#808080"
_SERIES = {
    "gradient_norm": message("norm of the gradient"),
    "update_ratio": message("update relative to the weight"),
}


class TrialDisplay(Display):
    """Loss of every step of a trial with the baseline loss and the target, and the sizes of gradients and updates.

    Parameters
    ----------
    steps : DataFrame
        ``step``, ``loss``, ``gradient_norm`` and ``update_ratio``, as `Diagnosis.trial` has them.
    baseline_loss : float
        Loss of the best constant prediction; NaN draws no line.
    target : float
        Loss at which training has succeeded; NaN draws no line.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of two matplotlib Axes
        Loss, and sizes.
    """

    def __init__(self, steps: pd.DataFrame, baseline_loss: float = np.nan, target: float = np.nan) -> None:
        self.steps = steps
        self.baseline_loss = baseline_loss
        self.target = target

    @classmethod
    def from_diagnosis(cls, diagnosis: "Diagnosis") -> Self:
        """Show the trial of a diagnosis.

        Parameters
        ----------
        diagnosis : Diagnosis

        Returns
        -------
        TrialDisplay

        Raises
        ------
        InvalidParameterError
            If the diagnosis was made without a trial.
        """
        if diagnosis.trial.empty:
            raise InvalidParameterError("from_diagnosis: the diagnosis has no trial (allowed: trial_steps > 0)")
        return cls(diagnosis.trial, diagnosis.baseline_loss, diagnosis.target * diagnosis.baseline_loss)

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

        self.axes_ = self._open_grid(ax, 1, 2, width=4.2, height=2.8, gap_x=0.8, legend=0.5)[0]
        loss = merge_style(Line2D, {"color": PALETTE[0], "linewidth": 1.6}, kwargs)
        self._draw_loss(self.axes_[0], loss)
        self._draw_sizes(self.axes_[1], kwargs)
        # The last two samples belong to the sizes.
        above = legends(self.figure_, self.axes_, self._samples(loss, kwargs), -2, given=ax is not None)
        for one, title in zip(self.axes_, (translate("loss"), translate("gradients and updates")), strict=True):
            write_title(one, title, above=above)
            few_ticks(one.xaxis, 6, integer=True)
            one.set_xlabel(translate("step"), fontsize=9, color=INK)
        return self

    def _draw_loss(self, ax: "Axes", style: dict[str, Any]) -> None:
        clean_axes(ax)
        steps = self.steps[np.isfinite(self.steps["loss"])]
        ax.plot(steps["step"], steps["loss"], **style)
        for value, line in ((self.baseline_loss, "--"), (self.target, ":")):
            if np.isfinite(value):
                ax.axhline(value, color=_GRAY, linewidth=1.1, linestyle=line)
        shown = np.array([*steps["loss"], self.baseline_loss, self.target])
        shown = shown[np.isfinite(shown)]
        if len(shown) and shown.min() > 0 and shown.max() > 20 * shown.min():
            log_axis(ax, shown, (0.02, 0.02))
        else:
            few_ticks(ax.yaxis, 6)

    def _draw_sizes(self, ax: "Axes", kwargs: dict[str, Any]) -> None:
        from matplotlib.lines import Line2D

        clean_axes(ax)
        for (name, marker), color in zip((("gradient_norm", ""), ("update_ratio", "o")), PALETTE[1:], strict=False):
            rows = self.steps[np.isfinite(self.steps[name])]
            own = {"color": color, "linewidth": 1.6, "marker": marker or None, "markersize": 4}
            ax.plot(rows["step"], rows[name], **merge_style(Line2D, own, kwargs))
        log_axis(ax, self.steps[list(_SERIES)].to_numpy().ravel(), (0.02, 0.02))

    def _samples(self, loss: dict[str, Any], kwargs: dict[str, Any]) -> list[Any]:
        from matplotlib.lines import Line2D

        samples = [sample(label=translate("loss of a batch"), **loss)]
        for value, line, words in (
            (self.baseline_loss, "--", translate("baseline loss")),
            (self.target, ":", translate("target")),
        ):
            if np.isfinite(value):
                samples.append(sample(color=_GRAY, linewidth=1.1, linestyle=line, label=words))
        for (name, words), color in zip(_SERIES.items(), PALETTE[1:], strict=False):
            marker = "o" if name == "update_ratio" else None
            own = {"color": color, "linewidth": 1.6, "marker": marker, "markersize": 4, "label": translate(words)}
            samples.append(sample(**merge_style(Line2D, own, kwargs)))
        return samples
