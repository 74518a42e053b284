"""The fans and the expected standard deviations of weights in a comparison."""

from math import sqrt

import numpy as np
import pytest
import torch
from torch import nn

from initsk import ComparisonResult, NeuralNetClassifier, compare_initializers
from initsk.initializers import Scaled
from initsk.report import summarize

COLUMNS = ["role", "fan_in", "fan_out", "expected_std"]
X = np.random.default_rng(0).normal(size=(20, 4, 6)).astype("float32")
Y = np.arange(20) % 2
# Connections counted by hand: a unit of `grouped` sums over 2 channels x 3 positions, and a value feeds 4 x 3; with
# stride 2, a unit of `upward` gets half of 4 channels x 4 positions.
FANS = {
    "grouped.weight": (6, 12), "upward.weight": (8, 12), "lstm.weight_ih_l0": (6, 5), "lstm.weight_hh_l0": (5, 5),
    "attention.in_proj_weight": (5, 5), "attention.out_proj.weight": (5, 5), "output.weight": (5, 2),
}  # fmt: skip
NO_FORMULA = {"grouped.weight", "upward.weight", "attention.out_proj.weight", "output.weight"}


class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.grouped = nn.Conv1d(4, 8, 3, groups=2)
        self.upward = nn.ConvTranspose1d(8, 6, 4, stride=2, groups=2)
        self.norm = nn.BatchNorm1d(6)
        self.lstm = nn.LSTM(6, 5, batch_first=True)
        self.attention = nn.MultiheadAttention(5, 1, batch_first=True)
        self.output = nn.Linear(5, 2)

    def forward(self, X):
        h = self.norm(self.upward(torch.relu(self.grouped(X)))).transpose(1, 2)
        h, _ = self.lstm(h)
        h, _ = self.attention(h, h, h)
        return self.output(h.mean(1))


@pytest.fixture(scope="module")
def mixed():
    net = NeuralNetClassifier(Mixed, criterion=nn.CrossEntropyLoss, max_epochs=1, verbose=0)
    names = ["he_normal", Scaled("glorot_uniform", 0.5), "keras.glorot_uniform", "lsuv"]
    return compare_initializers(net, X, Y, initializers=names, n_repeats=1, random_state=0)


def weights_of(result, initializer, phase="initialized"):
    frame = result.weights[(result.weights["initializer"] == initializer) & (result.weights["phase"] == phase)]
    return frame.set_index(frame["layer"] + "." + frame["parameter"])


@pytest.mark.parametrize("phase", ["initialized", "trained"])
def test_fans_and_expected_standard_deviations_are_those_by_hand(mixed, phase):
    he, half = (weights_of(mixed, name, phase) for name in mixed.initializers[:2])
    for name, (fan_in, fan_out) in FANS.items():
        assert he.loc[name, COLUMNS].tolist() == ["weight", fan_in, fan_out, pytest.approx(sqrt(2 / fan_in))]
        assert half.loc[name, "expected_std"] == pytest.approx(0.5 * sqrt(2 / (fan_in + fan_out)))
    assert he.loc["lstm.bias_ih_l0", ["role", "expected_std"]].tolist() == ["bias", 0]


def test_a_framework_has_its_own_fans(mixed):
    # Keras counts all four gates of the LSTM, and the positions of the kernel for both fans.
    keras = weights_of(mixed, "keras.glorot_uniform")
    assert keras.loc["lstm.weight_ih_l0", ["fan_in", "fan_out"]].tolist() == [6, 20]
    assert keras.loc["lstm.weight_ih_l0", "expected_std"] == pytest.approx(sqrt(2 / 26))
    assert keras.loc["grouped.weight", "expected_std"] == pytest.approx(sqrt(2 / (2 * 3 + 8 * 3)))


def test_where_nothing_is_expected_the_page_says_why(mixed):
    lsuv = weights_of(mixed, "lsuv").loc[list(FANS)]
    assert set(lsuv.index[lsuv["expected_std"].isna()]) == NO_FORMULA
    assert lsuv["fan_in"].tolist() == [fan_in for fan_in, _ in FANS.values()]
    norm = weights_of(mixed, "he_normal").loc["norm.weight", ["fan_in", "fan_out", "expected_std"]]
    assert norm.isna().all()
    [section] = [section for section in summarize(mixed).sections if section.key == "initializers"]
    notes = {part.title: [getattr(element, "text", "") for element in part.elements[2:]] for part in section.elements}
    left = "The initializer did not fill the weights without fan_in and fan_out."
    assert notes["he_normal"] == [left]
    assert notes["lsuv"] == [left, "Weights with a fan_in and no expected std are adjusted to the data."]


def test_weights_without_an_initializer_of_this_package_have_no_expectation(mixed, tmp_path):
    mixed.save(tmp_path)
    assert ComparisonResult.load(tmp_path).weights.equals(mixed.weights)
    net = NeuralNetClassifier(
        nn.Linear, module__in_features=24, module__out_features=2, initializer=None, max_epochs=1, verbose=0,
        criterion=nn.CrossEntropyLoss,
    )  # fmt: skip
    rates = compare_initializers(
        net, X.reshape(20, -1), Y, initializers=[0.1, 0.2], parameter="lr", n_repeats=1, random_state=0
    )
    assert set(rates.weights["role"]) == {""}
    assert rates.weights[COLUMNS[1:]].isna().all(axis=None)
