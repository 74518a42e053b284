"""What a layer does to the correlation of two inputs, as a power series in it."""

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import polynomial

from initsk.theory._activations import ActivationLike, Function, as_function
from initsk.theory._gaussian import gaussian_mean, mean_square
from initsk.theory._memory import remembers

_DEGREE = 1000
_REACH = 12.0
# Twenty nodes on each panel follow a Hermite function of degree 1000, whose waves are 0.2 long.
_PANELS = 96
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)


@dataclass(frozen=True)
class Products:
    r"""The mean product of an activation function of two normal values, as a function of their correlation.

    Attributes
    ----------
    squares : ndarray
        Squares of the function's Hermite coefficients; all that lies beyond the last degrees is added to these.

    Notes
    -----
    With :math:`a_k = E[\phi(\sqrt{q} z) h_k(z)]` and the normalised Hermite polynomials :math:`h_k`, the mean of
    :math:`\phi(u) \phi(v)` for normal values of variance q and correlation c is :math:`\sum_k a_k^2 c^k` (Mehler's
    formula; Daniely, Frostig and Singer 2016, section 4). The coefficients of smooth functions fall faster than any
    power, those of functions with a kink as :math:`k^{-5/4}`.
    """

    squares: np.ndarray

    def at(self, correlation: np.ndarray | float) -> np.ndarray:
        """Return the mean products."""
        return np.asarray(polynomial.polyval(correlation, self.squares))

    def slope_at(self, correlation: np.ndarray | float) -> np.ndarray:
        """Return the derivative by the correlation, which is q times the mean product of the function's slopes."""
        return np.asarray(polynomial.polyval(correlation, self.squares[1:] * np.arange(1, len(self.squares))))


@remembers
def products(activation: ActivationLike, length: float) -> Products:
    """Return the mean products for normal values of a variance."""
    function, scale = as_function(activation), length**0.5
    squares = _coefficients(function, scale) ** 2
    # At the correlations 1 and -1 the sum is known; what is missing there lies beyond the last degrees.
    same = mean_square(function, length)
    opposite = gaussian_mean(lambda x: function(x) * function(-x), length)
    for parity, known in enumerate((same + opposite, same - opposite)):
        squares[_DEGREE - 2 + parity] += max(known / 2 - float(squares[parity::2].sum()), 0.0)
    return Products(squares)


def _coefficients(function: Function, scale: float) -> np.ndarray:
    nodes, weights = _grid(scale)
    values = function(scale * nodes) * weights
    # The square root of the density goes with each polynomial, which would overflow without.
    before, now = np.zeros_like(nodes), np.exp(-(nodes**2) / 4) * (2 * np.pi) ** -0.25
    values = values * now
    found = np.empty(_DEGREE)
    for degree in range(_DEGREE):
        found[degree] = values @ now
        before, now = now, (nodes * now - degree**0.5 * before) / (degree + 1) ** 0.5
    return found


def _grid(scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights on panels that end where the usual functions have their kinks."""
    kinks = np.arange(-6.0, 6.5, 0.5) / scale
    edges = np.concatenate([np.linspace(-_REACH, _REACH, _PANELS + 1), kinks[np.abs(kinks) < _REACH]])
    edges = np.unique(edges)
    half = np.diff(edges)[:, None] / 2
    return ((edges[:-1] + edges[1:])[:, None] / 2 + half * _NODES).ravel(), (half * _WEIGHTS).ravel()
