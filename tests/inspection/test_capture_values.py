"""Captured values of networks with weights set by hand, and known statistics of every layer."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as users write it
from torch.nn.utils.rnn import pack_sequence

from initsk import inspect_activations
from tests.helpers import Net, build, fc

X = torch.tensor([[-1.0], [3.0]])


def constant(layer, **biases):
    # Parameters that are not given are zero.
    for name, parameter in layer.named_parameters():
        parameter.data = torch.tensor(biases[name]) if name in biases else torch.zeros_like(parameter)
    return layer


def seen(net, X, **arguments):
    """Return (layer, position) with mean and minimum, in order."""
    frame = inspect_activations(net, X, **arguments).to_frame()
    return {(r.layer, r.position): (r.mean, r.min) for r in frame.itertuples()}


def means(net, X, **arguments):
    return {key: mean for key, (mean, _) in seen(net, X, **arguments).items()}


RELUS = {
    "module": lambda self, x: self.relu(x),
    "function": lambda self, x: F.relu(x, inplace=True),
    "method": lambda self, x: x.relu_(),
}


@pytest.mark.parametrize("relu", RELUS.values(), ids=RELUS)
@pytest.mark.parametrize("arguments", [{}, {"batch_size": 1}, {"layers": ["fc*", "relu*"]}])
def test_a_residual_block_that_works_in_place(relu, arguments):
    def forward(self, x):
        out = relu(self, self.fc(x))
        out = self.fc2(out)
        out += x
        return relu(self, out)

    net = Net(forward, fc=fc(2.0), fc2=fc(1.0, -1.0), relu=nn.ReLU(inplace=True))
    assert seen(net, X, **arguments) == {
        ("fc", "pre_activation"): (2.0, -2.0),  # -2, 6
        ("fc", "activation"): (3.0, 0.0),  # 0, 6
        ("fc2", "output"): (2.0, -1.0),  # -1, 5
        ("relu:1", "pre_activation"): (3.0, -2.0),  # -2, 8
        ("relu:1", "activation"): (4.0, 0.0),  # 0, 8
    }


@pytest.mark.parametrize("relu", RELUS.values(), ids=RELUS)
def test_a_layer_and_its_function_called_twice(relu):
    net = Net(lambda self, x: relu(self, self.fc(relu(self, self.fc(x)))), fc=fc(-2.0), relu=nn.ReLU(inplace=True))
    expected = {
        ("fc", "pre_activation"): (-2.0, -6.0),  # 2, -6
        ("fc", "activation"): (1.0, 0.0),  # 2, 0
        ("fc:1", "pre_activation"): (-2.0, -4.0),  # -4, 0
        ("fc:1", "activation"): (0.0, 0.0),
    }
    for size in (1, 2):
        assert seen(net, X, batch_size=size) == expected


def test_a_resnet_block():
    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.downsample(x)
        return self.relu(out)

    def conv(*weights):
        layer = build(lambda: nn.Conv2d(1, 2, 1, bias=False))
        layer.weight.data = torch.tensor(weights).reshape(2, 1, 1, 1)
        return layer

    def norm(mean):
        layer = nn.BatchNorm2d(2, eps=0.0)
        layer.running_mean.fill_(mean)
        layer.num_batches_tracked.fill_(1)
        return layer

    net = Net(
        forward,
        conv1=conv(1.0, -1.0),
        bn1=norm(1.0),
        relu=nn.ReLU(inplace=True),
        conv2=build(lambda: nn.Conv2d(2, 2, 1, bias=False)),
        bn2=norm(0.0),
        downsample=nn.Sequential(conv(1.0, 2.0), norm(0.0)),
    )
    net.conv2.weight.data.fill_(1.0)
    images = torch.tensor([-1.0, 3.0]).reshape(2, 1, 1, 1).expand(2, 1, 4, 4)
    frame = inspect_activations(net, images).to_frame()
    assert set(frame["units"]) == {2}
    assert set(frame["count"]) == {64}
    assert means(net, images) == {
        ("conv1", "output"): 0.0,  # (-1, 1), (3, -3)
        ("bn1", "pre_activation"): -1.0,  # (-2, 0), (2, -4)
        ("bn1", "activation"): 0.5,  # (0, 0), (2, 0)
        ("conv2", "output"): 1.0,  # (0, 0), (2, 2)
        ("bn2", "output"): 1.0,
        ("downsample.0", "output"): 1.5,  # (-1, -2), (3, 6)
        ("downsample.1", "output"): 1.5,
        ("relu:1", "pre_activation"): 2.5,  # (-1, -2), (5, 8)
        ("relu:1", "activation"): 3.25,
    }


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (F.gelu, "gelu"),
        (lambda x: F.gelu(x, approximate="tanh"), "gelu"),
        (F.silu, "silu"),
        (F.mish, "mish"),
        (lambda x: F.elu(x, 2.0), "elu"),
        (lambda x: F.celu(x, alpha=3.0), "celu"),
        (F.selu, "selu"),
        (lambda x: F.leaky_relu(x, 0.5), "leaky_relu"),
        (lambda x: F.leaky_relu(x, 0.5, inplace=True), "leaky_relu"),
        (lambda x: F.hardtanh(x, -0.5, 2.0), "hardtanh"),
        (F.softsign, "softsign"),
        (torch.Tensor.tanh, "tanh"),
        (torch.Tensor.tanh_, "tanh"),
        (torch.sigmoid, "sigmoid"),
        (torch.special.expit, "sigmoid"),
    ],
)
def test_functions_have_the_name_of_the_block_that_calls_them(function, name):
    block = Net(lambda self, x: function(self.fc(x) * 1), fc=fc(2.0))
    found = seen(Net(lambda self, x: self.block(x), block=block), X)
    assert list(found) == [
        ("block.fc", "output"), (f"block.{name}", "pre_activation"), (f"block.{name}", "activation"),
    ]  # fmt: skip
    true = function(2 * X).double()
    assert found[f"block.{name}", "activation"] == pytest.approx((float(true.mean()), float(true.min())), rel=1e-6)
    directly = Net(lambda self, x: function(self.fc(x)), fc=fc(2.0))
    assert list(seen(directly, X)) == [("fc", "pre_activation"), ("fc", "activation")]


def test_a_function_with_an_output_argument_is_captured():
    net = Net(lambda self, x: torch.tanh(self.fc(x), out=torch.empty(2, 1)), fc=fc())
    mean = means(net, X)["fc", "activation"]
    assert mean == pytest.approx((math.tanh(-1) + math.tanh(3)) / 2, rel=1e-6)


def test_an_activation_module_under_two_names():
    relu = nn.ReLU()
    net = Net(lambda self, x: self.b(self.fc(self.a(x)) + 1), a=relu, fc=fc(-1.0), b=relu)
    assert means(net, X) == {
        ("a", "pre_activation"): 1.0,
        ("a", "activation"): 1.5,  # 0, 3
        ("fc", "output"): -1.5,  # 0, -3
        ("a:1", "pre_activation"): -0.5,  # 1, -2
        ("a:1", "activation"): 0.5,
    }


G = math.atanh(0.8)


def lstm_cell(n_steps):
    """Return outputs and cell states of all steps, for gates of one half and a candidate of 0.8."""
    c, states = 0.0, []
    for _ in range(n_steps):
        c = 0.5 * c + 0.4
        states.append((0.5 * math.tanh(c), c))
    return np.array(states)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("form", ["batch_first", "time_first", "packed"])
def test_lstm_by_hand(bidirectional, form):
    biases = {f"bias_ih_l0{end}": [0.0, 0.0, G, 0.0] for end in ("", "_reverse")}
    lstm = constant(
        build(lambda: nn.LSTM(1, 1, bidirectional=bidirectional, batch_first=form == "batch_first")), **biases
    )
    net = Net(lambda self, x: self.lstm(x), lstm=lstm)
    h, c = lstm_cell(3).T
    if form == "packed":
        given, hs, last = pack_sequence([torch.zeros(3, 1), torch.zeros(1, 1)]), [*h, h[0]], [2, 0]
    else:
        given, hs, last = torch.zeros((2, 3, 1) if form == "batch_first" else (3, 2, 1)), [*h, *h], [2, 2]
    found = inspect_activations(net, given).to_frame().set_index("layer")
    assert found.index.tolist() == ["lstm", "lstm/h_n", "lstm/c_n"]
    ways = 1 + bidirectional
    assert found["units"].tolist() == [ways, 1, 1]
    assert found["count"].tolist() == [len(hs) * ways, 2 * ways, 2 * ways]
    assert found["mean"].tolist() == pytest.approx([np.mean(hs), h[last].mean(), c[last].mean()], rel=1e-6)
    assert found["max"].tolist() == pytest.approx([h[2], h[2], c[2]], rel=1e-6)


def test_recurrent_cells_in_a_loop_by_hand():
    def forward(self, x):
        state = None
        for _ in range(3):
            state = self.cell(x, state)
        return state[0]

    cell = constant(build(lambda: nn.LSTMCell(1, 1)), bias_ih=[0.0, 0.0, G, 0.0])
    found = means(Net(forward, cell=cell), X)
    assert [layer for layer, _ in found] == ["cell", "cell/c", "cell:1", "cell/c:1", "cell:2", "cell/c:2"]
    assert list(found.values()) == pytest.approx(lstm_cell(3).ravel().tolist(), rel=1e-6)


def test_gru_by_hand():
    gru = constant(build(lambda: nn.GRU(1, 1, batch_first=True)), bias_ih_l0=[0.0, 0.0, G])
    found = means(Net(lambda self, x: self.gru(x), gru=gru), torch.zeros(2, 2, 1))
    # h = (h + 0.8) / 2 from 0.
    assert list(found.values()) == pytest.approx([0.5, 0.6], rel=1e-6)
    assert list(found) == [("gru", "output"), ("gru/h_n", "output")]


def test_embeddings_and_norms_by_hand():
    embedding = nn.Embedding.from_pretrained(torch.tensor([[0.0, 2.0], [4.0, 8.0]]))
    net = nn.Sequential(embedding, nn.LayerNorm(2, eps=0.0, elementwise_affine=False), nn.Tanh())
    found = means(net, [[0, 1, 1], [0, 0, 0]])
    assert found["0", "output"] == pytest.approx(32 / 12, rel=1e-12)
    # Each pair has a value one below and one above its mean.
    assert found["1", "pre_activation"] == pytest.approx(0, abs=1e-6)
    assert seen(net, [[0, 1]])["1", "activation"][1] == pytest.approx(math.tanh(-1), rel=1e-6)
