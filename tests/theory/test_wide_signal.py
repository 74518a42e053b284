"""Statistics of wide signals: known answers of every operation."""

from math import asin, pi, sqrt

import numpy as np
import pytest

from initsk import theory
from initsk.theory import Signal, mixture, plus, sum_of_squared_weights, summed_products, times


def normal(square=1.0, between=0.0, **given):
    return Signal(square, between=between, units=100, positions=10, **given)


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.8, -0.4])
def test_products_of_rectified_values(correlation):
    # The kernel of ReLU in closed form (Cho and Saul 2009, equation 6, order 1).
    expected = (sqrt(1 - correlation**2) + correlation * (pi / 2 + asin(correlation))) / (2 * pi)
    after = normal(4.0, 4.0 * correlation).through("relu")
    assert after.square == pytest.approx(2.0)
    assert after.mean == pytest.approx(2 * (2 * pi) ** -0.5)
    assert after.between == pytest.approx(4 * expected, rel=1e-3)


def test_functions_of_values_with_a_mean():
    after = Signal(5.0, 1.0).through(np.square)
    # x ~ N(1, 4): E x^4 = 1 + 6 * 4 + 3 * 16.
    assert (after.mean, after.square) == (pytest.approx(5.0), pytest.approx(73.0))
    # A function that scales with its input passes on the noise of the scale.
    assert Signal(5.0, 1.0, noise={0: 0.1}).through("relu").noise[0] == pytest.approx(0.1, rel=1e-6)


@pytest.mark.parametrize(("n", "mean", "square"), [(2, pi**-0.5, 1.0), (3, 1.5 * pi**-0.5, 1 + sqrt(3) / (2 * pi))])
def test_the_largest_of_independent_normal_values(n, mean, square):
    largest = normal().largest(n)
    assert (largest.mean, largest.square) == (pytest.approx(mean, rel=1e-4), pytest.approx(square, rel=1e-4))
    # Of equal values, the largest is one of them.
    assert normal(1.0, 1.0).largest(n).square == pytest.approx(1.0, rel=1e-4)


def test_the_largest_after_a_function_is_the_function_of_the_largest():
    expected = np.maximum(np.random.default_rng(0).normal(size=(400_000, 4)), 0).max(1)
    found = normal().through("relu").largest(4)
    # Five standard errors of the mean of the squares: one false alarm in two million.
    error = 5 * np.std(expected**2) / expected.size**0.5
    assert found.square == pytest.approx(np.mean(expected**2), abs=error)


def test_means_over_positions():
    signal = normal(1.0, 0.2)
    assert signal.averaged(4).square == pytest.approx((1 + 3 * 0.2) / 4)
    assert signal.averaged(4).between == pytest.approx(0.2)
    # Attention with equal weights gives all positions the same mean.
    assert signal.attended(1 / 10, 1 / 10).square == pytest.approx(0.2 + 0.8 / 10)
    assert signal.over_units(50).square == pytest.approx(1 / 50)
    # Of squares, the mean over many units is one number.
    assert signal.through(np.square).over_units(200).variance == 0


def test_sums_and_products_and_parts():
    first, second = Signal(2.0, 0.5, 0.3, 0.2, 8, 4), Signal(3.0, -1.0, 1.5, 0.1, 8, 4)
    total = plus([first, second])
    assert (total.square, total.mean) == (pytest.approx(2 + 3 + 2 * 0.5 * -1), pytest.approx(-0.5))
    assert total.between == pytest.approx(0.3 + 1.5 - 1.0)
    product = times(first, second)
    assert (product.square, product.mean, product.between) == pytest.approx((6.0, -0.5, 0.45))
    parts = mixture([first, second], [1, 3])
    assert (parts.square, parts.mean) == pytest.approx((2.75, -0.625))
    # Each of 16 products alone, and pairs of products, of which the means remain.
    assert summed_products(first, second, 16).square == pytest.approx(16 * 6.0 + 16 * 15 * (0.5 * -1.0) ** 2)


def test_functions_of_functions():
    signal = Signal(2.0, 0.0, 0.6, 0.4, 64, 4)
    once = signal.through("relu")
    twice = once.through("relu")
    assert (twice.square, twice.mean, twice.between) == pytest.approx((once.square, once.mean, once.between))
    # relu(-relu(x)) is zero.
    assert once.through(np.negative).through("relu").square == pytest.approx(0.0, abs=1e-12)
    # A residual branch that begins as zero changes nothing.
    assert plus([once, Signal(0.0)]).through("relu").square == pytest.approx(once.square)


