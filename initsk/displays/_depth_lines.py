"""Lines along depth, and how a panel draws them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from initsk.displays._axes import log_axis
from initsk.displays._marks import mark, write_zero
from initsk.displays._style import colour_of, line_of

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

    @classmethod
    def of(cls, label: str, index: int, frame: pd.DataFrame, column: str, layers: list[str]) -> "Line":
        """Bring a column of a frame into the order of `layers`; `index` gives colour and style."""
        at = frame.set_index("layer").reindex(layers)
        nonfinite = at["nonfinite"].fillna(0).to_numpy() > 0
        return cls(label, index, at[column].to_numpy(float), nonfinite)

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


def draw_spread(ax: "Axes", lines: Sequence[Line]) -> None:
    """Draw root mean squares on a logarithmic axis, and marks at its edges for those that have no place there."""
    lost = {line.index: np.flatnonzero(line.nonfinite) for line in lines if line.nonfinite.any()}
    zero = {line.index: np.flatnonzero(line.values == 0) for line in lines if (line.values == 0).any()}
    room = _LEVEL * (len(zero) + 1) if zero else 0.0, _LEVEL * len(lost)
    log_axis(ax, np.concatenate([line.values for line in lines]), (min(room[0], 0.4), min(room[1], 0.4)))
    for line in lines:
        line.draw(ax, np.where(np.isfinite(line.values) & (line.values > 0), line.values, np.nan))
    for kind, marks in (("zero", zero), ("nonfinite", lost)):
        for level, (index, positions) in enumerate(marks.items()):
            mark(ax, kind, positions, colour_of(index), level)
    if zero:
        write_zero(ax, np.unique(np.concatenate(list(zero.values()))), len(zero), crowded=len(lines[0].values) > _CROWD)


def draw_fractions(ax: "Axes", lines: Sequence[Line]) -> None:
    """Draw shares between 0 and 100 %."""
    from matplotlib.ticker import PercentFormatter

    ax.set_ylim(-0.06, 1.06)
    ax.set_yticks([0, 0.5, 1])
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    for line in lines:
        line.draw(ax, line.values)
