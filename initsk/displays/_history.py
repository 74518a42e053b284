"""Activations over the training: mean, standard deviation, and histograms as a heat map."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from initsk.displays._axes import few_ticks
from initsk.displays._bins import group_bins
from initsk.displays._colors import palette_color
from initsk.displays._display import Display, check_panels, in_given_language
from initsk.displays._frames import BINS, KEY, POSITIONS, check_frames, n_values, select_rows
from initsk.displays._heat import add_color_bar, draw_heat
from initsk.displays._legends import draw_marks, label_panels, legend_below, mark_sample
from initsk.displays._settings import ink
from initsk.displays._style import clean_axes, label_axis, line_width, merge_style, sample, stack_panels
from initsk.language import translate
from initsk.text import distinct
from initsk.utils.validation import check_parameters, one_of
from initsk.utils.words import counted

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

SPACINGS = ("step", "record")
_COLUMNS = 4
_LOST = 4


class HistoryDisplay(Display):
    """Activations during training, a column per layer; after four layers the grid continues below.

    Above, the mean is a line in a band of one standard deviation on each side; a cross marks steps with values that are
    not finite. Below, with histograms, is a heat map: a column per step, the values upwards, the color from the
    logarithm of the density. The heat map spans the range that holds 99.9 % of the layer's values.

    Parameters
    ----------
    histograms : DataFrame or None
        Rows of step, layer, position and bin: left, right, count.
    statistics : DataFrame
        Rows of step, layer and position: mean, std, nonfinite.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : dict of (layer, str) to matplotlib Axes
        The second part of the key is "moments" or "histogram".

    Examples
    --------
    >>> import pandas as pd
    >>> from initsk.displays import HistoryDisplay
    >>> row = {"step": [0, 10, 100], "layer": "hidden_1", "position": "activation", "mean": [0.0, 0.1, 0.2]}
    >>> frame = pd.DataFrame(row).assign(std=1.0, nonfinite=0)
    >>> display = HistoryDisplay.from_frames(None, frame).plot(spacing="record")
    >>> [label.get_text() for label in display.axes_["hidden_1", "moments"].get_xticklabels()]
    ['0', '10', '100']
    """

    def __init__(self, histograms: pd.DataFrame | None, statistics: pd.DataFrame) -> None:
        self.histograms = histograms
        self.statistics = statistics

    @classmethod
    @np.errstate(all="ignore")
    def from_frames(cls, histograms: pd.DataFrame | None, frame: pd.DataFrame) -> Self:
        """Return a display of recorded frames.

        Parameters
        ----------
        histograms : DataFrame or None
            The histograms of a training, with the column step; None draws no heat maps.
        frame : DataFrame
            The statistics of a training, with the column step.

        Returns
        -------
        HistoryDisplay

        Raises
        ------
        InvalidParameterError
            If a frame has no rows or lacks columns, or `frame` has two rows of one step, layer and position.
        """
        key = ("step", *KEY)
        given: dict[str, Any] = {"frame": (frame, (*key, "mean", "std", "nonfinite"), key)}
        if histograms is not None:
            given["histograms"] = (histograms, ("step", *BINS), ())
        frame, *others = check_frames(cls.__name__, given)
        return cls(others[0] if others else None, frame)

    def _contents(self) -> list[str]:
        return [
            counted(n_values(self.statistics, "layer"), "layer"),
            counted(n_values(self.statistics, "step"), "step"),
        ]

    @in_given_language
    def plot(
        self, ax: Any = None, *, layers: Sequence[str] | None = None, position: str = "activation",
        spacing: str = "step", language: str = "en", **kwargs: Any,
    ) -> Self:  # fmt: skip
        """Draw a column per layer.

        Parameters
        ----------
        ax : array of matplotlib Axes, optional
            Where to draw, in the order of `axes_`: layer by layer, with histograms the mean and then the heat map.
            By default a new figure.
        layers : list of str, optional
            Layers to draw; all by default.
        position : {"activation", "pre_activation"}, default="activation"
            Position to draw. Layers without an activation function have only the position "output", which is always
            drawn.
        spacing : {"step", "record"}, default="step"
            "step": records lie at their step, and a column of the heat map reaches halfway to its neighbors; "record":
            all records take the same space, for any number of steps between them.
        language : str, default="en"
            Language of words and numbers: "en", "id", or another file in ``initsk/locale``.
        **kwargs
            Passed to `matplotlib.axes.Axes.plot`, which draws the lines of the means.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            If a parameter is not allowed.
        """
        check_parameters("plot", {"spacing": spacing}, {"spacing": one_of("spacing", SPACINGS)})
        rows = select_rows(self.statistics, position, layers, POSITIONS)
        names = list(rows["layer"].unique())
        titles = dict(zip(names, distinct(names, 30), strict=True))
        kinds = ["moments"] if self.histograms is None else ["moments", "histogram"]
        keys = [(name, kind) for name in names for kind in kinds]
        check_panels(len(keys))
        axes, samples = self._open(ax, len(keys), 2.7, 1.6), _samples(rows)
        if axes:
            words = [titles[name] for name, _ in keys]
            label_panels(axes, words, translate("value"), translate("step"), samples)
        else:
            axes = self._lay_out(titles, kinds)
            legend_below(self.figure_, samples, self.figure_.get_figwidth())
        self.axes_ = dict(zip(keys, axes, strict=True))
        steps = np.unique(self.statistics["step"])
        for name, of_layer in rows.groupby("layer", sort=False):
            panels = [self.axes_[name, kind] for kind in kinds]
            self._draw_layer(panels, of_layer.set_index("step").reindex(steps), spacing, kwargs)
        if self.histograms is not None:
            beside = ax is not None or self.figure_.get_layout_engine()
            heat_maps = [self.axes_[name, "histogram"] for name in names] if beside else []
            self._bar = add_color_bar(self.figure_, heat_maps)
        return self

    def _axes(self) -> list["Axes"]:
        return super()._axes() + ([] if self.histograms is None else [self._bar])

    def _lay_out(self, titles: dict[str, str], kinds: list[str]) -> list["Axes"]:
        """Return the panels of a new figure, layer by layer."""
        legend = 0.4 if self.histograms is None else 1.0
        size: dict[str, Any] = {"width": 2.7 if len(titles) > 1 else 4.6, "height": 1.6, "legend": legend}
        gaps = {"gap_x": 0.75, "gap_y": 0.18, "gap_stacks": 0.75}
        words = list(titles.values())
        stacks = stack_panels(self.figure_, words, len(kinds), _COLUMNS, translate("value"), 0.6, **size, **gaps)
        for *upper, lowest in stacks:
            lowest.tick_params(labelbottom=True)
            for one in upper:
                one.tick_params(labelbottom=False)
        # Where no other layer is below.
        for lowest in stacks[-_COLUMNS:, -1]:
            label_axis(lowest.xaxis, translate("step"))
        return list(stacks.flat)

    def _draw_layer(self, axes: Sequence["Axes"], rows: pd.DataFrame, spacing: str, style: dict[str, Any]) -> None:
        steps = rows.index.to_numpy()
        x = steps.astype(float) if spacing == "step" else np.arange(len(steps), dtype=float)
        edges = _column_edges(x, spacing)
        margin = 0.02 * (edges[-1] - edges[0])
        for ax in axes:
            clean_axes(ax)
            ax.set_xlim(edges[0] - margin, edges[-1] + margin)
            if spacing == "step" and len(steps) > 1:
                few_ticks(ax.xaxis, integer=True)
            else:
                few = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), 5)).round().astype(int))
                ax.set_xticks(x[few], [str(step) for step in steps[few]])
        _draw_moments(axes[0], x, rows, style)
        if self.histograms is not None:
            layer, position = rows[["layer", "position"]].dropna().iloc[0]
            nothing = self.histograms.iloc[:0]
            bins = [self._bins.get((layer, position, step), nothing) for step in steps]
            draw_heat(axes[1], edges, bins)

    @cached_property
    def _bins(self) -> dict[tuple[Any, ...], pd.DataFrame]:
        return {} if self.histograms is None else group_bins(self.histograms, ["layer", "position", "step"])


def _samples(rows: pd.DataFrame) -> list["Artist"]:
    """Return what the legend shows: line, band, and marks in use."""
    from matplotlib.patches import Patch

    band = Patch(color=palette_color(0), alpha=0.22, linewidth=0, label=translate("mean ± standard deviation"))
    samples = [sample(color=palette_color(0), marker="o", markersize=3.5, label=translate("mean")), band]
    return [*samples, mark_sample("nonfinite", ink())] if (rows["nonfinite"] > 0).any() else samples


def _column_edges(x: np.ndarray, spacing: str) -> np.ndarray:
    """Return edges halfway between neighbors; records at their steps begin and end at the first and last step."""
    outer = 0.5 if spacing == "record" or len(x) == 1 else 0.0
    return np.concatenate([[x[0] - outer], (x[1:] + x[:-1]) / 2, [x[-1] + outer]])


def _draw_moments(ax: "Axes", x: np.ndarray, rows: pd.DataFrame, style: dict[str, Any]) -> None:
    from matplotlib.lines import Line2D

    mean, std = rows["mean"].to_numpy(float), rows["std"].to_numpy(float)
    own = {
        "color": palette_color(0),
        "marker": "o",
        "markersize": 3.5 if len(x) <= 30 else 0,
        "linewidth": line_width(1.5),
    }
    [line] = ax.plot(x, mean, **merge_style(Line2D, own, style))
    ax.fill_between(x, mean - std, mean + std, color=line.get_color(), alpha=0.22, linewidth=1)
    draw_marks(ax, "nonfinite", x[rows["nonfinite"].fillna(0).to_numpy() > 0], palette_color(_LOST))
    few_ticks(ax.yaxis)
