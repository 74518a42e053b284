"""Initializers that do not look at the layer: normal, uniform and truncated normal."""

from typing import ClassVar

import torch

from initsk.exceptions import InvalidParameterError
from initsk.initializers.core._base import ExpectedMoments, Initializer
from initsk.initializers.core._draws import draw_normal, draw_truncated, draw_uniform, truncated_std
from initsk.network import ParameterSpec
from initsk.utils.validation import Constraint, boolean, integer, real


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
    Law: ``W ~ N(mean, std^2)``, whatever the layer's size, so the signal shrinks or
    grows with depth unless `std` happens to fit. Used with 0.01 by Krizhevsky et al. 2012, section 5. The name's
    standard deviation is 0.01 in JAX too, 0.05 in Keras and 1 in torch.

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
    parameter_constraints: ClassVar[dict[str, Constraint]] = {"std": real(minimum=0), "mean": real()}

    def __init__(self, std: float = 0.01, mean: float = 0.0) -> None:
        self.std = std
        self.mean = mean

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        return draw_normal(spec.shape, self.std, generator=generator, dtype=dtype).add_(self.mean)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments:
        """Say what the values for `spec` will be like."""
        return ExpectedMoments(self.std**2, mean=self.mean)


class RandomUniform(Initializer):
    """Draw evenly between two bounds.

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
    Law: ``W ~ U(low, high)``, of variance ``(high - low)^2 / 12``; for complex weights each
    part has half of the variance. The bounds are those of Keras; torch's
    ``uniform_`` has 0 and 1, JAX's ``uniform`` 0 and 0.01.

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
    parameter_constraints: ClassVar[dict[str, Constraint]] = {"low": real(), "high": real()}

    def __init__(self, low: float = -0.05, high: float = 0.05) -> None:
        self.low = low
        self.high = high

    def check(self) -> "RandomUniform":
        """Check the parameters, and that the bounds are in order."""
        super().check()
        if self.low > self.high:
            raise InvalidParameterError(f"RandomUniform: low={self.low} is not allowed (at most high={self.high})")
        return self

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        bound, middle = (self.high - self.low) / 2, (self.low + self.high) / 2
        return draw_uniform(spec.shape, bound, generator=generator, dtype=dtype).add_(middle)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments:
        """Say what the values for `spec` will be like."""
        width = self.high - self.low
        return ExpectedMoments(width**2 / 12, mean=(self.low + self.high) / 2, bound=width / 2)


class TruncatedNormal(Initializer):
    """Draw from a normal distribution cut at a multiple of its standard deviation.

    Parameters
    ----------
    std : float, default=0.01
        Standard deviation, at least 0: of the result if `corrected`, otherwise of the normal
        distribution before it is cut.
    mean : float, default=0.0
        Mean.
    bounds : float, default=2.0
        Where it is cut, in standard deviations of the distribution before; above 0.
    corrected : bool, default=True
        Whether the distribution before is widened so that the result has exactly `std`.

    Notes
    -----
    Law: ``W = mean + s z``, with ``z`` standard normal given ``|z| <= bounds``, and ``s = std``, or with the correction
    ``s = std / sqrt(1 - 2 b phi(b) / (2 Phi(b) - 1))``, for ``b = 2`` ``s = std / 0.8796`` (Kotz, Balakrishnan and
    Johnson 1994, section 10.1). Drawn by inversion: exact, nothing beyond the bounds. Keras' and JAX's
    ``truncated_normal`` are ``corrected=False``; torch's and timm's ``trunc_normal_`` have absolute bounds of -2 and 2,
    so with ``std=0.02`` they cut nothing; timm's ``trunc_normal_tf_`` has relative ones.

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
    parameter_constraints: ClassVar[dict[str, Constraint]] = {
        "std": real(minimum=0),
        "mean": real(),
        "bounds": real(above=0),
        "corrected": boolean(),
    }

    def __init__(self, std: float = 0.01, mean: float = 0.0, bounds: float = 2.0, corrected: bool = True) -> None:
        self.std = std
        self.mean = mean
        self.bounds = bounds
        self.corrected = corrected

    @property
    def _uncut_std(self) -> float:
        return self.std / truncated_std(self.bounds) if self.corrected else self.std

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        values = draw_truncated(spec.shape, self._uncut_std, self.bounds, generator=generator, dtype=dtype)
        return values.add_(self.mean)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments:
        """Say what the values for `spec` will be like."""
        uncut = self._uncut_std
        return ExpectedMoments((uncut * truncated_std(self.bounds)) ** 2, mean=self.mean, bound=self.bounds * uncut)


class Sparse(Initializer):
    """Give every unit exactly `n_nonzero` incoming weights that are not zero.

    Units then differ strongly from each other, and the size of their input does not depend on
    the layer's width.

    Parameters
    ----------
    n_nonzero : int, default=15
        Incoming weights per unit that are not zero, at least 1; a unit with fewer inputs uses all.
    std : float, default=1.0
        Standard deviation of those, above 0.

    Raises
    ------
    InvalidParameterError
        When used on a vector.

    Notes
    -----
    Law: in each row of ``(out, in * kernel)`` a uniform choice of `n_nonzero` entries is
    ``N(0, std^2)``, the others 0 (Martens 2010, section 5). torch's ``sparse_`` zeroes a fraction of each
    *column*, so that its number of inputs per unit is left to chance.

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
    parameter_constraints: ClassVar[dict[str, Constraint]] = {"n_nonzero": integer(1), "std": real(above=0)}

    def __init__(self, n_nonzero: int = 15, std: float = 1.0) -> None:
        self.n_nonzero = n_nonzero
        self.std = std

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Say what the initializer needs and `spec` does not have."""
        return spec.missing_matrix

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        rows, columns = spec.matrix_shape
        count = min(self.n_nonzero, columns)
        chosen = torch.rand((rows, columns), generator=generator).topk(count, dim=1, sorted=False).indices
        kept = draw_normal((rows, count), self.std, generator=generator, dtype=dtype)
        # A normal number rounds to exactly zero once in some ten million draws.
        kept = torch.where(kept == 0, torch.full_like(kept, self.std), kept)
        return torch.zeros((rows, columns), dtype=dtype).scatter_(1, chosen, kept).reshape(spec.shape)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments:
        """Say what the values for `spec` will be like."""
        columns = max(spec.matrix_shape[1], 1)
        return ExpectedMoments(self.std**2 * min(self.n_nonzero, columns) / columns)
