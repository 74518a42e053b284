"""Initializers without chance: constants and identities."""

from typing import ClassVar

import torch

from initsk.initializers.core._base import Choice, ExpectedMoments, Initializer
from initsk.network import ParameterSpec
from initsk.utils.validation import Constraint, boolean, real


class _Filled(Initializer):
    """One number everywhere."""

    family = "constant"
    draw_never_fails = True
    value: float

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        return torch.full(spec.shape, self.value, dtype=dtype)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments:
        """Say what the values for `spec` will be like."""
        return ExpectedMoments(0.0, mean=float(self.value), bound=0.0)


class Constant(_Filled):
    """Set every value to the same number.

    All units of a layer then compute the same and receive the same gradient. Right for
    biases, wrong for weights.

    Parameters
    ----------
    value : float, default=0.0
        The number.

    Notes
    -----
    Law: ``W = value``. The same in every framework; Keras has 0 as its default too, torch and
    JAX have none.

    Examples
    --------
    >>> from initsk.initializers import Constant
    >>> Constant(0.5).sample((1, 2)).tolist()
    [[0.5, 0.5]]
    """

    name = "constant"
    formula = "W = value"
    reference = "torch.nn.init.constant_"
    parameter_constraints: ClassVar[dict[str, Constraint]] = {"value": real()}

    def __init__(self, value: float = 0.0) -> None:
        self.value = value


