"""The article's grid: a row per initializer, a column per hidden layer."""

from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

from initsk.displays._bins import central_range, without_zeros
from initsk.displays._style import INK, colour_of, panels, quiet
from initsk.inspection import pool_histograms, signal_rows
from initsk.utils._validation import check_parameters, each_of, one_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PHASES = ("initialized", "trained")
AXES = ("shared", "article")


class ActivationGridDisplay:
    """Histograms of the activations, a row per initializer and a column per layer.

    Zeros are taken out of the histogram and written as a share, since one spike would
    squeeze everything else. Repeats are pooled.

    Parameters
    ----------
    panels : dict of (initializer, layer) to DataFrame
        Pooled histogram without zeros: left, right, count, density (of all values).
    zero_fractions : dict of (initializer, layer) to float
        Share of exact zeros.
    initializers, layers : list of str
        Rows and columns.
    phase : str
        Which weights: "initialized" or "trained".

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of Axes of shape (n_initializers, n_layers)
    """

    def __init__(
        self,
        panels: dict[tuple[str, str], pd.DataFrame],
        zero_fractions: dict[tuple[str, str], float],
        initializers: list[str],
        layers: list[str],
        phase: str,
    ) -> None:
        self.panels = panels
        self.zero_fractions = zero_fractions
        self.initializers = initializers
        self.layers = layers
        self.phase = phase

    @classmethod
    def from_frames(cls, histograms: pd.DataFrame, layers: pd.DataFrame, *, phase: str = "trained") -> Self:
        """Pool the histograms of a comparison.

        Parameters
        ----------
        histograms, layers : DataFrame
            `ComparisonResult.histograms` and `ComparisonResult.layers`.
        phase : {"initialized", "trained"}, default="trained"
            Which weights.

        Returns
        -------
        ActivationGridDisplay
        """
        check_parameters("ActivationGridDisplay", {"phase": phase}, {"phase": one_of("phase", PHASES)})
        chosen = signal_rows(histograms[histograms["phase"] == phase])
        moments = signal_rows(layers[layers["phase"] == phase])
        rows = list(dict.fromkeys(chosen["initializer"].astype(str)))
        columns = list(dict.fromkeys(chosen["layer"]))
        panels, zeros = {}, {}
        grouped = dict(iter(chosen.groupby([chosen["initializer"].astype(str), "layer"], sort=False)))
        for row in rows:
            for column in columns:
                at = moments[(moments["initializer"].astype(str) == row) & (moments["layer"] == column)]
                count = int(at["count"].sum())
                n_zero = round(float((at["zero_fraction"] * at["count"]).sum()))
                zeros[row, column] = n_zero / count if count else float("nan")
                panels[row, column] = without_zeros(pool_histograms(grouped[row, column]), n_zero, count)
        return cls(panels, zeros, rows, columns, phase)

    def plot(self, *, axes: str = "shared", initializers: list[str] | None = None) -> Self:
        """Draw the grid.

        Parameters
        ----------
        axes : {"shared", "article"}, default="shared"
            "shared": one range per column that holds 99.9 % of every row's values, and one
            logarithmic density axis; "article": -1..1 by 0..4 everywhere.
        initializers : list of str, optional
            Rows to draw; all by default. Axes stay those of all rows.

        Returns
        -------
        self
        """
        from matplotlib.figure import Figure
        from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

        rows = initializers or self.initializers
        allowed = {"axes": one_of("axes", AXES), "initializers": each_of("initializer", self.initializers)}
        check_parameters("plot", {"axes": axes, "initializers": rows}, allowed)
        self.figure_ = Figure()
        self.axes_ = panels(self.figure_, len(rows), len(self.layers), width=2.55, height=1.45)
        ranges, densities = self._limits
        for i, row in enumerate(rows):
            for j, layer in enumerate(self.layers):
                ax = self.axes_[i, j]
                self._draw(ax, row, layer)
                if axes == "article":
                    ax.set(xlim=(-1, 1), ylim=(0, 4))
                else:
                    ax.set(xlim=ranges[layer], yscale="log", ylim=densities)
                    ax.xaxis.set_major_locator(MaxNLocator(4))
                    ax.yaxis.set_major_locator(LogLocator(numticks=4))
                    ax.yaxis.set_minor_locator(NullLocator())
                self._label(ax, i, j, len(rows), row, layer)
        return self

    def _draw(self, ax: "Axes", row: str, layer: str) -> None:
        quiet(ax)
        frame = self.panels[row, layer]
        colour = colour_of(self.initializers.index(row))
        if len(frame):
            edges = np.append(frame["left"].to_numpy(), frame["right"].to_numpy()[-1])
            density = frame["density"].to_numpy()
            ax.stairs(density, edges, fill=True, color=colour, alpha=0.45, linewidth=0, baseline=1e-12)
            ax.stairs(density, edges, color=colour, linewidth=1.2, baseline=1e-12)
        zeros = self.zero_fractions[row, layer]
        note = "all zero" if zeros == 1 else f"{zeros:.0%} zero"
        ax.text(0.97, 0.93, note, transform=ax.transAxes, ha="right", va="top", fontsize=9, color=INK)

    def _label(self, ax: "Axes", i: int, j: int, n_rows: int, row: str, layer: str) -> None:
        if i == 0:
            # A fixed height spares matplotlib the search for one.
            ax.set_title(layer, fontsize=11, color=INK, y=1.0, pad=6)
        if i == n_rows - 1:
            ax.set_xlabel("activation", fontsize=9, color=INK)
        if j == 0:
            ax.set_ylabel(f"{row}\ndensity", fontsize=9, color=INK)
        else:
            ax.tick_params(labelleft=False)

    @cached_property
    def _limits(self) -> tuple[dict[str, tuple[float, float]], tuple[float, float]]:
        """Range of every layer's values, and of the densities, over all rows."""
        return {layer: self._range(layer) for layer in self.layers}, self._densities()

    def _range(self, layer: str) -> tuple[float, float]:
        lows, highs = [0.0], [0.0]
        for row in self.initializers:
            frame = self.panels[row, layer]
            if len(frame):
                low, high = central_range([frame])
                lows.append(low)
                highs.append(high)
        low, high = min(lows), max(highs)
        margin = 0.03 * (high - low) or 1.0
        return low - margin, high + margin

    def _densities(self) -> tuple[float, float]:
        values = [frame["density"].to_numpy() for frame in self.panels.values() if len(frame)]
        if not values:
            return 1e-4, 1.0
        return 1e-4, float(np.concatenate(values).max()) * 20
