"""Lines along depth: root mean squares, and shares of zero, dead and saturated values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from typing_extensions import TypeAliasType

from initsk.displays._axes import log_axis, name_layers, name_layers_within, name_room
from initsk.displays._colors import LINES, drawn_line, palette_line
from initsk.displays._display import Display, in_given_language
from initsk.displays._frames import KEY, POSITIONS, check_frames, n_values, select_rows
from initsk.displays._legends import draw_marks, legend_above, legend_below, legend_rows, mark_sample, write_zero
from initsk.displays._settings import ink
from initsk.displays._style import clean_axes, label_quantity, line_width, merge_style, outer_sides, sample
from initsk.language import current_language, message, translate
from initsk.text import distinct
from initsk.utils.validation import check_parameters, one_of, refuse
from initsk.utils.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

FrameOrFrames = TypeAliasType("FrameOrFrames", pd.DataFrame | Mapping[str, pd.DataFrame])
# Columns of a comparison that tell repeated measurements apart.
_REPEATS = ("repeat", "fold", "split")
_LEVEL = 0.09
_CROWD = 25


@dataclass(frozen=True)
class Line:
    """One statistic of one summary, a value per layer (NaN where there is none)."""

    label: str
    index: int
    #: Color, line style and marker of the initializer or the share.
    own: dict[str, Any]
    values: np.ndarray
    nonfinite: np.ndarray
    predicted: np.ndarray
    #: Keywords for matplotlib in place of the line's own.
    style: dict[str, Any]

    @property
    def color(self) -> str:
        """The color of the line and of its marks."""
        return str(self.style.get("color", self.own["color"]))

    def draw(self, ax: "Axes", values: np.ndarray) -> None:
        """Draw these values, the line's own or some of them."""
        line = self.sample(3.5 if len(values) <= _CROWD else 2)
        line.set_data(np.arange(len(values)), values)
        ax.add_line(line)

    def sample(self, markersize: float = 3.5) -> "Line2D":
        """Return a line without data, as a legend shows it."""
        # A solid line would hide a dashed one that it runs along.
        own = {"zorder": 2 if self.own.get("linestyle") == LINES[0] else 2.1, **self.own}
        own |= {"markersize": markersize, "linewidth": line_width(1.5)}
        return sample(**{**own, **self.style, "label": self.label})


def _predicted_sample(color: str, label: str = "") -> "Line2D":
    """Return the mark of a prediction, without data."""
    style = {"linestyle": "none", "marker": "D", "markersize": 6.5, "markerfacecolor": "none", "markeredgewidth": 1.1}
    return sample(color=color, label=label, **style)


def _draw_spread(ax: "Axes", lines: Sequence[Line]) -> None:
    """Draw root mean squares on a logarithmic axis, with marks at its edges for those that are zero or not finite."""
    lost = {line.index: np.flatnonzero(line.nonfinite) for line in lines if line.nonfinite.any()}
    zero = {line.index: np.flatnonzero(line.values == 0) for line in lines if (line.values == 0).any()}
    room = _LEVEL * (len(zero) + 1) if zero else 0.0, _LEVEL * len(lost)
    shown = np.concatenate([part for line in lines for part in (line.values, line.predicted)])
    log_axis(ax, shown, (min(room[0], 0.4), min(room[1], 0.4)))
    for line in lines:
        line.draw(ax, np.where(np.isfinite(line.values) & (line.values > 0), line.values, np.nan))
        if (line.predicted > 0).any():
            expected = _predicted_sample(line.color)
            expected.set_data(np.arange(len(line.predicted)), np.where(line.predicted > 0, line.predicted, np.nan))
            ax.add_line(expected)
    colors = {line.index: line.color for line in lines}
    for kind, marks in (("zero", zero), ("nonfinite", lost)):
        for level, (index, positions) in enumerate(marks.items()):
            draw_marks(ax, kind, positions, colors[index], level)
    if zero:
        write_zero(ax, np.unique(np.concatenate(list(zero.values()))), len(zero), crowded=len(lines[0].values) > _CROWD)


def _draw_fractions(ax: "Axes", lines: Sequence[Line]) -> None:
    """Draw shares between 0 and 100 %."""
    percent = current_language().percent
    ax.set_ylim(-0.06, 1.06)
    ax.set_yticks([0, 0.5, 1])
    ax.yaxis.set_major_formatter(lambda value, _: percent(value))
    for line in lines:
        line.draw(ax, line.values)


_SPREADS = {
    "rms": message("root mean square of the values"),
    "gradient_rms": message("root mean square of the loss's gradient"),
}
# With the index of the color and line style of each.
_FRACTIONS = {
    "zero_fraction": (message("zero values"), 0),
    "dead_fraction": (message("dead units"), 1),
    "saturated_fraction": (message("saturated values"), 2),
}
_TITLES = {**_SPREADS, "fractions": message("share"), **{name: words for name, (words, _) in _FRACTIONS.items()}}


