"""Initializers that are not random: constants, identities and Hadamard matrices."""

import torch

from initsk.initializers.core._answers import Choice, ExpectedMoments
from initsk.initializers.core._base import Initializer
from initsk.network import ParameterSpec
from initsk.utils.validation import boolean, integer, real


class _Filled(Initializer):
    """Base of initializers that fill with one number."""

    family = "constant"
    draw_never_fails = True
    draws_blocks = True
    value = 0.0

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        """Return drawn values for a spec."""
        return torch.full(spec.stacked_shape, self.value, dtype=dtype)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments:
        """Return the expected moments of the values for a spec."""
        return ExpectedMoments(0.0, mean=float(self.value), bound=0.0)


class Constant(_Filled):
    """Set every value to the same number.

    All units of a layer then compute the same values and receive the same gradient. Use it for biases, not for
    weights.

    Parameters
    ----------
    value : float, default=0.0
        The number.

    Notes
    -----
    Formula: ``W = value``. The same in every framework; the default is 0 in Keras, too; torch and
    JAX have no default.

    Examples
    --------
    >>> from initsk.initializers import Constant
    >>> Constant(0.5).sample((1, 2)).tolist()
    [[0.5, 0.5]]
    """

    name = "constant"
    formula = "W = value"
    reference = "torch.nn.init.constant_"
    parameter_constraints = {"value": real()}

    value: float = 0.0

    def special_case(self) -> Initializer:
        """Return `Zeros` or `Ones` for their values, or else this one."""
        return Zeros() if self.value == 0 else Ones() if self.value == 1 else self


class Zeros(_Filled):
    """Set every weight to zero.

    All units of a layer then compute the same values and receive the same gradient; with ReLU and zero biases no
    hidden weight changes. Use it for biases, not for weights.

    Notes
    -----
    Formula: ``W = 0`` (Rumelhart, Hinton and Williams 1986 explain the failure by symmetry). The same in torch,
    Keras and JAX.

    Examples
    --------
    >>> from initsk.initializers import Zeros
    >>> Zeros().sample((2, 3)).sum().item()
    0.0
    """

    name = "zeros"
    synonyms = ("zero",)
    formula = "W = 0"
    reference = "Rumelhart, Hinton and Williams 1986 (why it fails: symmetry)"
    value = 0.0


class Ones(_Filled):
    """Set every value to one.

    Use it for the scales of normalization layers, not for weights: all units of a layer would be equal.

    Notes
    -----
    Formula: ``W = 1``. The same in torch, Keras and JAX.

    Examples
    --------
    >>> from initsk.initializers import Ones
    >>> Ones().sample((2, 3)).sum().item()
    6.0
    """

    name = "ones"
    synonyms = ("one",)
    formula = "W = 1"
    reference = "torch.nn.init.ones_"
    value = 1.0


class Identity(Initializer):
    """Set a square matrix to the identity: at first, the layer returns its input.

    Parameters
    ----------
    gain : float, default=1.0
        Value on the diagonal.
    rectangular : bool, default=False
        Whether a matrix that is not square gets the value on its diagonal; otherwise the initializer raises,
        because inputs or outputs would be lost.

    Raises
    ------
    InvalidParameterError
        When used on a matrix that is not square, unless `rectangular`, or on a tensor that is not a matrix.

    Notes
    -----
    Formula: ``W = gain I``; used for recurrent ReLU networks (Le et al. 2015, section 2). torch's ``eye_`` and Keras'
    ``Identity`` are ``rectangular=True``. `Dirac` is the identity for convolutions.

    Examples
    --------
    >>> from initsk.initializers import Identity
    >>> Identity().sample((2, 2)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    name = "identity"
    synonyms = ("eye",)
    family = "constant"
    formula = "W = gain I"
    reference = "Le, Jaitly and Hinton 2015, section 2"
    parameter_constraints = {"gain": real(), "rectangular": boolean()}

    gain: float = 1.0
    rectangular: bool = False

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Return why the spec cannot be filled, or None."""
        fits = len(spec.shape) == 2 and (self.rectangular or spec.shape[0] == spec.shape[1])
        allowed = "(n, n), or rectangular=True; for convolutions 'dirac'"
        return None if fits else f"needs a square matrix, not a tensor of shape {spec.shape} (allowed: {allowed})"

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        """Return drawn values for a spec."""
        return torch.eye(*spec.shape, dtype=dtype).mul_(self.gain)


