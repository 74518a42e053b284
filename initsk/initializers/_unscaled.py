"""Initializers whose variance does not depend on the fans: normal, uniform, truncated normal and sparse."""

from typing import Any

import torch

from initsk.exceptions import InvalidParameterError
from initsk.initializers.core._answers import ExpectedMoments
from initsk.initializers.core._base import Initializer
from initsk.initializers.core._draws import draw_normal, draw_truncated, draw_uniform
from initsk.initializers.core._truncated import truncated_moments
from initsk.network import ParameterSpec
from initsk.utils.validation import boolean, integer, real


class RandomNormal(Initializer):
    """Draw from a normal distribution of fixed standard deviation.

    Parameters
    ----------
    std : float, default=0.01
        Standard deviation, at least 0.
    mean : float, default=0.0
        Mean.

    Notes
    -----
    Formula: ``W ~ N(mean, std^2)`` for layers of any size, so the signal usually shrinks or grows with depth.
    Krizhevsky et al. 2012, section 5, used 0.01. The default standard deviation is also 0.01 in JAX, 0.05 in Keras and
    1 in torch.

    Examples
    --------
    >>> from initsk.initializers import RandomNormal
    >>> round(RandomNormal(std=0.01).sample((500, 400), random_state=0).std().item(), 3)
    0.01
    """

    name = "random_normal"
    synonyms = ("normal",)
    family = "free"
    formula = "W ~ N(mean, std^2)"
    reference = "Krizhevsky, Sutskever and Hinton 2012, section 5 (std 0.01)"
    draw_never_fails = True
    draws_blocks = True
    parameter_constraints = {"std": real(minimum=0), "mean": real()}

    std: float = 0.01
    mean: float = 0.0

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        """Return drawn values for a spec."""
        values = draw_normal(spec.stacked_shape, self.std, generator=generator, dtype=dtype, count=spec.count)
        return values.add_(self.mean)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments:
        """Return the expected moments of the values for a spec."""
        return ExpectedMoments(self.std**2, mean=self.mean)


class RandomUniform(Initializer):
    """Draw from the uniform distribution between two bounds.

    Parameters
    ----------
    low : float, default=-0.05
        Lower bound.
    high : float, default=0.05
        Upper bound, not below `low`.

    Raises
    ------
    InvalidParameterError
        When used with bounds in the wrong order.

    Notes
    -----
    Formula: ``W ~ U(low, high)``, with variance ``(high - low)^2 / 12``; each part of a complex weight has half of the
    variance. The default bounds are those of Keras; torch's ``uniform_`` has 0 and 1, JAX's ``uniform`` 0 and 0.01.

    Examples
    --------
    >>> from initsk.initializers import RandomUniform
    >>> bool(RandomUniform().sample((500, 400), random_state=0).abs().max() <= 0.05)
    True
    """

    name = "random_uniform"
    synonyms = ("uniform",)
    family = "free"
    formula = "W ~ U(low, high)"
    reference = "Keras RandomUniform (bounds)"
    draw_never_fails = True
    draws_blocks = True
    parameter_constraints = {"low": real(), "high": real()}

    low: float = -0.05
    high: float = 0.05

    def check(self) -> "RandomUniform":
        """Check the parameters and the order of the bounds, and return the initializer."""
        super().check()
        if self.low > self.high:
            raise InvalidParameterError(f"RandomUniform: low={self.low} is not allowed (at most high={self.high})")
        return self

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        """Return drawn values for a spec."""
        bound, middle = (self.high - self.low) / 2, (self.low + self.high) / 2
        return draw_uniform(spec.stacked_shape, bound, generator=generator, dtype=dtype).add_(middle)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments:
        """Return the expected moments of the values for a spec."""
        width = self.high - self.low
        return ExpectedMoments(width**2 / 12, mean=(self.low + self.high) / 2, bound=width / 2)


def _bounds(value: Any) -> str | None:
    """Allow a number above 0, or a lower and a higher number."""
    pair = isinstance(value, tuple) and len(value) == 2 and not any(map(real(), value)) and value[0] < value[1]
    return None if pair or real(above=0)(value) is None else "a finite number > 0, or a pair of them, the lower first"