class DepthDisplay(Display):
    """Root mean square of activations and gradients along depth, and shares of zero, dead and saturated.

    A layer whose values are all zero has no place on a logarithmic axis: a triangle with "0" marks it
    at the lower edge. A cross at the upper edge marks a layer with values that are not finite. Hollow diamonds are
    predictions by theory, where a frame has the column ``predicted_rms``.

    Parameters
    ----------
    frames : dict of str to DataFrame
        By label: rows of layer and position in the order of the forward pass.
    gradients : dict of str to DataFrame
        The same for the gradients of the loss; may be empty.
    order : sequence of str, optional
        Labels in the order in which they are colored; by default that of `frames`.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : dict of str to matplotlib Axes
        "rms"; "gradient_rms" where gradients were given; and "fractions", or with several labels a panel
        for each of "zero_fraction", "dead_fraction" and "saturated_fraction". Fractions that apply to no
        layer have no panel.

    Examples
    --------
    >>> import pandas as pd
    >>> from initsk.displays import DepthDisplay
    >>> frame = pd.DataFrame({"layer": ["a", "b"], "position": "activation", "rms": [1.0, 0.1], "nonfinite": 0})
    >>> frame = frame.assign(dead_fraction=0.0, zero_fraction=0.5, saturated_fraction=float("nan"))
    >>> list(DepthDisplay.from_frames(frame).plot().axes_)
    ['rms', 'fractions']
    >>> list(DepthDisplay.from_frames({"one": frame, "two": frame}, {"two": frame}).plot().axes_)
    ['rms', 'gradient_rms', 'zero_fraction', 'dead_fraction']
    """

    def __init__(
        self, frames: dict[str, pd.DataFrame], gradients: dict[str, pd.DataFrame], order: Sequence[str] | None = None
    ) -> None:
        self.frames = frames
        self.gradients = gradients
        self.order = list(frames) if order is None else list(order)

    @classmethod
    @np.errstate(all="ignore")
    def from_frames(
        cls, frame: FrameOrFrames,
        gradients: FrameOrFrames | None = None, *, order: Sequence[str] | None = None,
    ) -> Self:  # fmt: skip
        """Return a display of one summary, or of several by label.

        Parameters
        ----------
        frame : DataFrame or mapping of str to DataFrame
            `ActivationSummary.to_frame()`; a mapping draws a line per label. Rows of several values of ``repeat``,
            ``fold`` and ``split``, as in `ComparisonResult.layers`, are averaged: root mean squares by the root of
            their mean square, as if the values were pooled, shares and predictions by their mean; counts of values
            that are not finite are added up.
        gradients : DataFrame or mapping of str to DataFrame, optional
            `ActivationSummary.to_frame("gradients")`; with a mapping, a mapping for some of its labels.
        order : sequence of str, optional
            Labels in the order in which they are colored; it may hold other labels too.

        Returns
        -------
        DepthDisplay

        Raises
        ------
        InvalidParameterError
            If there is no frame, a frame has no rows, lacks columns or has two rows of one layer, position and
            repeat, or gradients have labels that `frame` does not have.
        """
        frames, backward = _by_label(frame), _by_label({} if gradients is None else gradients)
        problems = [] if frames else ["frame is an empty mapping"]
        problems += [f"gradients have the label {label!r}, frame has not" for label in backward if label not in frames]
        problems += [f"order lacks the label {label!r}" for label in frames if order is not None and label not in order]
        refuse(cls.__name__, problems)
        columns = (*KEY, "rms", "nonfinite")
        needed = (*columns, *_FRACTIONS)
        given: dict[str, Any] = {_name("frame", k): (one, needed, _key(one)) for k, one in frames.items()}
        given |= {_name("gradients", k): (one, columns, _key(one)) for k, one in backward.items()}
        fine = map(_averaged, check_frames(cls.__name__, given))
        return cls({label: next(fine) for label in frames}, {label: next(fine) for label in backward}, order)

    def _contents(self) -> list[str]:
        return [counted(len(self.frames), "summary", "summaries"), counted(_n_layers(self.frames), "layer")]

    @in_given_language
    def plot(self, ax: Any = None, *, position: str = "activation", language: str = "en", **kwargs: Any) -> Self:
        """Draw all panels, one below the other.

        Parameters
        ----------
        ax : array of matplotlib Axes, optional
            Where to draw, in the order of `axes_`; by default a new figure.
        position : {"activation", "pre_activation"}, default="activation"
            Position to draw. Layers without an activation function have only the position "output", which is always
            drawn.
        language : str, default="en"
            Language of words and numbers: "en", "id", or another file in ``initsk/locale``.
        **kwargs
            Properties of the lines, as in `matplotlib.lines.Line2D`.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            If `position` is not allowed, or no layer has it.
        """
        from matplotlib.lines import Line2D

        check_parameters("plot", {"position": position}, {"position": one_of("position", POSITIONS)})
        rows = {label: select_rows(frame, position) for label, frame in self.frames.items()}
        names = list(dict.fromkeys(name for frame in rows.values() for name in frame["layer"]))
        lines = self._lines(rows, position, names, merge_style(Line2D, {}, kwargs))
        # The line of one summary needs no label, but its shares do.
        samples = [line.sample() for line in (lines["rms"] if len(rows) > 1 else lines.get("fractions", []))]
        marks = _mark_samples(lines)
        width = float(np.clip(0.32 * len(names), 4.8, 11))
        heights = [2.3 if name in _SPREADS else 1.1 for name in lines]
        room = 0.2 * legend_rows([*samples, *marks], width + 0.8) - 0.05 + name_room(names, width)
        layout: dict[str, Any] = {"height": float(np.mean(heights)), "ratios": heights, "gap_y": 0.22, "legend": room}
        # For a label of two lines beside the ticks.
        layout["left"] = 1.0
        axes = list(self._open_grid(ax, len(lines), 1, width=width, **layout).flat)
        if ax is None:
            legend_below(self.figure_, [*samples, *marks], width + 0.8)
        legends = {"rms": [*samples, *marks]} if len(rows) > 1 else {"rms": marks, "fractions": samples}
        self.axes_ = dict(zip(lines, axes, strict=True))
        for (name, one), is_lowest in zip(self.axes_.items(), outer_sides(axes)["bottom"], strict=True):
            clean_axes(one)
            if ax is not None:
                legend_above(one, legends.get(name, []))
            label_quantity(one, translate(_TITLES[name]), 0.6)
            (_draw_spread if name in _SPREADS else _draw_fractions)(one, lines[name])
            if ax is None and not self.figure_.get_layout_engine():
                name_layers(one, names, width, shown=is_lowest)
            else:
                name_layers_within(one, names, shown=is_lowest)
        return self

    def _lines(
        self, rows: dict[str, pd.DataFrame], position: str, layers: list[str], style: dict[str, Any]
    ) -> dict[str, list[Line]]:
        """Return the lines of each panel, from the top down."""

        def lines_of(frames: dict[str, pd.DataFrame], column: str) -> list[Line]:
            lines = []
            for (label, frame), shown in zip(frames.items(), distinct(list(frames), 40), strict=True):
                own, values = drawn_line(label, self.order), _values_of(frame, column, layers)
                lines.append(Line(shown, self.order.index(label), own, *values, style))
            return lines

        found = {"rms": lines_of(rows, "rms")}
        if self.gradients:
            labels = [label for label in rows if label in self.gradients]
            found["gradient_rms"] = lines_of({k: select_rows(self.gradients[k], position) for k in labels}, "rms")
        for name, (words, color) in _FRACTIONS.items():
            several = lines_of(rows, name)
            if not any(np.isfinite(line.values).any() for line in several):
                continue
            if len(rows) > 1:
                found[name] = several
            else:
                found.setdefault("fractions", []).append(
                    replace(several[0], label=translate(words), index=color, own=palette_line(color))
                )
        return found