class Dirac(Initializer):
    """Set a convolution to the identity: in each group, output channel i is input channel i.

    Parameters
    ----------
    gain : float, default=1.0
        Value at the center of the kernel.
    groups : int, default=1
        Number of groups of outputs, each of which begins with input channel 0 again. The groups of a grouped
        convolution are separate in any case.

    Raises
    ------
    InvalidParameterError
        When used on a tensor that is not the kernel of a convolution.

    Notes
    -----
    Formula: ``W[i, i, k // 2, ...] = gain``, all other values zero (Zagoruyko and Komodakis 2017), for each group of
    the convolution. Surplus outputs are zero and surplus inputs unused, as in torch's ``dirac_(groups=...)``.
    ``"torch.dirac_"`` is torch's function with its default of one group over the whole weight, even for a grouped
    convolution.

    Examples
    --------
    >>> from initsk.initializers import Dirac
    >>> Dirac().sample((1, 2, 3)).tolist()
    [[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]]
    """

    name = "dirac"
    family = "constant"
    formula = "W[i, i, center] = gain, else 0"
    reference = "Zagoruyko and Komodakis 2017; torch.nn.init.dirac_"
    parameter_constraints = {"gain": real(), "groups": integer(1)}

    gain: float = 1.0
    groups: int = 1

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Return why the spec cannot be filled, or None."""
        needs = f"needs a convolution's kernel, not a tensor of shape {spec.shape}"
        allowed = "three to five dimensions; for matrices 'identity', for both PerParameter"
        if spec.kind != "convolution":
            return f"{needs} (allowed: {allowed})"
        divides = spec.shape[0] % self.groups == 0
        return None if divides else f"has groups={self.groups}, which does not divide shape[0]={spec.shape[0]}"

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        """Return drawn values for a spec."""
        values = torch.zeros(spec.shape, dtype=dtype)
        for group in values.chunk(self.groups):
            center_tap(group).fill_diagonal_(self.gain)
        return values


def center_tap(kernel: torch.Tensor, before: bool = False) -> torch.Tensor:
    """Return the view ``(out, in)`` of a kernel at its center: ``size // 2``, or with `before` ``(size - 1) // 2``."""
    for size in kernel.shape[:1:-1]:
        kernel = kernel[..., (size - before) // 2]
    return kernel


class ZerO(Initializer):
    """Set layers that keep or shrink the width to the identity, and layers that increase it to a Hadamard matrix.

    Every seed gives the same network. A convolution has the matrix at the center of its kernel and zeros elsewhere,
    in each group.

    Parameters
    ----------
    hadamard_gain : float, default=1.0
        Factor on orthonormal Hadamard matrices, above 0; ``2 ** 0.5`` is the constant in the paper.

    Raises
    ------
    InvalidParameterError
        When used on a tensor that is neither a matrix nor a convolution's kernel.

    Notes
    -----
    Formula, for a matrix ``(out, in)``: ``W = I`` with a one in each row if ``out <= in``, otherwise
    ``W = c H[:out, :in]``, where ``H`` is Sylvester's Hadamard matrix of size ``2^m``, ``m = ceil(log2(out))``,
    ``H[i, j] = (-1)^popcount(i & j)``, and ``c = hadamard_gain 2^(-m/2)`` (Zhao et al. 2022, algorithm 1; for
    convolutions algorithm 2, at ``k // 2``). If `out` is a power of two, all singular values are
    `hadamard_gain`; otherwise the squared norm of each column is ``out / 2^m``.

    The paper's algorithms have ``c = 2^(-(m-1)/2)``. This initializer follows the authors' code, which has
    ``2^(-m/2)``, so that ``c H`` is orthogonal. For residual networks their code also zeroes the last layers of the
    branches, the first convolution and the classifier, and adds fixed Hadamard transforms to the shortcuts, which
    changes the network. Biases are zero. The algorithms do not cover embeddings, bilinear and normalization layers;
    they stay unchanged.

    The rows of ``H[:out, :in]`` repeat; the period is the smallest power of two that is at least `in`. Training
    separates such units through their outgoing weights, unless the next layer is a partial identity that ignores them:
    then a layer that is much wider than both of its neighbors keeps identical units.

    Examples
    --------
    >>> from initsk.initializers import ZerO
    >>> ZerO().sample((2, 3)).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    >>> ZerO().sample((4, 2)).tolist()
    [[0.5, 0.5], [0.5, -0.5], [0.5, 0.5], [0.5, -0.5]]
    """

    name = "zero_hadamard"
    synonyms = ("zer_o",)
    family = "structured"
    formula = "W = I if out <= in, else 2^(-m/2) H[:out, :in], m = ceil(log2(out))"
    reference = "Zhao, Schaefer and Anandkumar 2022, algorithms 1 and 2"
    draw_never_fails = True
    parameter_constraints = {"hadamard_gain": real(above=0)}

    hadamard_gain: float = 1.0

    def choose(self, spec: ParameterSpec) -> Choice | None:
        """Return this initializer, or None for embeddings and bilinear layers, which the paper does not cover."""
        return None if spec.kind in ("embedding", "bilinear") else super().choose(spec)

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Return why the spec cannot be filled, or None."""
        needs = f"needs a matrix or a convolution's kernel, not a tensor of shape {spec.shape}"
        fits = len(spec.shape) >= 2 and spec.kind != "bilinear"
        return None if fits else f"{needs} (allowed: (out, in) or (out, in, *kernel))"

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        """Return drawn values for a spec."""
        rows, columns = spec.shape[:2]
        values = torch.zeros(spec.shape, dtype=dtype)
        if rows <= columns:
            center_tap(values).fill_diagonal_(1)
        else:
            gain = self.hadamard_gain * 2 ** (-(rows - 1).bit_length() / 2)
            center_tap(values).copy_(hadamard_corner(rows, columns, dtype).mul_(gain))
        return values


def hadamard_corner(rows: int, columns: int, dtype: torch.dtype) -> torch.Tensor:
    """Return the upper left corner of Sylvester's Hadamard matrix, with entries 1 and -1.

    Examples
    --------
    >>> hadamard_corner(4, 3, torch.int8).tolist()
    [[1, 1, 1], [1, -1, 1], [1, 1, -1], [1, -1, -1]]
    """
    corner = torch.ones((rows, columns), dtype=dtype)
    size = 1
    # H_2n = [[H_n, H_n], [H_n, -H_n]], cut to the corner at each step.
    while size < max(rows, columns):
        known = corner[:size, :size]
        below, right = known[: max(rows - size, 0)], known[:, : max(columns - size, 0)]
        corner[size : 2 * size, :size] = below
        corner[:size, size : 2 * size] = right
        corner[size : 2 * size, size : 2 * size] = -below[:, : right.shape[1]]
        size *= 2
    return corner
