"""Specs of tensors to fill: shape, fans, and the layer's place in the network."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from numbers import Integral
from typing import Any

from initsk.exceptions import InvalidParameterError
from initsk.network._signal_uses import UNKNOWN_USE, SignalUse

FAN_MODES = ("fan_in", "fan_out", "fan_avg", "fan_geo_avg")
FRAMEWORK_LAYOUTS = ("torch", "keras", "jax")


@dataclass(frozen=True)
class Branch:
    """A layer's place in a residual branch.

    Parameters
    ----------
    n_branches : int
        Number of residual branches in the network.
    depth : int
        Number of consecutive layers with weights on this branch.
    position : int
        Position of this layer among them, from 1; a normalization has the position of the layer before it.
    normalized : bool
        Whether a normalization follows on the branch before the next layer with weights.
    block : {"", "pre-norm", "post-norm"}
        "pre-norm" if the branch begins with a normalization; "post-norm" if a normalization follows its addition, and
        the next or the previous shortcut starts from such a normalization.

    Examples
    --------
    >>> Branch(n_branches=16, depth=2, position=2).is_last
    True
    """

    n_branches: int
    depth: int
    position: int
    normalized: bool = False
    block: str = ""

    @property
    def is_last(self) -> bool:
        """Whether this is the last layer with weights on the branch."""
        return self.position == self.depth

    @property
    def adds_up(self) -> bool:
        """Whether the layer's output is added, without normalization, to the outputs of other branches."""
        return self.is_last and self.n_branches > 1 and not self.normalized


@dataclass(frozen=True)
class ParameterSpec:
    """A tensor to fill, with the properties that an initializer may use.

    Parameters
    ----------
    shape : tuple of int
        Shape of the tensor, ``(out, in, *kernel)`` for the weight of a linear map. Where a layer stacks several groups,
        gates or projections, the shape of one.
    fan_in, fan_out : int or None
        Inputs that a unit sums over, and units that an input feeds; None if the tensor has no fans. A bias has the fans
        of its layer's weight.
    role : {"weight", "bias"}
        Role of the tensor in its layer.
    kind : {"dense", "bilinear", "convolution", "embedding", "recurrent", "attention", "normalization", "other"}
        Kind of the layer.
    weight_shape : tuple of int
        Shape of the layer's whole weight as torch stores it.
    name : str
        Full name of the parameter, ``"hidden_1.weight"``.
    layer : type or None
        Class of the module that owns the tensor.
    block : str
        Name of the block in a stacked parameter: a gate ("i", "f", "g", "o"; "r", "z", "n") or a
        projection ("q", "k", "v", "o"); empty for other parameters.
    groups : int
        Number of groups of a convolution.
    count : int
        Number of equal blocks that the tensor stacks; each is drawn as a matrix of its own.
    transposed : bool
        Whether the convolution is a transposed one.
    activation : callable, str or None
        The activation function that follows the layer, if any is known.
    place : {"input", "hidden", "output", ""}
        Place of the layer in the network; empty if the architecture was not read.
    branch : Branch or None
        Place of the layer in a residual branch.
    stack : tuple of str and int, or None
        ``("encoder", n_layers)`` or ``("decoder", n_layers)`` in a transformer, ``("embedding", n_layers)`` for
        the embeddings before it.
    depth : int
        Number of layers with weights on the shortest path through the network; 0 if the architecture was not read.
    use : SignalUse
        How the layer's input was made, and what its output does.
    guessed : bool
        Whether activation and place follow from the order of registration, since the forward pass could not be
        read.
    framework : {"", "torch", "keras", "jax"}
        The framework whose layout and fans `as_stored` gave the spec; empty for other specs.

    Examples
    --------
    >>> spec = ParameterSpec((8, 4, 3), fan_in=12, fan_out=24, kind="convolution")
    >>> spec.fan("fan_avg"), spec.matrix_shape
    (18.0, (8, 12))
    """

    shape: tuple[int, ...]
    fan_in: int | None = None
    fan_out: int | None = None
    role: str = "weight"
    kind: str = "dense"
    weight_shape: tuple[int, ...] = ()
    name: str = ""
    layer: type | None = None
    block: str = ""
    count: int = 1
    groups: int = 1
    transposed: bool = False
    activation: Any = None
    place: str = ""
    branch: Branch | None = None
    stack: tuple[str, int] | None = None
    depth: int = 0
    use: SignalUse = UNKNOWN_USE
    guessed: bool = False
    framework: str = ""

    @classmethod
    def from_shape(cls, shape: tuple[int, ...]) -> "ParameterSpec":
        """Return the spec of a shape in torch's convention ``(out, in, *kernel)``.

        Examples
        --------
        >>> spec = ParameterSpec.from_shape((16, 3, 5, 5))
        >>> spec.fan_in, spec.fan_out
        (75, 400)
        """
        if not isinstance(shape, tuple | list) or not all(isinstance(n, Integral) and n >= 0 for n in shape):
            raise InvalidParameterError(f"shape={shape!r} is not allowed (a tuple of integers >= 0)")
        shape = tuple(int(size) for size in shape)
        if len(shape) < 2:
            return cls(shape, weight_shape=shape)
        receptive = prod(shape[2:])
        kind = "dense" if len(shape) == 2 else "convolution"
        return cls(shape, shape[1] * receptive, shape[0] * receptive, kind=kind, weight_shape=shape)

    @property
    def layer_name(self) -> str:
        """Name of the module that owns the parameter."""
        return self.name.rpartition(".")[0]

    @property
    def short_name(self) -> str:
        """Name of the parameter within its layer."""
        return self.name.rpartition(".")[2]

    @property
    def stacked_shape(self) -> tuple[int, ...]:
        """Shape of the drawn values: `shape`, after an axis of the blocks if there are several.

        Examples
        --------
        >>> ParameterSpec((2, 1, 3, 3)).stacked_shape, ParameterSpec((2, 1, 3, 3), count=8).stacked_shape
        ((2, 1, 3, 3), (8, 2, 1, 3, 3))
        """
        return self.shape if self.count == 1 else (self.count, *self.shape)

    @property
    def matrix_shape(self) -> tuple[int, int]:
        """Rows and columns of the weight flattened to ``(out, in * kernel)``."""
        return self.shape[0], prod(self.shape[1:])

    def fan(self, mode: str) -> float:
        """Return the fan under `mode`, at least 1."""
        fan_in, fan_out = self.fan_in, self.fan_out
        if fan_in is None or fan_out is None:
            raise InvalidParameterError(f"a tensor of shape {self.shape} has no fans")
        fans = fan_in, fan_out, (fan_in + fan_out) / 2, (fan_in * fan_out) ** 0.5
        return max(float(dict(zip(FAN_MODES, fans, strict=True))[mode]), 1.0)

    @property
    def n_hidden(self) -> int:
        """Number of layers before the output on the shortest path; 0 if the architecture was not read."""
        return max(self.depth - 1, 0)

    @property
    def is_known(self) -> bool:
        """Whether initializers fill the layer's weights and biases by default."""
        return self.kind not in ("normalization", "other")

    @property
    def missing_fans(self) -> str | None:
        """Why the spec has no fans, or None."""
        if self.fan_in is not None and self.fan_out is not None:
            return None
        problem = f"needs fan_in and fan_out, which a tensor of shape {self.shape} does not have"
        return f"{problem} (allowed: two or more dimensions)"

    @property
    def missing_matrix(self) -> str | None:
        """Why the spec is not a matrix, or None."""
        if len(self.shape) >= 2:
            return None
        return f"needs a matrix, not a tensor of shape {self.shape} (allowed: two or more dimensions)"

    def as_stored(self, framework: str) -> "ParameterSpec":
        """Return the spec of the whole tensor that a framework stores, with the framework's fans.

        Examples
        --------
        >>> layer = {"kind": "convolution", "weight_shape": (8, 1, 3, 3), "groups": 8}
        >>> depthwise = ParameterSpec((1, 1, 3, 3), 9, 9, count=8, **layer)
        >>> [(spec.fan_in, spec.fan_out) for spec in map(depthwise.as_stored, FRAMEWORK_LAYOUTS)]
        [(9, 72), (72, 9), (9, 72)]
        """
        stored = self.weight_shape
        apart = {"torch": (), "keras": ("attention",), "jax": ("attention", "recurrent")}[framework]
        flax_counts_right = framework == "jax" and self.transposed and self.groups == 1
        if self.framework or self.role != "weight" or len(stored) < 2 or self.kind in apart or flax_counts_right:
            return self
        if self.kind == "dense" and self.count > 1 and len(stored) > 2:
            # An axis that counts the matrices of experts counts no units.
            return self
        (outputs, inputs), receptive = stored[:2], prod(stored[2:])
        if self.kind == "embedding" and framework != "torch":
            return replace(self, fan_in=outputs, fan_out=inputs, framework=framework)
        whole = replace(self, block="", groups=1, count=1, transposed=False, framework=framework)
        if framework == "keras" and self.groups > 1 and inputs == 1:
            # Keras stores (*kernel, in, multiplier); after the transposition the multiplier's axis is first.
            outputs, inputs = outputs // self.groups, self.groups
            whole, stored = replace(whole, transposed=True), (outputs, inputs, *stored[2:])
        return replace(whole, shape=stored, fan_in=inputs * receptive, fan_out=outputs * receptive)


