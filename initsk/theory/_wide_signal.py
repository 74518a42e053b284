"""Statistics of a signal in a wide network with random weights, and how operations change them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from math import exp

import numpy as np
from scipy.special import ndtr, polygamma

from initsk.theory._activations import ActivationLike, Function, as_function, cached
from initsk.theory._gaussian import SLOPE_STEP, gaussian_mean, mean_power_of_slope, mean_square, slope_of_mean_square

# Below this variance a function equals its tangent, for ratios of moments.
_MIN_VARIANCE = 1e-12
# Step of the difference quotient of a mean square by the scale of the values.
_SCALE_STEP = 1e-4
# Normal values for means over one value and over two, whose errors for functions with kinks are below 1e-3.
_OUTER, _INNER = np.linspace(-7, 7, 201), np.linspace(-7, 7, 401)
_numbers = count()

#: Random influences on the logarithm of a mean square: the number of each influence, and its standard deviation.
Noise = dict[int, float]


@dataclass(frozen=True)
class Signal:
    r"""Statistics of the values of a signal over its units and the positions of a sample.

    Attributes
    ----------
    square : float
        Mean square :math:`q`.
    mean : float
        Mean over the units, :math:`m`.
    between, across : float
        Mean product of one unit's values at two positions of a sample, and in two samples.
    units, positions : int
        Number of units, and of positions in a sample.
    noise : dict
        How the logarithm of the mean square varies over draws: standard deviations by independent influence.
    origin : tuple of (Signal, function) or None
        The normal signal and the function of it that this signal is.
    keys : int
        Number of values that add up to 1, in the weights of attention; 0 for other signals.

    Notes
    -----
    Units are independent, and normal after a layer with weights (Poole et al. 2016). Two positions of a sample, and
    two samples, are described by one mean product each, as if all pairs were alike.
    """

    square: float
    mean: float = 0.0
    between: float = 0.0
    across: float = 0.0
    units: int = 1
    positions: int = 1
    noise: Noise = field(default_factory=dict)
    origin: tuple["Signal", ActivationLike] | None = None
    keys: int = 0

    @property
    def spread(self) -> float:
        """Variance of the logarithm of the mean square over draws."""
        return float(sum(part**2 for part in self.noise.values()))

    @property
    def variance(self) -> float:
        """Variance over the units."""
        return max(self.square - self.mean**2, 0.0)

    @property
    def shared(self) -> float:
        """The mean product at two positions, which is the mean square if there is only one position."""
        return self.square if self.positions == 1 else self.between

    def at(self, units: int, positions: int) -> "Signal":
        """Return the same statistics with other numbers of units and positions."""
        return replace(self, units=units, positions=positions)

    def moved(self) -> "Signal":
        """Return the same values at other places; those of a single position may be at several."""
        return replace(self, between=self.shared)

    def scaled(self, factor: float, shift: float = 0.0) -> "Signal":
        """Return ``factor x + shift``."""
        return self.affine((factor, factor**2), (shift, shift**2))

    def affine(self, factor: tuple[float, float] = (1.0, 1.0), shift: tuple[float, float] = (0.0, 0.0)) -> "Signal":
        """Return the signal after factors and shifts of the units, given by their means and mean squares."""
        added = shift[1] + 2 * factor[0] * self.mean * shift[0]
        square = factor[1] * self.square + added
        ratio = factor[1] * self.square / square if square else 0.0
        return replace(
            self,
            square=square,
            mean=factor[0] * self.mean + shift[0],
            between=factor[1] * self.between + added,
            across=factor[1] * self.across + added,
            noise=_times(self.noise, ratio),
            origin=None,
        )

    def through_layer(
        self, gain: float, bias_square: float, units: int, positions: int, *, shared_gain: float | None = None,
        fan_in: int = 0, removed: float = 0.0, centered: bool = False,
    ) -> "Signal":  # fmt: skip
        """Return the outputs of a layer with random weights of mean 0.

        Parameters
        ----------
        gain : float
            Terms of a sum times the mean square of the weights.
        bias_square : float
            Mean square of the biases.
        units, positions : int
            Of the output.
        shared_gain : float or None, default=None
            The same for the weights that the sums at two positions have in common; None for all of them.
        fan_in : int, default=0
            Terms of a sum; 0 for many.
        removed : float, default=0.0
            Share of the variance over draws that orthogonal weights remove.
        centered : bool, default=False
            Whether the weights of a unit add up to zero, so that the mean of its inputs has no effect.
        """
        given = self._centered() if centered else self
        square, common = gain * given.square + bias_square, gain if shared_gain is None else shared_gain
        between, across = common * given.shared + bias_square, common * given.across + bias_square
        own = (given.square * gain / square) if square else 0.0
        out = Signal(square, 0.0, between, across, units, positions, _times(given.noise, own))
        chance = 1 / fan_in if fan_in else 0.0
        return out.varying(2 * (1 - removed) * out._share_of_positions(power=2, chance=chance) / units)

    def shifted_mean(self, mean: float) -> "Signal":
        """Return the same squares and products with a mean of the units."""
        return replace(self, mean=mean)

    def through(self, activation: ActivationLike) -> "Signal":
        """Return the values of an activation function of a normal signal."""
        if self.mean == 0:
            square, mean = _square_of(activation, self.square), _mean_activation(activation, self.square)
        else:
            function = _shifted(activation, self.mean)
            square, mean = mean_square(function, self.variance), _mean(function, self.variance)
        shared = [
            square if s == self.square else _mean_product(activation, self.mean, self.variance, s - self.mean**2)
            for s in (self.shared, self.across)
        ]
        kurtosis, slope = self._kurtosis_and_slope(activation, 0.0)
        result = Signal(
            square, mean, *shared, self.units, self.positions, _times(self.noise, slope), (self, activation)
        )
        extra = max(kurtosis - 1 - 2 * slope**2, 0.0)
        return result.varying(extra * self._share_of_positions(power=1) / self.units)

    def times_slope(self, activation: ActivationLike, of: "Signal", largest: int = 1) -> "Signal":
        """Return the gradient before an activation function of a normal signal, given the gradient after it.

        With `largest`, only the largest of so many values of the signal have a gradient.
        """
        length = of.variance
        if largest > 1:
            slope = _slope(as_function(activation), length)
            share = float(of._means_of_largest(slope, largest, of.shared, 2) @ _COMMON)
            return replace(self, square=self.square * share, mean=0.0, between=self.shared * share, across=0.0)
        square = _power_of_slope(activation, of.mean, length, 2)
        power_4 = _power_of_slope(activation, of.mean, length, 4)
        shared = self.shared * _mean_product_of_slopes(activation, of.mean, length, of.shared - of.mean**2)
        before = replace(self, square=self.square * square, mean=0.0, between=shared, across=0.0)
        kurtosis = power_4 / square**2 if square else 1.0
        return before.varying(3 * (kurtosis - 1) * before._share_of_positions(power=1) / self.units)

    def dropped(self, p: float) -> "Signal":
        """Return the signal after dropout, which divides the remaining values by ``1 - p``."""
        if p >= 1:
            return replace(self, square=0.0, mean=0.0, between=0.0, across=0.0, noise={}, origin=None)
        return replace(self, square=self.square / (1 - p), between=self.shared, origin=None)

    def averaged(self, n: float) -> "Signal":
        """Return means of the values at `n` positions each."""
        return self.attended(1 / n, 0.0)

    def over_units(self) -> "Signal":
        """Return the mean over the units, which are many."""
        common = self.mean**2
        return replace(self, square=common, between=common, across=common, origin=None)

    def differing(self, square: float) -> "Signal":
        """Return the signal of which a part, given by its mean square, differs between positions."""
        return replace(self, between=self.shared - square, across=self.across - square)

    def independent(self) -> "Signal":
        """Return the signal with values that have nothing in common but their mean."""
        common = self.mean**2
        return replace(self, between=common, across=common, noise={}, origin=None)

    def attended(self, own: float, common: float) -> "Signal":
        """Return weighted means over positions.

        `own` is the sum of the squares of a mean's weights, and `common` the sum of the products of two means' weights.
        """
        differing = self.square - self.shared
        square, between = self.shared + own * differing, self.shared + common * differing
        result = replace(self, square=square, between=between, origin=None)
        # What positions share varies in another way than the mean square.
        share = min(abs(self.shared / self.square), 1.0) if self.square else 1.0
        return result.varying(2 * (1 - share**2) / self.units)

    def largest(self, n: int) -> "Signal":
        """Return the largest of the values at `n` positions, for increasing activation functions."""
        base, activation = self.origin or (self, "identity")
        function = as_function(activation)
        square, mean = (float(base._means_of_largest(function, n, base.shared, power) @ _COMMON) for power in (2, 1))
        between, across = (
            float(base._means_of_largest(function, n, shared, 1) ** 2 @ _COMMON)
            for shared in (base.shared, base.across)
        )
        return replace(self, square=square, mean=mean, between=between, across=across, origin=None)

    def _means_of_largest(self, function: Function, n: int, shared: float, power: int) -> np.ndarray:
        """Return means of a power of a function of the largest of `n` values, for each value of their common part."""
        density = _density(_INNER) * ndtr(_INNER) ** (n - 1)
        common = min(max(shared - self.mean**2, 0.0), self.variance)
        x = self.mean + common**0.5 * _OUTER[:, None] + (self.variance - common) ** 0.5 * _INNER
        means: np.ndarray = function(x.ravel()).reshape(x.shape) ** power @ (density / density.sum())
        return means

    def standardized(
        self, removed: float, removed_across: float, epsilon: float = 0.0, *, in_batch: bool = False
    ) -> "Signal":
        """Return the signal minus means, divided by the standard deviation of the rest.

        `removed` is the mean square of the means, and `removed_across` their mean product in two samples. In a batch,
        the division removes only what the samples have in common.
        """
        variance = max(self.square - removed, 0.0)
        size = variance + epsilon
        if size == 0:
            return Signal(0.0, units=self.units, positions=self.positions)
        between, across = (self.shared - removed) / size, (self.across - removed_across) / size
        own = (1 - min(abs(self.across / self.square), 1.0) ** 2) ** 0.5 if in_batch and self.square else 0.0
        noise = _times(self.noise, max(own, epsilon / size))
        return Signal(variance / size, 0.0, between, across, self.units, self.positions, noise)

    def divided_by_rms(self, epsilon: float = 0.0) -> "Signal":
        """Return the signal divided by its root mean square."""
        size = self.square + epsilon
        factor = 1 / size if size else 0.0
        divided = self.affine((factor**0.5, factor))
        return replace(divided, noise=_times(self.noise, epsilon * factor))

    def varying(self, relative_variance: float) -> "Signal":
        """Return the signal with one more independent influence on its mean square."""
        if relative_variance <= 0:
            return self
        return replace(self, noise=self.noise | {next(_numbers): log_variance(relative_variance) ** 0.5})

    def _share_of_positions(self, power: int, chance: float = 0.0) -> float:
        """Return the part of a mean square's variance that remains after the mean over positions.

        `chance` is the mean square of correlations that finite sums have by chance.
        """
        if self.positions == 1 or self.square == 0:
            return 1.0
        correlation = min(abs(self.between / self.square), 1.0) ** power
        correlation += (1 - correlation) * chance
        return 1 / self.positions + (1 - 1 / self.positions) * correlation

    def _centered(self) -> "Signal":
        """Return the signal minus the mean over its units."""
        shift = self.mean**2
        values = replace(
            self, square=self.square - shift, mean=0.0, between=self.between - shift, across=self.across - shift
        )
        if self.origin is None:
            return values
        base, activation = self.origin
        kurtosis, slope = base._kurtosis_and_slope(activation, self.mean)
        extra = max(kurtosis - 1 - 2 * slope**2, 0.0)
        values = replace(values, noise=_times(base.noise, slope))
        return values.varying(extra * base._share_of_positions(power=1) / base.units)

    def _kurtosis_and_slope(self, activation: ActivationLike, shift: float) -> tuple[float, float]:
        if self.mean and not self.variance:
            return 1.0, _slope_of_logarithm(as_function(activation), self.mean)
        length = max(self.variance, _MIN_VARIANCE)
        if self.mean == 0:
            return _kurtosis_and_slope(activation, length, shift)
        return _kurtosis_and_slope_around(activation, self.mean, length, shift)


def plus(signals: Sequence[Signal]) -> Signal:
    """Return the sum of independent signals."""
    mean = sum(signal.mean for signal in signals)
    common = sum(signal.mean * (mean - signal.mean) for signal in signals)
    square = sum(signal.square for signal in signals) + common
    parts = [signal.square + signal.mean * (mean - signal.mean) for signal in signals]
    noise = _combined(
        [(signal.noise, part / square) for signal, part in zip(signals, parts, strict=True)] if square else []
    )
    units, positions = max(s.units for s in signals), max(s.positions for s in signals)
    between = sum(signal.shared for signal in signals) + common
    total = Signal(square, mean, between, sum(s.across for s in signals) + common, units, positions, noise)
    if not square:
        return total
    crossing = (square**2 - sum(signal.square**2 for signal in signals)) / square**2
    return total.varying(2 * max(crossing, 0.0) * total._share_of_positions(power=2) / units)


def times(first: Signal, second: Signal) -> Signal:
    """Return the product of two independent signals, element by element."""
    units, positions = max(first.units, second.units), max(first.positions, second.positions)
    squares = first.square * second.square
    noise = _combined([(first.noise, 1.0), (second.noise, 1.0)])
    between, across = first.shared * second.shared, first.across * second.across
    product = Signal(squares, first.mean * second.mean, between, across, units, positions, noise)
    return product.varying(4 * product._share_of_positions(power=2) / units)


def summed_products(first: Signal, second: Signal, n: int) -> Signal:
    """Return sums of `n` products of two independent signals: scores of queries and keys.

    Sums with one query and two keys share a part.
    """
    noise = _combined([(first.noise, 1.0), (second.noise, 1.0)])
    return Signal(n * first.square * second.square, between=n * first.square * second.shared, noise=noise)


def mixture(signals: Sequence[Signal], sizes: Sequence[int]) -> Signal:
    """Return concatenated signals, of which `sizes` are the numbers of values."""
    shares = np.asarray(sizes) / sum(sizes)

    def mean_of(values: Sequence[float]) -> float:
        return float(shares @ np.asarray(values, float))

    square = mean_of([signal.square for signal in signals])
    weights = [
        (s.noise, share * s.square / square if square else 0.0) for s, share in zip(signals, shares, strict=True)
    ]
    return Signal(
        square, mean_of([s.mean for s in signals]), mean_of([s.shared for s in signals]),
        mean_of([s.across for s in signals]), noise=_combined(weights),
    )  # fmt: skip


def log_variance(relative_variance: float) -> float:
    """Return the variance of the logarithm of a mean of squares, which approximately has a gamma distribution."""
    return float(polygamma(1, 1 / relative_variance)) if relative_variance > 0 else 0.0


@cached
def _mean_activation(activation: ActivationLike, length: float) -> float:
    """Compute the mean of an activation function over normal pre-activations with the variance `length`."""
    return _mean(as_function(activation), length)


def sum_of_squared_weights(n_keys: int, score_variance: float) -> float:
    r"""Return the expected sum of the squares of softmax values over normal scores.

    Notes
    -----
    :math:`1 / (1 + (n - 1) e^{-v})`, which is :math:`1 / n` for equal scores, and nearly :math:`e^v / n` for many keys.
    """
    return 1 / (1 + (n_keys - 1) * exp(-min(score_variance, 700.0)))


def _mean(function: Function, variance: float) -> float:
    return float(function(np.zeros(1))[0]) if variance == 0 else gaussian_mean(function, variance)


@cached
def _square_of(activation: ActivationLike, length: float) -> float:
    return mean_square(as_function(activation), length)


def _shifted(activation: ActivationLike, shift: float) -> Function:
    function = as_function(activation)
    # The sum is a new array, which functions that work in place may overwrite.
    return lambda x: function(x + shift)


@cached
def _mean_product(activation: ActivationLike, mean: float, variance: float, covariance: float) -> float:
    """Return the mean of f(x) f(x') for two normal values with the same mean and variance."""
    return _product_of_means(as_function(activation), mean, variance, covariance)


@cached
def _mean_product_of_slopes(activation: ActivationLike, mean: float, variance: float, covariance: float) -> float:
    return _product_of_means(_slope(as_function(activation), variance), mean, variance, covariance)


@cached
def _power_of_slope(activation: ActivationLike, mean: float, variance: float, power: int) -> float:
    return mean_power_of_slope(_shifted(activation, mean) if mean else as_function(activation), variance, power)


def _slope(function: Function, variance: float) -> Function:
    step = SLOPE_STEP * min(1.0, max(variance**0.5, 1e-2))
    return lambda x: (function(x + step) - function(x - step)) / (2 * step)


def _product_of_means(function: Function, mean: float, variance: float, covariance: float) -> float:
    share = min(abs(covariance) / variance, 1.0) if variance > 0 else 1.0
    scale = variance**0.5
    x = mean + scale * (share**0.5 * _OUTER[:, None] + (1 - share) ** 0.5 * _INNER)
    inner = function(x.ravel()).reshape(x.shape) @ _density(_INNER)
    # The grid is symmetric, so that the reversed array holds the means for the opposite common part.
    return float((inner * (inner[::-1] if covariance < 0 else inner)) @ _density(_OUTER))


def _density(grid: np.ndarray) -> np.ndarray:
    density = np.exp(-(grid**2) / 2)
    return np.asarray(density / density.sum())


_COMMON = _density(_OUTER)


@cached
def _kurtosis_and_slope(activation: ActivationLike, length: float, shift: float) -> tuple[float, float]:
    """Return E[f^4] / E[f^2]^2 and d ln E[f^2] / d ln q for f, the activation function minus a shift."""
    function = as_function(activation)
    return _shape(lambda x: function(x) - shift, length)


@cached
def _kurtosis_and_slope_around(
    activation: ActivationLike, mean: float, variance: float, shift: float
) -> tuple[float, float]:
    """Return the same for values with a mean, where the derivative is with respect to the scale of all values."""
    function = as_function(activation)

    def scaled(factor: float) -> Function:
        return lambda x: function(factor * (x + mean)) - shift

    kurtosis, _ = _shape(scaled(1.0), variance)
    low, high = (mean_square(scaled(1 + step), variance) for step in (-_SCALE_STEP, _SCALE_STEP))
    return kurtosis, float(np.log(high / low)) / (4 * _SCALE_STEP) if low > 0 and high > 0 else 0.0


def _shape(function: Function, length: float) -> tuple[float, float]:
    square = mean_square(function, length)
    if square == 0:
        return 1.0, 0.0
    kurtosis = gaussian_mean(lambda x: function(x) ** 4, length) / square**2
    return kurtosis, slope_of_mean_square(function, length) * length / square


def _slope_of_logarithm(function: Function, at: float) -> float:
    """Return the derivative of ln f(x)^2 with respect to ln x^2."""
    low, high = np.abs(function(np.array([at * (1 - SLOPE_STEP), at * (1 + SLOPE_STEP)])))
    return float(np.log(high / low)) / (2 * SLOPE_STEP) if low > 0 and high > 0 else 0.0


def _times(noise: Noise, factor: float) -> Noise:
    return noise if factor == 1 else {number: factor * part for number, part in noise.items() if factor}


def _combined(parts: Sequence[tuple[Noise, float]]) -> Noise:
    total: Noise = {}
    for noise, weight in parts:
        for number, part in noise.items():
            total[number] = total.get(number, 0.0) + weight * part
    return total
