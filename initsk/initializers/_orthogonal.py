"""Random orthogonal matrices, for dense layers and for convolutions."""

from math import prod, sqrt

import torch

from initsk.initializers._constant import center_tap
from initsk.initializers._variance_scaling import ZeroMeanDraw
from initsk.initializers.core._answers import ExpectedMoments
from initsk.initializers.core._base import Initializer
from initsk.initializers.core._draws import draw_normal, orthogonal_matrix
from initsk.network import ParameterSpec
from initsk.utils.validation import one_of, real


class Orthogonal(Initializer):
    """Draw a random orthogonal matrix: every singular value equals `gain`.

    Weights of more than two dimensions are flattened to ``(out, in * kernel)`` in each group. A matrix that is not
    square has orthonormal rows if it has fewer rows than columns, else orthonormal columns. Complex weights are
    unitary.

    Parameters
    ----------
    gain : float, default=1.0
        Factor on the matrix, above 0; ``2 ** 0.5`` keeps the mean square of the signal through ReLU layers.

    Raises
    ------
    InvalidParameterError
        When used on a vector.

    Notes
    -----
    Formula: ``W^T W = gain^2 I`` (for at most as many columns as rows) or ``W W^T = gain^2 I``, from the Haar
    distribution (Saxe et al. 2013, section 3). Computed in float32 or better as a product of random reflections
    (Stewart 1980, theorem 3.3); the last bits depend on LAPACK and on torch's number of threads. torch's
    ``orthogonal_``, Keras and JAX draw from the same distribution by QR of a Gaussian matrix, over the tensor as they
    store it (`AsStored`); here each group, gate and projection is orthogonal.

    Examples
    --------
    >>> import torch
    >>> from initsk.initializers import Orthogonal
    >>> w = Orthogonal().sample((4, 4), random_state=0)
    >>> torch.allclose(w.T @ w, torch.eye(4), atol=1e-5)
    True
    """

    name = "orthogonal"
    family = "orthogonal"
    formula = "W W^T = gain^2 I or W^T W = gain^2 I"
    reference = "Saxe, McClelland and Ganguli 2013"
    draw_never_fails = True
    draws_blocks = True
    parameter_constraints = {"gain": real(above=0)}

    gain: float = 1.0

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Return why the spec cannot be filled, or None."""
        return spec.missing_matrix

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        """Return drawn values for a spec."""
        matrix = orthogonal_matrix(*spec.matrix_shape, generator, dtype, spec.count)
        return matrix.mul_(self.gain).reshape(spec.stacked_shape)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments:
        """Return the expected moments of the values for a spec."""
        return ExpectedMoments(self.gain**2 / max(spec.matrix_shape), singular_value=self.gain)


class DeltaOrthogonal(Initializer):
    """Set a convolution to an orthogonal matrix at the kernel's center, and zero elsewhere.

    The convolution then preserves the norm of its input, with circular padding exactly.

    Parameters
    ----------
    gain : float, default=1.0
        Factor on the matrix, above 0.
    even_center : {"after", "before"}, default="after"
        Which of the two middle positions is the center of a kernel of even size `k`: "after" is ``k // 2``, as in
        `Dirac`; "before" is ``(k - 1) // 2``, as in JAX and in torch's ``padding="same"``.

    Raises
    ------
    InvalidParameterError
        When used on a tensor that is not a convolution's kernel, or on one with fewer outputs than inputs.

    Notes
    -----
    Formula: ``W[:, :, k // 2, ...] = gain Q`` with ``Q^T Q = I`` from the Haar distribution (Xiao et al. 2018,
    section 2.3 and algorithm 2). To keep every input, each group needs at least as many outputs as inputs. JAX's
    ``delta_orthogonal`` has the same distribution with ``even_center="before"``, over all groups.

    Examples
    --------
    >>> from initsk.initializers import DeltaOrthogonal
    >>> w = DeltaOrthogonal().sample((4, 4, 3, 3), random_state=0)
    >>> round(w[:, :, 1, 1].det().abs().item(), 4), int((w != 0).sum())
    (1.0, 16)
    """

    name = "delta_orthogonal"
    family = "orthogonal"
    formula = "W[:, :, center] = gain Q, Q^T Q = I, else 0"
    reference = "Xiao et al. 2018, algorithm 2"
    parameter_constraints = {"gain": real(above=0), "even_center": one_of("even_center", ("after", "before"))}

    gain: float = 1.0
    even_center: str = "after"

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Return why the spec cannot be filled, or None."""
        fits = spec.kind == "convolution" and spec.shape[0] >= spec.shape[1]
        needs = f"needs a convolution with no fewer outputs than inputs, not shape {spec.shape}"
        return None if fits else f"{needs} (allowed: (out, in, *kernel) with out >= in; for other layers PerParameter)"

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        """Return drawn values for a spec."""
        values = torch.zeros(spec.shape, dtype=dtype)
        matrix = orthogonal_matrix(spec.shape[0], spec.shape[1], generator, dtype).mul_(self.gain)
        center_tap(values, before=self.even_center == "before").copy_(matrix)
        return values

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments | None:
        """Return the expected moments of the values for a spec."""
        if self.unsupported_reason(spec):
            return None
        # A fraction 1 / kernel size of the entries belongs to the matrix.
        return ExpectedMoments(self.gain**2 / spec.shape[0] * spec.shape[1] / spec.matrix_shape[1])


