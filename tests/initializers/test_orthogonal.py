"""Orthogonal, DeltaOrthogonal and ConvolutionAware."""

from math import prod, sqrt

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from initsk import get_initializer, initialize
from initsk.exceptions import InvalidParameterError
from initsk.initializers import (
    ConvolutionAware,
    DeltaOrthogonal,
    Orthogonal,
)
from initsk.network import ParameterSpec
from tests.helpers import RARE, build


@pytest.mark.parametrize("shape", [(5, 5), (8, 3), (3, 8), (4, 2, 3, 3)])
def test_orthogonal_has_equal_singular_values(shape):
    w = Orthogonal(gain=1.5).sample(shape, random_state=0).reshape(shape[0], -1)
    singular = torch.linalg.svdvals(w)
    torch.testing.assert_close(singular, torch.full_like(singular, 1.5), rtol=1e-5, atol=0)


def test_orthogonal_is_haar():
    # The angles of a Haar matrix's eigenvalues are spread evenly; QR without a correction of signs fails this test.
    traces = [float(Orthogonal().sample((10, 10), random_state=s).trace()) for s in range(400)]
    # Mean 0 and variance 1; five standard errors, false alarms about 1e-6.
    assert abs(np.mean(traces)) < 5 / sqrt(400)
    assert abs(np.var(traces) - 1) < 5 * sqrt(2 / 400)


def test_gain_of_delta_orthogonal():
    w = DeltaOrthogonal(1.5).sample((6, 4, 3), random_state=0)[:, :, 1]
    torch.testing.assert_close(w.T @ w, 2.25 * torch.eye(4))


@pytest.mark.parametrize(
    "shape", [(5, 3, 3), (4, 7, 4), (6, 20, 3, 3), (2, 5, 7, 5), (3, 1, 3, 3), (3, 17, 2, 3, 2), (2, 40, 3, 3, 3)]
)
@pytest.mark.parametrize("scale", [2.0, 0.5])
def test_kernels_of_a_block_are_orthogonal_in_fourier_space(shape, scale):
    values = ConvolutionAware(scale).sample(shape, random_state=0, dtype=torch.float64)
    kernel, size = shape[2:], prod(shape[2:])
    spectra = torch.fft.fftn(values, dim=tuple(range(-len(kernel), 0))).flatten(2)
    length = size**2 * scale / (shape[1] * size)
    for start in range(0, shape[1], size):
        block = spectra[:, start : start + size]
        gram = block @ block.mH
        expected = length * torch.eye(block.shape[1], dtype=gram.dtype)
        torch.testing.assert_close(gram, expected.expand_as(gram), rtol=0, atol=1e-9 * length)


@pytest.mark.parametrize("shape", [(6, 5, 3), (8, 20, 3, 3), (3, 17, 2, 3, 2)])
def test_mean_square_is_exactly_hes(shape):
    values = ConvolutionAware().sample(shape, random_state=1, dtype=torch.float64)
    fan_in = prod(shape[1:])
    assert float(values.square().mean()) == pytest.approx(2 / fan_in, rel=1e-12)
    assert ConvolutionAware().expected_moments(ParameterSpec.from_shape(shape)).variance == 2 / fan_in


def test_groups_count_in_the_variance():
    module = build(lambda: nn.Conv2d(8, 8, 3, groups=4))
    initialize(module, "caware", random_state=0)
    assert float(module.weight.detach().double().square().mean()) == pytest.approx(2 / (2 * 9), rel=1e-6)


@pytest.mark.parametrize("position", [(0, 0), (1, 2), (2, 2)])
def test_blocks_are_haar(position):
    # A coordinate of a uniform direction in three dimensions is uniform (Archimedes).
    values = ConvolutionAware().sample((4000, 3, 3), random_state=0)[:, *position].numpy()
    length = sqrt(2 / 3)
    assert stats.kstest(values / length, stats.uniform(-1, 2).cdf).pvalue > RARE


def test_blocks_and_units_are_independent():
    values = ConvolutionAware().sample((2000, 4, 3), random_state=0).double()
    # Squared cosines of independent directions in three dimensions have mean 1/3 and variance 4/45; five errors.
    for first, second in [(values[:, 0], values[:, 3]), (values[:-1, 0], values[1:, 0])]:
        cosines = torch.nn.functional.cosine_similarity(first, second).square()
        assert abs(float(cosines.mean()) - 1 / 3) < 5 * sqrt(4 / 45 / len(cosines))


def test_kernels_of_one_value_are_normal():
    values = ConvolutionAware().sample((40, 50, 1, 1), random_state=0).flatten().numpy()
    assert stats.kstest(values, stats.norm(0, sqrt(2 / 50)).cdf).pvalue > RARE


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4)])
def test_dense_layers_are_orthogonal_with_the_same_variance(shape):
    singular = torch.linalg.svdvals(ConvolutionAware().sample(shape, random_state=0, dtype=torch.float64))
    torch.testing.assert_close(singular, torch.full_like(singular, sqrt(2 / shape[1] * max(shape))))


def test_complex_kernels_are_unitary_and_empty_ones_are_drawn():
    values = ConvolutionAware().sample((3, 5, 2, 2), random_state=0, dtype=torch.complex128)[:, :4].flatten(2)
    gram = values @ values.mH
    torch.testing.assert_close(gram, (2 / 5 * torch.eye(4, dtype=gram.dtype)).expand_as(gram))
    assert ConvolutionAware().sample((0, 3, 3)).shape == (0, 3, 3)


def test_convolution_aware_depends_on_the_seed_and_raises_for_vectors():
    first, same, other = (get_initializer("cai").sample((4, 3, 3, 3), random_state=seed) for seed in (0, 0, 1))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    with pytest.raises(InvalidParameterError, match=r"ConvolutionAware needs fan_in and fan_out.*\(5,\)"):
        ConvolutionAware().sample((5,))
