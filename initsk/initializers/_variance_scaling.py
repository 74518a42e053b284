"""Variance scaling: initializers whose variance is scale * gain^2 / fan."""

from math import sqrt
from typing import ClassVar

import torch

from initsk.initializers.core._answers import ExpectedMoments
from initsk.initializers.core._base import Initializer
from initsk.initializers.core._draws import DISTRIBUTIONS, bound_of, draw_scaled
from initsk.network import FAN_MODES, ParameterSpec
from initsk.theory import ActivationLike, gain
from initsk.utils.validation import one_of, optional, real, resolved_by


class ZeroMeanDraw:
    """Mixin of initializers that draw zero-mean values; a subclass returns their variance and distribution."""

    draws_blocks = True

    def variance_and_distribution(self, spec: ParameterSpec) -> tuple[float, str]:
        """Return the variance and the name of the distribution of the values for a spec."""
        raise NotImplementedError

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        """Return drawn values for a spec."""
        return draw_scaled(spec, *self.variance_and_distribution(spec), generator, dtype)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments | None:
        """Return the expected moments of the values for a spec."""
        variance, distribution = self.variance_and_distribution(spec)
        if distribution == "orthogonal":
            return ExpectedMoments(variance, singular_value=sqrt(variance * max(spec.matrix_shape)))
        return ExpectedMoments(variance, bound=bound_of(variance, distribution))


