"""Where a network lies between order and chaos."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from initsk.displays._axes import few_ticks
from initsk.displays._bins import heat_colours
from initsk.displays._style import INK, colour_of, legend_below, legend_columns, panels, quiet, shortened
from initsk.exceptions import InvalidParameterError
from initsk.language import Language, get_language
from initsk.theory import PhaseDiagram, phase_diagram

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SCALES = (1.0, 100.0)
# Share of the plane from which on a blank part has room for words.
_VISIBLE = 0.2
# On the colours, which are the same on dark pages.
_ON_HEAT = "#1b1f23"
_LINES = (3, 6, 12, 25, 50)


class PhaseDiagramDisplay:
    """The plane of weight and bias variances: depth scales in colour, the critical line, and networks on it.

    On the side of order gradients vanish and samples become alike; on the side of chaos gradients explode and alike
    samples become different. The darker, the more layers information survives (`MeanField.depth_scales`, ``xi_c``).
    What is white has no length that is stable: signals grow without end.

    Parameters
    ----------
    diagram : PhaseDiagram
    networks : dict of str to (float, float)
        Weight variance (times fan_in) and bias variance by label.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : Axes

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
    def from_activation(cls, activation: Any, networks: Mapping[str, tuple[float, float]] | None = None) -> Self:
        """Compute a plane that holds the networks and, where there is one, the critical line.

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
    def from_diagnosis(cls, diagnosis: Any, label: str = "this network") -> Self:
        """Mark a network that was diagnosed.

        Parameters
        ----------
        diagnosis : Diagnosis
            Of a plain chain of layers.
        label : str, default="this network"

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
            raise InvalidParameterError("the network is no plain chain of layers, of which theory could speak")
        return cls.from_activation(depth.activation, {label: (depth.weight_variance, depth.bias_variance)})

    def plot(self, *, language: str = "en") -> Self:
        """Draw the plane.

        Parameters
        ----------
        language : str, default="en"
            Of words and numbers: a file in ``initsk/locale``.

        Returns
        -------
        self
        """
        from matplotlib.figure import Figure

        translate = get_language(language)
        self.figure_ = Figure()
        labels = [shortened(label, 40) for label in self.networks]
        columns = legend_columns(labels, 5.6)
        rows = -(-len(labels) // columns) if labels else 0
        self.axes_ = panels(
            self.figure_, 1, 1, width=5.2, height=3.3, left=0.8, right=0.2, legend=0.25 * rows + 0.1
        )[0, 0]  # fmt: skip
        quiet(self.axes_)
        self.axes_.grid(False)
        self._draw(self.axes_, translate)
        title = translate("depth scale of {activation}, in layers", activation=self.diagram.activation)
        self.axes_.set_title(title, fontsize=11, color=INK, parse_math=False)
        self.axes_.set_xlabel(translate("variance of the weights times fan_in"), fontsize=10, color=INK)
        self.axes_.set_ylabel(translate("variance of the biases"), fontsize=10, color=INK)
        for axis in (self.axes_.xaxis, self.axes_.yaxis):
            few_ticks(axis, 6, translate=translate)
        points = [self._mark(self.axes_, number, *point) for number, point in enumerate(self.networks.values())]
        legend_below(self.figure_, points, labels, columns)
        return self

    def _draw(self, axes: "Axes", translate: Language) -> None:
        from matplotlib.colors import LogNorm

        plane, x, y = self.diagram, self.diagram.weight_variances, self.diagram.bias_variances
        scales = np.ma.masked_invalid(np.clip(plane.xi_c, *_SCALES))
        axes.pcolormesh(x, y, scales, cmap=heat_colours(), norm=LogNorm(*_SCALES), shading="nearest", rasterized=True)
        chi = np.ma.masked_invalid(plane.chi_1)
        if np.isnan(plane.chi_1).mean() > _VISIBLE:
            axes.text(0.98, 0.5, translate("lengths grow without end"), transform=axes.transAxes, ha="right", va="center",
                      fontsize=9, color=INK)  # fmt: skip
        lines = axes.contour(x, y, np.ma.masked_invalid(plane.xi_c), _LINES, colors=_ON_HEAT, linewidths=0.6, alpha=0.5)
        axes.clabel(lines, fmt="%g", fontsize=8)
        if chi.min() < 1 < chi.max():
            axes.contour(x, y, chi, [1.0], colors=_ON_HEAT, linewidths=2)
        for side, words, at in (
            (chi < 1, translate("order: gradients vanish"), 0.02),
            (chi > 1, translate("chaos: gradients explode"), 0.98),
        ):
            if side.any():
                align = "left" if at < 0.5 else "right"
                height = 0.97 if at < 0.5 else 0.06
                axes.text(at, height, words, transform=axes.transAxes, ha=align, va="top", fontsize=9, color=_ON_HEAT,
                          bbox={"facecolor": "white", "alpha": 0.6, "linewidth": 0, "pad": 1.5})  # fmt: skip
        axes.set_xlim(0, x[-1])
        axes.set_ylim(0, y[-1])

    @staticmethod
    def _mark(axes: "Axes", number: int, weight: float, bias: float) -> Any:
        return axes.plot(
            [weight],
            [bias],
            "o",
            color=colour_of(number + 1),
            markeredgecolor=INK,
            markersize=9,
            clip_on=False,
            zorder=5,
        )[0]
