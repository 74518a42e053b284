"""Statistics of a signal in a wide network with random weights, and how operations change them."""

from dataclasses import dataclass, field, replace

import numpy as np

from initsk.theory._activations import ActivationLike, Composed, Function, as_function
from initsk.theory._gaussian import mean_square
from initsk.theory._noise import Noise, new_noise, noise_times
from initsk.theory._wide_means import (
    COMMON,
    MIN_VARIANCE,
    kurtosis_and_slope,
    kurtosis_and_slope_around,
    log_variance,
    mean_activation,
    mean_of,
    mean_product,
    mean_product_of_slopes,
    means_of_largest,
    power_of_slope,
    shifted,
    slope_of,
    slope_of_logarithm,
    square_of,
)

# A mean whose square is so many times its variance is taken as a number, as in a normalization that is written out.
_HARDLY = 10.0


def removed_share(is_orthogonal: bool, n_out: float, n_in: float) -> float:
    """Return the share of a length's variance that orthogonal weights remove; all if there are not fewer outputs."""
    return min(1.0, n_out / n_in) if is_orthogonal else 0.0


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
    visible : ndarray or None
        For each row of scores, how many a mask leaves; None without a mask.
    is_independent : bool
        Whether the values have nothing in common but their mean, and the noise does not matter.

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
    visible: "np.ndarray | None" = None
    is_independent: bool = False

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
            noise=noise_times(self.noise, ratio),
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
        out = Signal(square, 0.0, between, across, units, positions, noise_times(given.noise, own))
        chance = 1 / fan_in if fan_in else 0.0
        return out.varying(2 * (1 - removed) * out._share_of_positions(power=2, chance=chance) / units)

    def through(self, activation: ActivationLike) -> "Signal":
        """Return the values of an activation function of a normal signal, or of a function of one."""
        if self.origin is not None:
            base, first = self.origin
            return base.at(self.units, self.positions).through(Composed(first, activation))
        if self.mean == 0:
            square, mean = square_of(activation, self.square), mean_activation(activation, self.square)
        else:
            function = shifted(activation, self.mean)
            square, mean = mean_square(function, self.variance), mean_of(function, self.variance)
        if self.is_independent:
            return Signal(square, mean).independent()
        shared = [
            square if s == self.square else mean_product(activation, self.mean, self.variance, s - self.mean**2)
            for s in (self.shared, self.across)
        ]
        kurtosis, slope = self._kurtosis_and_slope(activation, 0.0)
        noise = noise_times(self.noise, slope)
        result = Signal(square, mean, shared[0], shared[1], self.units, self.positions, noise, (self, activation))
        extra = max(kurtosis - 1 - 2 * slope**2, 0.0)
        return result.varying(extra * self._share_of_positions(power=1) / self.units)

    def times_slope(self, activation: ActivationLike, of: "Signal", largest: int = 1) -> "Signal":
        """Return the gradient before an activation function of a normal signal, given the gradient after it.

        With `largest`, only the largest of so many values of the signal have a gradient.
        """
        length = of.variance
        if largest > 1:
            slope = slope_of(as_function(activation), length)
            share = float(of._means_of_largest(slope, largest, of.shared, 2) @ COMMON)
            return replace(self, square=self.square * share, mean=0.0, between=self.shared * share, across=0.0)
        square = power_of_slope(activation, of.mean, length, 2)
        power_4 = power_of_slope(activation, of.mean, length, 4)
        shared = self.shared * mean_product_of_slopes(activation, of.mean, length, of.shared - of.mean**2)
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

    def over_units(self, n: int) -> "Signal":
        """Return the mean over `n` units; a mean that hardly varies counts as one number."""
        common = self.mean**2
        if common * n > _HARDLY * self.variance:
            return replace(self, square=common, between=common, across=common, origin=None)
        square, between, across = (common + (s - common) / n for s in (self.square, self.shared, self.across))
        mean = replace(self, square=square, between=between, across=across, origin=None)
        return mean.varying(2 / self.units)

    def differing(self, square: float) -> "Signal":
        """Return the signal of which a part, given by its mean square, differs between positions."""
        return replace(self, between=self.shared - square, across=self.across - square)

    def independent(self) -> "Signal":
        """Return the signal with values that have nothing in common but their mean."""
        common = self.mean**2
        return replace(self, between=common, across=common, noise={}, origin=None, is_independent=True)

    def attended(self, own: float, common: float) -> "Signal":
        """Return weighted means over positions.

        `own` is the sum of the squares of a mean's weights, and `common` the sum of the products of two means' weights.
        """
        differing = self.square - self.shared
        square, between = max(self.shared + own * differing, 0.0), self.shared + common * differing
        result = replace(self, square=square, between=between, origin=None)
        # What positions share varies in another way than the mean square.
        share = min(abs(self.shared / self.square), 1.0) if self.square else 1.0
        return result.varying(2 * (1 - share**2) / self.units)

    def largest(self, n: int) -> "Signal":
        """Return the largest of the values at `n` positions, for increasing activation functions."""
        base, activation = self.origin or (self, "identity")
        function = as_function(activation)
        square, mean = (float(base._means_of_largest(function, n, base.shared, power) @ COMMON) for power in (2, 1))
        between, across = (
            float(base._means_of_largest(function, n, shared, 1) ** 2 @ COMMON) for shared in (base.shared, base.across)
        )
        return replace(self, square=square, mean=mean, between=between, across=across, origin=None)

    def _means_of_largest(self, function: Function, n: int, shared: float, power: int) -> np.ndarray:
        """Return means of a power of a function of the largest of `n` values, for each value of their common part."""
        common = min(max(shared - self.mean**2, 0.0), self.variance)
        return means_of_largest(function, n, mean=self.mean, variance=self.variance, common=common, power=power)

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
        noise = noise_times(self.noise, max(own, epsilon / size))
        return Signal(variance / size, 0.0, between, across, self.units, self.positions, noise)

    def divided_by_rms(self, epsilon: float = 0.0) -> "Signal":
        """Return the signal divided by its root mean square."""
        size = self.square + epsilon
        factor = 1 / size if size else 0.0
        divided = self.affine((factor**0.5, factor))
        return replace(divided, noise=noise_times(self.noise, epsilon * factor))

    def varying(self, relative_variance: float) -> "Signal":
        """Return the signal with one more independent influence on its mean square."""
        if relative_variance <= 0 or self.is_independent:
            return self
        return replace(self, noise=self.noise | new_noise(log_variance(relative_variance)))

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
        values = replace(values, noise=noise_times(base.noise, slope))
        return values.varying(extra * base._share_of_positions(power=1) / base.units)

    def _kurtosis_and_slope(self, activation: ActivationLike, shift: float) -> tuple[float, float]:
        if self.mean and not self.variance:
            return 1.0, slope_of_logarithm(as_function(activation), self.mean)
        length = max(self.variance, MIN_VARIANCE)
        if self.mean == 0:
            return kurtosis_and_slope(activation, length, shift)
        return kurtosis_and_slope_around(activation, self.mean, length, shift)
