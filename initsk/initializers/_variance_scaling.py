"""One law, named special cases as data: variance = scale / fan."""

from typing import ClassVar

import torch

from initsk.initializers._base import Initializer
from initsk.initializers._site import FAN_MODES, Site
from initsk.utils._validation import Constraint, one_of, real

DISTRIBUTIONS = ("normal", "uniform")


def draw_scaled(
    shape: tuple[int, ...], variance: float, distribution: str, generator: torch.Generator, dtype: torch.dtype
) -> torch.Tensor:
    """Draw zero-mean values of the given variance."""
    if distribution == "normal":
        return torch.randn(shape, generator=generator, dtype=dtype).mul_(variance**0.5)
    bound = (3.0 * variance) ** 0.5
    return torch.rand(shape, generator=generator, dtype=dtype).mul_(2 * bound).sub_(bound)


class VarianceScaling(Initializer):
    """Draw with a variance inversely proportional to a fan: the law behind Glorot, He and LeCun.

    Parameters
    ----------
    scale : float, default=1.0
        Numerator of the variance, above 0.
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}, default="fan_in"
        Which fan divides.
    distribution : {"normal", "uniform"}, default="normal"
        Shape of the distribution. "normal" is never truncated (Keras and JAX truncate
        theirs at two standard deviations under the same name).

    Notes
    -----
    Law: ``Var(W) = scale / fan``.

    Examples
    --------
    >>> from initsk.initializers import HeNormal, VarianceScaling
    >>> same = VarianceScaling(scale=2.0).sample((8, 4), random_state=0)
    >>> bool((same == HeNormal().sample((8, 4), random_state=0)).all())
    True
    """

    family = "variance scaling"
    law = "Var(W) = scale / fan"
    reference = "Glorot and Bengio 2010; He et al. 2015; LeCun et al. 1998"
    _constraints: ClassVar[dict[str, Constraint]] = {
        "scale": real(above=0),
        "mode": one_of("mode", FAN_MODES),
        "distribution": one_of("distribution", DISTRIBUTIONS),
    }

    def __init__(self, scale: float = 1.0, mode: str = "fan_in", distribution: str = "normal") -> None:
        self.scale = scale
        self.mode = mode
        self.distribution = distribution

    def _draw(self, site: Site, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        variance = self.scale / site.fan(self.mode, type(self).__name__)
        return draw_scaled(site.shape, variance, self.distribution, generator, dtype)


class _NamedScaling(Initializer):
    """A row of the table: a fixed scale and distribution, the fan's mode left open."""

    family = "variance scaling"
    scale: ClassVar[float]
    distribution: ClassVar[str] = "normal"
    _constraints: ClassVar[dict[str, Constraint]] = {"mode": one_of("mode", FAN_MODES)}
    mode: str

    def _draw(self, site: Site, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        variance = self.scale / site.fan(self.mode, type(self).__name__)
        return draw_scaled(site.shape, variance, self.distribution, generator, dtype)


class GlorotNormal(_NamedScaling):
    """Keep the variance of signal and gradient alike, for activations that are linear at zero.

    Also called Xavier. Meant for tanh and other activation functions with slope 1 at zero.

    Parameters
    ----------
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}, default="fan_avg"
        Which fan divides.

    Notes
    -----
    Law: ``W ~ N(0, 1 / fan_avg) = N(0, 2 / (fan_in + fan_out))``
    (Glorot and Bengio 2010, equation 12). torch's ``xavier_normal_`` is the same law;
    Keras' ``GlorotNormal`` truncates at two standard deviations.

    Examples
    --------
    >>> from initsk.initializers import GlorotNormal
    >>> round(GlorotNormal().sample((300, 500), random_state=0).var().item() * 400, 1)
    1.0
    """

    law = "W ~ N(0, 2 / (fan_in + fan_out))"
    reference = "Glorot and Bengio 2010, equation 12"
    scale = 1.0

    def __init__(self, mode: str = "fan_avg") -> None:
        self.mode = mode


class HeNormal(_NamedScaling):
    """Keep the mean square of the signal through ReLU layers.

    Also called Kaiming.

    Parameters
    ----------
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}, default="fan_in"
        "fan_in" keeps the forward signal, "fan_out" the gradient.

    Notes
    -----
    Law: ``W ~ N(0, 2 / fan_in)`` (He et al. 2015, equation 10). torch's
    ``kaiming_normal_(nonlinearity="relu")`` is the same law; Keras' ``HeNormal``
    truncates at two standard deviations.

    Examples
    --------
    >>> from initsk.initializers import HeNormal
    >>> HeNormal(mode="fan_out")
    HeNormal(mode='fan_out')
    """

    law = "W ~ N(0, 2 / fan_in)"
    reference = "He et al. 2015, equation 10"
    scale = 2.0

    def __init__(self, mode: str = "fan_in") -> None:
        self.mode = mode


class LeCunNormal(_NamedScaling):
    """Keep the variance of the forward signal for activations that are linear at zero.

    Parameters
    ----------
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}, default="fan_in"
        Which fan divides.

    Notes
    -----
    Law: ``W ~ N(0, 1 / fan_in)`` (LeCun et al. 1998, section 4.6, equation 16). SELU's
    fixed point assumes it (Klambauer et al. 2017). Keras' ``LecunNormal`` truncates at
    two standard deviations.

    Examples
    --------
    >>> from initsk.initializers import LeCunNormal
    >>> round(LeCunNormal().sample((300, 500), random_state=0).var().item() * 500, 1)
    1.0
    """

    law = "W ~ N(0, 1 / fan_in)"
    reference = "LeCun et al. 1998, equation 16"
    scale = 1.0

    def __init__(self, mode: str = "fan_in") -> None:
        self.mode = mode
