"""The phase diagram of a network between order and chaos."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from initsk.displays._axes import few_ticks
from initsk.displays._colors import palette_color
from initsk.displays._display import Display, in_given_language
from initsk.displays._heat import draw_cells
from initsk.displays._legends import legend_above, legend_below, legend_rows
from initsk.displays._settings import ink, points
from initsk.displays._style import clean_axes, height_of, label_axis, width_of
from initsk.displays._texts import text_width
from initsk.exceptions import InvalidParameterError
from initsk.language import translate
from initsk.text import distinct
from initsk.theory import PhaseDiagram, phase_diagram
from initsk.utils.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SCALES = (1.0, 100.0)
# A blank part of the plane has room for words from this share on.
_VISIBLE = 0.2
# For lines and words on the colors, which are the same on dark pages.
_ON_HEAT = "#1b1f23"
# Weights that differ by so little, relative and absolute, are at one place of the picture.
_SAME = (0.03, 0.005)
_LINES = (3, 6, 12, 25, 50)
# Half the size of a mark with its edge, in points, and the lines of text among which words avoid marks.
_MARK = 6.0
_ROWS = 4


class PhaseDiagramDisplay(Display):
    """The plane of weight and bias variances: depth scales in color, the critical line, and networks on it.

    In the ordered phase, gradients vanish and samples become alike; in the chaotic phase, gradients explode and similar
    samples become different. The darker the color, the more layers information passes (`MeanField.depth_scales`,
    ``xi_c``). In white areas, the signal grows without limit.

    Parameters
    ----------
    diagram : PhaseDiagram
    networks : dict of str to (float, float)
        Weight variance (times fan_in) and bias variance by label.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes

    Examples
    --------
    >>> from initsk.displays import PhaseDiagramDisplay
    >>> networks = {"lecun": (1.0, 0.0), "critical": (1.76, 0.05)}
    >>> figure = PhaseDiagramDisplay.from_activation("tanh", networks).plot().figure_
    """

    def __init__(self, diagram: PhaseDiagram, networks: Mapping[str, tuple[float, float]]) -> None:
        self.diagram = diagram
        self.networks = networks

    @classmethod
    @np.errstate(all="ignore")
    def from_activation(cls, activation: Any, networks: Mapping[str, tuple[float, float]] | None = None) -> Self:
        """Return a diagram that contains the networks and, if there is one, the critical line.

        Parameters
        ----------
        activation : str or callable
            See `initsk.theory.as_function`.
        networks : dict of str to (float, float), optional
            Weight variance (times fan_in) and bias variance by label.

        Returns
        -------
        PhaseDiagramDisplay
        """
        networks = dict(networks or {})
        max_weight = max([4.0, *(1.15 * weight for weight, _ in networks.values())])
        max_bias = max([0.3, *(1.15 * bias for _, bias in networks.values())])
        return cls(phase_diagram(activation, max_weight=max_weight, max_bias=max_bias), networks)

    @classmethod
    def from_diagnosis(
        cls, diagnosis: Any, *, label: str = "this network", recommended: str = "recommended initializers"
    ) -> Self:
        """Return a diagram with a network that was diagnosed, and where the recommended initializers would move it.

        If the network has such weights already, it is marked once.

        Parameters
        ----------
        diagnosis : Diagnosis
            Of a plain chain of layers.
        label : str, default="this network"
        recommended : str, default="recommended initializers"
            Label of the recommended initializers.

        Returns
        -------
        PhaseDiagramDisplay

        Raises
        ------
        InvalidParameterError
            If theory has no prediction for the network.
        """
        depth = diagnosis.depth
        if depth is None:
            raise InvalidParameterError("the network is not a plain chain of layers: theory has no prediction for it")
        networks = {label: (depth.weight_variance, depth.bias_variance)}
        other = diagnosis.recommended_depth
        if other is not None:
            place = other.weight_variance, other.bias_variance
            # One mark would hide the other.
            if not np.allclose(place, networks[label], rtol=_SAME[0], atol=_SAME[1]):
                networks[recommended] = place
        return cls.from_activation(depth.activation, networks)

    def _contents(self) -> list[str]:
        return [repr(self.diagram.activation), counted(len(self.networks), "network")]

    @in_given_language
    def plot(self, ax: Any = None, *, language: str = "en", **kwargs: Any) -> Self:
        """Draw the plane.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.
        language : str, default="en"
            Language of words and numbers: "en", "id", or another file in ``initsk/locale``.
        **kwargs
            Passed to `matplotlib.axes.Axes.pcolormesh`, which draws the colors.

        Returns
        -------
        self
        """
        from matplotlib.lines import Line2D

        style: dict[str, Any] = {"markeredgecolor": ink(), "markersize": 9, "clip_on": False, "zorder": 5}
        shown = distinct(list(self.networks), 40)
        points = [
            Line2D([x], [y], linestyle="none", marker="o", color=palette_color(i), label=label, **style)
            for i, (label, (x, y)) in enumerate(zip(shown, self.networks.values(), strict=True), 1)
        ]
        legend = 0.25 * legend_rows(points, 5.6) + 0.25
        self.ax_ = self._open_grid(ax, 1, 1, width=5.2, height=3.3, left=0.8, right=0.2, legend=legend)[0, 0]
        if ax is None:
            legend_below(self.figure_, points, 5.6)
        else:
            legend_above(self.ax_, points)
        clean_axes(self.ax_)
        self.ax_.grid(False)
        self._draw(self.ax_, kwargs)
        color = translate("color: depth scale of {activation}, in layers", activation=self.diagram.activation)
        label_axis(self.ax_.xaxis, translate("variance of the weights times fan_in") + "\n" + color)
        label_axis(self.ax_.yaxis, translate("variance of the biases"))
        for axis in (self.ax_.xaxis, self.ax_.yaxis):
            few_ticks(axis, 6)
        for point in points:
            self.ax_.add_line(point)
        return self

    def _draw(self, ax: "Axes", style: dict[str, Any]) -> None:
        from matplotlib.colors import LogNorm

        plane, x, y = self.diagram, self.diagram.weight_variances, self.diagram.bias_variances
        scales = np.ma.masked_invalid(np.clip(plane.xi_c, *_SCALES))
        draw_cells(ax, x, y, scales, style, norm=LogNorm(*_SCALES), shading="nearest")
        chi = np.ma.masked_invalid(plane.chi_1)
        if np.isnan(plane.chi_1).mean() > _VISIBLE:
            _write_blank(ax, np.isnan(plane.chi_1), translate("signals grow without bound"))
        marks = [(weight / x[-1], bias / y[-1]) for weight, bias in self.networks.values()]
        if (chi < 1).any():
            _write_side(ax, "left", translate("order: gradients vanish"), marks)
        if (chi > 1).any():
            _write_side(ax, "right", translate("chaos: gradients explode"), marks)
        lines = ax.contour(x, y, np.ma.masked_invalid(plane.xi_c), _LINES, colors=_ON_HEAT, linewidths=0.6, alpha=0.5)
        # Of texts that cover one another, the earlier one is kept.
        ax.clabel(lines, fmt="%g", fontsize=points(8))
        if chi.min() < 1 < chi.max():
            ax.contour(x, y, chi, [1.0], colors=_ON_HEAT, linewidths=2)
        ax.set_xlim(0, x[-1])
        ax.set_ylim(0, y[-1])


def _write_blank(ax: "Axes", is_blank: np.ndarray, words: str) -> None:
    """Write at the right side of the plane, where most is blank, in lines that are as long as the blank part."""
    width = float(is_blank.mean(axis=0).round().sum() / is_blank.shape[1]) * width_of(ax)
    n_letters = int(len(words) * width / text_width(words, points(9)) * 0.85)
    style: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": points(9), "color": ink()}
    ax.text(0.98, 0.5, fill(words, max(n_letters, 8), break_long_words=False), transform=ax.transAxes, **style)


def _write_side(ax: "Axes", side: str, words: str, marks: Sequence[tuple[float, float]]) -> None:
    """Write at the top of the left side, or at the bottom of the right side, beside the marks of networks.

    The places of `marks` are shares of the width and the height of the axes.
    """
    size, is_left = points(9), side == "left"
    line, reach = 1.5 * size, 72 * text_width(words, size) + _MARK
    rows = [_MARK + line * row for row in range(_ROWS)]
    width, height = 72 * width_of(ax), 72 * height_of(ax)
    away = [(width * (x if is_left else 1 - x), height * (1 - y if is_left else y)) for x, y in marks]
    # Marks of networks without biases lie on the lower edge.
    free = [low for low in rows if not any(x < reach and low - _MARK < y < low + line + _MARK for x, y in away)]
    offset = (free or rows)[0]
    box = {"facecolor": "white", "alpha": 0.6, "linewidth": 0, "pad": 1.5}
    ax.annotate(
        words, (0.02, 1) if is_left else (0.98, 0), (0, -offset if is_left else offset), xycoords="axes fraction",
        textcoords="offset points", ha=side, va="top" if is_left else "bottom", fontsize=size, color=_ON_HEAT, bbox=box,
    )  # fmt: skip
