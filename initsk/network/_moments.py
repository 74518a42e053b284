"""Mean and variance of a signal, and of the results of operations with it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import special

from initsk.theory import ActivationLike, as_function, gaussian_mean


@dataclass(frozen=True)
class Moments:
    """Mean and variance over all elements of a signal, which are assumed to be independent.

    Attributes
    ----------
    mean, variance : float
    """

    mean: float
    variance: float

    @property
    def square(self) -> float:
        """Mean of the squares."""
        return self.variance + self.mean**2

    @classmethod
    def by_square(cls, mean: float, square: float) -> "Moments":
        """Return moments, given the mean and the mean square."""
        return cls(mean, max(square - mean**2, 0.0))

    @classmethod
    def of(cls, values: torch.Tensor) -> "Moments":
        """Return the moments of a tensor's values."""
        values = values.detach().double()
        return cls(float(values.mean()), float(values.var(correction=0)))

    def scaled(self, factor: float, shift: float = 0.0) -> "Moments":
        """Return the moments of ``factor x + shift``."""
        return Moments(factor * self.mean + shift, factor**2 * self.variance)

    def through(self, activation: ActivationLike) -> "Moments":
        """Return the moments of a function of a normal signal.

        Examples
        --------
        >>> out = Moments(0.0, 1.0).through("relu")
        >>> round(out.mean, 5), round(out.square, 5)
        (0.39894, 0.5)
        """
        function = as_function(activation)

        def at(x: np.ndarray) -> np.ndarray:
            # The sum is a new array, which functions that work in place may overwrite.
            return function(x + self.mean)

        if self.variance == 0:
            return Moments(float(at(np.zeros(1))[0]), 0.0)
        mean = gaussian_mean(at, self.variance)
        return Moments.by_square(mean, gaussian_mean(lambda x: at(x) ** 2, self.variance))

    def dropped(self, p: float) -> "Moments":
        """Return the moments after dropout, which divides the remaining elements by ``1 - p``."""
        return Moments.by_square(self.mean, self.square / (1 - p)) if p < 1 else Moments(0.0, 0.0)

    def averaged(self, n: int) -> "Moments":
        """Return the moments of the mean of `n` elements."""
        return Moments(self.mean, self.variance / n)

    def largest(self, n: int) -> "Moments":
        """Return the moments of the maximum of `n` elements of a normal signal."""

        def density(x: np.ndarray) -> np.ndarray:
            return n * np.asarray(special.ndtr(x)) ** (n - 1)

        mean = gaussian_mean(lambda x: x * density(x))
        square = gaussian_mean(lambda x: x**2 * density(x))
        return Moments.by_square(mean, square).scaled(self.variance**0.5, self.mean)

    def weighted(self, rows: torch.Tensor, per_unit: float = 1.0) -> "Moments":
        """Return the moments of the products of a matrix, given by its rows, with the signal.

        `per_unit` is the share of a row's weights in one sum.
        """
        rows = rows.detach().double()
        means = self.mean * rows.sum(dim=1) * per_unit
        variance = self.variance * float(rows.square().sum(dim=1).mean()) * per_unit
        return plus(Moments.of(means), Moments(0.0, variance))

    def affine(self, factor: "Moments | None", shift: "Moments | None") -> "Moments":
        """Return the moments after the units' factors and shifts, which normalization layers have."""
        scaled = self if factor is None else times(self, factor)
        return scaled if shift is None else plus(scaled, shift)


def plus(*signals: Moments) -> Moments:
    """Return the moments of a sum."""
    return Moments(sum(signal.mean for signal in signals), sum(signal.variance for signal in signals))


def times(first: Moments, second: Moments) -> Moments:
    """Return the moments of a product, element by element."""
    return Moments.by_square(first.mean * second.mean, first.square * second.square)


def mixture(signals: Sequence[Moments], sizes: Sequence[int]) -> Moments:
    """Return the moments of concatenated signals.

    Examples
    --------
    >>> mixture([Moments(0.0, 1.0), Moments(4.0, 1.0)], [3, 1])
    Moments(mean=1.0, variance=4.0)
    """
    total = sum(sizes)
    mean = sum(signal.mean * size for signal, size in zip(signals, sizes, strict=True)) / total
    square = sum(signal.square * size for signal, size in zip(signals, sizes, strict=True)) / total
    return Moments.by_square(mean, square)
