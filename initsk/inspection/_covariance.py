"""The covariance of a layer's units, and in how many dimensions they vary."""

from typing import Self

import torch

#: Wider layers have no covariance kept: its memory grows with the square of the width.
MOST_UNITS = 2048


class RunningCovariance:
    """Covariance between units of a stream of rows, in float64; batches merge by the pairwise formula.

    Rows that hold NaN or infinity are left out, and so is everything where there are more than `MOST_UNITS`
    units.

    Attributes
    ----------
    count : int
        Rows seen.
    mean : tensor of shape (n_units,)
    scatter : tensor of shape (n_units, n_units)
        Sum of the products of deviations from the mean.

    Examples
    --------
    >>> rows = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> spread = RunningCovariance().update(rows)
    >>> round(spread.effective_rank, 6), round(spread.participation_ratio, 6)
    (2.0, 2.0)
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = torch.zeros(1, dtype=torch.float64)
        self.scatter = torch.zeros(1, 1, dtype=torch.float64)

    def update(self, rows: torch.Tensor) -> Self:
        """Take in a batch of shape (rows, units)."""
        if rows.shape[1] > MOST_UNITS or len(rows) == 0:
            return self
        mean = rows.mean(0)
        if not torch.isfinite(mean).all():
            rows = rows[torch.isfinite(rows).all(1)].double()
            mean = rows.mean(0)
        deviations = rows - mean
        # What rounding leaves of the mean is taken out of the products.
        rest = deviations.mean(0).double().cpu()
        batch = RunningCovariance()
        batch.count, batch.mean = len(rows), mean.double().cpu() + rest
        batch.scatter = (deviations.T @ deviations).double().cpu() - len(rows) * torch.outer(rest, rest)
        self.__dict__.update((self + batch).__dict__)
        return self

    def __add__(self, other: "RunningCovariance") -> "RunningCovariance":
        if not (self.count and other.count):
            return self if self.count else other
        merged = RunningCovariance()
        merged.count = self.count + other.count
        delta = other.mean - self.mean
        share = other.count / merged.count
        merged.mean = self.mean + delta * share
        merged.scatter = torch.addr(self.scatter + other.scatter, delta, delta, alpha=self.count * share)
        return merged

    @property
    def _varies(self) -> bool:
        """Whether more is there than the rounding of single precision leaves of equal rows."""
        return self.count > 0 and float(self.scatter.trace()) > 1e-12 * self.count * float(self.mean.square().sum())

    @property
    def participation_ratio(self) -> float:
        """Sum of the eigenvalues, squared, over the sum of their squares; NaN where nothing varies."""
        if not self._varies:
            return float("nan")
        shares = self.scatter / self.scatter.trace()
        return float(1 / shares.square().sum())

    @property
    def effective_rank(self) -> float:
        """Exponential of the entropy of the eigenvalues' shares (Roy and Vetterli 2007); NaN where nothing varies."""
        if not self._varies:
            return float("nan")
        shares = torch.linalg.eigvalsh(self.scatter / self.scatter.trace())
        shares = shares[shares > 0]
        return float(torch.exp(-(shares * shares.log()).sum()))
