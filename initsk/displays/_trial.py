"""The course of a trial: loss, gradients and updates, step by step."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from initsk.displays._axes import few_ticks, log_axis
from initsk.displays._colors import palette_color
from initsk.displays._display import Display, in_given_language
from initsk.displays._frames import LARGEST, check_frames
from initsk.displays._legends import legends
from initsk.displays._style import GRAY, clean_axes, label_axis, label_quantity, line_width, merge_style, sample
from initsk.exceptions import InvalidParameterError
from initsk.language import message, translate
from initsk.utils.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from initsk.diagnosis import Diagnosis

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

    def _contents(self) -> list[str]:
        return [counted(len(self.steps), "step")]

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
        self.axes_ = self._open_grid(ax, 1, 2, width=4.2, height=2.8, gap_x=0.9, legend=0.5)[0]
        styles = self._styles(kwargs)
        # The last two samples belong to the sizes.
        samples = [sample(**style) for style in styles.values()]
        legends(self.figure_, self.axes_, samples, -2, given=ax is not None)
        self._draw_loss(self.axes_[0], styles)
        self._draw_sizes(self.axes_[1], styles)
        for one, title in zip(self.axes_, (translate("loss"), translate("gradients and updates")), strict=True):
            label_quantity(one, title, 0.55)
            few_ticks(one.xaxis, 6, integer=True)
            label_axis(one.xaxis, translate("step"))
        return self

    @cached_property
    def _rows(self) -> pd.DataFrame:
        [rows] = check_frames(type(self).__name__, {"steps": (self.steps, ("step", "loss", *_SERIES), ())})
        return rows

    @property
    def _levels(self) -> dict[str, float]:
        """The losses that are drawn as lines."""
        levels = {"baseline": self.baseline_loss, "target": self.target}
        return {name: float(np.clip(value, -LARGEST, LARGEST)) for name, value in levels.items() if np.isfinite(value)}

    def _styles(self, kwargs: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Return the styles of the lines with their labels: the loss, the levels, then the sizes."""
        from matplotlib.lines import Line2D

        level = {"color": GRAY, "linewidth": 1.1}
        levels = {
            "baseline": level | {"linestyle": "--", "label": translate("baseline loss")},
            "target": level | {"linestyle": ":", "label": translate("target")},
        }
        series = {"loss": message("loss of a batch"), **_SERIES}
        width = line_width(1.6)
        own = [
            {"color": palette_color(i), "linewidth": width, "label": translate(series[k])} for i, k in enumerate(series)
        ]
        lines = {name: merge_style(Line2D, style, kwargs) for name, style in zip(series, own, strict=True)}
        # Updates are measured at some steps only.
        lines["update_ratio"] = {"marker": "o", "markersize": 4} | lines["update_ratio"]
        loss = {"loss": lines.pop("loss")}
        return loss | {name: levels[name] for name in self._levels} | lines

    def _draw_line(self, ax: "Axes", name: str, style: dict[str, Any]) -> None:
        rows = self._rows[np.isfinite(self._rows[name])]
        ax.plot(rows["step"], rows[name], **style)

    def _draw_loss(self, ax: "Axes", styles: dict[str, dict[str, Any]]) -> None:
        clean_axes(ax)
        self._draw_line(ax, "loss", styles["loss"])
        for name, value in self._levels.items():
            ax.axhline(value, **styles[name])
        shown = np.array([*self._rows["loss"], *self._levels.values()])
        shown = shown[np.isfinite(shown)]
        if len(shown) and shown.min() > 0 and shown.max() > 20 * shown.min():
            log_axis(ax, shown, (0.02, 0.02))
        else:
            few_ticks(ax.yaxis, 6)

    def _draw_sizes(self, ax: "Axes", styles: dict[str, dict[str, Any]]) -> None:
        clean_axes(ax)
        for name in _SERIES:
            self._draw_line(ax, name, styles[name])
        log_axis(ax, self._rows[list(_SERIES)].to_numpy().ravel(), (0.02, 0.02))