def _values_of(frame: pd.DataFrame, column: str, layers: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a column in the order of `layers`, where values are not finite, and the prediction (or NaN)."""
    at = frame.set_index("layer").reindex(layers)
    predicted = at.get(f"predicted_{column}", pd.Series(np.nan, at.index))
    return at[column].to_numpy(float), at["nonfinite"].fillna(0).to_numpy() > 0, predicted.to_numpy(float)


def _n_layers(frames: dict[str, pd.DataFrame]) -> int:
    return n_values(pd.concat(frames.values()), "layer") if frames else 0


def _key(frame: Any) -> tuple[str, ...]:
    """Return the columns that tell the rows of a frame apart."""
    return (*KEY, *(name for name in _REPEATS if name in getattr(frame, "columns", ())))


def _averaged(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row per layer and position: the average over repeats."""
    if not frame.duplicated(list(KEY)).any():
        return frame
    columns = [name for name in ("rms", "nonfinite", *_FRACTIONS, "predicted_rms") if name in frame]
    squared = frame[[*KEY, *columns]].assign(rms=frame["rms"] ** 2)
    means = {name: "sum" if name == "nonfinite" else "mean" for name in columns}
    pooled = squared.groupby(list(KEY), sort=False).agg(means).reset_index()
    return pooled.assign(rms=np.sqrt(pooled["rms"]))


def _by_label(given: Any) -> dict[str, Any]:
    """Return frames by label; a single frame has the label ""."""
    return {str(label): frame for label, frame in given.items()} if isinstance(given, Mapping) else {"": given}


def _mark_samples(lines: dict[str, list[Line]]) -> list["Line2D"]:
    """Return the marks in use, as a legend shows them."""
    spreads = [line for name in _SPREADS for line in lines.get(name, [])]
    used = {"zero": [line.values == 0 for line in spreads], "nonfinite": [line.nonfinite for line in spreads]}
    samples = [mark_sample(kind, ink()) for kind, places in used.items() if np.any(places)]
    if any(np.isfinite(line.predicted).any() for line in spreads):
        samples.append(_predicted_sample(ink(), translate("predicted by theory")))
    return samples


def _name(kind: str, label: str) -> str:
    return f"{kind} {label!r}" if label else kind
