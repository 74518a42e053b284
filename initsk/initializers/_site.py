"""Where a draw lands: shape, fans, and the layer's place in the network."""

from dataclasses import dataclass
from math import prod
from numbers import Integral
from typing import Any

from initsk.exceptions import InvalidParameterError

FAN_MODES = ("fan_in", "fan_out", "fan_avg", "fan_geo_avg")
#: "layer" counts connections; the others count as that framework does from the shape that it stores.
FAN_CONVENTIONS = ("layer", "torch", "keras", "jax")


@dataclass(frozen=True)
class Branch:
    """A layer's place in a residual branch.

    Parameters
    ----------
    n_branches : int
        Residual branches in the network.
    depth : int
        Weight layers in sequence on this branch.
    position : int
        Which of them this is, from 1; a normalisation has the position of the layer before it.
    normalised : bool
        Whether a normalisation follows on the branch, before the next weight layer.
    """

    n_branches: int
    depth: int
    position: int
    normalised: bool = False

    @property
    def is_last(self) -> bool:
        """Whether nothing with weights follows on the branch."""
        return self.position == self.depth


@dataclass(frozen=True)
class Site:
    """One tensor to fill: what an initializer may know of it.

    Parameters
    ----------
    shape : tuple of int
        Shape of the tensor, ``(out, in, *kernel)`` for the weight of a linear map; one group,
        gate or projection where a layer stacks several.
    fan_in, fan_out : int or None
        Inputs that a unit sums over, and units that an input feeds; None where the
        notion does not apply. A bias carries the fans of its layer's weight.
    role : {"weight", "bias"}
        What the tensor is to its layer.
    kind : {"dense", "convolution", "embedding", "recurrent", "attention", "normalisation", "other"}
        Which sort of layer owns it.
    weight_shape : tuple of int
        Shape of the layer's whole weight as torch stores it.
    name : str
        Full name of the parameter, ``"hidden_1.weight"``.
    layer : type or None
        Class of the module that owns it.
    block : str
        Which of several stacked matrices: a gate ("i", "f", "g", "o"; "r", "z", "n"), a
        projection ("q", "k", "v"), a group's number; else empty.
    groups : int
        Groups of a convolution.
    transposed : bool
        Whether the convolution is a transposed one.
    activation : callable, str or None
        The activation function that follows the layer, if any is known.
    place : {"input", "hidden", "output", ""}
        Where the layer sits; empty if nobody has looked.
    branch : Branch or None
        Its place in a residual branch.
    stack : tuple of str and int, or None
        ``("encoder", n_layers)`` or ``("decoder", n_layers)`` inside of a transformer.
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
    groups: int = 1
    transposed: bool = False
    activation: Any = None
    place: str = ""
    branch: Branch | None = None
    stack: tuple[str, int] | None = None

    @classmethod
    def from_shape(cls, shape: tuple[int, ...]) -> "Site":
        """Read a bare shape by torch's convention ``(out, in, *kernel)``.

        Examples
        --------
        >>> site = Site.from_shape((16, 3, 5, 5))
        >>> site.fan_in, site.fan_out
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
    def matrix_shape(self) -> tuple[int, int]:
        """Rows and columns of the weight flattened to ``(out, in * kernel)``."""
        return self.shape[0], prod(self.shape[1:])

    def fan(self, mode: str, convention: str = "layer") -> float:
        """Return the fan under `mode`, at least 1."""
        fans = self.fans(convention)
        if fans is None:
            raise InvalidParameterError(f"a tensor of shape {self.shape} has no fans")
        fan_in, fan_out = fans
        modes = {
            "fan_in": float(fan_in),
            "fan_out": float(fan_out),
            "fan_avg": (fan_in + fan_out) / 2,
            "fan_geo_avg": (fan_in * fan_out) ** 0.5,
        }
        return max(modes[mode], 1.0)

    @property
    def is_known(self) -> bool:
        """Whether the layer is one whose weights and biases are set without being asked for by name."""
        return self.kind not in ("normalisation", "other")

    @property
    def lacks_fans(self) -> str | None:
        """What an initializer whose law needs fans has against the site."""
        if self.fan_in is not None and self.fan_out is not None:
            return None
        return (
            f"needs fan_in and fan_out, which a tensor of shape {self.shape} does not have"
            " (allowed: two or more dimensions)"
        )

    @property
    def lacks_matrix(self) -> str | None:
        """What an initializer that draws matrices has against the site."""
        if len(self.shape) >= 2:
            return None
        return f"needs a matrix, not a tensor of shape {self.shape} (allowed: two or more dimensions)"

    def fans(self, convention: str = "layer") -> tuple[int, int] | None:
        """Return fan_in and fan_out as a framework counts them.

        Examples
        --------
        >>> depthwise = Site((1, 1, 3, 3), 9, 9, kind="convolution", weight_shape=(8, 1, 3, 3), groups=8)
        >>> [depthwise.fans(convention) for convention in FAN_CONVENTIONS]
        [(9, 9), (9, 72), (72, 9), (9, 72)]
        """
        if self.fan_in is None or self.fan_out is None:
            return None
        stored = self.weight_shape
        if convention == "layer" or len(stored) < 2:
            return self.fan_in, self.fan_out
        receptive = prod(stored[2:])
        fan_in, fan_out = stored[1] * receptive, stored[0] * receptive
        if convention == "keras" and self.groups > 1 and stored[1] == 1:
            # A depthwise kernel is stored as (*kernel, in, multiplier).
            return self.groups * receptive, stored[0] // self.groups * receptive
        if (convention == "keras" and self.kind == "embedding") or (convention == "jax" and self.transposed):
            return fan_out, fan_in
        if convention == "jax" and self.kind == "embedding":
            return stored[1], stored[0]
        return fan_in, fan_out
