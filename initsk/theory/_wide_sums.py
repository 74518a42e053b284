"""Sums, products and concatenations of signals in a wide network."""

from collections.abc import Sequence
from math import exp

import numpy as np

from initsk.theory._noise import combined_noise
from initsk.theory._wide_signal import Signal


def plus(signals: Sequence[Signal]) -> Signal:
    """Return the sum of independent signals."""
    mean = sum(signal.mean for signal in signals)
    common = sum(signal.mean * (mean - signal.mean) for signal in signals)
    square = sum(signal.square for signal in signals) + common
    parts = [signal.square + signal.mean * (mean - signal.mean) for signal in signals]
    noise = combined_noise(
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
    noise = combined_noise([(first.noise, 1.0), (second.noise, 1.0)])
    between, across = first.shared * second.shared, first.across * second.across
    product = Signal(squares, first.mean * second.mean, between, across, units, positions, noise)
    return product.varying(4 * product._share_of_positions(power=2) / units)


def summed_products(first: Signal, second: Signal, n: int) -> Signal:
    """Return sums of `n` products of two independent signals: scores of queries and keys.

    Sums with one query and two keys share a part.
    """
    noise = combined_noise([(first.noise, 1.0), (second.noise, 1.0)])
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
        mean_of([s.across for s in signals]), noise=combined_noise(weights),
    )  # fmt: skip


def sum_of_squared_weights(n_keys: int, score_variance: float) -> float:
    r"""Return the expected sum of the squares of softmax values over normal scores.

    Notes
    -----
    :math:`1 / (1 + (n - 1) e^{-v})`, which is :math:`1 / n` for equal scores, and nearly :math:`e^v / n` for many keys.
    """
    return 1 / (1 + (n_keys - 1) * exp(-min(score_variance, 700.0)))
