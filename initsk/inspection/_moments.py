"""Running moments: small objects with `update` and `+`."""

from dataclasses import dataclass
from math import inf, nan, sqrt

import torch

from initsk.inspection._finite import finite_part


@dataclass
class RunningMoments:
    """Count, mean, variance, extremes and zeros of a stream of values, in float64.

    Batches merge by the pairwise formula of Chan, Golub and LeVeque (1983), so two
    halves of the data give what one pass gives, to rounding.

    Attributes
    ----------
    count : int
        Finite values seen.
    mean : float
        Their mean.
    m2 : float
        Sum of squared deviations from the mean.
    min, max : float
        Extremes of the finite values.
    zeros : int
        Values equal to zero.
    nonfinite : int
        NaN and infinite values; they count nowhere else.

    Examples
    --------
    >>> import torch
    >>> left = RunningMoments().update(torch.tensor([0.0, 1.0]))
    >>> both = left + RunningMoments().update(torch.tensor([5.0]))
    >>> both.count, both.mean, round(both.variance, 6), both.zeros
    (3, 2.0, 4.666667, 1)
    """

    count: int = 0
    mean: float = 0.0
    m2: float = 0.0
    min: float = inf
    max: float = -inf
    zeros: int = 0
    nonfinite: int = 0

    def update(self, values: torch.Tensor) -> "RunningMoments":
        """Take in a batch of values of any shape; returns self."""
        n_values = values.numel()
        values, low, high = finite_part(values)
        count = values.numel()
        if count == 0:
            self.nonfinite += n_values
            return self
        deviations = values.double()
        mean = float(deviations.sum()) / count
        deviations = deviations - mean
        zeros = count - int(torch.count_nonzero(values))
        m2 = float(torch.dot(deviations, deviations))
        batch = RunningMoments(count, mean, m2, low, high, zeros, n_values - count)
        merged = self + batch
        self.__dict__.update(merged.__dict__)
        return self

    def __add__(self, other: "RunningMoments") -> "RunningMoments":
        count = self.count + other.count
        if count == 0:
            return RunningMoments(nonfinite=self.nonfinite + other.nonfinite)
        delta = other.mean - self.mean
        return RunningMoments(
            count,
            self.mean + delta * (other.count / count),
            self.m2 + other.m2 + delta * delta * (self.count * other.count / count),
            min(self.min, other.min),
            max(self.max, other.max),
            self.zeros + other.zeros,
            self.nonfinite + other.nonfinite,
        )

    @property
    def variance(self) -> float:
        """Population variance; NaN without values."""
        return self.m2 / self.count if self.count else nan

    @property
    def std(self) -> float:
        """Population standard deviation."""
        return sqrt(self.variance) if self.count else nan

    @property
    def rms(self) -> float:
        """Root of the mean square."""
        return sqrt(self.variance + self.mean**2) if self.count else nan

    @property
    def zero_fraction(self) -> float:
        """Share of the finite values that are zero."""
        return self.zeros / self.count if self.count else nan
