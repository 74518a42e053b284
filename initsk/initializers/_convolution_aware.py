"""Kernels that are orthogonal to each other in Fourier space."""

from math import prod, sqrt
from typing import ClassVar

import torch

from initsk.initializers._base import Initializer, Promise
from initsk.initializers._draws import draw_normal, draw_scaled
from initsk.initializers._site import Site
from initsk.initializers._variance_scaling import promise_of
from initsk.utils._validation import Constraint, real


class ConvolutionAware(Initializer):
    """Draw the kernels of a convolution's unit orthogonal to each other in Fourier space, with He's variance.

    Parameters
    ----------
    scale : float, default=2.0
        What the variance is times fan_in, above 0; 2 is He's, for ReLU.

    Raises
    ------
    InvalidParameterError
        When used on a vector, which has no fans, or with a parameter that is not allowed.

    Notes
    -----
    A convolution ``(out, in, *kernel)`` has for each of its units `in` kernels of ``k = prod(kernel)`` values.

    Law: for each unit, the kernels ``n k, ..., (n + 1) k - 1`` of every ``n = 0, 1, ...`` (the last block may be
    shorter) are orthogonal to each other, uniformly (Haar), and each has squared norm ``k scale / fan_in``. So
    their discrete Fourier transforms ``F`` over the kernel (``fftn``) are orthogonal:
    ``<F_a, F_b> = 0`` for ``a != b``, and ``<F_a, F_a> = k^2 scale / fan_in``. There are no more than `k` because the
    spectra of real kernels have `k` dimensions. Kernels of different blocks and of different units are
    independent. The mean square over the whole weight is exactly ``scale / fan_in``
    (Aghajanyan 2017, whose variance is He's).

    The Fourier transform is unitary up to a factor, so that orthogonal spectra and orthogonal kernels are
    the same, and the draw needs no transform. keras-contrib's ``ConvolutionAware`` draws orthogonal half spectra
    without imaginary parts, in blocks of their size: its kernels come out symmetric, against which it adds
    noise (``eps_std``), and in two and three dimensions the inverse transform drops a part, so that its
    kernels are orthogonal only approximately.

    Kernels of a single value (``k = 1``) are ``N(0, scale / fan_in)``, as there. All other
    weights are an orthogonal matrix whose entries have variance ``scale / fan_in``; keras-contrib leaves that
    matrix unscaled.

    Examples
    --------
    >>> from initsk.initializers import ConvolutionAware
    >>> unit = ConvolutionAware().sample((16, 9, 3, 3), random_state=0)[0].flatten(1)
    >>> gram = unit @ unit.T
    >>> round(gram.diagonal().mean().item() * 9, 4), round(gram.fill_diagonal_(0).abs().max().item(), 4)
    (2.0, 0.0)
    """

    name = "convolution_aware"
    synonyms = ("caware", "cai")
    family = "structured"
    law = "orthogonal kernels in each unit, Var(W) = scale / fan_in"
    reference = "Aghajanyan 2017"
    _draws_surely = True
    _constraints: ClassVar[dict[str, Constraint]] = {"scale": real(above=0)}

    def __init__(self, scale: float = 2.0) -> None:
        self.scale = scale

    def refuses(self, site: Site) -> str | None:
        """Say what the initializer needs and `site` does not have."""
        return site.lacks_fans

    def _draw(self, site: Site, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        variance = self._variance(site)
        if not _has_kernels(site):
            return draw_scaled(site.shape, variance, "orthogonal", generator, dtype)
        units, inputs, size = *site.shape[:2], prod(site.shape[2:])
        if size == 1:
            return draw_scaled(site.shape, variance, "normal", generator, dtype)
        kernels = _orthonormal_rows(units, inputs, size, generator, dtype)
        return kernels.mul_(sqrt(variance * size)).reshape(site.shape)

    def promise(self, site: Site) -> Promise | None:
        """Say what the values for `site` will be like."""
        if self.refuses(site):
            return None
        variance, size = self._variance(site), prod(site.shape[2:])
        if not _has_kernels(site):
            return promise_of(site, variance, "orthogonal")
        return Promise(variance, bound=sqrt(variance * size)) if size > 1 else promise_of(site, variance, "normal")

    def _variance(self, site: Site) -> float:
        return self.scale / site.fan("fan_in")


def _has_kernels(site: Site) -> bool:
    return len(site.shape) > 2 and site.kind == "convolution"


def _orthonormal_rows(
    units: int, inputs: int, size: int, generator: torch.Generator, dtype: torch.dtype
) -> torch.Tensor:
    """Draw ``(units, inputs, size)``: per unit, each `size` rows in turn are orthonormal."""
    per_block = min(inputs, size)
    if units * per_block == 0:
        return torch.zeros((units, inputs, size), dtype=dtype)
    blocks = -(-inputs // per_block)
    gaussian = draw_normal((units * blocks, size, per_block), 1.0, generator=generator, dtype=dtype)
    basis, triangle = torch.linalg.qr(gaussian)
    # Uniform only with the triangle's diagonal made positive (Mezzadri 2007, section 5).
    basis = basis * torch.sgn(triangle.diagonal(dim1=-2, dim2=-1)).unsqueeze(-2)
    return basis.mT.reshape(units, blocks * per_block, size)[:, :inputs].contiguous()
