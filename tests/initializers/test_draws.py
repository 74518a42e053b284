"""Distributions of the draws: moments, bounds and truncation."""

import math
from math import sqrt

import pytest
import torch
from scipy import stats

from initsk import get_initializer
from initsk.exceptions import InvalidParameterError
from initsk.initializers import (
    ConvolutionAware,
    ExpectedMoments,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    Scaled,
    Sparse,
    TruncatedNormal,
    VarianceScaling,
)
from initsk.network import ParameterSpec
from tests.helpers import RARE, variance_fits


@pytest.mark.parametrize("bounds", [1e-12, 1e-6, 1e-3, 0.0099, 0.0101])
def test_truncation_near_the_mean_is_nearly_uniform(bounds):
    # E[z^2] for |z| <= b by a series: b^2 / 3 (1 - 2 b^2 / 15 + ...)
    expected = (
        TruncatedNormal(1.0, bounds=bounds, corrected=False).expected_moments(ParameterSpec.from_shape((2, 2))).variance
    )
    assert expected == pytest.approx(bounds**2 / 3 * (1 - 2 * bounds**2 / 15), rel=1e-8)
    values = TruncatedNormal(1.0, bounds=bounds).sample((300, 400), random_state=0, dtype=torch.float64)
    assert abs(float(values.pow(2).mean()) - 1) <= 6 * sqrt(2 / 120_000)


@pytest.mark.parametrize("bounds", [1e-29, 1e-31, 1e-40, 1e-300])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bounds_below_the_range_of_float32_give_the_uniform_distribution(bounds, dtype):
    values = TruncatedNormal(0.5, bounds=bounds).sample((300, 400), random_state=0, dtype=dtype).double()
    # The density between such bounds is constant; a uniform distribution of this variance ends at sqrt(3) * 0.5.
    assert stats.kstest(values.flatten().numpy(), stats.uniform(-sqrt(0.75), 2 * sqrt(0.75)).cdf).pvalue > RARE


STRONG = [
    (Orthogonal(1.5), (3, 8)),
    (VarianceScaling(2.0, distribution="orthogonal"), (3, 8)),
    (ConvolutionAware(), (3, 8)),
]


@pytest.mark.parametrize(("s", "shape"), STRONG, ids=str)
def test_expected_singular_value(s, shape):
    found = torch.linalg.svdvals(s.sample(shape, random_state=0, dtype=torch.float64))
    assert s.expected_moments(ParameterSpec.from_shape(shape)).singular_value == pytest.approx(float(found.mean()))


def test_bounds_are_reached():
    for d in ("uniform", "truncated_normal"):
        s = VarianceScaling(distribution=d)
        values = s.sample((300, 400), random_state=0)
        # Of 120000 values, the largest is within a hundredth of a sharp bound.
        assert float(values.abs().max()) >= 0.99 * s.expected_moments(ParameterSpec.from_shape((300, 400))).bound


def test_tails_are_not_truncated_early():
    # P(|z| > 7) = 2.6e-12: about 4 in 100000 samples of 2^24 values exceed it.
    assert float(TruncatedNormal(1.0, bounds=9.0, corrected=False).sample((4096, 4096), random_state=0).abs().max()) < 7


def test_bounds_in_the_wrong_order():
    with pytest.raises(InvalidParameterError, match="low=1"):
        RandomUniform(1.0, 0.5).sample((2, 2))


def test_default_bounds():
    assert (
        stats.kstest(
            RandomUniform().sample((300, 400), random_state=0).flatten().numpy(), stats.uniform(-0.05, 0.1).cdf
        ).pvalue
        > RARE
    )


def test_expected_moments_of_a_multiple():
    assert Scaled(RandomNormal(0.1, mean=2.0), -3.0).expected_moments(
        ParameterSpec.from_shape((2, 2))
    ) == ExpectedMoments(pytest.approx(0.09), mean=-6.0)


def test_std_of_sparse():
    v = Sparse(5, std=3.0).sample((4000, 20), random_state=0)
    assert stats.kstest(v[v != 0].numpy(), stats.norm(0, 3).cdf).pvalue > RARE


@pytest.mark.parametrize(
    ("name", "scale", "mode"), [("glorot_uniform", 6, "sum"), ("he_uniform", 6, "in"), ("lecun_uniform", 3, "in")]
)
def test_named_uniforms(name, scale, mode):
    b = math.sqrt(scale / (700 if mode == "sum" else 400))
    assert (
        stats.kstest(
            get_initializer(name).sample((300, 400), random_state=0).flatten().numpy(), stats.uniform(-b, 2 * b).cdf
        ).pvalue
        > RARE
    )


def test_truncation_is_corrected_by_default():
    assert variance_fits(TruncatedNormal().sample((300, 400), random_state=0), 1e-4)
