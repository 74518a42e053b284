"""Parametrizations through which no values can be written."""

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import register_parametrization

from initsk import initialize, recommend_initializer
from initsk.exceptions import InvalidParameterError, UninitializedWarning
from tests.helpers import batch, build


class Symmetric(nn.Module):
    """The upper triangle on both sides, as in torch's tutorial."""

    def forward(self, weight):
        return weight.triu() + weight.triu(1).transpose(-1, -2)


def symmetric(*others, bias=True):
    layer = nn.Linear(3, 3, bias=bias)
    register_parametrization(layer, "weight", Symmetric())
    return nn.Sequential(layer, *(part() for part in others))


@pytest.mark.parametrize("initializer", ["he_normal", "orthogonal", "lsuv"])
def test_a_parametrization_without_an_inverse_is_left_with_a_warning(initializer):
    net = build(lambda: symmetric(nn.ReLU, lambda: nn.Linear(3, 2)))
    before = net[0].weight.detach().clone()
    with pytest.warns(UninitializedWarning, match=r"0\.weight.*Symmetric has no right_inverse"):
        frame = initialize(net, initializer, X=batch(8, 3)).to_frame()
    assert torch.equal(net[0].weight, before)
    rows = frame.set_index("name")
    assert rows.loc["0.parametrizations.weight.original", "outcome"] == "left"
    assert "right_inverse" in rows.loc["0.parametrizations.weight.original", "why"]
    assert rows.loc["2.weight", "outcome"] == "filled"
    assert "0.weight" not in set(recommend_initializer(net).to_frame()["name"])


def test_nothing_but_such_a_parametrization_is_an_error():
    with pytest.raises(InvalidParameterError, match="no weight: its parametrization Symmetric has no right_inverse"):
        initialize(build(lambda: symmetric(bias=False)))


@pytest.mark.parametrize("shape", [(8, 16), (16, 8)])
def test_the_inverse_of_a_parametrization_draws_nothing_from_the_global_state(shape):
    """Of a rectangular matrix, torch's orthogonal parametrization draws the columns that are missing."""

    def state(seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            layer = nn.utils.parametrizations.orthogonal(nn.Linear(*shape))
            before = torch.get_rng_state()
            initialize(layer, "he_normal", random_state=0)
            assert torch.equal(torch.get_rng_state(), before)
        return layer.state_dict()

    one, other = state(1), state(2)
    assert all(torch.equal(value, other[name]) for name, value in one.items())
