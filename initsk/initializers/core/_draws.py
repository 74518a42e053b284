"""Random draws of zero-mean values with a given variance, real or complex."""

from collections.abc import Callable
from functools import wraps
from math import erf, prod, sqrt
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from initsk.initializers.core._truncated import truncated_std, truncated_values
from initsk.network import ParameterSpec
from initsk.utils.torch_settings import NORMAL_GROUP, pieces

Shape = tuple[int, ...]
Draw = Callable[..., Tensor]
DISTRIBUTIONS = ("normal", "truncated_normal", "uniform", "orthogonal")
TRUNCATION = 2.0
# Narrower bounds, in standard deviations, are below what float32 holds.
_NARROW = 1e-30
_LARGE = 2**20
# Longer vectors gain nothing if several are computed at once, and torch may sum them in several threads.
_SHORT = 2**12
_NUMPY_TYPES = {torch.float32: np.float32, torch.float64: np.float64}


def _in_both_parts(draw: Draw) -> Draw:
    """Extend a draw to complex types: it draws each part separately with half of the variance."""

    @wraps(draw)
    def wrapper(shape: Shape, size: float, *rest: Any, dtype: torch.dtype, **options: Any) -> Any:
        if not dtype.is_complex:
            return draw(shape, size, *rest, dtype=dtype, **options)
        parts = draw((*shape, 2), size / sqrt(2), *rest, dtype=dtype.to_real(), **options)
        return torch.view_as_complex(parts)

    return wrapper


@_in_both_parts
def draw_normal(shape: Shape, std: float, *, generator: Generator, dtype: torch.dtype, count: int = 1) -> Tensor:
    """Draw from a normal distribution of mean 0.

    The values equal those of `count` tensors of the same size, drawn one after the other. Draws from other
    distributions have this property for any count.
    """
    size = prod(shape) // count
    if count > 1 and size < NORMAL_GROUP:
        # torch also draws a tensor with gaps in its memory value by value.
        return _empty((*shape, 2), dtype)[..., 0].normal_(generator=generator).contiguous().mul_(std)
    values = _empty(shape, dtype)
    for part in pieces(values) if count == 1 or size % NORMAL_GROUP == 0 else values.view(count, -1).unbind():
        part.normal_(generator=generator).mul_(std)
    return values


@_in_both_parts
def draw_uniform(shape: Shape, bound: float, *, generator: Generator, dtype: torch.dtype) -> Tensor:
    """Draw from the uniform distribution between ``-bound`` and `bound`."""
    values = _empty(shape, dtype)
    for piece in pieces(values):
        piece.uniform_(generator=generator).mul_(2 * bound).sub_(bound)
    return values


@_in_both_parts
def draw_truncated(
    shape: Shape, std: float, lower: float, upper: float, *, generator: Generator, dtype: torch.dtype
) -> Tensor:
    """Draw from a normal distribution with `std` before truncation, truncated at `lower` and `upper` times `std`."""
    if lower != -upper:
        values = draw_uniform(shape, 0.5, generator=generator, dtype=torch.float64).add_(0.5)
        return torch.from_numpy(truncated_values(values.numpy(), lower, upper)).mul_(std).to(dtype)
    if upper < _NARROW:
        # Between such bounds the density is constant: only the product of `std` and the bounds counts.
        lower, upper, std = -_NARROW, _NARROW, std * (upper / _NARROW)
    # Near 1, the inverse error function needs more digits than float32 has.
    working = torch.float64 if upper > 3 else dtype
    values = draw_uniform(shape, erf(upper / sqrt(2)), generator=generator, dtype=working)
    for piece in pieces(values):
        piece.erfinv_().mul_(sqrt(2) * std).clamp_(lower * std, upper * std)
    return values.to(dtype)


def draw_scaled(
    spec: ParameterSpec, variance: float, distribution: str, generator: Generator, dtype: torch.dtype
) -> Tensor:
    """Draw zero-mean values for all blocks of a spec, with a variance, from one of `DISTRIBUTIONS`."""
    shape = spec.stacked_shape
    if distribution == "orthogonal":
        rows, columns = spec.matrix_shape
        matrix = orthogonal_matrix(rows, columns, generator, dtype, spec.count)
        return matrix.mul_(sqrt(variance * max(rows, columns, 1))).reshape(shape)
    if distribution == "normal":
        return draw_normal(shape, sqrt(variance), generator=generator, dtype=dtype, count=spec.count)
    if distribution == "truncated_normal":
        uncut = sqrt(variance) / truncated_std(TRUNCATION)
        return draw_truncated(shape, uncut, -TRUNCATION, TRUNCATION, generator=generator, dtype=dtype)
    return draw_uniform(shape, sqrt(3 * variance), generator=generator, dtype=dtype)


def bound_of(variance: float, distribution: str) -> float:
    """Return the largest magnitude of the values of `draw_scaled`."""
    if distribution == "uniform":
        return sqrt(3 * variance)
    if distribution == "truncated_normal":
        return TRUNCATION * sqrt(variance) / truncated_std(TRUNCATION)
    return float("inf")


def orthogonal_matrix(rows: int, columns: int, generator: Generator, dtype: torch.dtype, count: int = 1) -> Tensor:
    """Draw a (semi-)orthogonal or unitary matrix from the uniform (Haar) distribution, or a stack of `count` matrices.

    The matrix is the product of the Householder reflections that would triangularize a Gaussian matrix. Their vectors
    are Gaussian and independent (Stewart 1980, theorem 3.3). Drawing them directly costs half of a QR decomposition.
    """
    tall, thin = max(rows, columns), min(rows, columns)
    stack = () if count == 1 else (count,)
    if thin == 0:
        return torch.zeros((*stack, rows, columns), dtype=dtype)
    if stack and (thin > 1 or tall > _SHORT or dtype.is_complex):
        # The last bits of sums and of complex values depend on the place in memory.
        return torch.stack([orthogonal_matrix(rows, columns, generator, dtype) for _ in range(count)])
    # The transpose puts the vectors into columns in memory, as LAPACK needs them.
    vectors = draw_normal((*stack, thin, tall), 1.0, generator=generator, dtype=dtype, count=count).triu_().mT
    diagonal = torch.diagonal(vectors, dim1=-2, dim2=-1)
    head = diagonal.clone()
    sign = torch.where(head == 0, torch.ones_like(head), torch.sgn(head))
    vectors /= (head + sign * _column_norms(vectors).to(dtype)).unsqueeze(-2)
    diagonal.fill_(1)
    tau = (2 / _column_norms(vectors).square()).to(dtype)
    matrix = torch.linalg.householder_product(vectors, tau).mul_(-sign.unsqueeze(-2))
    return matrix if rows >= columns else matrix.mT.contiguous()


def _column_norms(matrix: Tensor) -> Tensor:
    wide = torch.complex128 if matrix.is_complex() else torch.float64
    return torch.linalg.vector_norm(matrix, dim=-2, dtype=wide)


def _empty(shape: Shape, dtype: torch.dtype) -> Tensor:
    """Allocate a tensor; numpy allocates large ones faster, in huge pages."""
    if prod(shape) < _LARGE or dtype not in _NUMPY_TYPES:
        return torch.empty(shape, dtype=dtype, device="cpu")
    return torch.from_numpy(np.empty(shape, dtype=_NUMPY_TYPES[dtype]))
