"""Activations over the training: their mean and spread, and their histograms as a heat map."""

from collections.abc import Sequence
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from initsk.displays._axes import BINS, KEY, POSITIONS, checked, chosen, few_ticks
from initsk.displays._bins import bins_of, draw_heat, explain_heat
from initsk.displays._marks import MEANING, mark, sample
from initsk.displays._style import INK, colour_of, distinct, label_left, legend_below, legend_columns, panels, quiet
from initsk.utils.validation import check_parameters, one_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPACINGS = ("step", "record")
_COLUMNS = 4
_COLOUR = colour_of(0)
_LOST = colour_of(4)


class HistoryDisplay:
    """How activations change over the training, a column per layer; after four layers it goes on below.

    Above, the mean as a line in a band of one standard deviation on each side; a cross marks steps with values that
    are not finite. Below, with histograms, a heat map: a column per step, the values upwards, the colour
    from the logarithm of the density. It spans the range that holds 99.9 % of the layer's values.

    Parameters
    ----------
    history : DataFrame
        Rows of step, layer and position: mean, std, nonfinite.
    histograms : DataFrame or None
        Rows of step, layer, position and bin: left, right, count.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : dict of (layer, str) to Axes
        The second part of the key is "moments" or "histogram".

    Examples
    --------
    >>> import pandas as pd
    >>> from initsk.displays import HistoryDisplay
    >>> row = {"step": [0, 10, 100], "layer": "hidden_1", "position": "activation", "mean": [0.0, 0.1, 0.2]}
    >>> history = pd.DataFrame(row).assign(std=1.0, nonfinite=0)
    >>> display = HistoryDisplay.from_frames(history).plot(spacing="record")
    >>> [label.get_text() for label in display.axes_["hidden_1", "moments"].get_xticklabels()]
    ['0', '10', '100']
    """

    def __init__(self, history: pd.DataFrame, histograms: pd.DataFrame | None) -> None:
        self.history = history
        self.histograms = histograms

    @classmethod
    def from_frames(cls, history: pd.DataFrame, histograms: pd.DataFrame | None = None) -> Self:
        """Take what was recorded.

        Parameters
        ----------
        history : DataFrame
            The summaries' frames of a training, with the column step.
        histograms : DataFrame, optional
            Their histograms, with the column step.

        Returns
        -------
        HistoryDisplay

        Raises
        ------
        InvalidParameterError
            If a frame has no rows or lacks columns, or `history` has two rows of one step, layer and position.
        """
        key = ("step", *KEY)
        given: dict[str, Any] = {"history": (history, (*key, "mean", "std", "nonfinite"), key)}
        if histograms is not None:
            given["histograms"] = (histograms, ("step", *BINS), ())
        history, *others = checked(cls.__name__, given)
        return cls(history, others[0] if others else None)

    def plot(self, *, layers: Sequence[str] | None = None, position: str = "activation", spacing: str = "step") -> Self:
        """Draw a column per layer.

        Parameters
        ----------
        layers : list of str, optional
            Layers to draw; all by default.
        position : {"activation", "pre_activation"}, default="activation"
            Which values. Layers without an activation function have one position, "output", always drawn.
        spacing : {"step", "record"}, default="step"
            "step": records lie at their step, and a column of the heat map reaches halfway to its neighbours;
            "record": all records take the same room, whatever the steps between them.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            If a parameter is not allowed.
        """
        from matplotlib.figure import Figure

        check_parameters("plot", {"spacing": spacing}, {"spacing": one_of("spacing", SPACINGS)})
        rows = chosen(self.history, position, layers, POSITIONS)
        names = list(rows["layer"].unique())
        steps = np.unique(self.history["step"])
        kinds = ["moments"] if self.histograms is None else ["moments", "histogram"]
        columns = min(len(names), _COLUMNS)
        self.figure_ = Figure()
        grid = panels(
            self.figure_, len(kinds) * ceil(len(names) / columns), columns, width=2.7 if columns > 1 else 4.6,
            height=1.6, gap_x=0.75, gap_y=0.18, legend=0.4 if self.histograms is None else 1.0,
            stack=len(kinds), gap_stacks=0.75,
        )  # fmt: skip
        titles = dict(zip(names, distinct(names, 30), strict=True))
        self.axes_: dict[tuple[str, str], Axes] = {}
        for i, (name, of_layer) in enumerate(rows.groupby(rows["layer"], sort=False)):
            block, column = divmod(i, columns)
            axes = grid[block * len(kinds) : (block + 1) * len(kinds), column]
            self.axes_ |= {(str(name), kind): ax for kind, ax in zip(kinds, axes, strict=True)}
            self._draw_layer(axes, of_layer.set_index("step").reindex(steps), spacing)
            # Where no other layer comes below.
            if i + columns >= rows["layer"].nunique():
                axes[-1].set_xlabel("step", fontsize=9, color=INK)
            if column == 0:
                for ax in axes:
                    label_left(ax, "value", 0.6)
            axes[0].set_title(titles[name], fontsize=10, color=INK, y=1.0, pad=6, parse_math=False)
        for ax in set(grid.flat) - set(self.axes_.values()):
            ax.remove()
        self._explain(rows)
        return self

    def _draw_layer(self, axes: Sequence["Axes"], rows: pd.DataFrame, spacing: str) -> None:
        steps = rows.index.to_numpy()
        x = steps.astype(float) if spacing == "step" else np.arange(len(steps), dtype=float)
        edges = _column_edges(x, spacing)
        margin = 0.02 * (edges[-1] - edges[0])
        for ax in axes:
            quiet(ax)
            ax.set_xlim(edges[0] - margin, edges[-1] + margin)
            if spacing == "step" and len(steps) > 1:
                few_ticks(ax.xaxis, integer=True)
            else:
                few = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), 5)).round().astype(int))
                ax.set_xticks(x[few], [str(step) for step in steps[few]])
        for ax in axes[:-1]:
            ax.tick_params(labelbottom=False)
        _draw_moments(axes[0], x, rows)
        if self.histograms is not None:
            layer, position = rows[["layer", "position"]].dropna().iloc[0]
            nothing = self.histograms.iloc[:0]
            draw_heat(axes[1], edges, [self._bins.get((layer, position, step), nothing) for step in steps])

    @cached_property
    def _bins(self) -> dict[tuple[Any, ...], pd.DataFrame]:
        return {} if self.histograms is None else bins_of(self.histograms, ["layer", "position", "step"])

    def _explain(self, rows: pd.DataFrame) -> None:
        """Put below what lines, marks and colours mean."""
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        handles: list[Any] = [Line2D([], [], color=_COLOUR, marker="o", markersize=3.5)]
        handles.append(Patch(color=_COLOUR, alpha=0.22, linewidth=0))
        labels = ["mean", "mean ± standard deviation"]
        if (rows["nonfinite"] > 0).any():
            handles.append(sample("nonfinite"))
            labels.append(MEANING["nonfinite"])
        legend_below(self.figure_, handles, labels, legend_columns(labels, self.figure_.get_figwidth()))
        if self.histograms is not None:
            explain_heat(self.figure_, above=0.75)


def _column_edges(x: np.ndarray, spacing: str) -> np.ndarray:
    """Return edges halfway between neighbours; the outer ones, of records at their steps, are first and last step."""
    outer = 0.5 if spacing == "record" or len(x) == 1 else 0.0
    return np.concatenate([[x[0] - outer], (x[1:] + x[:-1]) / 2, [x[-1] + outer]])


def _draw_moments(ax: "Axes", x: np.ndarray, rows: pd.DataFrame) -> None:
    mean, std = rows["mean"].to_numpy(float), rows["std"].to_numpy(float)
    ax.fill_between(x, mean - std, mean + std, color=_COLOUR, alpha=0.22, linewidth=1)
    ax.plot(x, mean, color=_COLOUR, marker="o", markersize=3.5 if len(x) <= 30 else 0, linewidth=1.5)
    mark(ax, "nonfinite", x[rows["nonfinite"].fillna(0).to_numpy() > 0], _LOST)
    few_ticks(ax.yaxis)
