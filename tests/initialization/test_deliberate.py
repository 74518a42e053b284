"""Values that the author of a network has set stay, unless the user names them."""

import pytest
import torch
from torch import nn

from initsk import initialize
from initsk.exceptions import InvalidParameterError
from initsk.initializers import Constant, HeNormal, PerParameter
from tests.helpers import build


class ZeroLast(nn.Module):
    """A residual network whose author has set the end of the branch to zero, and the bias of the head to -4."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)
        self.scale = nn.Parameter(torch.full((4,), 1e-5))
        nn.init.zeros_(self.b.weight)
        nn.init.constant_(self.head.bias, -4.0)

    def forward(self, x):
        return self.head(x + self.scale * self.b(torch.relu(self.a(x))))


def outcomes(module, *args, **kwargs):
    return initialize(module, *args, **kwargs).to_frame().set_index("name")


@pytest.mark.parametrize("initializer", ["he_normal", "auto", "torch_default", "ones"])
def test_deliberate_values_are_kept(initializer):
    module = build(ZeroLast)
    found = outcomes(module, initializer)
    assert not module.b.weight.any()
    assert found.loc["b.weight", ["outcome", "why"]].tolist() == ["kept", "kept: deliberate, all values are 0"]
    assert found.loc["head.bias", "why"] == "kept: deliberate, all values are -4"
    assert found.loc["scale", ["outcome", "why"]].tolist() == ["kept", "scales the signal value by value"]
    assert found.loc[["a.weight", "head.weight"], "outcome"].tolist() == ["filled", "filled"]


@pytest.mark.parametrize("overwrite", [True, "b.weight", ["b.*", "head.bias"]])
def test_named_values_are_overwritten(overwrite):
    module = build(ZeroLast)
    assert outcomes(module, "he_normal", overwrite=overwrite).loc["b.weight", "outcome"] == "filled"
    assert module.b.weight.any()
    assert bool(module.head.bias.any()) == (overwrite == "b.weight")


def test_rules_and_initializers_of_biases_and_outputs_name_values():
    module = build(ZeroLast)
    initialize(module, PerParameter([("end", HeNormal(), "b")]), bias_initializer="zeros")
    assert module.b.weight.any()
    assert not module.head.bias.any()
    module = build(ZeroLast)
    nn.init.zeros_(module.head.weight)
    initialize(module, "he_normal", output_initializer=Constant(0.5))
    assert bool((module.head.weight == 0.5).all())


def test_a_network_of_zeros_has_no_deliberate_values():
    module = build(lambda: nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)))
    initialize(module, "zeros", bias_initializer=Constant(0.3))
    found = outcomes(module, "he_normal")
    assert (found["outcome"] == "filled").all()
    assert module[0].weight.any()
    assert not module[0].bias.any()


def test_an_unknown_name_to_overwrite_raises():
    with pytest.raises(InvalidParameterError, match=r"overwrite: .*'b\.wieght'.*b\.weight"):
        initialize(build(ZeroLast), overwrite="b.wieght")
    with pytest.raises(InvalidParameterError, match=r"overwrite=\[3\] is not allowed"):
        initialize(build(ZeroLast), overwrite=[3])


def test_marked_parameters_are_kept():
    module = build(lambda: nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)))
    before = module[0].bias.clone()
    module[0].bias._no_reinit = True
    found = outcomes(module, "he_normal")
    assert torch.equal(module[0].bias, before)
    assert found.loc["0.bias", "why"] == "kept: deliberate, marked by _no_reinit"
    assert found.loc["1.bias", "outcome"] == "filled"


def test_values_near_zero_and_the_bias_beside_them_are_kept():
    module = build(ZeroLast)
    nn.init.normal_(module.b.weight, std=1e-6, generator=torch.Generator().manual_seed(0))
    nn.init.ones_(module.b.bias)
    found = outcomes(module, "he_normal")
    assert found.loc[["b.weight", "b.bias"], "outcome"].tolist() == ["kept", "kept"]
    assert bool((module.b.bias == 1).all())


def test_the_bias_of_a_kept_weight_is_kept_whatever_its_values():
    module = build(lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 6)))
    nn.init.zeros_(module[2].weight)
    identity = torch.tensor([1.0, 0.1, 0.2, 0.3, 1.0, 0.4])
    module[2].bias.data.copy_(identity)
    found = outcomes(module, "he_normal")
    assert torch.equal(module[2].bias, identity)
    assert found.loc["2.bias", "why"] == "kept: deliberate, the bias of 2.weight"
    assert found.loc["0.bias", "outcome"] == "filled"


def test_open_forget_gates_are_kept():
    module = build(lambda: nn.LSTM(3, 5))
    for bias in (module.bias_ih_l0, module.bias_hh_l0):
        nn.init.zeros_(bias)
        nn.init.ones_(bias.data[5:10])
    before = module.bias_ih_l0.clone()
    outcomes(module, "he_normal")
    assert torch.equal(module.bias_ih_l0, before)


def test_two_random_numbers_are_not_deliberate():
    module = build(lambda: nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1, bias=False), nn.Linear(1, 2)))
    found = outcomes(module, "he_normal")
    assert (found["outcome"] == "filled").all()