def convolution_spec(
    shape: tuple[int, ...], groups: int = 1, stride: int | Sequence[int] = 1, transposed: bool = False
) -> ParameterSpec:
    r"""Return the spec of one group of a convolution.

    Parameters
    ----------
    shape : tuple of int
        Shape of the weight as torch stores it.
    groups : int, default=1
        Number of groups.
    stride : int or sequence of int, default=1
        Step of the kernel along each axis.
    transposed : bool, default=False
        Whether the convolution is a transposed one.

    Returns
    -------
    ParameterSpec

    Notes
    -----
    Fans count what is summed, on average over the positions: a unit of a convolution with a kernel of :math:`k`
    positions sums over :math:`n_{in} k` values, and a value feeds :math:`n_{out} k / s` units, where :math:`s` is the
    product of the strides. For a transposed convolution they are :math:`n_{in} k / s` and :math:`n_{out} k`.

    Examples
    --------
    >>> spec = convolution_spec((8, 4, 4, 4), stride=2, transposed=True)
    >>> spec.shape, spec.fan_in, spec.fan_out
    ((4, 8, 4, 4), 32, 64)
    """
    first, second, *kernel = shape
    n_out, n_in = (second, first // groups) if transposed else (first // groups, second)
    taps = prod(kernel)
    strides = [stride] * len(kernel) if isinstance(stride, int) else stride
    reached = max(1, round(taps / prod(strides) * (n_in if transposed else n_out)))
    fans = (reached, n_out * taps) if transposed else (n_in * taps, reached)
    return ParameterSpec(
        (n_out, n_in, *kernel), *fans, kind="convolution", weight_shape=shape, groups=groups, count=groups,
        transposed=transposed,
    )  # fmt: skip
