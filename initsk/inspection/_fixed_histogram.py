"""A histogram over edges that were asked for, with what lies outside of them counted."""

from typing import Self

import numpy as np
import pandas as pd
import torch

from initsk.exceptions import InvalidParameterError
from initsk.inspection._finite import Finite, finite_part
from initsk.inspection._histogram import bins_frame
from initsk.inspection._scratch import BLOCK


class FixedHistogram:
    """Histogram of a stream of values over given edges, for the same bins in every picture.

    Bins are ``[left, right)``, the last one ``[left, right]``, as in ``numpy.histogram``; what lies below and
    above is counted in bins of its own.

    Parameters
    ----------
    edges : sequence of float
        Boundaries of the bins, increasing.

    Attributes
    ----------
    counts : ndarray of int64
        Values below the first edge, in each bin, and above the last edge.

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
        """Take in a batch of values of any shape; NaN and infinity are left out."""
        part = finite_part(values)
        edges = torch.as_tensor(self.edges, device=part.values.device)
        for block in part.values.split(BLOCK):
            index = torch.bucketize(block.double(), edges, right=True)
            # The last bin is closed.
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
        """Return edges, the infinite ones included, and counts."""
        return np.concatenate([[-np.inf], self.edges, [np.inf]]), self.counts.copy()

    def to_frame(self) -> pd.DataFrame:
        """Return a row per bin: left, right, count, density (of all values); those outside have density 0."""
        return bins_frame(*self.bins())
