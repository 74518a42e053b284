"""Histograms taken apart: zeros, tails and the rest; and counts brought onto any grid."""

from collections.abc import Sequence
from math import ceil, floor, log2
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from initsk.displays._axes import few_ticks
from initsk.displays._style import INK, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

# Half of what a shared axis may leave out on each side, so that one outlier does not squeeze the rest.
_TAIL = 0.0005


def without_zeros(frame: pd.DataFrame, n_zero: int, count: int) -> pd.DataFrame:
    """Take the zeros out of the bin that begins at zero; density stays a share of all values."""
    frame = frame.reset_index(drop=True)
    holds_zero = (frame["left"] <= 0) & (frame["right"] > 0)
    left = frame["count"].where(~holds_zero, frame["count"] - n_zero).clip(lower=0)
    density = left / (max(count, 1) * (frame["right"] - frame["left"]))
    frame = frame.assign(count=left, density=density)
    return frame if left.sum() else frame.iloc[:0]


def take_apart(
    histograms: pd.DataFrame, frame: pd.DataFrame
) -> tuple[dict[tuple[str, str], pd.DataFrame], pd.DataFrame]:
    """Split every histogram of one summary into bins to draw and shares to write.

    Returns
    -------
    panels : dict of (layer, position) to DataFrame
        Bins with two ends and without the exact zeros: left, right, count, density (of all values).
    shares : DataFrame
        A row per layer and position: `zero`, `below` and `above`, shares of the finite values, with
        `lowest` and `highest`, the edges beyond which below and above are.
    """
    groups = bins_of(histograms, ["layer", "position"])
    panels, rows = {}, []
    for layer, position, count, zero in zip(
        *(frame[c] for c in ("layer", "position", "count", "zero_fraction")), strict=True
    ):
        n_zero = round(zero * count) if count else 0
        bins = without_zeros(groups.get((layer, position), histograms.iloc[:0]), n_zero, int(count))
        inner, below, above = _without_tails(bins)
        panels[layer, position] = inner
        rows.append(
            {
                "zero": n_zero / count if count else np.nan,
                "below": below / max(count, 1),
                "above": above / max(count, 1),
                "lowest": inner["left"].min(),
                "highest": inner["right"].max(),
            }
        )
    return panels, pd.DataFrame(rows, index=pd.MultiIndex.from_tuples(list(panels), names=["layer", "position"]))


def _without_tails(frame: pd.DataFrame) -> tuple[pd.DataFrame, int, int]:
    """Split off the bins without a left or a right end, and count what they hold."""
    below, above = np.isneginf(frame["left"]), np.isposinf(frame["right"])
    counts = frame["count"]
    return frame[~(below | above)], int(counts[below].sum()), int(counts[above].sum())


def bins_of(histograms: pd.DataFrame, keys: list[str]) -> dict[tuple[Any, ...], pd.DataFrame]:
    """Return the bins of each histogram, by the values of its keys."""
    return {tuple(key): group for key, group in histograms.groupby(keys, sort=False, observed=True)}


def outline(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return edges and density of neighbouring bins; where bins are missing, the density is zero."""
    edges = np.union1d(frame["left"], frame["right"])
    density = np.zeros(len(edges) - 1)
    density[np.searchsorted(edges, frame["left"])] = frame["density"]
    return edges, density


def count_below(frame: pd.DataFrame, points: np.ndarray) -> np.ndarray:
    """Count the values below each point; those of one bin lie evenly in it, as its density says."""
    if frame.empty:
        return np.zeros(len(points))
    frame = frame.sort_values("left")
    total = frame["count"].cumsum()
    ends = np.column_stack([frame["left"], frame["right"]]).ravel()
    counts: np.ndarray = np.interp(points, ends, np.column_stack([total - frame["count"], total]).ravel())
    return counts


def central_range(frames: Sequence[pd.DataFrame]) -> tuple[float, float]:
    """Return edges of bins between which 99.9 % of the values lie, each histogram having the same weight.

    (0, 0) if there are no values.
    """
    frames = [frame for frame in frames if frame["count"].sum() > 0]
    if not frames:
        return 0.0, 0.0
    points = np.unique(np.concatenate([frame[side] for frame in frames for side in ("left", "right")]))
    shares = np.mean([count_below(frame, points) / frame["count"].sum() for frame in frames], axis=0)
    return float(points[shares <= _TAIL][-1]), float(points[shares >= 1 - _TAIL][0])


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
