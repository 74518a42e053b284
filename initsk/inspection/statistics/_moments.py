"""Moments of a stream of values, and the finite values of a tensor."""

import threading
from dataclasses import dataclass
from math import inf, isfinite, nan, sqrt
from typing import Any, NamedTuple

import torch

from initsk.utils.torch_settings import measurable


class Finite(NamedTuple):
    """Finite values, flat; their minimum and maximum (inf and -inf without values); the number of other values."""

    values: torch.Tensor
    low: float
    high: float
    n_nonfinite: int


def finite_part(values: "torch.Tensor | Finite") -> Finite:
    """Return the finite values of a tensor, in float32 or float64; return a `Finite` unchanged.

    Examples
    --------
    >>> finite_part(torch.tensor([[1.0, torch.nan], [-2.0, torch.inf]]))
    Finite(values=tensor([ 1., -2.]), low=-2.0, high=1.0, n_nonfinite=2)
    """
    if isinstance(values, Finite):
        return values
    values = measurable(values.detach()).flatten()
    values = values if values.dtype == torch.float64 else values.float()
    low, high = _extremes(values)
    # The extremes reveal NaN and infinity, so that only tensors with such values are searched.
    if isfinite(low) and isfinite(high):
        return Finite(values, low, high, 0)
    finite = values[torch.isfinite(values)]
    return Finite(finite, *_extremes(finite), values.numel() - finite.numel())


def _extremes(values: torch.Tensor) -> tuple[float, float]:
    low, high = torch.aminmax(values) if values.numel() else (inf, -inf)
    return float(low), float(high)


@dataclass
class RunningMoments:
    """Count, first four moments, extremes and zeros of a stream of values, in float64.

    Blocks are centered near their mean and added by the pairwise formulas of Chan, Golub and LeVeque (1983) and Pébay
    (2008, equations 3.1). So the sum of two halves of the data equals one pass, to rounding.

    Attributes
    ----------
    count : int
        Number of finite values.
    mean : float
        Mean of the finite values.
    m2, m3, m4 : float
        Sums of powers of the deviations from the mean.
    min, max : float
        Extremes of the finite values.
    zeros : int
        Number of values equal to zero.
    nonfinite : int
        Number of NaN and infinite values; the other attributes ignore these.

    Examples
    --------
    >>> import torch
    >>> left = RunningMoments().update(torch.tensor([0.0, 1.0]))
    >>> both = left + RunningMoments().update(torch.tensor([5.0]))
    >>> both.count, both.mean, round(both.variance, 6), round(both.skewness, 6), both.zeros
    (3, 2.0, 4.666667, 0.59517, 1)
    """

    count: int = 0
    mean: float = 0.0
    m2: float = 0.0
    m3: float = 0.0
    m4: float = 0.0
    min: float = inf
    max: float = -inf
    zeros: int = 0
    nonfinite: int = 0

    def update(self, values: torch.Tensor | Finite) -> "RunningMoments":
        """Add a batch of values of any shape; return self."""
        part = finite_part(values)
        merged = self + RunningMoments(nonfinite=part.n_nonfinite)
        for block in part.values.split(BLOCK) if part.values.numel() else ():
            # Any center near the mean is good enough; the mean so far usually is near.
            merged += _moments_of(block, merged.mean if merged.count else float(block.mean(dtype=torch.float64)))
        merged.min, merged.max = min(self.min, part.low), max(self.max, part.high)
        self.__dict__.update(merged.__dict__)
        return self

    def __add__(self, other: "RunningMoments") -> "RunningMoments":
        count = self.count + other.count
        nonfinite = self.nonfinite + other.nonfinite
        if count == 0:
            return RunningMoments(nonfinite=nonfinite)
        n, m = self.count, other.count
        # Shares instead of counts, since products of counts and deviations could overflow.
        p, q = n / count, m / count
        delta = other.mean - self.mean
        square = delta * delta
        return RunningMoments(
            count,
            self.mean + delta * q,
            self.m2 + other.m2 + square * (n * q),
            self.m3 + other.m3 + delta * (square * (n * q * (p - q)) + 3 * (p * other.m2 - q * self.m2)),
            self.m4 + other.m4 + square * (square * (n * q * (p * p - p * q + q * q)))
            + 6 * square * (p * p * other.m2 + q * q * self.m2) + 4 * delta * (p * other.m3 - q * self.m3),
            min(self.min, other.min),
            max(self.max, other.max),
            self.zeros + other.zeros,
            nonfinite,
        )  # fmt: skip

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
        return sqrt(self.variance + self.mean * self.mean) if self.count else nan

    @property
    def skewness(self) -> float:
        """Third central moment over the cube of the standard deviation; NaN if all values are equal."""
        return self.m3 / self.count / self.variance / self.std if self.m2 > 0 else nan

    @property
    def kurtosis(self) -> float:
        """Fourth central moment over the squared variance, minus 3 (normal: 0); NaN if all values are equal."""
        return self.m4 / self.count / self.variance / self.variance - 3 if self.m2 > 0 else nan

    @property
    def zero_fraction(self) -> float:
        """Share of the finite values that are zero."""
        return self.zeros / self.count if self.count else nan


def _moments_of(values: torch.Tensor, center: float) -> RunningMoments:
    """Return the moments of one block of finite values, without the extremes."""
    n = values.numel()
    deviations, squares = (scratch(name, values, torch.float64) for name in ("deviations", "squares"))
    deviations.copy_(values).sub_(center)
    torch.mul(deviations, deviations, out=squares)
    zeros = torch.eq(values, 0, out=scratch("zeros", values, torch.float32)).sum()
    sums = deviations.sum(), squares.sum(), torch.dot(deviations, squares), torch.dot(squares, squares), zeros
    s1, s2, s3, s4, n_zeros = torch.stack(sums).tolist()
    delta = s1 / n
    if delta * s1 > 0.9 * s2 > 0:
        # The center is too far from the mean, so that the squares have lost their digits, unless all values are equal.
        mean = center + delta
        return RunningMoments(n, mean, zeros=int(n_zeros)) if mean == center else _moments_of(values, mean)
    return RunningMoments(
        n,
        center + delta,
        max(s2 - delta * s1, 0.0),
        s3 - delta * (3 * s2 - 2 * delta * s1),
        max(s4 - delta * (4 * s3 - delta * (6 * s2 - 3 * delta * s1)), 0.0),
        zeros=int(n_zeros),
    )


#: Number of values that stay in a processor's cache during several passes.
BLOCK = 2**18
_THREAD = threading.local()


def scratch(purpose: str, like: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return a tensor of the size of `like`, at most `BLOCK`, with arbitrary values.

    The next call in the same thread with the same purpose returns the same memory.

    Examples
    --------
    >>> scratch("example", torch.zeros(3), torch.float64).shape
    torch.Size([3])
    """
    held: dict[Any, torch.Tensor] = _THREAD.__dict__
    key = purpose, like.device, dtype
    if key not in held:
        held[key] = torch.empty(BLOCK, dtype=dtype, device=like.device)
    return held[key][: like.numel()]
