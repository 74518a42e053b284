"""Grids of histograms: a row per initializer, a column per layer."""

from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd

from initsk.displays._axes import few_ticks, power_ticks
from initsk.displays._bins import central_range, without_zeros
from initsk.displays._colors import drawn_color
from initsk.displays._display import Display, in_given_language
from initsk.displays._frames import check_frames, color_order, present_labels
from initsk.displays._settings import ink, points
from initsk.displays._style import (
    clean_axes,
    height_of,
    label_axis,
    line_width,
    merge_style,
    outer_sides,
    write_title,
)
from initsk.displays._texts import percent, text_width
from initsk.inspection import pool_histograms, signal_rows
from initsk.language import message, translate
from initsk.text import distinct
from initsk.utils.validation import check_parameters, each_of, one_of, refuse
from initsk.utils.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PHASES = ("initialized", "training", "trained")
AXES = ("shared", "article")
# Values beyond this do not set an axis for other rows.
_EXPLODED = 1e6
# A density axis goes up to this many times the highest density, or as far as notes need, on this share at most.
_ABOVE = 20
_MOST_NOTES = 0.6
# Letters of the name beside a row; the names of known initializers stay whole.
_MAX_NAME, _MIN_NAME = 24, 16
_NEEDED = ("initializer", "phase", "epoch", "layer")