class Zeros(_Filled):
    """Set every weight to zero.

    All units of a layer then compute the same and receive the same gradient; with
    ReLU and zero biases no hidden weight ever moves. Right for biases, wrong for weights.

    Notes
    -----
    Law: ``W = 0`` (why it fails: Rumelhart, Hinton and Williams 1986, on breaking the symmetry). The same in torch,
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

    Right for the scales of normalisation layers, wrong for weights, whose units it makes equal.

    Notes
    -----
    Law: ``W = 1``. The same in torch, Keras and JAX.

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
    """Set a square matrix to the identity: the layer begins by passing its input on.

    Parameters
    ----------
    gain : float, default=1.0
        Value on the diagonal.
    rectangular : bool, default=False
        Whether a matrix that is not square gets ones on its diagonal; otherwise it is refused,
        because inputs or outputs are lost.

    Raises
    ------
    InvalidParameterError
        When used on a matrix that is not square, unless `rectangular`, or on anything that is no matrix.

    Notes
    -----
    Law: ``W = gain I``; used for recurrent ReLU networks (Le et al. 2015, section 2). torch's ``eye_`` and Keras'
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
    parameter_constraints: ClassVar[dict[str, Constraint]] = {"gain": real(), "rectangular": boolean()}

    def __init__(self, gain: float = 1.0, rectangular: bool = False) -> None:
        self.gain = gain
        self.rectangular = rectangular

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Say what the initializer needs and `spec` does not have."""
        if len(spec.shape) == 2 and (self.rectangular or spec.shape[0] == spec.shape[1]):
            return None
        return (
            f"needs a square matrix, not a tensor of shape {spec.shape}"
            " (allowed: (n, n), or rectangular=True; for convolutions 'dirac')"
        )

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        return torch.eye(*spec.shape, dtype=dtype).mul_(self.gain)


class Dirac(Initializer):
    """Set a convolution to the identity: channel i passes to channel i, group by group.

    Parameters
    ----------
    gain : float, default=1.0
        Value at the centre of the kernel.

    Raises
    ------
    InvalidParameterError
        When used on anything but the kernel of a convolution.

    Notes
    -----
    Law: ``W[i, i, k // 2, ...] = gain``, everything else zero (Zagoruyko and Komodakis 2017); the groups
    are those of the convolution. Surplus outputs are zero and surplus inputs unused, as with torch's
    ``dirac_(groups=...)``; with its default of one group, whatever the layer has, it is ``"torch.dirac_"``.

    Examples
    --------
    >>> from initsk.initializers import Dirac
    >>> Dirac().sample((1, 2, 3)).tolist()
    [[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]]
    """

    name = "dirac"
    family = "constant"
    formula = "W[i, i, centre] = gain, else 0"
    reference = "Zagoruyko and Komodakis 2017; torch.nn.init.dirac_"
    parameter_constraints: ClassVar[dict[str, Constraint]] = {"gain": real()}

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Say what the initializer needs and `spec` does not have."""
        if spec.kind == "convolution":
            return None
        return (
            f"needs a convolution's kernel, not a tensor of shape {spec.shape}"
            " (allowed: three to five dimensions; for matrices 'identity', for both PerParameter)"
        )

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        values = torch.zeros(spec.shape, dtype=dtype)
        centre_tap(values).fill_diagonal_(self.gain)
        return values


def centre_tap(kernel: torch.Tensor, before: bool = False) -> torch.Tensor:
    """Return the view ``(out, in)`` of a kernel's centre, at ``size // 2`` or ``(size - 1) // 2``."""
    for size in kernel.shape[:1:-1]:
        kernel = kernel[..., (size - before) // 2]
    return kernel


class ZerO(Initializer):
    """Set layers that keep or shrink the width to the identity, and those that widen it to a Hadamard matrix.

    Nothing is random: every seed gives the same network. A convolution has the matrix at its kernel's
    centre and zeros elsewhere, group by group.

    Parameters
    ----------
    hadamard_gain : float, default=1.0
        Factor on the Hadamard matrices over their orthonormal scale, above 0; ``2 ** 0.5`` is the constant
        that the paper prints.

    Raises
    ------
    InvalidParameterError
        When used on anything but a matrix or a convolution's kernel.

    Notes
    -----
    Law, with ``(out, in)`` the matrix: ``W = I`` with as many ones as there are rows if ``out <= in``, otherwise
    ``W = c H[:out, :in]``, where ``H`` is Sylvester's Hadamard matrix of size ``2^m``, ``m = ceil(log2(out))``,
    ``H[i, j] = (-1)^popcount(i & j)``, and ``c = hadamard_gain 2^(-m/2)`` (Zhao et al. 2022, algorithm 1; for
    convolutions algorithm 2, at ``k // 2``). If `out` is a power of two, all singular values are
    `hadamard_gain`; otherwise the squared norm of each column is ``out / 2^m``.

    The paper's algorithms print ``c = 2^(-(m-1)/2)``; the authors' code, followed here, has ``2^(-m/2)``, which makes
    ``c H`` orthogonal. For residual networks their code further zeroes the last layers of the branches, the first
    convolution and the classifier, and adds fixed Hadamard transforms to the skips, which is a change of the network.
    Biases are zero; embeddings, bilinear and normalisation layers, of which the algorithms do not speak, are left.

    The rows of ``H[:out, :in]`` repeat, with a period of the next power of two from `in` on. Such units are told
    apart by their outgoing weights, unless the next layer is a partial identity that ignores them all: a layer
    much wider than both of its neighbours then keeps copies.

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
    parameter_constraints: ClassVar[dict[str, Constraint]] = {"hadamard_gain": real(above=0)}

    def __init__(self, hadamard_gain: float = 1.0) -> None:
        self.hadamard_gain = hadamard_gain

    def choose(self, spec: ParameterSpec) -> Choice | None:
        """Leave embeddings and bilinear layers, which are neither a matrix on vectors nor a convolution."""
        return None if spec.kind in ("embedding", "bilinear") else super().choose(spec)

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Say what the initializer needs and `spec` does not have."""
        if len(spec.shape) >= 2 and spec.kind != "bilinear":
            return None
        return (
            f"needs a matrix or a convolution's kernel, not a tensor of shape {spec.shape}"
            " (allowed: (out, in) or (out, in, *kernel))"
        )

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        values = torch.zeros(spec.shape, dtype=dtype)
        rows, columns = spec.shape[:2]
        centre_tap(values).copy_(self._matrix(rows, columns, dtype))
        return values

    def _matrix(self, rows: int, columns: int, dtype: torch.dtype) -> torch.Tensor:
        if rows <= columns:
            return torch.eye(rows, columns, dtype=dtype)
        exponent = (rows - 1).bit_length()
        return hadamard_corner(rows, columns, dtype).mul_(self.hadamard_gain * 2 ** (-exponent / 2))


def hadamard_corner(rows: int, columns: int, dtype: torch.dtype) -> torch.Tensor:
    """Return the upper left corner of a Sylvester Hadamard matrix, of signs.

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