class ConvolutionAware(ZeroMeanDraw, Initializer):
    """Draw kernels that are orthogonal to each other in Fourier space within each unit, with He's variance.

    Parameters
    ----------
    scale : float, default=2.0
        The variance times fan_in, above 0; 2 is He's value, for ReLU.

    Raises
    ------
    InvalidParameterError
        When used on a vector, which has no fans, or with a parameter that is not allowed.

    Notes
    -----
    A convolution ``(out, in, *kernel)`` has `in` kernels of ``k = prod(kernel)`` values in each unit.

    Formula: for each unit, the kernels ``n k, ..., (n + 1) k - 1`` of every ``n = 0, 1, ...`` (the last block may be
    shorter) are orthogonal to each other, uniformly (Haar), and each has squared norm ``k scale / fan_in``. So
    their discrete Fourier transforms ``F`` over the kernel (``fftn``) are orthogonal:
    ``<F_a, F_b> = 0`` for ``a != b``, and ``<F_a, F_a> = k^2 scale / fan_in``. A block has at most `k`
    kernels because the spectra of real kernels have `k` dimensions. Kernels of different blocks and of different units
    are independent. The mean square over the whole weight is exactly ``scale / fan_in``
    (Aghajanyan 2017, with He's variance).

    The Fourier transform is unitary up to a factor. So orthogonal spectra and orthogonal kernels are equivalent, and
    the draw needs no transform. keras-contrib's ``ConvolutionAware`` draws orthogonal half spectra without imaginary
    parts, in blocks of their size: this makes its kernels symmetric, and it adds noise (``eps_std``) to break the
    symmetry. In two and three dimensions the inverse transform drops a part, so its kernels are only approximately
    orthogonal.

    Kernels of a single value (``k = 1``) are ``N(0, scale / fan_in)``, as in keras-contrib. All other
    weights are an orthogonal matrix whose entries have variance ``scale / fan_in``; keras-contrib does not scale
    this matrix.

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
    formula = "orthogonal kernels in each unit, Var(W) = scale / fan_in"
    reference = "Aghajanyan 2017"
    draw_never_fails = True
    parameter_constraints = {"scale": real(above=0)}

    scale: float = 2.0

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Return why the spec cannot be filled, or None."""
        return spec.missing_fans

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        """Return drawn values for a spec."""
        variance, distribution = self.variance_and_distribution(spec)
        size = prod(spec.shape[2:])
        if distribution == "orthogonal" or size == 1:
            return super().draw_values(spec, generator, dtype)
        return _orthonormal_rows(spec, generator, dtype).mul_(sqrt(variance * size)).reshape(spec.shape)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments | None:
        """Return the expected moments of the values for a spec."""
        if self.unsupported_reason(spec):
            return None
        variance, distribution = self.variance_and_distribution(spec)
        size = prod(spec.shape[2:])
        if distribution == "normal" and size > 1:
            return ExpectedMoments(variance, bound=sqrt(variance * size))
        return super().expected_moments(spec)

    def variance_and_distribution(self, spec: ParameterSpec) -> tuple[float, str]:
        """Return the variance, and the distribution of weights without kernels of several values."""
        has_kernels = len(spec.shape) > 2 and spec.kind == "convolution"
        return self.scale / spec.fan("fan_in"), "normal" if has_kernels else "orthogonal"


def _orthonormal_rows(spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
    """Draw ``(units, inputs, size)``; in each unit, every block of `size` rows is orthonormal."""
    units, inputs, size = *spec.shape[:2], prod(spec.shape[2:])
    per_block = min(inputs, size)
    if units * per_block == 0:
        return torch.zeros((units, inputs, size), dtype=dtype)
    blocks = -(-inputs // per_block)
    gaussian = draw_normal((units * blocks, size, per_block), 1.0, generator=generator, dtype=dtype)
    basis, triangle = torch.linalg.qr(gaussian)
    # The distribution is uniform only if the triangle has a positive diagonal (Mezzadri 2007, section 5).
    basis = basis * torch.sgn(triangle.diagonal(dim1=-2, dim2=-1)).unsqueeze(-2)
    return basis.mT.reshape(units, blocks * per_block, size)[:, :inputs].contiguous()