class TruncatedNormal(Initializer):
    """Draw from a normal distribution that is truncated at a multiple of its standard deviation.

    Parameters
    ----------
    std : float, default=0.01
        Standard deviation, at least 0: of the values if `corrected`, otherwise of the normal
        distribution before truncation.
    mean : float, default=0.0
        Mean of the distribution before truncation; with one number as `bounds`, also of the values.
    bounds : float or (float, float), default=2.0
        Bounds of the truncation, as distances from `mean` in standard deviations of the distribution before
        truncation: a number above 0, or the lower and the upper bound.
    corrected : bool, default=True
        Whether the distribution before truncation is wider, so that the values have exactly `std`.

    Notes
    -----
    Formula: ``W = mean + s z``, with ``z`` standard normal given ``|z| <= bounds``, and ``s = std``, or with the
    correction ``s = std / sqrt(1 - 2 b phi(b) / (2 Phi(b) - 1))``, ``s = std / 0.8796`` for ``b = 2`` (Kotz,
    Balakrishnan and Johnson 1994, section 10.1). Drawn by inversion, so that no value is beyond the bounds. Keras' and
    JAX's ``truncated_normal`` are ``corrected=False``; torch's and timm's ``trunc_normal_`` have the absolute bounds -2
    and 2, so they truncate nothing with ``std=0.02``; timm's ``trunc_normal_tf_`` has relative bounds. The names of
    these functions (``"torch.trunc_normal_"``) have the parameters of the function.

    Examples
    --------
    >>> from initsk.initializers import TruncatedNormal
    >>> w = TruncatedNormal(std=1.0).sample((500, 400), random_state=0)
    >>> round(w.std().item(), 2), round(w.abs().max().item(), 2)
    (1.0, 2.27)
    """

    name = "truncated_normal"
    synonyms = ("trunc_normal",)
    family = "free"
    formula = "W ~ N(mean, s^2) given |W - mean| <= bounds s"
    reference = "Keras TruncatedNormal; Kotz, Balakrishnan and Johnson 1994, section 10.1"
    draw_never_fails = True
    draws_blocks = True
    parameter_constraints = {"std": real(minimum=0), "mean": real(), "bounds": _bounds, "corrected": boolean()}

    std: float = 0.01
    mean: float = 0.0
    bounds: float | tuple[float, float] = 2.0
    corrected: bool = True

    @property
    def limits(self) -> tuple[float, float]:
        """The lower and the upper bound, in standard deviations before truncation."""
        lower, upper = self.bounds if isinstance(self.bounds, tuple) else (-self.bounds, self.bounds)
        return float(lower), float(upper)

    @property
    def _std_before(self) -> float:
        return self.std / truncated_moments(*self.limits)[1] if self.corrected else self.std

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        """Return drawn values for a spec."""
        lower, upper = self.limits
        # Bounds on one side may be far from the mean, so that the sum cancels.
        wide = dtype if lower == -upper else torch.promote_types(dtype, torch.float64)
        values = draw_truncated(spec.stacked_shape, self._std_before, lower, upper, generator=generator, dtype=wide)
        return values.add_(self.mean).to(dtype)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments:
        """Return the expected moments of the values for a spec."""
        before, (lower, upper) = self._std_before, self.limits
        mean, std = truncated_moments(lower, upper)
        bound = before * max(mean - lower, upper - mean)
        return ExpectedMoments((before * std) ** 2, self.mean + before * mean, bound, symmetric=lower == -upper)


class Sparse(Initializer):
    """Give every unit exactly `n_nonzero` nonzero incoming weights.

    Units then differ strongly from each other, and the size of their input does not depend on
    the layer's width.

    Parameters
    ----------
    n_nonzero : int, default=15
        Nonzero incoming weights per unit, at least 1; a unit with fewer inputs uses all of them.
    std : float, default=1.0
        Standard deviation of the nonzero weights, above 0.

    Raises
    ------
    InvalidParameterError
        When used on a vector.

    Notes
    -----
    Formula: in each row of ``(out, in * kernel)`` a uniform choice of `n_nonzero` entries is
    ``N(0, std^2)``, the others 0 (Martens 2010, section 5). torch's ``sparse_`` zeroes a fraction of each
    *column*, so its number of inputs per unit is random.

    Examples
    --------
    >>> from initsk.initializers import Sparse
    >>> (Sparse(3).sample((2, 50), random_state=0) != 0).sum(dim=1).tolist()
    [3, 3]
    """

    name = "sparse"
    family = "sparse"
    formula = "n_nonzero entries a row ~ N(0, std^2), others 0"
    reference = "Martens 2010, section 5"
    draw_never_fails = True
    parameter_constraints = {"n_nonzero": integer(1), "std": real(above=0)}

    n_nonzero: int = 15
    std: float = 1.0

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Return why the spec cannot be filled, or None."""
        return spec.missing_matrix

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        """Return drawn values for a spec."""
        rows, columns = spec.matrix_shape
        count = min(self.n_nonzero, columns)
        chosen = (
            torch.rand((rows, columns), generator=generator, dtype=torch.float32)
            .topk(count, dim=1, sorted=False)
            .indices
        )
        kept = draw_normal((rows, count), self.std, generator=generator, dtype=dtype)
        # About one normal number in ten million rounds to exactly zero.
        kept = torch.where(kept == 0, torch.full_like(kept, self.std), kept)
        return torch.zeros((rows, columns), dtype=dtype).scatter_(1, chosen, kept).reshape(spec.shape)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments:
        """Return the expected moments of the values for a spec."""
        columns = max(spec.matrix_shape[1], 1)
        return ExpectedMoments(self.std**2 * min(self.n_nonzero, columns) / columns)
