"""Predicted signals along depth, against closed forms and against measured networks."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from initsk import MLPClassifier, NeuralNetClassifier, compare_initializers, diagnose, inspect_activations, theory
from initsk.diagnosis import predict_signal
from initsk.network import MLP
from initsk.theory import SignalLayer, backward_signal, forward_signal
from tests.helpers import batch, build


def test_he_keeps_what_relu_halves():
    layers = [SignalLayer("relu", 50, 50, 2 / 50)] * 10
    np.testing.assert_allclose(forward_signal(layers, 3.0), [(6.0, 3.0)] * 10, rtol=1e-10)
    lengths = [length for length, _ in forward_signal(layers, 3.0)]
    np.testing.assert_allclose(backward_signal(layers, lengths, 1.0), [(0.5, 1.0)] * 10, rtol=1e-6)


def test_linear_layers_multiply():
    layers = [SignalLayer("identity", n, m, v, b) for n, m, v, b in ((4, 8, 0.5, 0.0), (8, 2, 0.25, 1.0))]
    assert forward_signal(layers, 1.0) == [pytest.approx((2.0, 2.0)), pytest.approx((5.0, 5.0))]
    # Back: through the second layer times 2 * 0.25.
    np.testing.assert_allclose(backward_signal(layers, [2.0, 5.0], 3.0), [(1.5, 1.5), (3.0, 3.0)], rtol=1e-6)


def test_at_the_critical_point_a_signal_stays():
    point = theory.critical_point("tanh", 0.05)
    layers = [SignalLayer("tanh", 100, 100, point.weight_variance / 100, 0.05)] * 5
    start = (point.length - 0.05) / point.weight_variance
    signal = forward_signal(layers, start)
    np.testing.assert_allclose([length for length, _ in signal], point.length, rtol=1e-6)
    back = backward_signal(layers, [length for length, _ in signal], 1.0)
    np.testing.assert_allclose([after for _, after in back], 1.0, rtol=1e-4)


def test_no_signal_stays_none():
    layers = [SignalLayer("relu", 5, 5, 0.0), SignalLayer("sigmoid", 5, 5, 0.0), SignalLayer("sigmoid", 5, 5, 0.04)]
    assert forward_signal(layers, 1.0)[:2] == [(0.0, 0.0), (0.0, 0.25)]
    assert forward_signal(layers, 1.0)[2][0] == pytest.approx(5 * 0.04 * 0.25)


def test_layers_and_positions():
    mlp = build(lambda: MLP(4, 2, (8, 6), activation="tanh", dropout=0.1))
    positions = ["pre_activation", "activation"]
    expected = [(f"hidden_{i}", position) for i in (1, 2) for position in positions] + [("output", "output")]
    frame = predict_signal(mlp, "he_normal")
    assert list(zip(frame["layer"], frame["position"], strict=True)) == expected
    assert frame["operation"].tolist() == ["linear", "tanh", "linear", "tanh", "linear"]


@pytest.mark.parametrize(
    ("factory", "shape", "expected"),
    [
        (lambda: MLP(4, 2, (4, 4), activation="tanh", dropout=0.5), (4,), 2),
        (lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(16, 2)), (1, 4, 4), 1),
        (lambda: nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2)), (4,), None),
        (lambda: nn.Sequential(nn.Tanh(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)), (4,), None),
        (lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2, 2)), (1, 4, 4), None),
        (lambda: nn.Sequential(nn.TransformerEncoderLayer(4, 2), nn.Flatten(), nn.Linear(8, 2)), (2, 4), None),
    ],
)  # fmt: skip
def test_depth_is_that_of_a_plain_chain(factory, shape, expected):
    module = build(factory)
    found = diagnose(module, batch(40, *shape), torch.arange(40) % 2).depth
    assert (found and found.depth) == expected


@pytest.fixture(scope="module")
def wide():
    X, y = load_digits(return_X_y=True)
    clf = MLPClassifier((400, 400, 400), activation="tanh", max_epochs=1)
    names = ["zeros", "glorot_normal", "he_normal", "orthogonal"]
    return compare_initializers(clf, X[:600] / 16, y[:600], initializers=names, n_repeats=1)


@pytest.mark.parametrize("table", ["layers", "gradients"])
def test_wide_layers_are_as_predicted(wide, table):
    frame = getattr(wide, table)
    frame = frame[frame["phase"] == "initialized"]
    drawn = frame[(frame["initializer"] != "zeros") & (frame["position"] == "activation")]
    assert len(drawn) == 9
    # Over 40 seeds no layer was off by more than 8.5 %, and one in a hundred by 5 %.
    np.testing.assert_allclose(drawn["rms"], drawn["predicted_rms"], rtol=0.15)
    zeros = frame[frame["initializer"] == "zeros"]
    np.testing.assert_allclose(zeros["rms"], zeros["predicted_rms"], atol=1e-7)


def test_after_training_nothing_is_predicted(wide):
    for table in (wide.layers, wide.gradients):
        assert table.loc[table["phase"] != "initialized", "predicted_rms"].isna().all()


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.LSTM(64, 8), nn.Linear(8, 10)

    def forward(self, x):
        return self.head(self.rnn(x)[0])


def test_networks_of_another_kind_have_no_prediction():
    X, y = load_digits(return_X_y=True)
    module = build(Recurrent)
    net = NeuralNetClassifier(module, criterion=nn.CrossEntropyLoss, max_epochs=1, verbose=0)
    result = compare_initializers(net, (X / 16).astype(np.float32), y, initializers=["he_normal"], n_repeats=1)
    assert result.layers["predicted_rms"].isna().all()
    assert (result.gradients["rms"] > 0).all()
    assert "Theory gives no prediction here: it does not cover an operation of the network." in result.to_markdown()


def test_a_network_that_passes_no_signal_has_no_ratio():
    X, y = load_digits(return_X_y=True)
    result = compare_initializers(MLPClassifier((6,), max_epochs=1), X, y, initializers=["zeros"], n_repeats=1)
    text = result.to_markdown()
    assert "Theory gives no ratio here: it predicts activations of zero, and no signal passes." in text
    assert "does not cover" not in text


def test_weights_are_those_of_the_network():
    X, y = load_digits(return_X_y=True)
    clf = MLPClassifier((6,), max_epochs=1)
    weights = compare_initializers(clf, X / 16, y, initializers=["zeros", "orthogonal"], n_repeats=1).weights
    start = weights[weights["phase"] == "initialized"].set_index(["initializer", "layer", "parameter"])
    assert (start.loc["zeros", ["std", "min", "max"]] == 0).all(axis=None)
    # Orthogonal: the squares of every row of 64 add up to 1, in 6 rows.
    row = start.loc[("orthogonal", "hidden_1", "weight")]
    assert row["rms"] ** 2 * row["count"] == pytest.approx(6, rel=1e-5)
    assert (row["units"], row["count"], row["module"]) == (6, 6 * 64, "Linear")
    assert set(weights["parameter"]) == {"weight", "bias"}


def test_weights_of_an_inspection_are_exact():
    module = build(lambda: nn.Sequential(nn.Linear(3, 2), nn.ReLU()))
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, -6.0]]))
        module[0].bias.copy_(torch.tensor([1.0, -1.0]))
    summary = inspect_activations(module, torch.eye(3), weights=True)
    frame = summary.to_frame("weights").set_index("parameter")
    assert frame.loc["weight", ["mean", "min", "max", "zero_fraction"]].tolist() == [
        0.0,
        -6.0,
        3.0,
        pytest.approx(1 / 3),
    ]
    assert frame.loc["bias", "rms"] == 1.0
    assert summary.histograms("weights").groupby("parameter")["count"].sum().to_dict() == {"weight": 6, "bias": 2}
    assert inspect_activations(module, torch.eye(3)).to_frame("weights").empty
