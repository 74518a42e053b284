"""Variance scaling: the named initializers whose variance is scale / fan."""

from math import sqrt
from typing import ClassVar

import torch

from initsk.initializers.core._answers import ExpectedMoments
from initsk.initializers.core._base import Initializer
from initsk.initializers.core._draws import bound_of, draw_scaled
from initsk.network import FAN_MODES, ParameterSpec
from initsk.utils.validation import one_of


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


class Scaling(ZeroMeanDraw, Initializer):
    """Base of variance scaling; a subclass sets scale, mode and distribution."""

    family = "variance scaling"
    scale = 1.0
    mode = "fan_in"
    distribution = "normal"
    draw_never_fails = True

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Return why the spec cannot be filled, or None."""
        return spec.missing_fans

    def variance_and_distribution(self, spec: ParameterSpec) -> tuple[float, str]:
        """Return ``scale / fan``, and the distribution."""
        return self.scale / spec.fan(self.mode), self.distribution


class _NamedScaling(Scaling):
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


class GlorotOrthogonal(GlorotNormal):
    """Draw a random orthogonal matrix with Glorot's variance.

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
    Formula: ``W = c Q`` with ``Q`` from the Haar distribution of matrices with orthonormal rows or columns, and
    ``c`` such that ``Var(W) = 2 / (fan_in + fan_out)`` (Glorot and Bengio 2010, equation 12; Saxe et al. 2013,
    section 3). `Orthogonal` has a `gain` in place of ``c``; both are the same for layers with as many inputs as
    outputs. torch, Keras and JAX have no such name.

    Examples
    --------
    >>> from initsk.initializers import GlorotOrthogonal, Orthogonal
    >>> scaled, plain = (part.sample((4, 4), random_state=0) for part in (GlorotOrthogonal(), Orthogonal()))
    >>> bool((scaled - plain).abs().max() < 1e-6)
    True
    """

    name = "glorot_orthogonal"
    synonyms: ClassVar[tuple[str, ...]] = ("xavier_orthogonal",)
    formula = "W = c Q, Q orthogonal, Var(W) = 2 / (fan_in + fan_out)"
    reference = "Glorot and Bengio 2010, equation 12; Saxe, McClelland and Ganguli 2013"
    distribution = "orthogonal"


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


class HeOrthogonal(HeNormal):
    """Draw a random orthogonal matrix with He's variance, for ReLU layers.

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
    Formula: ``W = c Q`` with ``Q`` from the Haar distribution of matrices with orthonormal rows or columns, and
    ``c`` such that ``Var(W) = 2 / fan_in`` (He et al. 2015, equation 10; Saxe et al. 2013, section 3). `Orthogonal`
    has a `gain` in place of ``c``; both are the same for layers with no more outputs than inputs and a gain of ``2
    ** 0.5``. torch, Keras and JAX have no such name.

    Examples
    --------
    >>> import torch
    >>> from initsk.initializers import HeOrthogonal
    >>> w = HeOrthogonal().sample((3, 4), random_state=0)
    >>> torch.allclose(w @ w.T, 2 * torch.eye(3), atol=1e-5)
    True
    """

    name = "he_orthogonal"
    synonyms: ClassVar[tuple[str, ...]] = ("kaiming_orthogonal",)
    formula = "W = c Q, Q orthogonal, Var(W) = 2 / fan_in"
    reference = "He et al. 2015, equation 10; Saxe, McClelland and Ganguli 2013"
    distribution = "orthogonal"


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


class LeCunOrthogonal(LeCunNormal):
    """Draw a random orthogonal matrix with LeCun's variance.

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
    Formula: ``W = c Q`` with ``Q`` from the Haar distribution of matrices with orthonormal rows or columns, and
    ``c`` such that ``Var(W) = 1 / fan_in`` (LeCun et al. 1998, equation 16; Saxe et al. 2013, section 3).
    `Orthogonal` has a `gain` in place of ``c``; both are the same for layers with no more outputs than inputs.
    torch, Keras and JAX have no such name.

    Examples
    --------
    >>> from initsk.initializers import LeCunOrthogonal
    >>> round(LeCunOrthogonal().sample((300, 100), random_state=0).var().item() * 100, 1)
    1.0
    """

    name = "lecun_orthogonal"
    synonyms: ClassVar[tuple[str, ...]] = ()
    formula = "W = c Q, Q orthogonal, Var(W) = 1 / fan_in"
    reference = "LeCun et al. 1998, equation 16; Saxe, McClelland and Ganguli 2013"
    distribution = "orthogonal"


#: The special cases of variance scaling that have a name.
NAMED = (
    GlorotNormal, GlorotUniform, GlorotOrthogonal, HeNormal, HeUniform, HeOrthogonal, LeCunNormal, LeCunUniform,
    LeCunOrthogonal,
)  # fmt: skip
