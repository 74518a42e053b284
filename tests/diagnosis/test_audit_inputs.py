"""Inputs that are far from standardized."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from initsk import audit
from tests.helpers import Net, batch, build


def unscaled(network, X):
    found = audit(network, X).findings()
    found = found[found["kind"] == "unscaled input"]
    return {row.layer: row.value for row in found.itertuples()}


def mlp(width=8):
    return build(lambda: nn.Sequential(nn.Linear(width, 16), nn.ReLU(), nn.Linear(16, 3)))


def cnn(*before):
    return build(lambda: nn.Sequential(*before, nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3)))


PIXELS = (torch.arange(40 * 3 * 64).reshape(40, 3, 8, 8) * 7919) % 256
COLUMN_IN_THOUSANDS = batch(40, 8) * torch.tensor([1.0, 1, 1, 1000, 1, 1, 1, 1])


def test_pixels_of_bytes():
    # Uniform from 0 to 255, without zeros: the root of 256 x 511 / 6 is 147.7.
    assert unscaled(cnn(), PIXELS) == {"X": pytest.approx(147.7, rel=0.05)}
    assert unscaled(cnn(), PIXELS.numpy().astype(np.uint8)).keys() == {"X"}
    assert unscaled(cnn(), PIXELS / 255) == {}


def test_columns_of_different_scales():
    # The value is the largest root mean square; that of 40 normal values has an error of 11 %.
    assert unscaled(mlp(), COLUMN_IN_THOUSANDS) == {"X": pytest.approx(1000, rel=0.4)}
    assert unscaled(mlp(), batch(40, 8)) == {}
    # The largest column is of size one here, and the others are a thousandth of it.
    assert unscaled(mlp(), COLUMN_IN_THOUSANDS / 1000).keys() == {"X"}


def test_a_large_mean():
    assert unscaled(mlp(), 5 + 0.1 * batch(40, 8)) == {"X": pytest.approx(50, rel=0.3)}
    # Of two samples, the mean may be large by chance.
    assert unscaled(mlp(1), torch.tensor([[1.0], [1.01]])) == {}


def test_inputs_that_are_all_tiny():
    # Pixels that were divided by 255 twice.
    assert unscaled(cnn(), PIXELS / 255 / 255) == {"X": pytest.approx(255**2 / 147.7, rel=0.05)}
    assert unscaled(mlp(), 1e-4 * batch(40, 8)).keys() == {"X"}
    # Sound is often this small.
    assert unscaled(mlp(), 0.05 * batch(40, 8)) == {}


def test_padding_of_images_keeps_the_scale():
    padded = cnn(nn.ZeroPad2d(1), nn.AvgPool2d(3, 1))
    assert unscaled(padded, PIXELS).keys() == {"X"}
    assert unscaled(padded, PIXELS / 255) == {}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("before", [nn.Identity, lambda: nn.BatchNorm1d(8)], ids=["none", "norm"])
def test_inputs_that_are_not_finite_come_first(before, value):
    X = batch(40, 8)
    X[3, 4] = value
    found = audit(nn.Sequential(before(), *mlp()), X).findings()
    assert found[["layer", "kind", "of"]].values.tolist()[0] == ["X[:, 4]", "non-finite", "samples"]
    assert found["value"].iloc[0] == 1


def test_rare_columns_are_not_small():
    X = torch.zeros(1000, 8)
    X[0, :4] = 1
    X[:, 4:] = batch(1000, 4)
    assert unscaled(mlp(), X) == {}


def test_the_size_of_one_channel_does_not_depend_on_the_others():
    X = PIXELS / 255.0
    X[:, 1] *= 255
    assert unscaled(cnn(), X).keys() == {"X"}
    assert unscaled(cnn(nn.Flatten(), nn.Unflatten(1, (3, 8, 8))), X).keys() == {"X"}


@pytest.mark.parametrize("norm", [nn.BatchNorm1d(8), nn.LayerNorm(8)], ids=["batch", "layer"])
def test_a_network_that_begins_with_a_normalization_is_exempt(norm):
    network = nn.Sequential(norm, *mlp())
    result = audit(network, COLUMN_IN_THOUSANDS)
    assert "unscaled input" not in result.findings()["kind"].tolist()
    assert "unscaled input" in result.not_checked["check"].tolist()


def test_a_network_that_standardizes_its_input_is_exempt():
    network = Net(lambda self, x: self.layers((x - 128) / 74), layers=cnn())
    assert unscaled(network, PIXELS) == {}


def test_tokens_are_exempt():
    network = build(lambda: nn.Sequential(nn.Embedding(1000, 8), nn.Linear(8, 3)))
    result = audit(network, torch.arange(40).reshape(4, 10) * 20)
    assert "unscaled input" not in result.findings()["kind"].tolist()
    assert "takes integers" in result.not_checked.set_index("check").loc["unscaled input", "why"]


def test_each_input_is_checked_under_its_name():
    network = build(
        lambda: Net(lambda self, a, b, t: self.left(a) + self.right(b) * t, left=nn.Linear(8, 3), right=nn.Linear(8, 3))
    )
    X = {"a": batch(40, 8), "b": 1000 * batch(40, 8), "t": 500 * torch.ones(40, 1)}
    # The time is no input of a layer.
    assert unscaled(network, X).keys() == {"X['b']"}
    assert unscaled(network, tuple(X.values())).keys() == {"X[1]"}


def test_inputs_of_recurrent_layers():
    network = build(lambda: Net(lambda self, x: self.rnn(x)[0], rnn=nn.GRU(8, 4, batch_first=True)))
    assert unscaled(network, 100 * batch(40, 5, 8)).keys() == {"X"}
    assert unscaled(network, batch(40, 5, 8)) == {}


def test_inputs_that_are_not_finite():
    X = batch(40, 8)
    X[3, 2] = torch.nan
    result = audit(mlp(), X)
    found = result.findings().set_index("of")
    values = ["X[:, 2]", "non-finite", 1.0, True]
    assert found.loc["samples", ["layer", "kind", "value", "decides"]].tolist() == values
    assert found.loc["outputs", "kind"] == "non-finite"
    assert result.exit_code == 1


@pytest.mark.parametrize("seed", range(3))
def test_all_samples_are_checked_and_not_only_those_that_are_drawn(seed):
    X = batch(40, 8)
    X[3, 2], X[5, 2], X[5, 7] = torch.nan, torch.inf, torch.nan
    found = audit(mlp(), X, max_samples=2, random_state=seed).findings()
    assert found[["layer", "kind", "value", "of"]].values.tolist()[0] == ["X[:, [2, 7]]", "non-finite", 2.0, "samples"]


def test_columns_of_a_frame_are_named():
    X = pd.DataFrame(batch(40, 8).numpy(), columns=[f"mask_{i}" for i in range(8)])
    X.iloc[3, 2] = float("nan")
    found = audit(mlp(), X).findings()
    assert found["layer"].tolist()[0] == "X['mask_2']"


def test_masks_are_infinite_on_purpose():
    network = Net(lambda self, x, mask: self.layers(x) + mask, layers=mlp())
    n_scores = network.layers(batch(1, 8)).shape[1]
    mask = torch.zeros(40, n_scores)
    mask[3, 0] = -torch.inf
    assert "samples" not in audit(network, {"x": batch(40, 8), "mask": mask}).findings()["of"].tolist()


def test_masks_may_be_beyond_single_precision():
    network = Net(lambda self, x, mask: self.layers(x) + mask, layers=mlp())
    mask = torch.zeros(40, network.layers(batch(1, 8)).shape[1], dtype=torch.float64)
    mask[3, 0] = torch.finfo(torch.float64).min
    assert "samples" not in audit(network, {"x": batch(40, 8), "mask": mask}).findings()["of"].tolist()


class Changed(nn.Module):
    """Changes its input before a layer multiplies it: the outputs are constant, or not finite."""

    def __init__(self, factor):
        super().__init__()
        self.factor, self.layer = factor, nn.Linear(4, 2)

    def forward(self, x):
        return self.layer(x.sin()) * self.factor


@pytest.mark.parametrize(
    ("factor", "reason"), [(0.0, "the outputs are the same for all samples"), (np.nan, "the outputs are not finite")]
)
def test_the_reason_is_the_one_that_applies(factor, reason):
    result = audit(build(lambda: Changed(factor)), np.random.default_rng(0).normal(size=(40, 4)))
    why = result.not_checked.set_index("check")["why"]
    assert why["unscaled input"] == "the network changes the inputs before a layer multiplies them"
    assert why["batch leak"] == reason
