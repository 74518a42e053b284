"""Measure how often the 95 % interval of a mean covers the true mean, for scores between 0 and 1.

Scores with one peak, scores with two (runs that fail now and then), and strongly skewed scores. Samples of equal scores
have no interval, so they do not count.
"""

import numpy as np
from scipy import stats

from initsk.comparison.results import mean_interval

N = 5_000


def failing(rng, shape, probability=0.1):
    """Scores near 0.96, of which some are near 0.1: a run fails with the given probability."""
    scores = np.where(rng.random(shape) < probability, 0.1, 0.96) + rng.normal(0, 0.005, shape)
    return scores, 0.96 - probability * 0.86


def beta(a, b):
    """Scores with a beta distribution."""
    return lambda rng, shape: (stats.beta(a, b).rvs(shape, random_state=rng), a / (a + b))


DISTRIBUTIONS = {
    "one peak, mean 0.9 (Beta(31.5, 3.5))": beta(31.5, 3.5),
    "one run in ten fails (0.1 instead of 0.96)": failing,
    "strongly skewed (Beta(2, 0.1))": beta(2, 0.1),
}


def coverage(draw, n, rng):
    """Return the share of intervals that cover the mean, and the share of samples that have an interval."""
    scores, mean = draw(rng, (N, n))
    ends = np.array([mean_interval(values, bounds=(0, 1)) for values in scores])
    ends = ends[np.isfinite(ends).all(axis=1)]
    return float(((ends[:, 0] <= mean) & (mean <= ends[:, 1])).mean()), len(ends) / N


def main():
    for name, draw in DISTRIBUTIONS.items():
        for n in (3, 5, 10):
            covered, with_interval = coverage(draw, n, np.random.default_rng(n))
            print(f"{name}, {n} scores: {covered:.1%} (of {with_interval:.0%} with an interval)", flush=True)


if __name__ == "__main__":
    main()
