"""No weight is left without a word."""

import pytest
import torch
from torch import nn

from initsk import initialize, network
from initsk.exceptions import InvalidParameterError, UninitializedWarning
from tests.helpers import batch, build


class Reordered(nn.Module):
    """A layer that multiplies the signal by columns of its weight in another order."""

    def __init__(self):
        super().__init__()
        self.weight, self.head = nn.Parameter(torch.randn(4, 6)), nn.Linear(4, 2)

    def forward(self, x):
        return self.head(nn.functional.linear(x, self.weight[:, torch.tensor([2, 0, 1, 3, 5, 4])]))


def test_weights_that_are_left_are_warned_of():
    with pytest.warns(UninitializedWarning, match=r"left 1 weights with 70\.6 % of the values as they were: weight"):
        record = initialize(build(Reordered), X=batch(2, 6))
    assert record.to_frame().set_index("name").loc["weight", "outcome"] == "left"
    assert record.summary() == (
        "filled 29.4 % of 34 values (2 parameters), kept 0.0 % (0), left 70.6 % (1); read by a forward pass on 2 x 6"
    )


def test_nothing_filled_raises():
    module = build(lambda: nn.Linear(3, 2)).requires_grad_(False)
    with pytest.raises(InvalidParameterError, match=r"filled no weight: frozen \(requires_grad is False\)"):
        initialize(module)


def test_networks_without_weights_are_no_error():
    assert len(initialize(build(lambda: nn.Sequential(nn.LayerNorm(3), nn.ReLU()))).rows) == 2


class ByKeyword(nn.Module):
    """A layer of which no input can be guessed."""

    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Parameter(torch.randn(3, 4)), nn.Linear(4, 2)

    def forward(self, x, *, scale):
        return self.head(x @ self.table) * scale


def test_without_an_input_the_warning_says_what_to_give():
    with pytest.warns(UninitializedWarning, match=r"table .*give X, or register the layers"):
        initialize(build(ByKeyword))
    X = {"x": batch(2, 3), "scale": torch.ones(())}
    assert initialize(build(ByKeyword), X=X).to_frame().set_index("name").loc["table", "fan_in"] == 3


def test_registered_layers_need_no_input():
    class Registered(ByKeyword):
        pass

    network.register_layer(Registered, {"table": ("in", "out")})
    assert initialize(build(Registered)).to_frame().set_index("name").loc["table", "fan_in"] == 3


def test_registered_layers_keep_what_they_name():
    class Kept(ByKeyword):
        pass

    network.register_layer(Kept, {}, keep=["table"])
    assert initialize(build(Kept)).to_frame().set_index("name").loc["table", "outcome"] == "kept"


def test_wrong_registrations_raise():
    with pytest.raises(InvalidParameterError, match=r"cls=3 is not allowed.*; axes\['weight'\]=\('up',\)"):
        network.register_layer(3, {"weight": ("up",)})
