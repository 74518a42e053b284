"""Sums, products and concatenations of signals in a wide network."""

from collections.abc import Sequence
from functools import lru_cache
from math import exp

import numpy as np

from initsk.theory._noise import combined_noise
from initsk.theory._wide_signal import Signal

_FEW, _MAX_KEYS = 0.25, 4096


def plus(signals: Sequence[Signal]) -> Signal:
    """Return the sum of independent signals; a single one that is not zero stays as it is."""
    signals = [signal for signal in signals if signal.square] or signals[:1]
    if len(signals) == 1:
        return signals[0]
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


def summed_products(
    first: Signal, second: Signal, n: int, *, over_positions: tuple[bool, bool] = (False, False)
) -> Signal:
    """Return sums of `n` products of two independent signals.

    Each signal is summed over its units, as queries and keys are, or over its positions, as values are with weights.
    Sums with one query and two keys share a part, and so do sums of one unit of the values with two rows of weights.
    """
    noise = combined_noise([(first.noise, 1.0), (second.noise, 1.0)])
    pairs = n * (n - 1)
    # Mean products of two of the summed values.
    in_first, in_second = (
        signal.between if over else signal.mean**2 for signal, over in zip((first, second), over_positions, strict=True)
    )
    square = n * first.square * second.square + pairs * in_first * in_second
    mean = n * first.mean * second.mean
    if over_positions != (False, True):
        between = n * first.square * second.shared + pairs * in_first * in_second
        return Signal(square, mean, between, mean**2, noise=noise)
    means = pairs * first.mean**2
    between = n * first.shared * second.square + means * second.between
    across = (n * first.across + means) * second.across
    return Signal(square, mean, between, across, noise=noise)


def mixture(signals: Sequence[Signal], sizes: Sequence[int], *, of_positions: bool = False) -> Signal:
    """Return concatenated signals, of which `sizes` are the numbers of values.

    With `of_positions`, the positions of the signals are put together, and not their units.
    """
    shares = np.asarray(sizes) / sum(sizes)

    def mean_of(values: Sequence[float]) -> float:
        return float(shares @ np.asarray(values, float))

    square = mean_of([signal.square for signal in signals])
    weights = [
        (s.noise, share * s.square / square if square else 0.0) for s, share in zip(signals, shares, strict=True)
    ]
    mean, across = mean_of([s.mean for s in signals]), mean_of([s.across for s in signals])
    between = mean_of([s.shared for s in signals])
    if of_positions:
        between = _between_positions(signals, shares)
    return Signal(square, mean, between, across, noise=combined_noise(weights))


def _between_positions(signals: Sequence[Signal], shares: np.ndarray) -> float:
    """Return the mean product at two positions, of one signal or of two that share only their means."""
    positions = [max(signal.positions, 1) for signal in signals]
    total = sum(positions)
    pairs = [n * (n - 1) for n in positions]
    inside = sum(pair * signal.shared for pair, signal in zip(pairs, signals, strict=True))
    means = np.array([n * signal.mean for n, signal in zip(positions, signals, strict=True)])
    apart = float(means.sum() ** 2 - (means**2).sum())
    return (inside + apart) / (total * (total - 1)) if total > 1 else signals[0].shared


def sum_of_squared_weights(n_keys: int, score_variance: float) -> float:
    r"""Return the expected sum of the squares of softmax values over normal scores.

    Notes
    -----
    :math:`1 / (1 + (n - 1) e^{-v})`, which is :math:`1 / n` for equal scores, and nearly :math:`e^v / n` for many keys.
    For variances above 1/4, where a few keys have most of the weight, a mean over random scores with a fixed seed.
    """
    if score_variance <= _FEW or n_keys == 1:
        return 1 / (1 + (n_keys - 1) * exp(-score_variance))
    return _simulated(min(n_keys, _MAX_KEYS), round(min(score_variance, 1e6), 4))


@lru_cache(maxsize=1024)
def _simulated(n_keys: int, score_variance: float) -> float:
    scores = np.random.default_rng(0).normal(0, score_variance**0.5, (max(200_000 // n_keys, 500), n_keys))
    weights = np.exp(scores - scores.max(1, keepdims=True))
    return float(((weights**2).sum(1) / weights.sum(1) ** 2).mean())
