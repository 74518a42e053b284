"""Mean field theory: the lengths and correlations of signals in deep networks with random weights."""

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import Polynomial
from scipy.optimize import brentq

from initsk.theory._activations import ActivationLike, as_function
from initsk.theory._critical import products
from initsk.theory._gaussian import jumps, mean_power_of_slope, mean_square, slope_of_mean_square
from initsk.utils.cached import cached_property
from initsk.utils.validation import check_parameters, integer, one_of, real, resolved_by

# Outside of these variances an activation function is replaced by its limit.
_SMALLEST, _LARGEST = 1e-12, 1e8
# Error that rounding and difference quotients cause in the slope of a critical network, which is 1.
_ROUNDING = 1e-7
# The first moment of the S-transform of a layer's weights.
_S_1 = {"normal": -1, "orthogonal": 0}
_CONSTRAINTS = {
    "activation": resolved_by(as_function), "weight_variance": real(above=0), "bias_variance": real(minimum=0),
}  # fmt: skip


@dataclass(frozen=True)
class DepthScales:
    r"""The numbers of layers over which lengths and correlations decay.

    Attributes
    ----------
    xi_q : float
        Layers after which the distance of a length from its fixed point has fallen to 1 / e; inf if it does not fall.
    xi_c : float
        The same number for correlations; inf at the edge of chaos. Two samples remain distinguishable through about 6
        times as many layers (Schoenholz et al. 2017, figure 5). If lengths grow without limit, the number of layers
        over which gradients grow by the factor e, 1 / ln chi_1.
    """

    xi_q: float
    xi_c: float

    @property
    def reach(self) -> float:
        """Layers through which two samples remain distinguishable, 6 xi_c; deeper networks do not train."""
        return 6 * self.xi_c


