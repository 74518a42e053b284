"""Histograms of a stream of values, with bins that grow with the range or with fixed edges."""

from collections.abc import Sequence
from math import floor, log2
from typing import Self

import numpy as np
import pandas as pd
import torch

from initsk.exceptions import InvalidParameterError
from initsk.inspection.statistics._moments import BLOCK, Finite, finite_part, scratch

# Bin widths are powers of two, so that any histogram can be coarsened exactly. The finest exponent of a width:
_MIN_EXPONENT = -60
# The largest magnitude is at most 2**30 bins away from zero.
_PRECISION = 30


def _needed_exponent(low: float, high: float, max_bins: int) -> int:
    """Return the smallest k for which at most `max_bins` bins of width 2**k cover [low, high]."""
    largest = max(abs(low), abs(high))
    k = _MIN_EXPONENT if largest == 0 else max(_MIN_EXPONENT, floor(log2(largest)) - _PRECISION)
    if high > low:
        k = max(k, floor(log2((high - low) / max_bins)))
    while floor(high * 2.0**-k) - floor(low * 2.0**-k) + 1 > max_bins:
        k += 1
    return k


class StreamingHistogram:
    """Histogram of a stream of values, with bins ``[i * 2^k, (i + 1) * 2^k)``.

    The width is the smallest power of two that covers the range of the values with at most `max_bins` bins. It depends
    on the values only, not on their order or split, so the sum of two halves equals one pass exactly.

    Parameters
    ----------
    max_bins : int, default=128
        Maximum number of bins, at least 2.

    Attributes
    ----------
    counts : ndarray of int64
        Number of values in each bin, from the bin of the minimum to that of the maximum.
    edges : ndarray of float64
        Boundaries of the bins, one more than counts.

    Examples
    --------
    >>> import torch
    >>> h = StreamingHistogram(max_bins=4).update(torch.tensor([0.0, 0.5, 3.5]))
    >>> h.counts.tolist(), h.edges.tolist()
    ([2, 0, 0, 1], [0.0, 1.0, 2.0, 3.0, 4.0])
    """

    def __init__(self, max_bins: int = 128) -> None:
        self.max_bins = max_bins
        self.exponent = _MIN_EXPONENT
        self.first = 0
        self.counts = np.zeros(0, np.int64)
        self.low, self.high = np.inf, -np.inf

    @property
    def edges(self) -> np.ndarray:
        """Boundaries of the bins."""
        edges: np.ndarray = (self.first + np.arange(len(self.counts) + 1)) * 2.0**self.exponent
        return edges

    def update(self, values: torch.Tensor | Finite) -> Self:
        """Add a batch of values of any shape; NaN and infinity are skipped."""
        part = finite_part(values)
        if part.values.numel() == 0:
            return self
        self._cover(part.low, part.high)
        for block in part.values.split(BLOCK):
            # Scaling by a power of two and the floor are exact.
            scaled = torch.mul(block, 2.0**-self.exponent, out=scratch("scaled", block, block.dtype))
            scaled = scaled if part.low >= 0 else scaled.floor_()
            index = scratch("index", block, torch.int32).copy_(scaled)
            index = index.sub_(self.first) if self.first else index
            self.counts += torch.bincount(index, minlength=len(self.counts)).cpu().numpy()
        return self

    def __add__(self, other: "StreamingHistogram") -> "StreamingHistogram":
        merged = StreamingHistogram(min(self.max_bins, other.max_bins))
        for part in (self, other):
            if len(part.counts):
                merged._cover(part.low, part.high)
        for part in (self, other):
            merged._add_counts(part.counts, part.first, merged.exponent - part.exponent)
        return merged

    def _cover(self, low: float, high: float) -> None:
        """Widen bins and range so that [low, high] fits."""
        low, high = min(low, self.low), max(high, self.high)
        exponent = _needed_exponent(low, high, self.max_bins)
        width = 2.0**-exponent
        first, last = floor(low * width), floor(high * width)
        old_counts, old_first, shift = self.counts, self.first, exponent - self.exponent
        self.low, self.high, self.exponent, self.first = low, high, exponent, first
        self.counts = np.zeros(last - first + 1, np.int64)
        self._add_counts(old_counts, old_first, shift)

    def _add_counts(self, counts: np.ndarray, first: int, shift: int) -> None:
        if len(counts):
            index = (np.arange(len(counts), dtype=np.int64) + first) >> min(shift, 62)
            np.add.at(self.counts, index - self.first, counts)

    @property
    def width(self) -> float:
        """Width of a bin."""
        return 2.0**self.exponent

    def quantile(self, q: float) -> float:
        """Return a quantile, with an error below a bin's `width`; NaN without values.

        Parameters
        ----------
        q : float
            Share of the values at or below the quantile, from 0 to 1.

        Returns
        -------
        float
            A value interpolated within the bin in which the cumulative share reaches `q`.
        """
        return self.quantiles([q])[0]

    def quantiles(self, qs: Sequence[float]) -> list[float]:
        """Return several quantiles; see `quantile`."""
        reached = np.cumsum(self.counts)
        if not len(reached):
            return [float("nan")] * len(qs)
        wanted = np.asarray(qs) * reached[-1]
        bin_ = np.searchsorted(reached, np.maximum(wanted, 1))
        counts = self.counts[bin_]
        inside = (wanted - (reached[bin_] - counts)) / counts
        value = (self.first + bin_ + inside.clip(0.0, 1.0)) * self.width
        quantiles: list[float] = value.clip(self.low, self.high).tolist()
        return quantiles

    def bins(self) -> tuple[np.ndarray, np.ndarray]:
        """Return edges and counts."""
        return self.edges, self.counts.copy()

    def to_frame(self) -> pd.DataFrame:
        """Return a row per bin: left, right, count, density (per unit of the values, integrating to 1)."""
        return bins_frame(*self.bins())


