"""Blocks of a spec: drawn at once, they have the values of single draws, one after the other."""

from dataclasses import replace

import pytest
import torch

from initsk import get_initializer
from initsk.exceptions import InvalidParameterError
from initsk.initializers import (
    Constant,
    ConvolutionAware,
    HeNormal,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    Scaled,
    Siren,
    Sparse,
    TruncatedNormal,
    VarianceScaling,
)
from initsk.network import ParameterSpec
from tests.helpers import label, params

INITIALIZERS = [
    Constant(0.5),
    ConvolutionAware(),
    HeNormal(),
    Orthogonal(1.5),
    RandomNormal(0.1, mean=2.0),
    RandomUniform(-1.0, 3.0),
    Scaled("he_normal", 0.5),
    Scaled("sparse", 0.5),
    Siren(),
    Sparse(2),
    TruncatedNormal(0.1, bounds=4.0),
    VarianceScaling(distribution="orthogonal"),
    VarianceScaling(distribution="truncated_normal"),
    VarianceScaling(distribution="uniform"),
    get_initializer(torch.nn.init.normal_),
    get_initializer("torch_default"),
]
# 1, 9, 15, 16, 18, 25, 48, 75, 98, 144 and 1600 values.
SHAPES = [
    (1, 1), (1, 1, 3, 3), (5, 3), (4, 4), (2, 1, 3, 3), (1, 1, 5, 5), (16, 3), (3, 1, 5, 5), (2, 1, 7, 7), (4, 4, 3, 3),
    (40, 40),
]  # fmt: skip
TYPES = [torch.float32, torch.float64, torch.complex64, torch.bfloat16]


def stack(shape, count, role="weight"):
    kind = "convolution" if len(shape) > 2 else "dense"
    return replace(ParameterSpec.from_shape(shape), kind=kind, role=role, count=count)


def seeded():
    return torch.Generator().manual_seed(3)


def one_after_the_other(initializer, spec, generator, dtype):
    single = replace(spec, count=1)
    return torch.stack([initializer.draw(single, generator, dtype) for _ in range(spec.count)])


@pytest.mark.parametrize("dtype", params(TYPES, slow={torch.float64, torch.bfloat16}), ids=label)
@pytest.mark.parametrize("initializer", INITIALIZERS, ids=label)
def test_blocks_at_once_are_blocks_one_after_the_other(initializer, dtype):
    for shape in SHAPES:
        for count in (2, 3, 33):
            spec = stack(shape, count)
            together, single = seeded(), seeded()
            found = initializer.draw(spec, together, dtype)
            assert found.shape == (count, *shape)
            assert torch.equal(found, one_after_the_other(initializer, spec, single, dtype)), (shape, count)
            # The next draw continues with the same random numbers.
            assert torch.equal(together.get_state(), single.get_state()), (shape, count)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=label)
@pytest.mark.parametrize("columns", [33, 1023, 4096, 5000])
def test_orthogonal_rows_at_once(columns, dtype):
    spec = stack((1, columns), 9)
    expected = one_after_the_other(Orthogonal(), spec, seeded(), dtype)
    assert torch.equal(Orthogonal().draw(spec, seeded(), dtype), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=label)
@pytest.mark.parametrize("size", [15, 16, 17, 2**15 - 1, 2**15, 2**15 + 1, 2**16 - 20, 2**16 - 16, 2**16 + 7])
def test_values_are_those_of_one_call_of_torch(size, dtype):
    normal = torch.empty(size, 1, dtype=dtype).normal_(generator=seeded())
    assert torch.equal(RandomNormal(0.5).sample((size, 1), generator=seeded(), dtype=dtype), normal * 0.5)
    uniform = torch.empty(size, 1, dtype=dtype).uniform_(generator=seeded()) * 2 - 1
    assert torch.equal(RandomUniform(-1.0, 1.0).sample((size, 1), generator=seeded(), dtype=dtype), uniform)


def test_large_blocks_at_once():
    spec = stack((16, 2**12), 3)
    for initializer in HeNormal(), VarianceScaling(distribution="truncated_normal"), Orthogonal():
        expected = one_after_the_other(initializer, spec, seeded(), torch.float32)
        assert torch.equal(initializer.draw(spec, seeded()), expected)


def test_blocks_of_a_bias():
    spec = replace(stack((3,), 4, role="bias"), fan_in=9, fan_out=9, weight_shape=(12, 1, 3, 3))
    initializer = get_initializer("torch_default")
    expected = one_after_the_other(initializer, spec, seeded(), torch.float32)
    assert torch.equal(initializer.draw(spec, seeded()), expected)


class Numbered(HeNormal):
    """Initializer that inherits `draws_blocks` and overrides `draw_values`: it gets one block after the other."""

    def draw_values(self, spec, generator, dtype):
        assert spec.count == 1
        return super().draw_values(spec, generator, dtype) * 0 + torch.rand((), generator=generator)


def test_a_subclass_with_its_own_draw_gets_single_blocks():
    assert HeNormal.draws_blocks
    assert not Numbered.draws_blocks
    found = Numbered().draw(stack((2, 3), 5), seeded())
    assert len(found.flatten(1)[:, 0].unique()) == 5


def test_the_error_shows_the_shape_of_a_block():
    spec = replace(stack((2, 3), 4), name="conv.weight")
    with pytest.raises(InvalidParameterError, match=r"drew the shape \(6,\), not \(2, 3\); at conv.weight"):
        get_initializer(lambda tensor: torch.zeros(6)).draw(spec, seeded())
