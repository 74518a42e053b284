"""Groups of a convolution: one matrix each, in torch's layout, and one row in each table."""

import pytest
import torch
from torch import nn

from initsk import initialize, network, recommend_initializer
from initsk.initializers import HeNormal
from initsk.network import ParameterSpec
from initsk.utils.random import make_generator
from tests.helpers import build, label, record

LAYERS = [
    (lambda: nn.Conv2d(6, 12, 3, groups=3), (4, 2, 3, 3)),
    (lambda: nn.Conv1d(8, 8, 5, groups=8), (1, 1, 5)),
    (lambda: nn.ConvTranspose2d(6, 12, 3, groups=3), (4, 2, 3, 3)),
    (lambda: nn.ConvTranspose1d(8, 16, 4, groups=8), (2, 1, 4)),
    (lambda: nn.Conv2d(6, 12, 3, groups=3, dtype=torch.float64), (4, 2, 3, 3)),
]


@pytest.mark.parametrize(("factory", "shape"), LAYERS, ids=label)
def test_each_group_is_the_next_draw_from_the_stream_of_the_parameter(factory, shape):
    module = build(factory)
    initialize(module, "he_normal", random_state=5)
    generator = make_generator(5, "weight")
    for group in module.weight.detach().chunk(module.groups):
        expected = HeNormal().draw(ParameterSpec.from_shape(shape), generator, module.weight.dtype)
        assert torch.equal(group.transpose(0, 1) if module.transposed else group, expected)


@pytest.mark.parametrize(("factory", "shape"), LAYERS, ids=label)
def test_a_function_gets_each_group(factory, shape):
    module, shapes = build(factory), []

    def number(tensor):
        shapes.append(tuple(tensor.shape))
        tensor.fill_(len(shapes))

    initialize(module, number)
    assert shapes == [shape] * module.groups
    groups = module.weight.detach().reshape(module.groups, -1)
    assert torch.equal(groups, torch.arange(1.0, module.groups + 1).to(groups).unsqueeze(1).expand_as(groups))


@pytest.mark.parametrize(("factory", "shape"), LAYERS, ids=label)
def test_groups_are_one_spec_with_a_count(factory, shape):
    module = build(factory)
    weight, bias = network.plan_parameters(module, network.read(module))
    (spec,), (of_bias,) = weight.specs, bias.specs
    assert (spec.shape, spec.count, spec.groups) == (shape, weight.module.groups, weight.module.groups)
    assert (of_bias.shape, of_bias.count) == (shape[:1], weight.module.groups)


def test_biases_of_groups_are_filled():
    module = build(lambda: nn.Conv2d(6, 12, 3, groups=3))
    found = record(module, "torch_default")
    assert found.loc["bias", ["shape", "fan_in", "touched"]].tolist() == ["12", 18, True]
    assert len(module.bias.unique()) == 12
    assert module.bias.abs().max() <= 18**-0.5


def test_tables_have_one_row_for_all_groups():
    module = build(lambda: nn.Sequential(nn.Conv2d(6, 12, 3, groups=3), nn.ReLU(), nn.Conv2d(12, 4, 1)))
    found = record(module, "he_normal")
    assert found.loc["0.weight", ["shape", "fan_in", "fan_out"]].tolist() == ["12x2x3x3", 18, 36]
    advice = recommend_initializer(module).to_frame()
    assert advice["name"].tolist().count("0.weight") == 1
