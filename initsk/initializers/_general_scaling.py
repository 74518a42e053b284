"""Variance scaling in general: scale * gain^2 / fan."""

from math import isclose

from initsk.initializers._variance_scaling import NAMED, Scaling
from initsk.initializers.core._base import Initializer
from initsk.initializers.core._draws import DISTRIBUTIONS
from initsk.network import FAN_MODES, ParameterSpec
from initsk.theory import ActivationLike, gain
from initsk.utils.validation import one_of, optional, real, resolved_by

# A gain that is integrated numerically equals a number only up to rounding.
_ROUNDING = 1e-9


class VarianceScaling(Scaling):
    """Draw with a variance inversely proportional to a fan: the formula behind Glorot, He and LeCun.

    Parameters
    ----------
    scale : float, default=1.0
        Factor on the variance, above 0.
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}, default="fan_in"
        The fan that divides the variance.
    distribution : {"normal", "truncated_normal", "uniform", "orthogonal"}, default="normal"
        The distribution. "normal" is never truncated (Keras truncates under that name); "truncated_normal" is
        truncated at two standard deviations and corrected, so that the variance is exact; "orthogonal" is a random
        orthogonal matrix whose entries have this variance.
    activation : str, callable or None, default=None
        The activation function after the layer; its gain (`initsk.theory.gain`) multiplies the
        standard deviation. A torch name, or any function of an array.

    Raises
    ------
    InvalidParameterError
        When used on a vector, which has no fans, or with a parameter that is not allowed.

    Notes
    -----
    Formula: ``Var(W) = scale * gain(activation)^2 / fan`` (Glorot and Bengio 2010; He et al. 2015, equation 9 for the
    factor; LeCun et al. 1998, section 4.6). torch has it as ``kaiming_normal_`` and ``kaiming_uniform_`` with a gain by
    name, Keras and JAX as ``VarianceScaling`` with `scale`, `mode` and `distribution`, without the activation function;
    their names resolve to `AsStored`. Each part of a complex value has half of the variance and is truncated
    separately; JAX truncates the modulus.

    Examples
    --------
    >>> from initsk.initializers import HeNormal, VarianceScaling
    >>> same = VarianceScaling(scale=2.0).sample((8, 4), random_state=0)
    >>> bool((same == HeNormal().sample((8, 4), random_state=0)).all())
    True
    >>> round(VarianceScaling(activation="gelu").sample((500, 400), random_state=0).var().item() * 400, 1)
    2.4
    """

    name = "variance_scaling"
    formula = "Var(W) = scale gain^2 / fan"
    reference = "Glorot and Bengio 2010; He et al. 2015; LeCun et al. 1998"
    parameter_constraints = {
        "scale": real(above=0), "mode": one_of("mode", FAN_MODES),
        "distribution": one_of("distribution", DISTRIBUTIONS), "activation": optional(resolved_by(gain)),
    }  # fmt: skip

    scale: float = 1.0
    mode: str = "fan_in"
    distribution: str = "normal"
    activation: ActivationLike | None = None

    def variance_and_distribution(self, spec: ParameterSpec) -> tuple[float, str]:
        """Return the variance of a spec, with the gain of the activation function, and the distribution."""
        return self._full_scale / spec.fan(self.mode), self.distribution

    @property
    def _full_scale(self) -> float:
        return self.scale if self.activation is None else self.scale * gain(self.activation) ** 2

    def special_case(self) -> Initializer:
        """Return Glorot's, He's or LeCun's initializer if it draws the same, or else this one."""
        scale = self._full_scale
        kinds = [kind for kind in NAMED if kind.distribution == self.distribution]
        kinds = [kind for kind in kinds if isclose(kind.scale, scale, rel_tol=_ROUNDING)]
        by_default = [kind() for kind in kinds if kind.mode == self.mode]
        # Glorot and LeCun have the same scale, so another mode is that of neither.
        other = [kind(mode=self.mode) for kind in kinds] if len(kinds) == 1 else []
        return next(iter([*by_default, *other]), self)
