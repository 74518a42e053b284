"""Zero-mean values of a given variance, real or complex."""

from collections.abc import Callable
from functools import wraps
from math import erf, exp, pi, prod, sqrt
from typing import Any

import numpy as np
import torch

Draw = Callable[..., torch.Tensor]
DISTRIBUTIONS = ("normal", "truncated_normal", "uniform", "orthogonal")
TRUNCATION = 2.0
_LARGE = 2**20
_NUMPY_TYPES = {torch.float32: np.float32, torch.float64: np.float64}


def truncated_std(bounds: float) -> float:
    """Return the standard deviation of a standard normal cut at ``-bounds`` and ``bounds``.

    Examples
    --------
    >>> round(truncated_std(2.0), 6)
    0.879626
    """
    if bounds < 1e-2:
        # Nearly uniform; the difference below would have no digits left.
        return bounds / sqrt(3) * (1 - bounds**2 / 15)
    density = exp(-bounds * bounds / 2) / sqrt(2 * pi)
    return sqrt(1 - 2 * bounds * density / erf(bounds / sqrt(2)))


def _in_both_parts(draw: Draw) -> Draw:
    """Draw a complex tensor's parts apart, with half of the variance each."""

    @wraps(draw)
    def wrapper(shape: tuple[int, ...], size: float, *rest: Any, generator: torch.Generator, dtype: torch.dtype) -> Any:
        if not dtype.is_complex:
            return draw(shape, size, *rest, generator=generator, dtype=dtype)
        parts = draw((*shape, 2), size / sqrt(2), *rest, generator=generator, dtype=dtype.to_real())
        return torch.view_as_complex(parts)

    return wrapper


@_in_both_parts
def draw_normal(shape: tuple[int, ...], std: float, *, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
    """Draw from a normal distribution."""
    return _empty(shape, dtype).normal_(generator=generator).mul_(std)


@_in_both_parts
def draw_uniform(
    shape: tuple[int, ...], bound: float, *, generator: torch.Generator, dtype: torch.dtype
) -> torch.Tensor:
    """Draw evenly between ``-bound`` and `bound`."""
    return _empty(shape, dtype).uniform_(generator=generator).mul_(2 * bound).sub_(bound)


@_in_both_parts
def draw_truncated(
    shape: tuple[int, ...], std: float, bounds: float, *, generator: torch.Generator, dtype: torch.dtype
) -> torch.Tensor:
    """Draw from a normal distribution of standard deviation `std` before it is cut at ``bounds * std``."""
    # The inverse error function has no room left near 1 in float32.
    working = torch.float64 if bounds > 3 else dtype
    values = draw_uniform(shape, erf(bounds / sqrt(2)), generator=generator, dtype=working)
    return values.erfinv_().mul_(sqrt(2) * std).clamp_(-bounds * std, bounds * std).to(dtype)


def draw_scaled(
    shape: tuple[int, ...], variance: float, distribution: str, generator: torch.Generator, dtype: torch.dtype
) -> torch.Tensor:
    """Draw zero-mean values of the given variance."""
    if distribution == "orthogonal":
        rows, columns = shape[0], prod(shape[1:])
        matrix = orthogonal_matrix(rows, columns, generator, dtype)
        return matrix.mul_(sqrt(variance * max(rows, columns, 1))).reshape(shape)
    if distribution == "normal":
        return draw_normal(shape, sqrt(variance), generator=generator, dtype=dtype)
    if distribution == "truncated_normal":
        uncut = sqrt(variance) / truncated_std(TRUNCATION)
        return draw_truncated(shape, uncut, TRUNCATION, generator=generator, dtype=dtype)
    return draw_uniform(shape, sqrt(3 * variance), generator=generator, dtype=dtype)


def bound_of(variance: float, distribution: str) -> float:
    """Return the largest magnitude that `draw_scaled` gives."""
    if distribution == "uniform":
        return sqrt(3 * variance)
    return (
        TRUNCATION * sqrt(variance) / truncated_std(TRUNCATION) if distribution == "truncated_normal" else float("inf")
    )


def orthogonal_matrix(rows: int, columns: int, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
    """Draw a (semi-)orthogonal, or unitary, matrix uniformly (Haar).

    The product of Householder reflections that would reduce a Gaussian matrix: their vectors
    are Gaussian and independent, so they are drawn at once and no QR is computed
    (Stewart 1980, theorem 3.3), at half of the cost.
    """
    tall, thin = max(rows, columns), min(rows, columns)
    if thin == 0:
        return torch.zeros((rows, columns), dtype=dtype)
    # Drawn as rows, so that the vectors lie where LAPACK wants them: in columns.
    vectors = draw_normal((thin, tall), 1.0, generator=generator, dtype=dtype).triu_().mT
    head = torch.diagonal(vectors).clone()
    sign = torch.where(head == 0, torch.ones_like(head), torch.sgn(head))
    vectors /= head + sign * _column_norms(vectors).to(dtype)
    torch.diagonal(vectors).fill_(1)
    tau = (2 / _column_norms(vectors).square()).to(dtype)
    matrix = torch.linalg.householder_product(vectors, tau).mul_(-sign)
    return matrix if rows >= columns else matrix.mT.contiguous()


def _column_norms(matrix: torch.Tensor) -> torch.Tensor:
    wide = torch.complex128 if matrix.is_complex() else torch.float64
    return torch.linalg.vector_norm(matrix, dim=0, dtype=wide)


def _empty(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """Allocate; large arrays by numpy, whose memory comes in huge pages and so is ready sooner."""
    if prod(shape) < _LARGE or dtype not in _NUMPY_TYPES:
        return torch.empty(shape, dtype=dtype, device="cpu")
    return torch.from_numpy(np.empty(shape, dtype=_NUMPY_TYPES[dtype]))
