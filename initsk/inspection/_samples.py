"""How alike the samples are in a layer: the mean cosine between two of them."""

from typing import Self

import torch


class SampleCosines:
    """Mean cosine between the rows of a stream, over all pairs of different rows, without looking at pairs.

    With every row divided by its length, ``u = x / |x|``, the mean over the ``n (n - 1)`` pairs is
    ``(|sum u|^2 - n) / (n (n - 1))``. Rows of zeros have no direction and are left out, as are rows that hold
    NaN or infinity.

    Attributes
    ----------
    count : int
        Rows with a direction.
    total : tensor of shape (n_units,)
        Sum of the directions, in float64.

    Examples
    --------
    >>> SampleCosines().update(torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]])).mean
    0.3333333333333333
    """

    def __init__(self) -> None:
        self.count = 0
        self.total = torch.zeros(1, dtype=torch.float64)

    def update(self, rows: torch.Tensor) -> Self:
        """Take in a batch of shape (rows, units)."""
        lengths = torch.linalg.vector_norm(rows, dim=1)
        has_direction = (lengths > 0) & torch.isfinite(lengths)
        n_rows = int(has_direction.sum())
        if n_rows < len(rows):
            rows, lengths = rows[has_direction], lengths[has_direction]
        self.total = self.total + (lengths.reciprocal() @ rows).double().cpu()
        self.count += n_rows
        return self

    def __add__(self, other: "SampleCosines") -> "SampleCosines":
        merged = SampleCosines()
        merged.count, merged.total = self.count + other.count, self.total + other.total
        return merged

    @property
    def mean(self) -> float:
        """Mean cosine, between -1 and 1; NaN with fewer than two directions."""
        if self.count < 2:
            return float("nan")
        squared = float(self.total.square().sum())
        return min(1.0, (squared - self.count) / (self.count * (self.count - 1)))
