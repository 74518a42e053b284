"""One law, named special cases as data: variance = scale * gain^2 / fan."""

from math import sqrt
from typing import ClassVar

import torch

from initsk.initializers._base import Initializer, Promise
from initsk.initializers._draws import DISTRIBUTIONS, bound_of, draw_scaled
from initsk.initializers._site import FAN_MODES, Site
from initsk.theory import ActivationLike, gain
from initsk.utils._validation import Constraint, one_of, optional, real, resolved_by


class Scaling(Initializer):
    """The law; a subclass says its scale, mode, distribution, and whose gain it makes up for."""

    family = "variance scaling"
    scale: float = 1.0
    mode: str = "fan_in"
    distribution: str = "normal"
    nonlinearity: ActivationLike | None = None
    _draws_surely = True

    def refuses(self, site: Site) -> str | None:
        """Say what the initializer needs and `site` does not have."""
        return site.lacks_fans

    def variance(self, site: Site) -> float:
        """Return the variance of the values for `site`."""
        scale = self.scale if self.nonlinearity is None else self.scale * gain(self.nonlinearity) ** 2
        return scale / site.fan(self.mode)

    def _draw(self, site: Site, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        return draw_scaled(site.shape, self.variance(site), self.distribution, generator, dtype)

    def promise(self, site: Site) -> Promise:
        """Say what the values for `site` will be like."""
        return promise_of(site, self.variance(site), self.distribution)


def promise_of(site: Site, variance: float, distribution: str) -> Promise:
    """Say what `draw_scaled` gives for `site`."""
    if distribution == "orthogonal":
        return Promise(variance, singular_value=sqrt(variance * max(site.matrix_shape)))
    return Promise(variance, bound=bound_of(variance, distribution))


class VarianceScaling(Scaling):
    """Draw with a variance inversely proportional to a fan: the law behind Glorot, He and LeCun.

    Parameters
    ----------
    scale : float, default=1.0
        Factor on the variance, above 0.
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}, default="fan_in"
        Which fan divides.
    distribution : {"normal", "truncated_normal", "uniform", "orthogonal"}, default="normal"
        Shape of the distribution. "normal" is never truncated (Keras truncates under that name);
        "truncated_normal" is cut at two standard deviations and corrected, so that the variance
        is exact; "orthogonal" is a random orthogonal matrix whose entries have that variance.
    nonlinearity : str, callable or None, default=None
        The activation function that the layer feeds; its gain (`initsk.theory.gain`) multiplies the
        standard deviation. A name of torch's, or any function of an array.

    Raises
    ------
    InvalidParameterError
        When used on a vector, which has no fans, or with a parameter that is not allowed.

    Notes
    -----
    Law: ``Var(W) = scale * gain(nonlinearity)^2 / fan`` (Glorot and Bengio 2010; He et al. 2015, equation 9 for the
    factor; LeCun et al. 1998, section 4.6). torch has it as ``kaiming_normal_`` and ``kaiming_uniform_`` with a gain by
    name, Keras and JAX as ``VarianceScaling`` with `scale`, `mode` and `distribution`, without the activation function;
    their names resolve to `AsStored`. Of complex values each part has half of the variance, and is truncated by itself;
    JAX cuts the modulus.

    Examples
    --------
    >>> from initsk.initializers import HeNormal, VarianceScaling
    >>> same = VarianceScaling(scale=2.0).sample((8, 4), random_state=0)
    >>> bool((same == HeNormal().sample((8, 4), random_state=0)).all())
    True
    >>> round(VarianceScaling(nonlinearity="gelu").sample((500, 400), random_state=0).var().item() * 400, 1)
    2.4
    """

    name = "variance_scaling"
    law = "Var(W) = scale gain^2 / fan"
    reference = "Glorot and Bengio 2010; He et al. 2015; LeCun et al. 1998"
    _constraints: ClassVar[dict[str, Constraint]] = {
        "scale": real(above=0),
        "mode": one_of("mode", FAN_MODES),
        "distribution": one_of("distribution", DISTRIBUTIONS),
        "nonlinearity": optional(resolved_by(gain)),
    }

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "normal",
        nonlinearity: ActivationLike | None = None,
    ) -> None:
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.nonlinearity = nonlinearity