class ActivationGridDisplay(Display):
    """Histograms of the activations, a row per initializer and a column per layer.

    Zeros are left out of the histogram and written as a share, since their bin would be far higher than the others.
    Repeats are pooled.

    Parameters
    ----------
    panels : dict of (initializer, layer) to DataFrame
        Pooled histogram without zeros: left, right, count, density (of all values).
    zero_fractions : dict of (initializer, layer) to float
        Share of exact zeros.
    initializers, layers : list of str
        Rows and columns.
    phase : str
        Phase of the weights: "initialized", "training" or "trained".
    order : list of str, optional
        Initializers in the order in which they are colored; by default the rows.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of matplotlib Axes of shape (n_initializers, n_layers)
    """

    _values: ClassVar[str] = message("activation")

    def __init__(
        self, panels: dict[tuple[str, str], pd.DataFrame], zero_fractions: dict[tuple[str, str], float],
        initializers: list[str], layers: list[str], phase: str, order: list[str] | None = None,
    ) -> None:  # fmt: skip
        self.panels = panels
        self.zero_fractions = zero_fractions
        self.initializers = initializers
        self.layers = layers
        self.phase = phase
        self.order = initializers if order is None else order

    @classmethod
    @np.errstate(all="ignore")
    def from_frames(
        cls, histograms: pd.DataFrame, frame: pd.DataFrame, *, phase: str = "trained", epoch: int | None = None
    ) -> Self:
        """Pool the histograms of a comparison.

        Parameters
        ----------
        histograms, frame : DataFrame
            `ComparisonResult.histograms` and `ComparisonResult.layers`.
        phase : {"initialized", "training", "trained"}, default="trained"
            Phase of the weights.
        epoch : int, optional
            Epoch of the phase; all epochs by default.

        Returns
        -------
        ActivationGridDisplay

        Raises
        ------
        InvalidParameterError
            If the phase is unknown, or a frame has no rows, lacks columns, or has values that a column cannot have.
        """
        check_parameters(cls.__name__, {"phase": phase}, {"phase": one_of("phase", PHASES)})
        second = "position" if cls._values == "activation" else "parameter"
        given = {
            "histograms": (histograms, (*_NEEDED, second, "left", "right", "count"), ()),
            "frame": (frame, (*_NEEDED, second, "count", "zero_fraction"), ()),
        }
        histograms, frame = check_frames(cls.__name__, given)
        chosen, moments = (cls._rows(_at(part, phase, epoch)) for part in (histograms, frame))
        chosen = chosen[np.isfinite(chosen["left"]) & np.isfinite(chosen["right"])]
        labels = chosen["initializer"].astype(str)
        rows, columns = present_labels(moments["initializer"]), list(dict.fromkeys(moments["layer"]))
        panels, zeros = {}, {}
        grouped = dict(iter(chosen.groupby([labels, "layer"], sort=False)))
        sums = _zeros_and_counts(moments)
        for key in product(rows, columns):
            n_zero, count = sums.get(key, (0, 0))
            zeros[key] = n_zero / count if count else float("nan")
            bins = pool_histograms(grouped[key]) if key in grouped else chosen.iloc[:0]
            panels[key] = without_zeros(bins, n_zero, count)
        return cls(panels, zeros, rows, columns, phase, color_order(moments["initializer"]))

    @staticmethod
    def _rows(frame: pd.DataFrame) -> pd.DataFrame:
        """Return the rows that the display draws."""
        return signal_rows(frame)

    def _contents(self) -> list[str]:
        return [counted(len(self.initializers), "initializer"), counted(len(self.layers), "layer"), repr(self.phase)]

    @in_given_language
    def plot(
        self, ax: Any = None, *, axes: str = "shared", initializers: list[str] | None = None, language: str = "en",
        **kwargs: Any,
    ) -> Self:  # fmt: skip
        """Draw the grid.

        Parameters
        ----------
        ax : array of matplotlib Axes, optional
            Where to draw, row by row; by default a new figure.
        axes : {"shared", "article"}, default="shared"
            "shared": one range per column that holds 99.9 % of every row's values (explosions beyond a million are
            left out and written as a number), and one logarithmic density axis; "article": -1..1 by 0..4 everywhere.
        initializers : list of str, optional
            Rows to draw; all by default. The axes always fit all rows.
        language : str, default="en"
            Language of words and numbers: "en", "id", or another file in ``initsk/locale``.
        **kwargs
            Passed to `matplotlib.axes.Axes.stairs`, which draws the histograms.

        Returns
        -------
        self
        """
        if not self.initializers:
            refuse("plot", [f"there are no rows of the phase {self.phase!r}"])
        rows = initializers or self.initializers
        allowed = {"axes": one_of("axes", AXES), "initializers": each_of("initializer", self.initializers)}
        check_parameters("plot", {"axes": axes, "initializers": rows}, allowed)
        # A page shows one panel of a single row at a time, so that each needs its numbers.
        gap = 0.5 if len(rows) == 1 else 0.3
        shape = len(rows), len(self.layers)
        self.axes_ = self._open_grid(ax, *shape, width=2.55, height=1.45, gap_x=gap)
        outer_of = outer_sides(list(self.axes_.flat))
        # Rows of one column have one axis; only the lowest one has its numbers, unless the picture has room for all.
        is_grid = outer_of["bottom"].to_numpy().reshape(shape)[:-1].sum() == 0
        sides = outer_of.to_dict("records")
        titles, names = distinct(self.layers, 30), self._names_that_fit(rows)
        has_room = self._has_room_for_density(names)
        free = self._room_above(rows)
        for (i, j), outer in zip(np.ndindex(shape), sides, strict=True):
            one, layer = self.axes_[i, j], self.layers[j]
            one.set_gid(f"layer-{j}")
            self._draw(one, rows[i], layer, kwargs)
            self._scale(one, layer, axes, free)
            if outer["top"]:
                write_title(one, titles[j])
            if outer["bottom"]:
                label_axis(one.xaxis, translate(self._values))
            elif is_grid and not self._has_own_size:
                one.tick_params(labelbottom=False)
            if outer["left"] or j == 0:
                density = translate("density")
                if j == 0 and len(rows) > 1:
                    density = f"{names[i]}\n{density}" if has_room else names[i]
                label_axis(one.yaxis, density)
            else:
                one.tick_params(labelleft=len(rows) == 1)
        return self

    def _names_that_fit(self, rows: list[str]) -> list[str]:
        """Return the names of the rows, shortened to the height of a row."""
        room = min(map(height_of, self.axes_.flat))
        for length in range(_MAX_NAME, _MIN_NAME, -1):
            names = distinct(rows, length)
            if _height_of(names) <= room:
                return names
        return distinct(rows, _MIN_NAME)

    def _has_room_for_density(self, names: list[str]) -> bool:
        """Return whether all rows are high enough for their name and the word density; otherwise they have names."""
        return _height_of([translate("density"), *names]) <= min(map(height_of, self.axes_.flat))

    def _room_above(self, rows: list[str]) -> float:
        """Return the share of the height that the notes of any panel need above the histograms."""
        most = max(len(self._notes(row, layer)) for row in rows for layer in self.layers)
        needed = (1.3 * points(9) / 72) * (most + 0.4)
        return min(needed / min(map(height_of, self.axes_.flat)), _MOST_NOTES) if most else 0.0

    def _draw(self, ax: "Axes", row: str, layer: str, style: dict[str, Any]) -> None:
        from matplotlib.patches import StepPatch

        clean_axes(ax)
        frame = self.panels[row, layer]
        if len(frame):
            edges = [*frame["left"], frame["right"].iloc[-1]]
            own = merge_style(StepPatch, {"color": drawn_color(row, self.order), "linewidth": line_width(1.2)}, style)
            color = own.pop("color")
            own = {"facecolor": (color, 0.45), "edgecolor": color, **own}
            ax.stairs(frame["density"].to_numpy(), edges, baseline=1e-12, fill=True, **own)
        notes = "\n".join(self._notes(row, layer))
        ax.text(0.97, 0.93, notes, transform=ax.transAxes, ha="right", va="top", fontsize=points(9), color=ink())

    def _notes(self, row: str, layer: str) -> list[str]:
        """Return what a panel says besides its histogram."""
        notes = []
        zeros = self.zero_fractions[row, layer]
        if np.isnan(zeros):
            notes.append(translate("no finite value"))
        if zeros > 0:
            notes.append(translate("all zero") if zeros == 1 else translate("{share} zero", share=percent(zeros)))
        reach = self._reach(row, layer)
        if reach > _EXPLODED:
            notes.append(translate("up to {value:.2g}", value=reach))
        return notes

    def _scale(self, ax: "Axes", layer: str, axes: str, free: float) -> None:
        if axes == "article":
            ax.set(xlim=(-1, 1), ylim=(0, 4))
            few_ticks(ax.yaxis)
        else:
            ranges, (low, high) = self._limits
            top = high * max(_ABOVE, (high / low) ** (free / (1 - free)))
            ax.set(xlim=ranges[layer], yscale="log", ylim=(low, top))
            power_ticks(ax.yaxis)
        few_ticks(ax.xaxis)

    @cached_property
    def _limits(self) -> tuple[dict[str, tuple[float, float]], tuple[float, float]]:
        """Ranges of every layer's values, and the lowest and the highest density to show, over all rows."""
        values = [self.panels[row, layer]["density"] for layer in self.layers for row in self._within(layer)]
        highest = float(np.concatenate(values).max()) if values else 1 / _ABOVE
        # The densities of values that are all huge are tiny.
        return {layer: self._range(layer) for layer in self.layers}, (min(1e-4, highest * _ABOVE / 1e6), highest)

    def _range(self, layer: str) -> tuple[float, float]:
        ranges = [central_range([self.panels[row, layer]]) for row in self._within(layer)]
        low, high = min([0.0, *(low for low, _ in ranges)]), max([0.0, *(high for _, high in ranges)])
        margin = 0.03 * (high - low) or 1.0
        return low - margin, high + margin

    def _within(self, layer: str) -> list[str]:
        """Return the rows that set the range: those with values, without explosions if there are others."""
        rows = [row for row in self.initializers if len(self.panels[row, layer])]
        sound = [row for row in rows if self._reach(row, layer) <= _EXPLODED]
        return sound or rows

    def _reach(self, row: str, layer: str) -> float:
        """Return the largest absolute value of a panel, tails apart."""
        frame = self.panels[row, layer]
        return max(map(abs, central_range([frame]))) if len(frame) else 0.0


