"""Histograms over time on one grid of values."""

from collections.abc import Sequence
from math import ceil, floor, log2
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from initsk.displays._axes import few_ticks
from initsk.displays._bins import central_range, count_below
from initsk.displays._style import INK
from initsk.displays._text import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

_CELLS = 64
_DEEPEST = 1e-3
# Histograms of one value alone are narrower than this, of the value; that of zero is its square at most.
_SAME = 1e-8


def heat_map(histograms: Sequence[pd.DataFrame]) -> tuple[np.ndarray, np.ndarray]:
    """Bring histograms of different bins onto one grid, whose cells are a power of two wide.

    The grid holds 99.9 % of all values. Narrow bins are added up; the values of wide ones are
    spread evenly, as their density says.

    Returns
    -------
    edges : ndarray of shape (n_cells + 1,)
        Edges of the cells.
    density : ndarray of shape (n_cells, n_histograms)
        Of all values of a histogram, also of those beyond the grid or the histogram's own edges.
    """
    inner = [frame[np.isfinite(frame["left"]) & np.isfinite(frame["right"])] for frame in histograms]
    edges = _grid(inner)
    density = np.zeros((len(edges) - 1, len(inner)))
    for i, (part, whole) in enumerate(zip(inner, histograms, strict=True)):
        total = max(whole["count"].sum(), 1)
        density[:, i] = np.diff(count_below(part, edges)) / total / np.diff(edges)
    return edges, density


def _grid(frames: Sequence[pd.DataFrame]) -> np.ndarray:
    low, high = central_range(frames)
    if low == high:
        return np.array([low - 0.5, low + 0.5])
    finest = min(float((frame["right"] - frame["left"]).min()) for frame in frames if len(frame))
    width = max(2.0 ** ceil(log2((high - low) / _CELLS)), 2.0 ** floor(log2(finest)))
    return np.arange(floor(low / width), ceil(high / width) + 1) * width


def heat_colours() -> "Colormap":
    """Return one hue from light to dark, which colour-blind readers see alike; its lightest is told from white."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps["Blues"](np.linspace(0.12, 1, 256)))


def draw_heat(ax: "Axes", columns: np.ndarray, histograms: Sequence[pd.DataFrame]) -> None:
    """Draw a column per histogram, between these edges; cells without a value stay blank."""
    from matplotlib.colors import LogNorm

    edges, density = heat_map(histograms)
    ax.grid(False)
    peak, middle = float(density.max()), float(edges.mean())
    if peak > 0 and np.ptp(edges) > _SAME * max(abs(middle), _SAME):
        cells = np.ma.masked_equal(density, 0)
        ax.pcolormesh(columns, edges, cells, cmap=heat_colours(), norm=LogNorm(peak * _DEEPEST, peak), rasterized=True)
        few_ticks(ax.yaxis)
    else:
        ax.set_yticks([])
        only = 0.0 if edges[0] <= 0 < edges[-1] else middle
        words = f"always {number(only)}" if peak else "no finite value"
        ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", fontsize=9, color=INK)


def explain_heat(figure: "Figure", above: float) -> None:
    """Put a colour bar so many inches above the lower edge."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm

    width, height = figure.get_size_inches()
    length = min(2.6, 0.6 * width)
    ax = figure.add_axes(((width - length) / 2 / width, above / height, length / width, 0.12 / height))
    bar = figure.colorbar(ScalarMappable(LogNorm(_DEEPEST, 1), heat_colours()), cax=ax, orientation="horizontal")
    bar.set_ticks([_DEEPEST, 0.03, 1], labels=["0.1 %", "3 %", "100 %"])
    bar.set_label("density, of the highest in the layer", fontsize=9, color=INK)
    bar.outline.set_visible(False)
    ax.tick_params(which="both", colors=INK, labelsize=8, length=0)
    ax.minorticks_off()
