"""Where a draw lands: shape, fans and the kind of layer."""

from dataclasses import dataclass, field
from math import prod
from numbers import Integral

from initsk.exceptions import InvalidParameterError


@dataclass(frozen=True)
class Site:
    """One tensor to fill: what an initializer may know of it.

    Parameters
    ----------
    shape : tuple of int
        Shape of the tensor.
    fan_in, fan_out : int or None
        Inputs that a unit sums over, and units that an input feeds; None where the
        notion does not apply. A bias carries the fans of its layer's weight.
    role : {"weight", "bias"}
        What the tensor is to its layer.
    kind : {"dense", "convolution", "embedding", "recurrent", "attention"}
        Which sort of layer owns it.
    weight_shape : tuple of int
        Shape of the layer's weight; equal to `shape` for the weight itself.
    """

    shape: tuple[int, ...]
    fan_in: int | None = None
    fan_out: int | None = None
    role: str = "weight"
    kind: str = "dense"
    weight_shape: tuple[int, ...] = field(default=())

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

    def fan(self, mode: str, owner: str) -> float:
        """Return the fan under `mode`, or say why there is none."""
        if self.fan_in is None or self.fan_out is None:
            raise InvalidParameterError(
                f"{owner} needs fan_in and fan_out, which a tensor of shape {self.shape} does not have"
                " (allowed: two or more dimensions)"
            )
        fans = {
            "fan_in": float(self.fan_in),
            "fan_out": float(self.fan_out),
            "fan_avg": (self.fan_in + self.fan_out) / 2,
            "fan_geo_avg": (self.fan_in * self.fan_out) ** 0.5,
        }
        return max(fans[mode], 1.0)


FAN_MODES = ("fan_in", "fan_out", "fan_avg", "fan_geo_avg")
