"""Captured values and names in networks whose activations are known."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as users write it

from initsk import inspect_activations
from tests.helpers import batch, build


class Pair(NamedTuple):
    mean: torch.Tensor
    spread: torch.Tensor


class Net(nn.Module):
    """Layers by name with all parameters 1, and a given forward function."""

    def __init__(self, forward, **layers):
        super().__init__()
        with torch.random.fork_rng():
            for name, layer in layers.items():
                self.add_module(name, layer() if callable(layer) and not isinstance(layer, nn.Module) else layer)
        for parameter in self.parameters():
            nn.init.ones_(parameter)
        self.compute = forward

    def forward(self, *args, **kwargs):
        return self.compute(self, *args, **kwargs)


def fc(n_in=1, n_out=1):
    return build(lambda: nn.Linear(n_in, n_out, bias=False))


def rows(net, X, **arguments):
    """Return (layer, position, module) with mean, in order."""
    frame = inspect_activations(net, X, **arguments).to_frame()
    return {(r.layer, r.position, r.module): r.mean for r in frame.itertuples()}


X = [[-1.0], [3.0]]


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda x: F.relu(x, inplace=True), "relu"),
        (torch.relu_, "relu"),
        (lambda x: x.relu_(), "relu"),
        (F.relu, "relu"),
        (lambda x: x.clamp(min=0), "relu"),
        (lambda x: x.clamp_(0), "relu"),
        (lambda x: torch.clamp_min(x, 0.0), "relu"),
    ],
)
def test_functions_are_captured_in_place_or_not(function, name):
    net = Net(lambda self, x: function(self.fc(x)), fc=fc())
    assert rows(net, X) == {("fc", "pre_activation", "fc"): 1.0, ("fc", "activation", name): 1.5}
    frame = inspect_activations(net, X).to_frame()
    assert frame["min"].tolist() == [-1.0, 0.0]
    assert frame["function"].tolist() == ["", name]


@pytest.mark.parametrize(
    ("function", "value"),
    [
        (torch.tanh, np.tanh),
        (lambda x: x.sigmoid(), lambda x: 1 / (1 + np.exp(-x))),
        (torch.special.expit, lambda x: 1 / (1 + np.exp(-x))),
        (lambda x: F.leaky_relu(x, 0.5), lambda x: np.where(x > 0, x, x / 2)),
        (lambda x: F.softplus(input=x), lambda x: np.log1p(np.exp(x))),
    ],
)
def test_values_after_functions_are_captured(function, value):
    found = rows(Net(lambda self, x: function(self.fc(x)), fc=fc()), X)
    (layer, position, _), mean = list(found.items())[1]
    assert (layer, position) == ("fc", "activation")
    assert mean == pytest.approx(value(np.array([-1.0, 3.0])).mean(), rel=1e-6)


def test_other_clamps_are_not_activation_functions():
    assert len(rows(Net(lambda self, x: self.fc(x).clamp(0, 1).clamp(max=0), fc=fc()), X)) == 1


def test_a_residual_sum_is_not_the_output_of_a_layer():
    def forward(self, x):
        out = self.fc(x)
        out = self.relu(out)
        out = self.fc2(out)
        out += x
        return self.relu(out)

    found = rows(Net(forward, fc=fc(), fc2=fc(), relu=nn.ReLU(inplace=True)), X)
    assert found == {
        ("fc", "pre_activation", "fc"): 1.0,
        ("fc", "activation", "relu"): 1.5,
        ("fc2", "output", "fc2"): 1.5,
        ("relu:1", "pre_activation", "relu:1"): 2.5,
        ("relu:1", "activation", "relu:1"): 3.0,
    }


def test_calls_of_a_module_have_separate_records():
    net = Net(lambda self, x: self.fc(self.fc(x) + 1), fc=fc())
    for size in (1, 2):
        assert rows(net, X, batch_size=size) == {("fc", "output", "fc"): 1.0, ("fc:1", "output", "fc:1"): 2.0}
    shared = fc()
    net = Net(lambda self, x: self.b(self.a(x)), a=shared, b=shared)
    assert [key[0] for key in rows(net, X)] == ["a", "a:1"]


def test_two_functions_of_one_output_have_separate_names():
    net = Net(lambda self, x: self.fc(x).tanh() * self.gate(x).sigmoid(), fc=fc(), gate=fc())
    assert [key[:2] for key in rows(net, X)] == [
        ("fc", "pre_activation"), ("fc", "activation"), ("gate", "pre_activation"), ("gate", "activation"),
    ]  # fmt: skip
    both = rows(Net(lambda self, x: (a := self.fc(x)).tanh() + a.relu(), fc=fc()), X)
    assert [key[:2] for key in both] == [
        ("fc", "pre_activation"), ("fc", "activation"), ("relu", "pre_activation"), ("relu", "activation"),
    ]  # fmt: skip
    assert both["relu", "activation", "relu"] == 1.5


def test_functions_outside_the_module_are_not_captured():
    stream = (torch.relu(torch.tensor(row)) for row in ([[-1.0]], [[3.0]]))
    assert rows(Net(lambda self, x: self.fc(x), fc=fc()), stream) == {("fc", "output", "fc"): 1.5}


@pytest.mark.parametrize(
    ("give", "names"),
    [
        (lambda a: a, ["module"]),
        (lambda a: (a, a + 1), ["module/0", "module/1"]),
        (lambda a: (a, None), ["module"]),
        (lambda a: {"logits": a, "hidden": (a, [a])}, ["module/logits", "module/hidden/0", "module/hidden/1"]),
        (lambda a: torch.max(a, dim=0), ["module/0"]),
        (lambda a: Pair(a, a), ["module/mean", "module/spread"]),
    ],
)
def test_structures_have_stable_names(give, names):
    net = Net(lambda self, x: give(self.fc(x) + 1), fc=fc())
    net.scale = nn.Parameter(torch.ones(1))
    assert inspect_activations(net, X).layers == ["fc", *names]


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: nn.LSTM(2, 3, batch_first=True), ["net", "net/h_n", "net/c_n"]),
        (lambda: nn.GRU(2, 3, 2, bidirectional=True), ["net", "net/h_n"]),
        (lambda: nn.LSTMCell(2, 3), ["net", "net/c"]),
        (lambda: nn.GRUCell(2, 3), ["net"]),
    ],
)
def test_recurrent_states_have_names(make, names):
    net = build(lambda: nn.ModuleDict({"net": make()}))
    net.forward = lambda x: net["net"](x)
    shape = (5, 2) if "Cell" in type(net["net"]).__name__ else (5, 4, 2)
    X = batch(*shape)
    summary = inspect_activations(net, X, batch_size=5)
    assert summary.layers == names
    with torch.no_grad():
        output = net["net"](X)
    flat = [output[0], *(output[1] if isinstance(output[1], tuple) else output[1:])] if len(names) > 1 else [output]
    means = [float(part.mean()) for part in flat]
    np.testing.assert_allclose(summary.to_frame()["mean"], means, atol=1e-6)


def test_packed_sequences_have_no_padding():
    lstm = build(lambda: nn.LSTM(1, 2))
    packed = nn.utils.rnn.pack_sequence([torch.ones(4, 1), torch.ones(2, 1)])
    frame = inspect_activations(lstm, packed).to_frame().set_index("layer")
    assert (frame["count"] / frame["units"]).tolist() == [6, 2, 2]


def test_attention_weights_have_a_name():
    attention = build(lambda: nn.MultiheadAttention(4, 2, batch_first=True))
    net = Net(lambda self, x: self.attention(x, x, x), attention=attention)
    frame = inspect_activations(net, batch(3, 5, 4)).to_frame().set_index("layer")
    assert frame.index.tolist() == ["attention", "attention/weights"]
    # Each query's weights add up to one.
    assert frame.loc["attention/weights", "mean"] == pytest.approx(1 / 5, rel=1e-6)
    assert frame.loc["attention/weights", "units"] == 5


@pytest.mark.parametrize("time_first", [False, True])
def test_padding_is_skipped(time_first):
    encoder = build(
        lambda: nn.TransformerEncoder(
            nn.TransformerEncoderLayer(4, 2, 8, batch_first=not time_first), 2, enable_nested_tensor=False
        )
    )
    mask = torch.zeros(3, 3, dtype=torch.bool)
    mask[:, 2] = True

    def forward(self, x, padding):
        x = x.transpose(0, 1) if time_first else x
        return self.encoder(x, src_key_padding_mask=padding)

    net = nn.Module()
    net.encoder = encoder
    net.forward = lambda x, padding: forward(net, x, padding)
    X = batch(3, 3, 4)
    masked = inspect_activations(net, (X, mask), padding_mask=mask)
    by_function = inspect_activations(net, (X, mask), padding_mask=lambda parts: parts[1])
    short = inspect_activations(net, (X[:, :2], mask[:, :2]))
    pd.testing.assert_frame_equal(masked.to_frame(), short.to_frame(), rtol=1e-4, atol=1e-5)
    pd.testing.assert_frame_equal(masked.to_frame(), by_function.to_frame())


def test_channels_are_units_and_pixels_are_samples():
    net = build(
        lambda: nn.Sequential(
            nn.Conv1d(2, 3, 1), nn.BatchNorm1d(3, affine=False), nn.ReLU(), nn.MaxPool1d(2), nn.ReLU()
        )
    )
    frame = inspect_activations(net, batch(5, 2, 8)).to_frame()
    assert frame["layer"].tolist() == ["0", "1", "1", "4", "4"]
    assert frame["units"].tolist() == [3] * 5
    assert (frame["count"] / 3).tolist() == [40, 40, 40, 20, 20]


def test_an_output_that_a_container_returns_is_captured_once():
    net = Net(lambda self, x: self.fc(x), fc=fc())
    net.token = nn.Parameter(torch.ones(1))
    assert inspect_activations(net, X).layers == ["fc"]
    assert inspect_activations(net, X, layers="module").layers == ["module"]


def test_parametrized_layers_are_captured_once():
    net = build(lambda: nn.utils.parametrizations.weight_norm(nn.Linear(2, 2, bias=False)))
    assert inspect_activations(net, batch(3, 2)).layers == ["module"]
