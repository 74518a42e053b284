"""Lines along depth, and how a panel draws them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from initsk.displays._axes import log_axis
from initsk.displays._marks import mark, write_zero
from initsk.displays._style import INK, colour_of, line_of
from initsk.language import Language

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from typing import Self

from initsk.displays._axes import KEY, POSITIONS, checked, chosen, name_layers, name_room
from initsk.displays._marks import MEANING, sample
from initsk.displays._style import legend_below, legend_columns, panels, quiet, shortened
from initsk.language import get_language, message
from initsk.utils.validation import check_parameters, one_of, refuse

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


def draw_spread(ax: "Axes", lines: Sequence[Line], translate: Language) -> None:
    """Draw root mean squares on a logarithmic axis, and marks at its edges for those that have no place there."""
    lost = {line.index: np.flatnonzero(line.nonfinite) for line in lines if line.nonfinite.any()}
    zero = {line.index: np.flatnonzero(line.values == 0) for line in lines if (line.values == 0).any()}
    room = _LEVEL * (len(zero) + 1) if zero else 0.0, _LEVEL * len(lost)
    shown = np.concatenate([part for line in lines for part in (line.values, line.predicted)])
    log_axis(ax, shown, (min(room[0], 0.4), min(room[1], 0.4)), translate)
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


def draw_fractions(ax: "Axes", lines: Sequence[Line], translate: Language) -> None:
    """Draw shares between 0 and 100 %."""
    from matplotlib.ticker import FuncFormatter

    ax.set_ylim(-0.06, 1.06)
    ax.set_yticks([0, 0.5, 1])
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: translate.percent(value)))
    for line in lines:
        line.draw(ax, line.values)


_SPREADS = {
    "rms": message("root mean square of the values"),
    "gradient_rms": message("root mean square of the loss's gradient"),
}
# With the place of the colour and the style of each.
_FRACTIONS = {
    "zero_fraction": (message("zero values"), 0),
    "dead_fraction": (message("dead units"), 1),
    "saturated_fraction": (message("saturated values"), 2),
}
_TITLES = {**_SPREADS, "fractions": message("share"), **{name: words for name, (words, _) in _FRACTIONS.items()}}


class DepthDisplay:
    """Root mean square along depth, forward and backward, and the shares of dead, zero and saturated.

    A layer whose values are all zero has no place on a logarithmic axis: a triangle with "0" marks it
    at the lower edge. A cross at the upper edge marks a layer with values that are not finite. Hollow diamonds are
    what theory predicts, where a frame has the column ``predicted_rms``.

    Parameters
    ----------
    frames : dict of str to DataFrame
        By label: rows of layer and position in the order of the forward pass.
    gradients : dict of str to DataFrame
        The same of the loss's gradient; may be empty.
    order : sequence of str, optional
        Labels in the order in which they are coloured; by default that of `frames`.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : dict of str to Axes
        "rms"; "gradient_rms" where gradients were given; and "fractions", or with several labels a panel
        for each of "zero_fraction", "dead_fraction" and "saturated_fraction". Fractions that apply to no
        layer are left out.

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
    def from_frames(
        cls,
        frame: pd.DataFrame | Mapping[str, pd.DataFrame],
        gradients: pd.DataFrame | Mapping[str, pd.DataFrame] | None = None,
        *,
        order: Sequence[str] | None = None,
    ) -> Self:
        """Take one summary, or several by label.

        Parameters
        ----------
        frame : DataFrame or mapping of str to DataFrame
            `ActivationSummary.to_frame()`; a mapping draws a line per label.
        gradients : DataFrame or mapping of str to DataFrame, optional
            `ActivationSummary.to_frame("gradients")`; of a mapping, for any of its labels.
        order : sequence of str, optional
            Labels in the order in which they are coloured; others may be among them, and none may be missing.

        Returns
        -------
        DepthDisplay

        Raises
        ------
        InvalidParameterError
            If there is no frame, a frame has no rows, lacks columns or has two rows of one layer and
            position, or gradients have labels that `frame` does not have.
        """
        frames, backward = _by_label(frame), _by_label({} if gradients is None else gradients)
        problems = [] if frames else ["frame is an empty mapping"]
        problems += [f"gradients have the label {label!r}, frame has not" for label in backward if label not in frames]
        problems += [f"order lacks the label {label!r}" for label in frames if order is not None and label not in order]
        refuse(cls.__name__, problems)
        columns = (*KEY, "rms", "nonfinite")
        given: dict[str, Any] = {_name("frame", k): (one, (*columns, *_FRACTIONS), KEY) for k, one in frames.items()}
        given |= {_name("gradients", k): (one, columns, KEY) for k, one in backward.items()}
        fine = iter(checked(cls.__name__, given))
        return cls({label: next(fine) for label in frames}, {label: next(fine) for label in backward}, order)

    def plot(self, *, position: str = "activation", language: str = "en") -> Self:
        """Draw all panels, one below the other.

        Parameters
        ----------
        position : {"activation", "pre_activation"}, default="activation"
            Which values. Layers without an activation function have one position, "output", always drawn.
        language : str, default="en"
            Of words and numbers: a file in ``initsk/locale``.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            If `position` is not allowed, or no layer has it.
        """
        from matplotlib.figure import Figure

        check_parameters("plot", {"position": position}, {"position": one_of("position", POSITIONS)})
        translate = get_language(language)
        rows = {label: chosen(frame, position) for label, frame in self.frames.items()}
        names = list(dict.fromkeys(name for frame in rows.values() for name in frame["layer"]))
        lines = self._lines(rows, position, names)
        width = float(np.clip(0.32 * len(names), 4.8, 11))
        samples = _samples(lines, translate)
        labels = [text for text, _ in samples]
        columns = legend_columns(labels, width + 0.8)
        self.figure_ = Figure()
        heights = [2.3 if name in _SPREADS else 1.1 for name in lines]
        room = 0.2 * ceil(len(samples) / columns) - 0.05
        grid = panels(
            self.figure_, len(lines), 1, width=width, height=float(np.mean(heights)), ratios=heights,
            gap_y=0.42, legend=room + name_room(names, width),
        )[:, 0]  # fmt: skip
        self.axes_ = dict(zip(lines, grid, strict=True))
        for name, ax in self.axes_.items():
            quiet(ax)
            ax.set_title(translate(_TITLES[name]), fontsize=10, color=INK, loc="left", y=1.0, pad=6)
            (draw_spread if name in _SPREADS else draw_fractions)(ax, lines[name], translate)
            name_layers(ax, names, width, shown=ax is grid[-1])
        legend_below(self.figure_, [handle for _, handle in samples], labels, columns)
        return self

    def _lines(self, rows: dict[str, pd.DataFrame], position: str, layers: list[str]) -> dict[str, list[Line]]:
        """Return the lines of each panel, from the top down."""
        place = {label: self.order.index(label) for label in rows}
        found = {"rms": [Line.of(label, i, rows[label], "rms", layers) for label, i in place.items()]}
        if self.gradients:
            back = {i: (label, self.gradients[label]) for label, i in place.items() if label in self.gradients}
            found["gradient_rms"] = [
                Line.of(label, i, chosen(frame, position), "rms", layers) for i, (label, frame) in back.items()
            ]
        for name, (words, colour) in _FRACTIONS.items():
            several = [Line.of(label, i, rows[label], name, layers) for label, i in place.items()]
            if not any(np.isfinite(line.values).any() for line in several):
                continue
            if len(rows) > 1:
                found[name] = several
            else:
                [only] = several
                found.setdefault("fractions", []).append(replace(only, label=words, index=colour, translated=True))
        return found


def _by_label(given: Any) -> dict[str, Any]:
    """Return frames by label; one frame alone has the label "" (none)."""
    return {str(label): frame for label, frame in given.items()} if isinstance(given, Mapping) else {"": given}


def _samples(lines: dict[str, list[Line]], translate: Language) -> list[tuple[str, Any]]:
    """Return what the legend shows: a line per label, or per fraction, and the marks in use."""
    shown = lines["rms"] if len(lines["rms"]) > 1 else lines.get("fractions", [])
    samples: list[tuple[str, Any]] = [
        (translate(line.label) if line.translated else shortened(line.label, 40), line.sample()) for line in shown
    ]
    spreads = [line for name in _SPREADS for line in lines.get(name, [])]
    if any((line.values == 0).any() for line in spreads):
        samples.append((translate(MEANING["zero"]), sample("zero")))
    if any(line.nonfinite.any() for line in spreads):
        samples.append((translate(MEANING["nonfinite"]), sample("nonfinite")))
    if any(np.isfinite(line.predicted).any() for line in spreads):
        samples.append((translate("predicted by theory"), predicted_sample()))
    return samples


def _name(kind: str, label: str) -> str:
    return f"{kind} {label!r}" if label else kind