def bins_frame(edges: np.ndarray, counts: np.ndarray) -> pd.DataFrame:
    """Return a row per bin: left, right, count, density; an infinite bin has density 0."""
    density = counts / (max(int(counts.sum()), 1) * np.diff(edges))
    return pd.DataFrame({"left": edges[:-1], "right": edges[1:], "count": counts, "density": density})


def pool_histograms(frame: pd.DataFrame, max_bins: int = 128) -> pd.DataFrame:
    """Return the sum of histograms whose bins have power-of-two widths, as those of `StreamingHistogram`.

    Parameters
    ----------
    frame : DataFrame
        Columns left, right and count, rows of any number of histograms.
    max_bins : int, default=128
        Maximum number of bins of the result.

    Returns
    -------
    DataFrame
        Columns left, right, count, density.
    """
    frame = frame[frame["count"] > 0]
    if frame.empty:
        return frame[["left", "right", "count"]].assign(density=0.0)
    left = frame["left"].to_numpy()
    width = float((frame["right"] - frame["left"]).max())
    while np.floor(left.max() / width) - np.floor(left.min() / width) + 1 > max_bins:
        width *= 2
    index = np.floor(left / width).astype(np.int64)
    first = int(index.min())
    counts = np.bincount(index - first, weights=frame["count"].to_numpy()).astype(np.int64)
    return bins_frame((first + np.arange(len(counts) + 1)) * width, counts)


class FixedHistogram:
    """Histogram of a stream of values with given edges, so that several pictures have the same bins.

    Bins are ``[left, right)``, the last one ``[left, right]``, as in ``numpy.histogram``. Two more bins count the
    values below the first and above the last edge.

    Parameters
    ----------
    edges : sequence of float
        Boundaries of the bins, increasing.

    Attributes
    ----------
    counts : ndarray of int64
        Number of values below the first edge, in each bin, and above the last edge.

    Examples
    --------
    >>> import torch
    >>> FixedHistogram([0.0, 1.0, 2.0]).update(torch.tensor([-1.0, 0.5, 2.0, 9.0])).to_frame()
       left  right  count  density
    0  -inf    0.0      1     0.00
    1   0.0    1.0      1     0.25
    2   1.0    2.0      1     0.25
    3   2.0    inf      1     0.00
    """

    def __init__(self, edges: "np.ndarray | list[float]") -> None:
        self.edges = np.asarray(edges, np.float64)
        self.counts = np.zeros(len(self.edges) + 1, np.int64)

    def update(self, values: torch.Tensor | Finite) -> Self:
        """Add a batch of values of any shape; NaN and infinity are skipped."""
        part = finite_part(values)
        edges = torch.as_tensor(self.edges, device=part.values.device)
        for block in part.values.split(BLOCK):
            index = torch.bucketize(block.double(), edges, right=True)
            # The last bin includes its right edge.
            index[block.double() == edges[-1]] = len(self.edges) - 1
            self.counts += torch.bincount(index, minlength=len(self.counts)).cpu().numpy()
        return self

    def __add__(self, other: "FixedHistogram") -> "FixedHistogram":
        if not np.array_equal(self.edges, other.edges):
            raise InvalidParameterError("histograms over different edges cannot be added")
        merged = FixedHistogram(self.edges)
        merged.counts = self.counts + other.counts
        return merged

    def bins(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the edges, including the infinite ones, and counts."""
        return np.concatenate([[-np.inf], self.edges, [np.inf]]), self.counts.copy()

    def to_frame(self) -> pd.DataFrame:
        """Return a row per bin: left, right, count, density (over all values); the two infinite bins have density 0."""
        return bins_frame(*self.bins())