class WeightGridDisplay(ActivationGridDisplay):
    """Histograms of the weights without biases, a row per initializer and a column per layer.

    It takes `ComparisonResult.weight_histograms` and `ComparisonResult.weights`; the rest is as in
    `ActivationGridDisplay`.
    """

    _values: ClassVar[str] = message("weight")

    @classmethod
    def from_frames(
        cls, histograms: pd.DataFrame, frame: pd.DataFrame, *, phase: str = "trained", epoch: int | None = None
    ) -> Self:
        """Pool the histograms of the weights of a comparison.

        Parameters
        ----------
        histograms, frame : DataFrame
            `ComparisonResult.weight_histograms` and `ComparisonResult.weights`.
        phase, epoch
            As in `ActivationGridDisplay.from_frames`.

        Returns
        -------
        WeightGridDisplay

        Raises
        ------
        InvalidParameterError
            As in `ActivationGridDisplay.from_frames`.
        """
        # Python names the class of the method in an error about its arguments.
        return super().from_frames(histograms, frame, phase=phase, epoch=epoch)

    @staticmethod
    def _rows(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[frame["parameter"] == "weight"]


def _height_of(words: list[str]) -> float:
    """Return the height of the longest of several labels of a vertical axis in inches."""
    return max(text_width(word, points(9, "axes.labelsize")) for word in words)


def _at(frame: pd.DataFrame, phase: str, epoch: int | None) -> pd.DataFrame:
    at = frame["phase"] == phase
    return frame[at if epoch is None else at & (frame["epoch"] == epoch)]


def _zeros_and_counts(moments: pd.DataFrame) -> dict[tuple[str, str], tuple[int, int]]:
    """Return the numbers of zeros and of values in each panel."""
    zeros = (moments["zero_fraction"] * moments["count"]).fillna(0)
    keys = [moments["initializer"].astype(str), moments["layer"]]
    sums = pd.DataFrame({"zeros": zeros, "values": moments["count"]}).groupby(keys, sort=False).sum()
    return {key: (round(n_zero), int(n)) for key, n_zero, n in sums.itertuples(name=None)}