class _Scaling(ZeroMeanDraw, Initializer):
    """Base of variance scaling; a subclass sets scale, mode, distribution and activation."""

    family = "variance scaling"
    scale = 1.0
    mode = "fan_in"
    distribution = "normal"
    draw_never_fails = True

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Return why the spec cannot be filled, or None."""
        return spec.missing_fans

    def variance_and_distribution(self, spec: ParameterSpec) -> tuple[float, str]:
        """Return ``scale * gain^2 / fan``, and the distribution."""
        return self.scale / spec.fan(self.mode), self.distribution


class VarianceScaling(_Scaling):
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
        scale = self.scale if self.activation is None else self.scale * gain(self.activation) ** 2
        return scale / spec.fan(self.mode), self.distribution


class _NamedScaling(_Scaling):
    """Base of the named special cases, which fix scale and distribution."""

    parameter_constraints = {"mode": one_of("mode", FAN_MODES)}

    mode: str = "fan_in"


class GlorotNormal(_NamedScaling):
    """Balance the variances of signal and gradient, for activation functions with slope 1 at zero such as tanh.

    Also called Xavier.

    Parameters
    ----------
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}, default="fan_avg"
        The fan that divides the variance.

    Raises
    ------
    InvalidParameterError
        When used on a vector, which has no fans, or with a parameter that is not allowed.

    Notes
    -----
    Formula: ``W ~ N(0, 1 / fan_avg) = N(0, 2 / (fan_in + fan_out))``
    (Glorot and Bengio 2010, equation 12). torch's ``xavier_normal_`` has the same formula;
    Keras' ``GlorotNormal`` and JAX's ``glorot_normal`` truncate at two standard deviations.

    Examples
    --------
    >>> from initsk.initializers import GlorotNormal
    >>> round(GlorotNormal().sample((300, 500), random_state=0).var().item() * 400, 1)
    1.0
    """

    name = "glorot_normal"
    synonyms: ClassVar[tuple[str, ...]] = ("xavier_normal", "xavier", "glorot")
    formula = "W ~ N(0, 2 / (fan_in + fan_out))"
    reference = "Glorot and Bengio 2010, equation 12"

    mode: str = "fan_avg"


class GlorotUniform(GlorotNormal):
    """Draw with Glorot's variance from a uniform distribution, as Glorot and Bengio published it.

    Parameters
    ----------
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}, default="fan_avg"
        The fan that divides the variance.

    Raises
    ------
    InvalidParameterError
        When used on a vector, which has no fans, or with a parameter that is not allowed.

    Notes
    -----
    Formula: ``W ~ U(-b, b)`` with ``b = sqrt(6 / (fan_in + fan_out))`` (Glorot and Bengio 2010, equation
    16). The same in torch (``xavier_uniform_``), Keras and JAX.

    Examples
    --------
    >>> from initsk.initializers import GlorotUniform
    >>> bool(GlorotUniform().sample((3, 3), random_state=0).abs().max() <= 1)
    True
    """

    name = "glorot_uniform"
    synonyms: ClassVar[tuple[str, ...]] = ("xavier_uniform",)
    formula = "W ~ U(-b, b), b = sqrt(6 / (fan_in + fan_out))"
    reference = "Glorot and Bengio 2010, equation 16"
    distribution = "uniform"


class HeNormal(_NamedScaling):
    """Keep the mean square of the signal through ReLU layers.

    Also called Kaiming.

    Parameters
    ----------
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}, default="fan_in"
        The fan that divides the variance: "fan_in" keeps the size of the forward signal, "fan_out" of the gradient.

    Raises
    ------
    InvalidParameterError
        When used on a vector, which has no fans, or with a parameter that is not allowed.

    Notes
    -----
    Formula: ``W ~ N(0, 2 / fan_in)`` (He et al. 2015, equation 10). torch's
    ``kaiming_normal_`` has the same formula; Keras' ``HeNormal`` and JAX's ``he_normal`` truncate at two standard
    deviations. For other activation functions: ``VarianceScaling(activation=...)``.

    Examples
    --------
    >>> from initsk.initializers import HeNormal
    >>> HeNormal(mode="fan_out")
    HeNormal(mode='fan_out')
    """

    name = "he_normal"
    synonyms: ClassVar[tuple[str, ...]] = ("kaiming_normal", "kaiming", "he")
    formula = "W ~ N(0, 2 / fan_in)"
    reference = "He et al. 2015, equation 10"
    scale = 2.0


class HeUniform(HeNormal):
    """Draw with He's variance from a uniform distribution.

    Parameters
    ----------
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}, default="fan_in"
        The fan that divides the variance: "fan_in" keeps the size of the forward signal, "fan_out" of the gradient.

    Raises
    ------
    InvalidParameterError
        When used on a vector, which has no fans, or with a parameter that is not allowed.

    Notes
    -----
    Formula: ``W ~ U(-b, b)`` with ``b = sqrt(6 / fan_in)`` (He et al. 2015, equation 10, for the variance). The same in
    torch (``kaiming_uniform_``), Keras and JAX.

    Examples
    --------
    >>> from initsk.initializers import HeUniform
    >>> bool(HeUniform().sample((4, 6), random_state=0).abs().max() <= 1)
    True
    """

    name = "he_uniform"
    synonyms: ClassVar[tuple[str, ...]] = ("kaiming_uniform",)
    formula = "W ~ U(-b, b), b = sqrt(6 / fan_in)"
    distribution = "uniform"


class LeCunNormal(_NamedScaling):
    """Keep the variance of the forward signal, for activation functions with slope 1 at zero.

    Parameters
    ----------
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}, default="fan_in"
        The fan that divides the variance.

    Raises
    ------
    InvalidParameterError
        When used on a vector, which has no fans, or with a parameter that is not allowed.

    Notes
    -----
    Formula: ``W ~ N(0, 1 / fan_in)`` (LeCun et al. 1998, section 4.6, equation 16). SELU's
    fixed point assumes it (Klambauer et al. 2017). Keras' ``LecunNormal`` and JAX's ``lecun_normal``
    truncate at two standard deviations.

    Examples
    --------
    >>> from initsk.initializers import LeCunNormal
    >>> round(LeCunNormal().sample((300, 500), random_state=0).var().item() * 500, 1)
    1.0
    """

    name = "lecun_normal"
    synonyms: ClassVar[tuple[str, ...]] = ("lecun",)
    formula = "W ~ N(0, 1 / fan_in)"
    reference = "LeCun et al. 1998, equation 16"


class LeCunUniform(LeCunNormal):
    """Draw with LeCun's variance from a uniform distribution.

    Parameters
    ----------
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}, default="fan_in"
        The fan that divides the variance.

    Raises
    ------
    InvalidParameterError
        When used on a vector, which has no fans, or with a parameter that is not allowed.

    Notes
    -----
    Formula: ``W ~ U(-b, b)`` with ``b = sqrt(3 / fan_in)`` (LeCun et al. 1998, equation 16, for the variance). The
    same in Keras and JAX; torch has no such name.

    Examples
    --------
    >>> from initsk.initializers import LeCunUniform
    >>> bool(LeCunUniform().sample((4, 3), random_state=0).abs().max() <= 1)
    True
    """

    name = "lecun_uniform"
    synonyms: ClassVar[tuple[str, ...]] = ()
    formula = "W ~ U(-b, b), b = sqrt(3 / fan_in)"
    distribution = "uniform"
