"""The choice of an initializer for a spec, and the expected moments of its values."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from initsk.initializers.core._base import Initializer


@dataclass(frozen=True)
class ExpectedMoments:
    """Moments and bounds that an initializer states for the values of a spec.

    Parameters
    ----------
    variance : float
        Mean square deviation from `mean`; of the magnitude for complex values.
    mean : float, default=0.0
        Mean of the values.
    bound : float, default=inf
        Largest distance from `mean`.
    symmetric : bool, default=True
        Whether the distribution is symmetric about `mean`.
    singular_value : float or None, default=None
        The value of every singular value of ``(out, in * kernel)``.
    centered : bool, default=False
        Whether the weights of each unit add up to zero.

    Examples
    --------
    >>> from initsk.initializers import HeUniform
    >>> from initsk.network import ParameterSpec
    >>> expected = HeUniform().expected_moments(ParameterSpec.from_shape((8, 6)))
    >>> round(expected.variance, 4), round(expected.bound, 4)
    (0.3333, 1.0)
    """

    variance: float
    mean: float = 0.0
    bound: float = float("inf")
    symmetric: bool = True
    singular_value: float | None = None
    centered: bool = False


class Choice(NamedTuple):
    """The initializer that fills a spec, and the reason.

    `is_named` is whether the user has named the parameter in a rule, and `is_default` whether no initializer chose it.
    """

    initializer: "Initializer"
    why: str
    is_named: bool = False
    is_default: bool = False
