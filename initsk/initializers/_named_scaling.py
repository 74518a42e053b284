"""Glorot, He and LeCun: rows of one table over the law of variance scaling."""

from typing import ClassVar

from initsk.initializers._site import FAN_MODES
from initsk.initializers._variance_scaling import Scaling
from initsk.utils._validation import Constraint, one_of


class _NamedScaling(Scaling):
    """A row of the table: a fixed scale and distribution, the fan's mode left open."""

    _constraints: ClassVar[dict[str, Constraint]] = {"mode": one_of("mode", FAN_MODES)}


class GlorotNormal(_NamedScaling):
    """Keep the variance of signal and gradient alike, for activations that are linear at zero.

    Also called Xavier. Meant for tanh and other activation functions with slope 1 at zero.

    Parameters
    ----------
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}, default="fan_avg"
        Which fan divides.

    Raises
    ------
    InvalidParameterError
        When used on a vector, which has no fans, or with a parameter that is not allowed.

    Notes
    -----
    Law: ``W ~ N(0, 1 / fan_avg) = N(0, 2 / (fan_in + fan_out))``
    (Glorot and Bengio 2010, equation 12). torch's ``xavier_normal_`` is the same law;
    Keras' ``GlorotNormal`` and JAX's ``glorot_normal`` truncate at two standard deviations.

    Examples
    --------
    >>> from initsk.initializers import GlorotNormal
    >>> round(GlorotNormal().sample((300, 500), random_state=0).var().item() * 400, 1)
    1.0
    """

    name = "glorot_normal"
    synonyms: ClassVar[tuple[str, ...]] = ("xavier_normal", "xavier", "glorot")
    law = "W ~ N(0, 2 / (fan_in + fan_out))"
    reference = "Glorot and Bengio 2010, equation 12"

    def __init__(self, mode: str = "fan_avg") -> None:
        self.mode = mode


class GlorotUniform(GlorotNormal):
    """Glorot's variance from a uniform distribution: what Glorot and Bengio published.

    Parameters
    ----------
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}, default="fan_avg"
        Which fan divides.

    Raises
    ------
    InvalidParameterError
        When used on a vector, which has no fans, or with a parameter that is not allowed.

    Notes
    -----
    Law: ``W ~ U(-b, b)`` with ``b = sqrt(6 / (fan_in + fan_out))`` (Glorot and Bengio 2010, equation
    16). The same in torch (``xavier_uniform_``), Keras and JAX.

    Examples
    --------
    >>> from initsk.initializers import GlorotUniform
    >>> bool(GlorotUniform().sample((3, 3), random_state=0).abs().max() <= 1)
    True
    """

    name = "glorot_uniform"
    synonyms: ClassVar[tuple[str, ...]] = ("xavier_uniform",)
    law = "W ~ U(-b, b), b = sqrt(6 / (fan_in + fan_out))"
    reference = "Glorot and Bengio 2010, equation 16"
    distribution = "uniform"


class HeNormal(_NamedScaling):
    """Keep the mean square of the signal through ReLU layers.

    Also called Kaiming.

    Parameters
    ----------
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}, default="fan_in"
        "fan_in" keeps the forward signal, "fan_out" the gradient.

    Raises
    ------
    InvalidParameterError
        When used on a vector, which has no fans, or with a parameter that is not allowed.

    Notes
    -----
    Law: ``W ~ N(0, 2 / fan_in)`` (He et al. 2015, equation 10). torch's
    ``kaiming_normal_`` is the same law; Keras' ``HeNormal`` and JAX's ``he_normal`` truncate at two standard
    deviations. For other activation functions: ``VarianceScaling(nonlinearity=...)``.

    Examples
    --------
    >>> from initsk.initializers import HeNormal
    >>> HeNormal(mode="fan_out")
    HeNormal(mode='fan_out')
    """

    name = "he_normal"
    synonyms: ClassVar[tuple[str, ...]] = ("kaiming_normal", "kaiming", "he")
    law = "W ~ N(0, 2 / fan_in)"
    reference = "He et al. 2015, equation 10"
    scale = 2.0

    def __init__(self, mode: str = "fan_in") -> None:
        self.mode = mode


class HeUniform(HeNormal):
    """He's variance from a uniform distribution.

    Parameters
    ----------
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}, default="fan_in"
        "fan_in" keeps the forward signal, "fan_out" the gradient.

    Raises
    ------
    InvalidParameterError
        When used on a vector, which has no fans, or with a parameter that is not allowed.

    Notes
    -----
    Law: ``W ~ U(-b, b)`` with ``b = sqrt(6 / fan_in)`` (He et al. 2015, equation 10, for the variance). The same in
    torch (``kaiming_uniform_``), Keras and JAX.

    Examples
    --------
    >>> from initsk.initializers import HeUniform
    >>> bool(HeUniform().sample((4, 6), random_state=0).abs().max() <= 1)
    True
    """

    name = "he_uniform"
    synonyms: ClassVar[tuple[str, ...]] = ("kaiming_uniform",)
    law = "W ~ U(-b, b), b = sqrt(6 / fan_in)"
    distribution = "uniform"


class LeCunNormal(_NamedScaling):
    """Keep the variance of the forward signal for activations that are linear at zero.

    Parameters
    ----------
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}, default="fan_in"
        Which fan divides.

    Raises
    ------
    InvalidParameterError
        When used on a vector, which has no fans, or with a parameter that is not allowed.

    Notes
    -----
    Law: ``W ~ N(0, 1 / fan_in)`` (LeCun et al. 1998, section 4.6, equation 16). SELU's
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
    law = "W ~ N(0, 1 / fan_in)"
    reference = "LeCun et al. 1998, equation 16"

    def __init__(self, mode: str = "fan_in") -> None:
        self.mode = mode


class LeCunUniform(LeCunNormal):
    """LeCun's variance from a uniform distribution.

    Parameters
    ----------
    mode : {"fan_in", "fan_out", "fan_avg", "fan_geo_avg"}, default="fan_in"
        Which fan divides.

    Raises
    ------
    InvalidParameterError
        When used on a vector, which has no fans, or with a parameter that is not allowed.

    Notes
    -----
    Law: ``W ~ U(-b, b)`` with ``b = sqrt(3 / fan_in)`` (LeCun et al. 1998, equation 16, for the variance). The same in
    Keras and JAX; torch has no such name.

    Examples
    --------
    >>> from initsk.initializers import LeCunUniform
    >>> bool(LeCunUniform().sample((4, 3), random_state=0).abs().max() <= 1)
    True
    """

    name = "lecun_uniform"
    synonyms: ClassVar[tuple[str, ...]] = ()
    law = "W ~ U(-b, b), b = sqrt(3 / fan_in)"
    distribution = "uniform"
