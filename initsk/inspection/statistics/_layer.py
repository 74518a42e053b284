"""Where an activation function saturates, found from the function itself."""

from collections.abc import Callable, Collection, Sequence
from math import inf, isfinite
from typing import Any, Self

import torch

from initsk.exceptions import InvalidParameterError
from initsk.inspection.statistics._histogram import FixedHistogram, StreamingHistogram
from initsk.inspection.statistics._moments import RunningMoments, finite_part
from initsk.inspection.statistics._units import RunningCovariance, SampleCosines, UnitStatistics
from initsk.utils.random import isolated_torch_random

#: A value is saturated when it has gone this share of the way from f(0) to a bound of f: there the slopes of
#: tanh and of the sigmoid are below a tenth of their largest.
SATURATED = 0.95
_FAR = (1e3, 1e4)


def saturation_bounds(function: Callable[[torch.Tensor], torch.Tensor] | None) -> tuple[float, float]:
    """Return the values at or below, and at or above, which a function of one number is saturated.

    A bound is the limit of the function at plus or minus infinity. The value at zero is none: ReLU, GELU and
    their like are off there. Infinite where there is no bound.

    Examples
    --------
    >>> saturation_bounds(torch.tanh), saturation_bounds(torch.relu)
    ((-0.95, 0.95), (-inf, inf))
    """
    if function is None:
        return -inf, inf
    points = torch.tensor([0.0, *_FAR, *(-far for far in _FAR)], dtype=torch.float64)
    try:
        # RReLU draws in training; what the module draws next is to stay.
        with torch.no_grad(), isolated_torch_random(None):
            rest, *ends = function(points).tolist()
    except Exception:  # whatever a stranger's function raises on five numbers
        return -inf, inf
    limits = [_limit(*ends[:2]), _limit(*ends[2:])]
    thresholds = [rest + SATURATED * (limit - rest) for limit in limits if isfinite(limit) and limit != rest]
    lower = [value for value in thresholds if value < rest]
    upper = [value for value in thresholds if value > rest]
    return max(lower, default=-inf), min(upper, default=inf)


def _limit(nearer: float, farther: float) -> float:
    """Return what a function tends to, or infinity, from two values far out (softsign nears its bound as 1 / x)."""
    return farther if abs(farther - nearer) <= 1e-3 * max(1.0, abs(farther)) else inf


#: What can be measured beyond moments and histograms, and what each costs something like.
MEASURES = ("units", "samples", "spectrum")
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
# Beyond these magnitudes, squares leave the range of single precision.
_MIN_NUMBER, _MOST = 1e-15, 1e15


class LayerStatistics:
    """Statistics of a stream of rows; their size does not depend on the number of rows.

    Parameters
    ----------
    bins : int, default=128
        Most bins of the histogram.
    edges : sequence of float, optional
        Fixed edges of the histogram instead.
    measures : collection of {"units", "samples", "spectrum"}
        What to measure beyond moments and histogram: dead and copied units; the mean cosine between samples;
        effective rank and participation ratio.
    function : callable, optional
        The activation function that gave the values, whose range says what is saturated.
    """

    def __init__(
        self,
        bins: int = 128,
        edges: Sequence[float] | None = None,
        measures: Collection[str] = MEASURES,
        function: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> None:
        self.measures = tuple(measures)
        self.n_units = 0
        self.moments = RunningMoments()
        # Quantiles need bins of their own where the edges are given.
        self.histogram = StreamingHistogram(bins)
        self.fixed = None if edges is None else FixedHistogram(list(edges))
        self.units, self.samples, self.spectrum = UnitStatistics(), SampleCosines(), RunningCovariance()
        self.bounds = saturation_bounds(function)
        self.n_saturated = 0

    def update(self, rows: torch.Tensor) -> Self:
        """Take in a batch of shape (rows, units)."""
        self.n_units = rows.shape[1]
        part = finite_part(rows)
        self.moments.update(part)
        self.histogram.update(part)
        if self.fixed is not None:
            self.fixed.update(part)
        if self.bounds != (-inf, inf):
            lower, upper = self.bounds
            self.n_saturated += int((part.values <= lower).sum()) + int((part.values >= upper).sum())
        if self.measures:
            largest = max(abs(part.low), abs(part.high))
            wide = rows.dtype == torch.float64 or not (_MIN_NUMBER < largest < _MOST or largest == 0)
            self._update_rows(rows.double() if wide else rows.float())
        return self

    def _update_rows(self, rows: torch.Tensor) -> None:
        if "units" in self.measures:
            self.units.update(rows)
        if "samples" in self.measures:
            self.samples.update(rows)
        if "spectrum" in self.measures:
            self.spectrum.update(rows)

    def __add__(self, other: "LayerStatistics") -> "LayerStatistics":
        if set(self.measures) != set(other.measures) or (self.fixed is None) != (other.fixed is None):
            raise InvalidParameterError("statistics of different measures or edges cannot be added")
        merged = LayerStatistics(measures=self.measures)
        merged.n_units = max(self.n_units, other.n_units)
        merged.bounds, merged.n_saturated = self.bounds, self.n_saturated + other.n_saturated
        merged.moments, merged.histogram = self.moments + other.moments, self.histogram + other.histogram
        if self.fixed is not None and other.fixed is not None:
            merged.fixed = self.fixed + other.fixed
        merged.units, merged.samples = self.units + other.units, self.samples + other.samples
        merged.spectrum = self.spectrum + other.spectrum
        return merged

    @property
    def saturated_fraction(self) -> float:
        """Share of the finite values near a bound of the activation function; NaN where it has none."""
        bounded = self.bounds != (-inf, inf) and self.moments.count
        return self.n_saturated / self.moments.count if bounded else float("nan")

    def to_row(self) -> dict[str, Any]:
        """Return the numbers, by the names of the columns of `ActivationSummary.to_frame`."""
        m, nan = self.moments, float("nan")
        names = (f"q{round(100 * q):02d}" for q in QUANTILES)
        quantiles = dict(zip(names, self.histogram.quantiles(QUANTILES), strict=True))
        return {
            "units": self.n_units,
            "count": m.count,
            "mean": m.mean if m.count else nan,
            "std": m.std,
            "rms": m.rms,
            "min": m.min if m.count else nan,
            "max": m.max if m.count else nan,
            "skewness": m.skewness,
            "kurtosis": m.kurtosis,
            **quantiles,
            "quantile_error": self.histogram.width if m.count else nan,
            "zero_fraction": m.zero_fraction,
            "dead_fraction": self.units.dead_fraction,
            "saturated_fraction": self.saturated_fraction,
            "copied_fraction": self.units.copied_fraction,
            "nonfinite": m.nonfinite,
            "effective_rank": self.spectrum.effective_rank,
            "participation_ratio": self.spectrum.participation_ratio,
            "mean_cosine": self.samples.mean,
        }