class MeanField:
    r"""Mean field theory of infinitely wide networks with the same activation function and variances in all layers.

    Parameters
    ----------
    activation : str or callable
        See `as_function`.
    weight_variance : float
        Variance of the weights times fan_in, :math:`\sigma_w^2`, above 0.
    bias_variance : float, default=0.0
        Variance of the biases, :math:`\sigma_b^2`, at least 0.

    Attributes
    ----------
    length : float
        Fixed point q* of the pre-activations' variance that inputs of mean square 1 approach; 0 if signals vanish,
        inf if they grow without limit.
    length_slope : float
        Derivative of the length map at q*: lengths return to q* if it is below 1, and move away if it is above 1.
    chi_1 : float
        Factor by which a layer multiplies the mean square of gradients, and the squared distance of two close inputs:
        :math:`\sigma_w^2 E[\phi'(\sqrt{q^*} z)^2]`; inf for functions that jump.
    correlation : float
        Fixed point c* that the correlation of two inputs approaches: 1 in the ordered phase.
    phase : {"ordered", "critical", "chaotic"}
        By `chi_1`: below 1 gradients vanish, above 1 they explode.

    Raises
    ------
    InvalidParameterError
        At the first use, if the activation is unknown or cannot be integrated, or a variance is not allowed.

    Notes
    -----
    Length map: :math:`q \mapsto \sigma_w^2 E[\phi(\sqrt{q} z)^2] + \sigma_b^2` (Poole et al. 2016, equation 3).
    Correlation map: :math:`c \mapsto (\sigma_w^2 E[\phi(u) \phi(v)] + \sigma_b^2) / q^*` for normal u and v of
    variance q* and correlation c (equation 5). Depth scales: :math:`\xi_q = -1 / \ln \chi_q` and
    :math:`\xi_c = -1 / \ln \chi_{c^*}` with the length map's slope and
    :math:`\chi_c = \sigma_w^2 E[\phi'(u) \phi'(v)]` (Schoenholz et al. 2017, equations 6 to 9).

    Means over one value come from `gaussian_mean` and are exact to 1e-9, also for functions with kinks; Gauss-Hermite
    quadrature has errors of about 1e-3 for ReLU. Means over two values are series in the correlation. For smooth
    functions and lengths up to 10 they are exact to 1e-12; for functions with kinks to 1e-12 at correlations below 0.9,
    and to 1e-6 close to 1.

    Examples
    --------
    >>> field = MeanField("tanh", weight_variance=1.5, bias_variance=0.05)
    >>> field.phase, round(field.length, 4), round(field.chi_1, 4)
    ('ordered', 0.418, 0.9386)
    >>> round(field.depth_scales().xi_c, 1)
    15.8
    >>> MeanField("relu", 2.0).phase
    'critical'
    """

    def __init__(self, activation: ActivationLike, weight_variance: float, bias_variance: float = 0.0) -> None:
        self.activation = activation
        self.weight_variance = weight_variance
        self.bias_variance = bias_variance

    def __repr__(self) -> str:
        return f"MeanField({self.activation!r}, {self.weight_variance!r}, {self.bias_variance!r})"

    def _check(self) -> None:
        check_parameters("MeanField", {name: getattr(self, name) for name in _CONSTRAINTS}, _CONSTRAINTS)

    def length_map(self, length: float) -> float:
        """Return the variance of a layer's pre-activations, given that of the previous layer.

        Parameters
        ----------
        length : float
            Variance of the previous layer's pre-activations, at least 0.

        Returns
        -------
        float
        """
        check_parameters("length_map", {"length": length}, {"length": real(minimum=0)})
        self._check()
        return self._next_length(float(length))

    def correlation_map(self, correlation: float) -> float:
        """Return the correlation of two inputs after a layer, at the fixed point of lengths.

        Parameters
        ----------
        correlation : float
            Correlation of the two inputs' pre-activations in the previous layer, from -1 to 1.

        Returns
        -------
        float
        """
        check_parameters("correlation_map", {"correlation": correlation}, {"correlation": real(minimum=-1, maximum=1)})
        return float(self._correlated(float(correlation)) / self._correlated(1.0))

    @cached_property
    def length(self) -> float:
        """Fixed point q* of the pre-activations' variance."""
        self._check()
        excess = self._next_length(1.0) - 1
        if abs(excess) < 1e-9:
            return 1.0
        step = 4.0 if excess > 0 else 0.25
        before, after = 1.0, step
        while _SMALLEST <= after <= _LARGEST:
            growth = self._log_growth(float(np.log(after)))
            if growth == 0:
                return after
            if growth * excess < 0:
                found = brentq(self._log_growth, *sorted(np.log([before, after])), xtol=1e-14, rtol=1e-13)
                return float(np.exp(found))
            before, after = after, after * step
        return 0.0 if excess < 0 else float("inf")

    @cached_property
    def chi_1(self) -> float:
        """Factor by which a layer multiplies the mean square of gradients."""
        length = self._finite_length
        if jumps(self.activation):
            return float("inf")
        return self.weight_variance * mean_power_of_slope(as_function(self.activation), length, 2)

    @cached_property
    def correlation(self) -> float:
        """Fixed point c* of the correlation of two inputs."""
        if self.chi_1 <= 1 + _ROUNDING:
            return 1.0
        # The map is convex, so it crosses the diagonal once below 1.
        if self._rise(0.0) <= 1e-12:
            return 0.0
        highest = next((c for c in 1 - np.logspace(-1, -9, 33) if self._rise(c) < 0), None)
        return 1.0 if highest is None else float(brentq(self._rise, 0.0, highest, xtol=1e-14, rtol=1e-13))

    @property
    def phase(self) -> str:
        """The phase of the network: "ordered", "critical" or "chaotic"."""
        if abs(self.chi_1 - 1) <= _ROUNDING:
            return "critical"
        return "ordered" if self.chi_1 < 1 else "chaotic"

    def depth_scales(self) -> DepthScales:
        """Return the numbers of layers over which lengths and correlations decay.

        Returns
        -------
        DepthScales
            The fields `xi_q` and `xi_c` are numbers of layers.
        """
        if self.length == float("inf"):
            return DepthScales(float("inf"), _scale(1 / self.chi_1 if self.chi_1 > 1 else self.chi_1))
        return DepthScales(_scale(self.length_slope), _scale(self._slope_at(self.correlation)))

    def spread_of_singular_values(self, depth: int, distribution: str = "normal") -> tuple[float, float]:
        r"""Return the mean and the relative variance of the squared singular values of the input-output Jacobian.

        Parameters
        ----------
        depth : int
            Number of layers, at least 1.
        distribution : {"normal", "orthogonal"}, default="normal"
            Distribution of the weights.

        Returns
        -------
        mean : float
            :math:`\chi_1^L`: the factor by which the network multiplies the mean square of a signal.
        relative_variance : float
            :math:`L (\mu_2 / \mu_1^2 - 1 - s_1)` with :math:`\mu_k = E[\phi'^{2k}]` and :math:`s_1 = -1` for normal and
            0 for orthogonal weights. At 0 the network scales all directions equally: dynamical isometry. NaN for
            functions that are constant or jump.

        Notes
        -----
        Pennington, Schoenholz and Ganguli 2017, equation 16. Orthogonal layers are isometries at any depth if they have
        no activation function, or one with the same slope for all values of the signal. With normal weights the
        variance grows by at least 1 with each layer. ReLU has no isometry: its slope is 0 for half of all values.

        Examples
        --------
        >>> linear = MeanField("linear", 1.0)
        >>> [round(n, 6) for n in linear.spread_of_singular_values(10)]
        [1.0, 10.0]
        >>> [round(n, 6) for n in linear.spread_of_singular_values(10, "orthogonal")]
        [1.0, 0.0]
        """
        given = {"depth": depth, "distribution": distribution}
        allowed = {"depth": integer(1), "distribution": one_of("distribution", _S_1)}
        check_parameters("spread_of_singular_values", given, allowed)
        chi, function, length = self.chi_1, as_function(self.activation), self._finite_length
        if chi == 0 or chi == float("inf"):
            return chi, float("nan")
        fourth = mean_power_of_slope(function, length, 4) / mean_power_of_slope(function, length, 2) ** 2
        # Rounding errors must not give a perfect isometry a variance.
        relative = depth * (fourth - 1 - _S_1[distribution])
        return chi**depth, 0.0 if abs(relative) < depth * _ROUNDING else relative

    @property
    def _finite_length(self) -> float:
        return float(np.clip(self.length, _SMALLEST, _LARGEST))

    def _next_length(self, length: float) -> float:
        return self.weight_variance * mean_square(as_function(self.activation), length) + self.bias_variance

    def _log_growth(self, log_length: float) -> float:
        length = float(np.exp(log_length))
        return self._next_length(length) / length - 1

    @cached_property
    def length_slope(self) -> float:
        """Derivative of the length map at its fixed point."""
        return self.weight_variance * slope_of_mean_square(as_function(self.activation), self._finite_length)

    @cached_property
    def _products(self) -> Polynomial:
        return products(self.activation, self._finite_length)

    def _correlated(self, correlation: float) -> float:
        return self.weight_variance * float(self._products(correlation)) + self.bias_variance

    def _rise(self, correlation: float) -> float:
        """Return by how much a layer increases a correlation."""
        return self._correlated(correlation) / self._correlated(1.0) - correlation

    def _slope_at(self, correlation: float) -> float:
        if correlation == 1:
            return self.chi_1
        return self.weight_variance * float(self._products.deriv()(correlation)) / self._finite_length


def _scale(slope: float) -> float:
    """Return the number of layers after which a value falls to 1 / e if each layer multiplies it by the slope."""
    size = abs(slope)
    if size >= 1 - _ROUNDING:
        return float("inf")
    return 0.0 if size == 0 else float(-1 / np.log(size))
