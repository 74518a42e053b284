"""Histograms taken apart: zeros, tails and the rest; and counts brought onto any grid."""

from collections.abc import Sequence
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


def take_apart(
    histograms: pd.DataFrame, frame: pd.DataFrame
) -> tuple[dict[tuple[str, str], pd.DataFrame], pd.DataFrame]:
    """Split every histogram of one summary into bins to draw and shares to write.

    Returns
    -------
    panels : dict of (layer, site) to DataFrame
        Bins with two ends and without the exact zeros: left, right, count, density (of all values).
    shares : DataFrame
        A row per layer and site: `zero`, `below` and `above`, shares of the finite values, with
        `lowest` and `highest`, the edges beyond which below and above are.
    """
    groups = bins_of(histograms, ["layer", "site"])
    panels, rows = {}, []
    for layer, site, count, zero in zip(*(frame[c] for c in ("layer", "site", "count", "zero_fraction")), strict=True):
        n_zero = round(zero * count) if count else 0
        bins = without_zeros(groups.get((layer, site), histograms.iloc[:0]), n_zero, int(count))
        inner, below, above = _without_tails(bins)
        panels[layer, site] = inner
        rows.append(
            {
                "zero": n_zero / count if count else np.nan,
                "below": below / max(count, 1),
                "above": above / max(count, 1),
                "lowest": inner["left"].min(),
                "highest": inner["right"].max(),
            }
        )
    return panels, pd.DataFrame(rows, index=pd.MultiIndex.from_tuples(list(panels), names=["layer", "site"]))


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
