"""Statistics of one layer: moments, histogram, units, samples, spectrum, and saturation of the activation function."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite, nan
from typing import Any, Self

import numpy as np
import torch

from initsk.exceptions import InvalidParameterError
from initsk.inspection.statistics._histogram import FixedHistogram, StreamingHistogram
from initsk.inspection.statistics._moments import RunningMoments, finite_part
from initsk.inspection.statistics._units import RunningCovariance, SampleCosines, UnitStatistics
from initsk.utils.random import isolated_torch_random
from initsk.utils.torch_settings import measurable

#: A value is saturated beyond this share of the distance from f(0) to a bound of f, where the slopes of tanh and of the
#: sigmoid are below a tenth of their maximum.
SATURATED = 0.95
# Inputs at which a function is compared with its limit.
_FAR_INPUTS = (1e3, 1e4)


def saturation_bounds(function: Callable[[torch.Tensor], torch.Tensor] | None) -> tuple[float, float]:
    """Return the values at or below which, and at or above which, an activation function is saturated.

    They are computed from the limits of the function at plus and minus infinity. A limit equal to f(0) does not count:
    there ReLU, GELU and similar functions are off, not saturated. Without a limit the values are infinite.

    Examples
    --------
    >>> saturation_bounds(torch.tanh), saturation_bounds(torch.relu)
    ((-0.95, 0.95), (-inf, inf))
    """
    if function is None:
        return -inf, inf
    points = torch.tensor([0.0, *_FAR_INPUTS, *(-far for far in _FAR_INPUTS)], dtype=torch.float64)
    try:
        # RReLU draws numbers in training; the module's next random numbers must stay the same.
        with torch.no_grad(), isolated_torch_random(None):
            at_zero, *ends = function(points).tolist()
    except Exception:  # a user's function may raise anything on five numbers
        return -inf, inf
    limits = [_limit(*ends[:2]), _limit(*ends[2:])]
    bounds = [at_zero + SATURATED * (limit - at_zero) for limit in limits if isfinite(limit) and limit != at_zero]
    lower = [value for value in bounds if value < at_zero]
    upper = [value for value in bounds if value > at_zero]
    return max(lower, default=-inf), min(upper, default=inf)


def _limit(nearer: float, farther: float) -> float:
    """Return the limit of a function, or infinity, from its values at two far inputs.

    The tolerance is that of softsign, which approaches its limit like 1 / x.
    """
    return farther if abs(farther - nearer) <= 1e-3 * max(1.0, abs(farther)) else inf


#: What can be measured beyond moments and histograms.
MEASURES = ("units", "samples", "spectrum")
_MOMENT_COLUMNS = ("count", "nonfinite", "std", "rms", "skewness", "kurtosis", "zero_fraction")
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
QUANTILE_COLUMNS = tuple(f"q{round(100 * q):02d}" for q in QUANTILES)
# Squares of values outside these magnitudes leave the range of single precision.
_MIN_MAGNITUDE, _MAX_MAGNITUDE = 1e-15, 1e15


class LayerStatistics:
    """Statistics of a stream of rows; their size does not depend on the number of rows.

    Parameters
    ----------
    bins : int, default=128
        Maximum number of bins of the histogram.
    edges : sequence of float, optional
        Fixed edges of a second histogram, which `bins` returns.
    measures : collection of {"units", "samples", "spectrum"}
        What to measure in addition to moments and histogram. "units": dead and copied units; "samples": the mean cosine
        between samples; "spectrum": effective rank and participation ratio.
    function : callable, optional
        The activation function that computed the values; its limits determine which values are saturated.
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
        # Quantiles need this histogram even if the edges are fixed.
        self.histogram = StreamingHistogram(bins)
        self.fixed = None if edges is None else FixedHistogram(list(edges))
        self.units, self.samples, self.spectrum = UnitStatistics(), SampleCosines(), RunningCovariance()
        self.bounds = saturation_bounds(function)
        self.n_saturated = 0

    def update(self, rows: torch.Tensor) -> Self:
        """Add a batch of shape (rows, units)."""
        self.n_units = rows.shape[1]
        rows = measurable(rows)
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
            fits_float32 = _MIN_MAGNITUDE < largest < _MAX_MAGNITUDE or largest == 0
            rows = rows.float() if fits_float32 and rows.dtype != torch.float64 else rows.double()
            for measure in self.measures:
                getattr(self, measure).update(rows)
        return self

    def __add__(self, other: "LayerStatistics") -> "LayerStatistics":
        if set(self.measures) != set(other.measures):
            kinds = " and ".join(", ".join(sorted(part.measures)) or "none" for part in (self, other))
            raise InvalidParameterError(f"statistics of different measures cannot be added: {kinds}")
        if (self.fixed is None) != (other.fixed is None):
            raise InvalidParameterError("histograms with edges cannot be added to those without")
        merged = LayerStatistics(measures=self.measures)
        merged.n_units = max(self.n_units, other.n_units)
        merged.bounds = self.bounds
        for name in ("n_saturated", "moments", "histogram", *MEASURES):
            setattr(merged, name, getattr(self, name) + getattr(other, name))
        if self.fixed is not None and other.fixed is not None:
            merged.fixed = self.fixed + other.fixed
        return merged

    @property
    def saturated_fraction(self) -> float:
        """Share of the finite values that are saturated; NaN if the activation function has no limits."""
        bounded = self.bounds != (-inf, inf) and self.moments.count
        return self.n_saturated / self.moments.count if bounded else nan

    def bins(self) -> tuple[np.ndarray, np.ndarray]:
        """Return edges and counts of the histogram, of that with fixed edges if there is one."""
        return (self.fixed or self.histogram).bins()

    def to_row(self) -> dict[str, Any]:
        """Return the statistics by their column in `ActivationSummary.to_frame`."""
        m = self.moments
        row: dict[str, Any] = dict(zip(QUANTILE_COLUMNS, self.histogram.quantiles(QUANTILES), strict=True))
        row |= {name: getattr(m, name) if m.count else nan for name in ("mean", "min", "max")}
        row |= {name: getattr(m, name) for name in _MOMENT_COLUMNS}
        row |= {name: getattr(self.units, name) for name in ("dead_fraction", "copied_fraction")}
        row |= {name: getattr(self.spectrum, name) for name in ("effective_rank", "participation_ratio")}
        row |= {"units": self.n_units, "quantile_error": self.histogram.width if m.count else nan}
        return row | {"saturated_fraction": self.saturated_fraction, "mean_cosine": self.samples.mean}


@dataclass
class LayerRecord:
    """Statistics of a layer at one position and of the gradient there, or statistics of a parameter."""

    module: str
    function: str
    values: LayerStatistics
    gradients: LayerStatistics = field(default_factory=LayerStatistics)

    def of(self, what: str) -> LayerStatistics:
        """Return the statistics of the "gradients" or, for "activations" and "weights", of the values."""
        return self.gradients if what == "gradients" else self.values

    def __add__(self, other: "LayerRecord") -> "LayerRecord":
        return LayerRecord(self.module, self.function, self.values + other.values, self.gradients + other.gradients)
