"""Lines along depth, and how a panel draws them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from initsk.displays._axes import log_axis
from initsk.displays._marks import mark, write_zero
from initsk.displays._style import INK, colour_of, line_of
from initsk.utils._language import Language

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

_LEVEL = 0.09
_CROWD = 25


@dataclass(frozen=True)
class Line:
    """One statistic of one summary, a value per layer (NaN where there is none)."""

    label: str
    index: int
    values: np.ndarray
    nonfinite: np.ndarray
    predicted: np.ndarray
    #: Whether the label is a word of ours, and not a name.
    translated: bool = False

    @classmethod
    def of(cls, label: str, index: int, frame: pd.DataFrame, column: str, layers: list[str]) -> "Line":
        """Bring a column of a frame into the order of `layers`; `index` gives colour and style."""
        at = frame.set_index("layer").reindex(layers)
        nonfinite = at["nonfinite"].fillna(0).to_numpy() > 0
        values = at[column].to_numpy(float)
        expected = f"predicted_{column}"
        predicted = at[expected].to_numpy(float) if expected in at else np.full(len(values), np.nan)
        return cls(label, index, values, nonfinite, predicted)

    def draw(self, ax: "Axes", values: np.ndarray) -> None:
        """Draw these values, the line's own or some of them."""
        line = self.sample()
        line.set_data(np.arange(len(values)), values)
        line.set_markersize(3.5 if len(values) <= _CROWD else 2)
        ax.add_line(line)

    def sample(self) -> "Line2D":
        """Return a line without data, as a legend shows it."""
        from matplotlib.lines import Line2D

        style: Any = line_of(self.index)
        return Line2D([], [], color=colour_of(self.index), linestyle=style, marker="o", markersize=3.5, linewidth=1.5)


def predicted_sample(colour: str = INK) -> "Line2D":
    """Return the mark of what theory predicts, without data."""
    from matplotlib.lines import Line2D

    style: Any = {"markersize": 6.5, "markerfacecolor": "none", "markeredgewidth": 1.1}
    return Line2D([], [], linestyle="none", marker="D", color=colour, **style)


def draw_spread(ax: "Axes", lines: Sequence[Line], say: Language) -> None:
    """Draw root mean squares on a logarithmic axis, and marks at its edges for those that have no place there."""
    lost = {line.index: np.flatnonzero(line.nonfinite) for line in lines if line.nonfinite.any()}
    zero = {line.index: np.flatnonzero(line.values == 0) for line in lines if (line.values == 0).any()}
    room = _LEVEL * (len(zero) + 1) if zero else 0.0, _LEVEL * len(lost)
    shown = np.concatenate([part for line in lines for part in (line.values, line.predicted)])
    log_axis(ax, shown, (min(room[0], 0.4), min(room[1], 0.4)), say)
    for line in lines:
        line.draw(ax, np.where(np.isfinite(line.values) & (line.values > 0), line.values, np.nan))
        if (line.predicted > 0).any():
            expected = predicted_sample(colour_of(line.index))
            expected.set_data(np.arange(len(line.predicted)), np.where(line.predicted > 0, line.predicted, np.nan))
            ax.add_line(expected)
    for kind, marks in (("zero", zero), ("nonfinite", lost)):
        for level, (index, positions) in enumerate(marks.items()):
            mark(ax, kind, positions, colour_of(index), level)
    if zero:
        write_zero(ax, np.unique(np.concatenate(list(zero.values()))), len(zero), crowded=len(lines[0].values) > _CROWD)


def draw_fractions(ax: "Axes", lines: Sequence[Line], say: Language) -> None:
    """Draw shares between 0 and 100 %."""
    from matplotlib.ticker import FuncFormatter

    ax.set_ylim(-0.06, 1.06)
    ax.set_yticks([0, 0.5, 1])
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: say.percent(value)))
    for line in lines:
        line.draw(ax, line.values)
