"""Statistics over the units of a layer: dead and copied units, covariance, and cosines between samples."""

from dataclasses import dataclass, replace
from functools import cache
from math import isfinite
from typing import Self

import torch

# Number of vectors with which the inner products of units are compared.
_PROBES = 4
#: Units count as copies if their inner products differ by less than this share of their largest magnitude.
TOLERANCE = 1e-5
_NO_VALUES = torch.empty(0)
_ZERO = torch.zeros(1, dtype=torch.float64)


@cache
def _probes(n_units: int, dtype: torch.dtype, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a random direction among the units, and random frequencies."""
    generator = torch.Generator(device="cpu").manual_seed(20091)
    frequencies = 100 * torch.randn(_PROBES, generator=generator, dtype=torch.float64)
    direction = torch.randn(n_units, generator=generator, dtype=torch.float64)
    return direction.to(device, dtype), frequencies.to(device, dtype)


@dataclass(eq=False)
class UnitStatistics:
    """Dead and copied units of a stream of rows.

    Two units that are copies of each other have the same inner product with any vector over the samples. The sketch
    keeps the inner products with four vectors that depend on the samples only, ``cos(f d.x / |x|)`` for a random
    direction d and random frequencies f. So memory does not grow, halves can be added, and two different units count as
    copies only if all four inner products agree to `TOLERANCE`.

    Attributes
    ----------
    low, high : tensor of shape (n_units,)
        Minimum and maximum of each unit's finite values.
    sketch : tensor of shape (4, n_units)
        The inner products.

    Examples
    --------
    >>> units = UnitStatistics().update(torch.tensor([[0.0, 1.0, 1.0], [0.0, 3.0, 3.0]]))
    >>> round(units.dead_fraction, 3), round(units.copied_fraction, 3)
    (0.333, 0.667)
    """

    n_rows: int = 0
    low: torch.Tensor = _NO_VALUES
    high: torch.Tensor = _NO_VALUES
    sketch: torch.Tensor = _NO_VALUES

    def update(self, rows: torch.Tensor) -> Self:
        """Add a batch of shape (rows, units); NaN and infinity count as zero in the sketch."""
        if len(rows) == 0:
            return self
        low, high = rows.amin(0), rows.amax(0)
        if not (isfinite(float(low.min())) and isfinite(float(high.max()))):
            finite = torch.isfinite(rows)
            low = rows.where(finite, torch.inf).amin(0)
            high = rows.where(finite, -torch.inf).amax(0)
            rows = rows.where(finite, 0)
        batch = UnitStatistics(len(rows), low, high, self._project(rows))
        self.__dict__.update((self + batch).__dict__)
        return self

    def __add__(self, other: "UnitStatistics") -> "UnitStatistics":
        if not (self.n_rows and other.n_rows):
            return replace(self if self.n_rows else other)
        low, high = torch.minimum(self.low, other.low), torch.maximum(self.high, other.high)
        return UnitStatistics(self.n_rows + other.n_rows, low, high, self.sketch + other.sketch)

    def _project(self, rows: torch.Tensor) -> torch.Tensor:
        direction, frequencies = _probes(rows.shape[1], rows.dtype, rows.device)
        lengths = torch.linalg.vector_norm(rows, dim=1)
        projections = (rows @ direction) / lengths.where(lengths > 0, 1)
        return (torch.cos(torch.outer(frequencies, projections)) @ rows).double().cpu()

    @property
    def dead_fraction(self) -> float:
        """Share of the units that are zero for every sample."""
        if not (self.n_rows and (self.low <= self.high).any()):
            return float("nan")
        return float(((self.low == 0) & (self.high == 0)).double().mean())

    @property
    def copied_fraction(self) -> float:
        """Share of the units that equal another unit for every sample."""
        if not self.n_rows:
            return float("nan")
        magnitude = torch.maximum(self.low.abs(), self.high.abs()).double().cpu()
        # A unit without a finite value is not a copy.
        magnitude[(self.low > self.high).cpu()] = -1
        tolerance = TOLERANCE * self.n_rows**0.5 * magnitude
        order = torch.argsort(self.sketch[0])
        sketch, tolerance = self.sketch[:, order], tolerance[order]
        same = (sketch.diff(dim=1).abs() <= tolerance[1:].minimum(tolerance[:-1])).all(0)
        # A unit is a copy if it equals its predecessor or its successor in the sorted order.
        no_neighbor = torch.zeros(1, dtype=torch.bool)
        copied = torch.cat([same, no_neighbor]) | torch.cat([no_neighbor, same])
        return float(copied.double().mean())


#: The covariance of wider layers is not computed, since its memory grows with the square of the width.
MAX_UNITS = 2048


@dataclass(eq=False)
class RunningCovariance:
    """Covariance between units of a stream of rows, in float64; the pairwise formula adds batches.

    Rows with NaN or infinity are skipped, and so are all rows of more than `MAX_UNITS` units.

    Attributes
    ----------
    count : int
        Number of rows.
    mean : tensor of shape (n_units,)
        Mean of the rows.
    scatter : tensor of shape (n_units, n_units)
        Sum of the products of deviations from the mean.

    Examples
    --------
    >>> rows = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> spread = RunningCovariance().update(rows)
    >>> round(spread.effective_rank, 6), round(spread.participation_ratio, 6)
    (2.0, 2.0)
    """

    count: int = 0
    mean: torch.Tensor = _NO_VALUES
    scatter: torch.Tensor = _NO_VALUES

    def update(self, rows: torch.Tensor) -> Self:
        """Add a batch of shape (rows, units)."""
        if rows.shape[1] > MAX_UNITS or len(rows) == 0:
            return self
        mean = rows.mean(0)
        if not torch.isfinite(mean).all():
            rows = rows[torch.isfinite(rows).all(1)].double()
            mean = rows.mean(0)
        deviations = rows - mean
        # The rounding error of the mean is removed from the products.
        error = deviations.mean(0).double().cpu()
        scatter = (deviations.T @ deviations).double().cpu() - len(rows) * torch.outer(error, error)
        batch = RunningCovariance(len(rows), mean.double().cpu() + error, scatter)
        self.__dict__.update((self + batch).__dict__)
        return self

    def __add__(self, other: "RunningCovariance") -> "RunningCovariance":
        if not (self.count and other.count):
            return replace(self if self.count else other)
        count, delta = self.count + other.count, other.mean - self.mean
        share = other.count / count
        scatter = torch.addr(self.scatter + other.scatter, delta, delta, alpha=self.count * share)
        return RunningCovariance(count, self.mean + delta * share, scatter)

    @property
    def _varies(self) -> bool:
        """Whether the rows differ by more than the rounding of single precision."""
        return self.count > 0 and float(self.scatter.trace()) > 1e-12 * self.count * float(self.mean.square().sum())

    @property
    def participation_ratio(self) -> float:
        """Squared sum of the eigenvalues over the sum of their squares; NaN if the rows are equal."""
        if not self._varies:
            return float("nan")
        shares = self.scatter / self.scatter.trace()
        return float(1 / shares.square().sum())

    @property
    def effective_rank(self) -> float:
        """Exponential of the entropy of the eigenvalues' shares (Roy and Vetterli 2007); NaN if the rows are equal."""
        if not self._varies:
            return float("nan")
        shares = torch.linalg.eigvalsh(self.scatter / self.scatter.trace())
        shares = shares[shares > 0]
        return float(torch.exp(-(shares * shares.log()).sum()))


@dataclass(eq=False)
class SampleCosines:
    """Mean cosine over all pairs of different rows of a stream, without computing the pairs.

    With every row divided by its length, ``u = x / |x|``, the mean over the ``n (n - 1)`` pairs is
    ``(|sum u|^2 - n) / (n (n - 1))``. Rows of zeros have no direction; they are skipped, as are rows with NaN or
    infinity.

    Attributes
    ----------
    count : int
        Number of rows with a direction.
    total : tensor of shape (n_units,)
        Sum of the directions, in float64.

    Examples
    --------
    >>> SampleCosines().update(torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]])).mean
    0.3333333333333333
    """

    count: int = 0
    total: torch.Tensor = _ZERO

    def update(self, rows: torch.Tensor) -> Self:
        """Add a batch of shape (rows, units)."""
        lengths = torch.linalg.vector_norm(rows, dim=1)
        has_direction = (lengths > 0) & torch.isfinite(lengths)
        n_rows = int(has_direction.sum())
        if n_rows < len(rows):
            rows, lengths = rows[has_direction], lengths[has_direction]
        self.total = self.total + (lengths.reciprocal() @ rows).double().cpu()
        self.count += n_rows
        return self

    def __add__(self, other: "SampleCosines") -> "SampleCosines":
        return SampleCosines(self.count + other.count, self.total + other.total)

    @property
    def mean(self) -> float:
        """Mean cosine, between -1 and 1; NaN with fewer than two directions."""
        if self.count < 2:
            return float("nan")
        squared = float(self.total.square().sum())
        return min(1.0, (squared - self.count) / (self.count * (self.count - 1)))