def test_sums_of_products_with_rows_of_weights():
    """Weights of mean 1 that two rows share in part, and values that two positions and two samples share in part."""
    rng = np.random.default_rng(0)
    n, draws = 8, 200_000
    common = rng.normal(size=(draws, 1, n))
    rows = 1 + 0.6 * common + 0.8 * rng.normal(size=(draws, 2, n))
    of_all, of_sample = rng.normal(size=(draws, 1, 1)), rng.normal(size=(draws, 2, 1))
    values = 0.5 * of_all + 0.7 * of_sample + rng.normal(size=(draws, 2, n))
    weights = Signal(2.0, 1.0, 1 + 0.36, 1.0, 10**9, 2)
    second = Signal(0.25 + 0.49 + 1, 0.0, 0.25 + 0.49, 0.25, 10**9, n)
    result = summed_products(weights, second, n, over_positions=(False, True))
    first_sums, of_other_sample = (rows * values[:, :1]).sum(2), (rows[:, 1] * values[:, 1]).sum(1)
    # Four standard errors of means over the draws.
    for measured, expected in (
        (first_sums[:, 0] ** 2, result.square),
        (first_sums[:, 0] * first_sums[:, 1], result.between),
    ):
        assert measured.mean() == pytest.approx(expected, abs=4 * measured.std() / draws**0.5)
    rows_of_other = 1 + rng.normal(size=(draws, n))
    measured = (rows_of_other * values[:, 0]).sum(1) * of_other_sample
    assert measured.mean() == pytest.approx(result.across, abs=4 * measured.std() / draws**0.5)


def test_noise_of_a_shortcut_and_its_branch_adds_up_with_signs():
    stream = Signal(1.0, units=10**9, noise={0: 0.2})
    # A branch that ends in a normalization does not vary with the stream.
    total = plus([stream, Signal(3.0, units=10**9)])
    assert total.noise[0] == pytest.approx(0.2 / 4)
    assert plus([stream, stream.through_layer(1.0, 0.0, 10**9, 1)]).noise[0] == pytest.approx(0.2)


@pytest.mark.parametrize("epsilon", [0.0, 0.5])
def test_normalization(epsilon):
    signal = Signal(5.0, 1.0, 2.0, 1.5, 50, 4, {0: 0.3})
    layer = signal.standardized(1.0, 1.0, epsilon)
    assert layer.square == pytest.approx(4 / (4 + epsilon))
    assert layer.between == pytest.approx(1 / (4 + epsilon))
    assert layer.noise.get(0, 0.0) == pytest.approx(0.3 * epsilon / (4 + epsilon))
    rms = signal.divided_by_rms(epsilon)
    assert (rms.square, rms.mean**2) == pytest.approx((5 / (5 + epsilon), 1 / (5 + epsilon)))
    # A batch of samples that have nothing in common keeps the differences between them.
    apart = Signal(5.0, 0.0, units=50, noise={0: 0.3}).standardized(0.0, 0.0, epsilon, in_batch=True)
    assert apart.noise[0] == pytest.approx(0.3)


def test_weights_of_attention():
    assert sum_of_squared_weights(8, 0.0) == 1 / 8
    assert sum_of_squared_weights(8, 1e9) == pytest.approx(1.0, abs=0.01)
    rng = np.random.default_rng(1)
    for variance, tolerance in ((0.25, 0.01), (1.0, 0.03), (4.0, 0.03)):
        weights = np.exp(rng.normal(0, variance**0.5, (20_000, 64)))
        squares = (weights**2).sum(1) / weights.sum(1) ** 2
        assert sum_of_squared_weights(64, variance) == pytest.approx(squares.mean(), rel=tolerance)


def test_dropout_and_scale():
    signal = normal(2.0, 0.5)
    dropped = signal.dropped(0.5)
    assert (dropped.square, dropped.between) == (4.0, 0.5)
    assert signal.dropped(1.0).square == 0
    assert signal.scaled(2.0, 1.0).square == 4 * 2 + 1


def test_a_layer_gives_the_variance_of_theory():
    after = Signal(1.0).through_layer(2.0, 0.1, 200, 1)
    assert after.square == pytest.approx(2.1)
    assert after.spread == pytest.approx(2 / 200, rel=0.01)
    # Independent positions average the variance over draws; equal ones do not.
    many = Signal(1.0).through_layer(2.0, 0.0, 200, 50)
    assert many.spread == pytest.approx(2 / 200, rel=0.01)
    assert normal(1.0, 0.0).through_layer(2.0, 0.0, 200, 50).spread == pytest.approx(2 / 200 / 50, rel=0.01)


def test_gradients_of_an_activation_function():
    before = Signal(1.0, units=100).times_slope("relu", Signal(3.0))
    assert before.square == pytest.approx(0.5, rel=1e-6)
    # The larger of two values is positive in three of four cases.
    largest = Signal(1.0, units=100).times_slope("relu", normal(), 2)
    assert largest.square == pytest.approx(0.75, rel=1e-2)
    assert theory.gain("relu") ** -2 == pytest.approx(0.5)
