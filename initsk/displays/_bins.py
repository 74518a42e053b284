"""Histograms as frames of bins: zeros and tails apart, ranges, and counts on any grid."""

from collections.abc import Sequence
from math import ceil, floor, log2
from typing import Any

import numpy as np
import pandas as pd

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


def split_histograms(
    histograms: pd.DataFrame, frame: pd.DataFrame
) -> tuple[dict[tuple[str, str], pd.DataFrame], pd.DataFrame]:
    """Split every histogram of one summary into bins to draw and shares to write.

    Returns
    -------
    panels : dict of (layer, position) to DataFrame
        Bins with two ends and without the exact zeros: left, right, count, density (of all values).
    shares : DataFrame
        A row per layer and position: `zero`, `below` and `above`, shares of the finite values, with
        `lowest` and `highest`, the outer edges of the bins with two ends.
    """
    keys = ["layer", "position"]
    groups = group_bins(histograms, keys)
    panels, rows = {}, []
    for layer, position, count, zero in frame[[*keys, "count", "zero_fraction"]].itertuples(index=False, name=None):
        n_zero = round(np.nan_to_num(zero) * count)
        bins = without_zeros(groups.get((layer, position), histograms.iloc[:0]), n_zero, int(count))
        below, above = np.isneginf(bins["left"]), np.isposinf(bins["right"])
        inner = panels[layer, position] = bins[~(below | above)]
        outside = [int(bins.loc[beyond, "count"].sum()) / max(count, 1) for beyond in (below, above)]
        lowest = inner["left"].min() if len(inner) else bins["right"][below].max()
        highest = inner["right"].max() if len(inner) else bins["left"][above].min()
        rows.append([n_zero / count if count else np.nan, *outside, lowest, highest])
    index = pd.MultiIndex.from_tuples(list(panels), names=keys)
    return panels, pd.DataFrame(rows, index, ["zero", "below", "above", "lowest", "highest"])


def group_bins(histograms: pd.DataFrame, keys: list[str]) -> dict[tuple[Any, ...], pd.DataFrame]:
    """Return the bins of each histogram, by the values of its keys."""
    return {tuple(key): group for key, group in histograms.groupby(keys, sort=False, observed=True)}


def outline(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return edges and density of neighboring bins; where bins are missing, the density is zero."""
    edges = np.union1d(frame["left"], frame["right"])
    density = np.zeros(len(edges) - 1)
    density[np.searchsorted(edges, frame["left"])] = frame["density"]
    return edges, density


def count_below(frame: pd.DataFrame, points: np.ndarray) -> np.ndarray:
    """Count the values below each point; those of one bin are spread evenly in the bin."""
    if frame.empty:
        return np.zeros(len(points))
    frame = frame.sort_values("left")
    total = frame["count"].cumsum()
    ends = np.column_stack([frame["left"], frame["right"]]).ravel()
    counts: np.ndarray = np.interp(points, ends, np.column_stack([total - frame["count"], total]).ravel())
    return counts


def central_range(frames: Sequence[pd.DataFrame]) -> tuple[float, float]:
    """Return edges of bins between which 99.9 % of the values lie, with the same weight for each histogram.

    (0, 0) if there are no values.
    """
    frames = [frame for frame in frames if frame["count"].sum() > 0]
    if not frames:
        return 0.0, 0.0
    points = np.unique(np.concatenate([frame[side] for frame in frames for side in ("left", "right")]))
    shares = np.mean([count_below(frame, points) / frame["count"].sum() for frame in frames], axis=0)
    return float(points[shares <= _TAIL][-1]), float(points[shares >= 1 - _TAIL][0])


_CELLS = 64


def on_one_grid(histograms: Sequence[pd.DataFrame]) -> tuple[np.ndarray, np.ndarray]:
    """Bring histograms of different bins onto one grid, whose cells are a power of two wide.

    The grid holds 99.9 % of all values. Narrow bins are added up; the values of a wide bin are spread evenly.

    Returns
    -------
    edges : ndarray of shape (n_cells + 1,)
        Edges of the cells.
    density : ndarray of shape (n_cells, n_histograms)
        Relative to all values of a histogram, inside and outside the grid.
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
