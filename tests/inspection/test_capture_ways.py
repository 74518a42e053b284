"""Forward passes that take different ways, and modules of torch that compute in ways of their own."""

import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from initsk import inspect_activations
from tests.helpers import Net, batch, build, fc

SIGNS = torch.tensor([[1.0], [2.0], [-1.0], [-3.0], [4.0], [-5.0]])


def frame_of(net, X, y=None, of="activations", **arguments):
    return inspect_activations(net, X, y, **arguments).to_frame(of).set_index(["layer", "position"])


def branching():
    """Return a network with a layer for positive sums and another for negative ones, before one function."""
    return Net(
        lambda self, x: self.out((self.up(x) if x.sum() > 0 else self.down(x)).relu()),
        up=fc(2.0), down=fc(-1.0), out=fc(),
    )  # fmt: skip


@pytest.mark.parametrize("gradients", [False, True])
def test_each_value_belongs_to_the_layer_that_computed_it(gradients):
    arguments = {"batch_size": 1, "gradients": gradients}
    frame = frame_of(branching(), SIGNS, torch.zeros(6, 1), **arguments)
    assert frame["count"].to_dict() == {
        ("up", "pre_activation"): 3, ("up", "activation"): 3, ("out", "output"): 6,
        ("down", "pre_activation"): 3, ("down", "activation"): 3,
    }  # fmt: skip
    assert frame.loc[("up", "activation"), "mean"] == pytest.approx(2 * 7 / 3)
    assert frame.loc[("down", "activation"), "mean"] == pytest.approx(3.0)
    assert frame["function"].tolist() == ["", "relu", "", "", "relu"]


def test_gradients_of_each_way_are_complete():
    y = torch.zeros(6, 1)
    found = frame_of(branching(), SIGNS, y, "gradients", batch_size=1, gradients=True)
    assert found["count"].tolist() == [3, 3, 6, 3, 3]
    # The loss is the square of the output, which is the activation.
    assert found.loc[("down", "activation"), "mean"] == pytest.approx(2 * 3.0)
    parameters = inspect_activations(branching(), SIGNS, y, batch_size=1, gradients=True).parameters().set_index("name")
    assert parameters.loc["up.weight", "gradient_norm"] == pytest.approx(2 * 2 * (1 + 4 + 16) / 6)


class Repeated(nn.Module):
    """A layer that is called as often as the batch has rows."""

    def __init__(self):
        super().__init__()
        self.fc = fc(1.0, 1.0)

    def forward(self, x):
        for _ in range(len(x)):
            x = self.fc(x)
        return x


def test_a_number_of_calls_that_depends_on_the_batch():
    frame = frame_of(Repeated(), torch.zeros(7, 1), batch_size=4)
    assert frame.index.get_level_values("layer").tolist() == ["fc", "fc:1", "fc:2", "fc:3"]
    assert frame["mean"].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert frame["count"].tolist() == [7, 7, 7, 4]


@pytest.mark.parametrize("training", [False, True])
def test_random_ways_are_repeated_with_the_same_random_numbers(training):
    def forward(self, x):
        x = self.first(x)
        if torch.rand(()) < 0.5:
            x = self.second(x).tanh()
        return self.out(x)

    net = Net(forward, first=fc(), second=fc(), out=fc())
    frame = frame_of(net, SIGNS, batch_size=1, training=training)
    times = frame["count"]
    assert times[("first", "output")] == times[("out", "output")] == 6
    assert times[("second", "pre_activation")] == times[("second", "activation")]
    assert 0 < times[("second", "activation")] < 6
    pd.testing.assert_frame_equal(frame, frame_of(net, SIGNS, batch_size=1, training=training))


def test_ways_without_repetition_are_captured_as_far_as_they_are_known():
    """The way depends on a count that no random state holds."""
    count = [0]

    def forward(self, x):
        count[0] += 1
        x = self.first(x)
        return self.out(self.second(x) if count[0] % 3 else x)

    frame = frame_of(Net(forward, first=fc(), second=fc(), out=fc()), SIGNS, batch_size=1)
    assert frame.loc[("first", "output"), "count"] == 6
    assert (frame["count"] <= 6).all()


@pytest.mark.parametrize("arguments", [{}, {"training": True}, {"batch_size": 3}])
def test_reentrant_checkpoints_with_gradients(arguments):
    def net(run):
        return Net(lambda self, x: self.out(run(lambda z: self.mid(z).relu(), self.fc(x))),
                   fc=fc(2.0), mid=fc(3.0), out=fc())  # fmt: skip

    plain, again = net(lambda part, x: part(x)), net(lambda part, x: checkpoint(part, x, use_reentrant=True))
    again.fc.weight.grad = torch.ones(1, 1)
    y = torch.zeros(6, 1)
    measured, true = (inspect_activations(one, SIGNS, y, gradients=True, **arguments) for one in (again, plain))
    pd.testing.assert_frame_equal(measured.to_frame(), true.to_frame())
    pd.testing.assert_frame_equal(measured.parameters(), true.parameters())
    # The first forward pass of a checkpointed part has no gradients.
    outside = true.to_frame("gradients")
    outside = outside[outside["layer"] != "mid"].reset_index(drop=True)
    pd.testing.assert_frame_equal(measured.to_frame("gradients"), outside)
    assert torch.equal(again.fc.weight.grad, torch.ones(1, 1))
    assert again.out.weight.grad is None


def prepared():
    """Return a network that is prepared for quantization during training."""
    net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
    net.qconfig = torch.ao.quantization.get_default_qat_qconfig("fbgemm")
    return torch.ao.quantization.prepare_qat(net.train())


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("arguments", [{}, {"training": True}, {"gradients": True}])
def test_networks_prepared_for_quantization(arguments):
    net = build(prepared)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    frame = frame_of(net, batch(20, 3), torch.zeros(20, dtype=torch.int64), **arguments)
    assert frame.index.tolist() == [("0", "pre_activation"), ("0", "activation"), ("2", "output")]
    assert frame["function"].tolist() == ["", "ReLU", ""]
    assert frame["units"].tolist() == [8, 8, 2]
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


class Fourier(nn.Module):
    """A layer with complex weights for each frequency."""

    def __init__(self, width, n_modes):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, width, n_modes, dtype=torch.complex64) / width)

    def forward(self, x):
        modes = torch.fft.rfft(x)
        return torch.fft.irfft(torch.einsum("bim,iom->bom", modes, self.weight), n=x.shape[-1])


@pytest.mark.parametrize("gradients", [False, True])
def test_fourier_layers(gradients):
    net = build(lambda: nn.Sequential(nn.Conv1d(1, 4, 1), Fourier(4, 5), nn.GELU(), nn.Flatten(), nn.Linear(32, 1)))
    data = batch(6, 1, 8)
    frame = frame_of(net, data, torch.zeros(6, 1), gradients=gradients)
    assert frame.index.tolist() == [("0", "output"), ("1", "pre_activation"), ("1", "activation"), ("4", "output")]
    assert frame.loc[("1", "pre_activation"), "mean"] == pytest.approx(float(net[:2](data).detach().mean()), abs=1e-6)


def test_the_norm_of_complex_weights_is_that_of_both_parts():
    net = build(lambda: nn.Sequential(Fourier(1, 5), nn.Flatten(), nn.Linear(8, 1)))
    net[0].weight.data.fill_(3 + 4j)
    summary = inspect_activations(net, batch(6, 1, 8), torch.zeros(6, 1), gradients=True)
    assert summary.parameters()["weight_norm"][0] == pytest.approx(5 * 5**0.5)
