"""ZerO, Identity and Dirac."""

from math import sqrt

import numpy as np
import pytest
import torch
from scipy.linalg import hadamard
from torch import nn

from initsk import initialize
from initsk.exceptions import InvalidParameterError
from initsk.initializers import (
    Dirac,
    Identity,
    ZerO,
)
from tests.helpers import build
from tests.initializers.support import values_of


def test_gain_of_the_identity():
    assert Identity(2.5).sample((2, 2)).tolist() == [[2.5, 0], [0, 2.5]]


def test_gain_of_dirac():
    assert float(Dirac(2.5).sample((2, 2, 3)).sum()) == 5


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((2, 2), [[1, 0], [0, 1]]),
        ((2, 4), [[1, 0, 0, 0], [0, 1, 0, 0]]),
        ((2, 1), [[sqrt(0.5)], [sqrt(0.5)]]),
        # m = 2, so c = 1 / 2, for three outputs as well.
        ((3, 2), [[0.5, 0.5], [0.5, -0.5], [0.5, 0.5]]),
        ((4, 3), [[0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5], [0.5, -0.5, -0.5]]),
        ((1, 1), [[1]]),
    ],
)
def test_zero_matrices_known_by_hand(shape, expected):
    torch.testing.assert_close(ZerO().sample(shape), torch.tensor(expected, dtype=torch.float32))


@pytest.mark.parametrize(("rows", "columns"), [(8, 4), (8, 7), (9, 8), (100, 13), (37, 36), (64, 1)])
def test_zero_fills_wide_layers_with_the_corner_of_a_hadamard_matrix(rows, columns):
    size = 2 ** int(np.ceil(np.log2(rows)))
    expected = hadamard(size)[:rows, :columns] / sqrt(size)
    np.testing.assert_allclose(ZerO().sample((rows, columns), dtype=torch.float64).numpy(), expected, rtol=1e-15)


@pytest.mark.parametrize("shape", [(5, 5), (4, 8), (8, 4), (64, 33)])
def test_zero_is_an_isometry_for_smaller_widths_and_powers_of_two(shape):
    singular = torch.linalg.svdvals(ZerO().sample(shape, dtype=torch.float64))
    torch.testing.assert_close(singular, torch.ones_like(singular))


def test_zero_with_the_constant_of_the_paper():
    # c = 2^(-(m - 1) / 2) with m = 3. Identities have no constant.
    printed = ZerO(hadamard_gain=2**0.5)
    torch.testing.assert_close(printed.sample((8, 4)), 2.0**-1 * torch.tensor(hadamard(8)[:, :4]).float())
    assert torch.equal(printed.sample((4, 4)), torch.eye(4))


@pytest.mark.parametrize(
    ("kernel", "center"), [((3,), (1,)), ((5, 3), (2, 1)), ((4, 1), (2, 0)), ((3, 3, 2), (1, 1, 1))]
)
@pytest.mark.parametrize("channels", [(4, 6), (6, 6), (8, 3)])
def test_zero_convolution_has_the_matrix_at_the_center(channels, kernel, center):
    values = ZerO().sample((*channels, *kernel))
    middle = (slice(None), slice(None), *center)
    assert torch.equal(values[middle], ZerO().sample(channels))
    values[middle] = 0
    assert not values.any()


def test_zero_sets_grouped_convolutions_to_the_identity():
    options = {"kernel_size": 3, "padding": 1, "groups": 2}
    module = build(lambda: nn.Sequential(nn.Conv2d(4, 4, **options), nn.ConvTranspose2d(4, 4, **options)))
    initialize(module, "zer_o")
    x = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(module(x), x)


def test_zero_is_deterministic_and_keeps_embeddings():
    module = build(lambda: nn.ModuleDict({"words": nn.Embedding(10, 4), "wide": nn.Linear(4, 6), "rnn": nn.GRU(6, 6)}))
    words = module["words"].weight.clone()
    record = initialize(module, "zero_hadamard", random_state=0).to_frame().set_index("name")
    first = values_of(module)
    initialize(module, ZerO(), random_state=1)
    assert all(torch.equal(value, first[name]) for name, value in module.state_dict().items())
    assert torch.equal(module["words"].weight, words)
    assert not record.loc["words.weight", "touched"]
    assert torch.equal(module["rnn"].weight_hh_l0, torch.eye(6).repeat(3, 1))
    assert not module["wide"].bias.any()


def test_zero_raises_for_vectors():
    with pytest.raises(InvalidParameterError, match=r"ZerO needs a matrix or a convolution's kernel.*\(5,\)"):
        ZerO().sample((5,))
    with pytest.raises(InvalidParameterError, match="hadamard_gain=0 is not allowed"):
        ZerO(hadamard_gain=0).sample((4, 2))
