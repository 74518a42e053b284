"""Heat maps: one scale of colors for all displays, histograms side by side, and their color bar."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from initsk.displays._axes import few_ticks
from initsk.displays._bins import on_one_grid
from initsk.displays._settings import ink, points
from initsk.displays._style import color_ticks, label_axis, merge_style
from initsk.displays._texts import number
from initsk.language import translate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

_DEEPEST = 1e-3
# The histogram of a single value is narrower than this, relative to the value; that of zero than its square.
_SAME = 1e-8


def heat_colors() -> "Colormap":
    """Return one hue from light to dark, the same to color-blind readers; the lightest differs from white."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps["Blues"](np.linspace(0.12, 1, 256)))


def draw_cells(ax: "Axes", x: np.ndarray, y: np.ndarray, cells: np.ndarray, style: dict[str, Any], **own: Any) -> None:
    """Draw cells in the colors of a heat map, masked ones blank; `style` replaces the display's `own` keywords."""
    from matplotlib.collections import QuadMesh

    ax.pcolormesh(x, y, cells, **merge_style(QuadMesh, {"cmap": heat_colors(), "rasterized": True, **own}, style))


def draw_heat(ax: "Axes", columns: np.ndarray, histograms: Sequence[pd.DataFrame]) -> None:
    """Draw a column per histogram, between the edges `columns`; cells without a value stay blank."""
    from matplotlib.colors import LogNorm

    edges, density = on_one_grid(histograms)
    ax.grid(False)
    peak, middle = float(density.max()), float(edges.mean())
    if peak > 0 and np.ptp(edges) > _SAME * max(abs(middle), _SAME):
        draw_cells(ax, columns, edges, np.ma.masked_equal(density, 0), {}, norm=LogNorm(peak * _DEEPEST, peak))
        few_ticks(ax.yaxis)
    else:
        ax.set_yticks([])
        only = 0.0 if edges[0] <= 0 < edges[-1] else middle
        words = translate("always {value}", value=number(only)) if peak else translate("no finite value")
        ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", fontsize=points(9), color=ink())


def add_color_bar(figure: "Figure", axes: Sequence["Axes"]) -> "Axes":
    """Put a color bar at the right of given axes; without any, below the panels of a figure of the display's size."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm

    colors = ScalarMappable(LogNorm(_DEEPEST, 1), heat_colors())
    if axes:
        bar = figure.colorbar(colors, ax=list(axes), shrink=0.6)
    else:
        width, height = figure.get_size_inches()
        length = min(2.6, 0.6 * width)
        cax = figure.add_axes(((width - length) / 2 / width, 0.75 / height, length / width, 0.12 / height))
        bar = figure.colorbar(colors, cax=cax, orientation="horizontal")
    bar.set_ticks([_DEEPEST, 0.03, 1], labels=["0.1 %", "3 %", "100 %"])
    label_axis(bar.long_axis, translate("density relative to the highest in the layer"))
    bar.outline.set_visible(False)
    color_ticks(bar.ax, 8, length=0)
    bar.ax.minorticks_off()
    return bar.ax
