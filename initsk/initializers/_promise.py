"""What an initializer promises of its values."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Promise:
    """What an initializer promises of the values that it draws for a site.

    Parameters
    ----------
    variance : float
        Mean square deviation from `mean`; of the magnitude for complex values.
    mean : float, default=0.0
        Mean of the values.
    bound : float, default=inf
        Largest distance from `mean`.
    symmetric : bool, default=True
        Whether the distribution is its own mirror image about `mean`.
    singular_value : float or None, default=None
        The value that every singular value of ``(out, in * kernel)`` has.
    centred : bool, default=False
        Whether the weights of each unit add up to zero.

    Examples
    --------
    >>> from initsk.initializers import HeUniform, Site
    >>> promise = HeUniform().promise(Site.from_shape((8, 6)))
    >>> round(promise.variance, 4), round(promise.bound, 4)
    (0.3333, 1.0)
    """

    variance: float
    mean: float = 0.0
    bound: float = float("inf")
    symmetric: bool = True
    singular_value: float | None = None
    centred: bool = False
