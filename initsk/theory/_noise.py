"""Random influences on the logarithm of a mean square over draws of the weights."""

from collections.abc import Sequence
from itertools import count

_numbers = count()

#: Standard deviations by the number of an influence; influences with different numbers are independent.
Noise = dict[int, float]


def new_noise(variance: float) -> Noise:
    """Return an influence that is independent of all others."""
    return {next(_numbers): variance**0.5}


def noise_times(noise: Noise, factor: float) -> Noise:
    """Return the influences times a factor."""
    return noise if factor == 1 else {number: factor * part for number, part in noise.items() if factor}


def combined_noise(parts: Sequence[tuple[Noise, float]]) -> Noise:
    """Return the sum of influences, each times a factor."""
    total: Noise = {}
    for noise, weight in parts:
        for number, part in noise.items():
            total[number] = total.get(number, 0.0) + weight * part
    return total
