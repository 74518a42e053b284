"""Inspections of small networks with known activations."""

import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_iris
from torch import nn

from initsk import MLPClassifier, inspect_activations
from initsk.exceptions import ModuleError
from tests.helpers import hooks_of
from tests.inspection.support import peak_memory


def known_net(inplace=False):
    """Linear(1 -> 2) with weights 1 and -1, ReLU, Linear(2 -> 1) that adds them: the absolute value."""
    with torch.random.fork_rng():
        net = nn.Sequential(nn.Linear(1, 2, bias=False), nn.ReLU(inplace=inplace), nn.Linear(2, 1, bias=False))
    net[0].weight.data = torch.tensor([[1.0], [-1.0]])
    net[2].weight.data = torch.ones(1, 2)
    return net


@pytest.mark.parametrize("inplace", [False, True])
def test_known_activations(inplace):
    X = np.array([[1.0], [2.0], [3.0]])
    frame = inspect_activations(known_net(inplace), X, batch_size=2).to_frame().set_index(["layer", "position"])
    pre, post, out = (frame.loc[key] for key in (("0", "pre_activation"), ("0", "activation"), ("2", "output")))
    assert pre[["mean", "min", "max", "count"]].tolist() == [0, -3, 3, 6]
    assert post[["mean", "min", "zero_fraction", "dead_fraction"]].tolist() == [1, 0, 0.5, 0.5]
    assert post["rms"] == pytest.approx((14 / 6) ** 0.5)
    assert post["std"] == pytest.approx(np.std([1, 2, 3, 0, 0, 0]))
    assert out[["mean", "units"]].tolist() == [2, 1]


def test_nothing_is_left_behind():
    net = nn.Sequential(*known_net(), nn.BatchNorm1d(1))
    net.train()
    net[0].eval()
    net[4:].requires_grad_(False)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    inspect_activations(net, [[1.0], [2.0]])

    class Broken(nn.Module):
        def forward(self, x):
            raise RuntimeError("broken")

    net.append(Broken())
    with pytest.raises(ModuleError, match="RuntimeError: broken"):
        inspect_activations(net, [[1.0], [2.0]])
    assert not hooks_of(net)
    assert [m.training for m in net[:4]] == [False, True, True, True]
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())


def test_channels_are_units_and_calls_have_separate_records():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 3, 1)
            self.relu = nn.ReLU()

        def forward(self, x):
            return self.relu(self.relu(self.conv(x)) - 1)

    with torch.random.fork_rng():
        net = Twice()
    net.conv.weight.data.fill_(1.0)
    net.conv.bias.data = torch.tensor([0.0, 0.0, -100.0])
    frame = inspect_activations(net, np.ones((2, 1, 4, 4))).to_frame()
    assert frame[["layer", "position"]].to_numpy().tolist() == [
        ["conv", "pre_activation"],
        ["conv", "activation"],
        ["relu:1", "pre_activation"],
        ["relu:1", "activation"],
    ]
    assert frame["module"].tolist() == ["conv", "relu", "relu:1", "relu:1"]
    assert frame["units"].tolist() == [3, 3, 3, 3]
    assert frame["dead_fraction"].tolist()[1] == pytest.approx(1 / 3)


def test_recurrent_layers_and_nonfinite_values():
    with torch.random.fork_rng():
        lstm = nn.LSTM(2, 5, batch_first=True)
    frame = inspect_activations(lstm, np.zeros((3, 4, 2))).to_frame()
    assert frame.loc[0, ["units", "count"]].tolist() == [5, 60]
    net = known_net()
    net[0].weight.data[0] = float("nan")
    assert inspect_activations(net, [[1.0]]).to_frame()["nonfinite"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "form",
    [
        lambda x: pd.DataFrame(x),
        lambda x: np.broadcast_to(x, x.shape),
        lambda x: x[::-1].copy()[::-1],
        lambda x: x.astype(">f4"),
        lambda x: x.tolist(),
        torch.tensor,
    ],
    ids=["frame", "read-only", "reversed", "big-endian", "lists", "tensor"],
)
def test_input_of_any_form(form):
    x = np.array([[1.0], [3.0]], dtype=np.float32)
    given = inspect_activations(known_net(), form(x)).to_frame()
    assert given.equals(inspect_activations(known_net(), x).to_frame())


def test_a_module_without_layers_is_an_error():
    with pytest.raises(ValueError, match="no layer"):
        inspect_activations(nn.Flatten(), [[1.0]])
    with pytest.raises(ValueError, match=r"torch\.nn\.Module"):
        inspect_activations(3, [[1.0]])


def test_unfitted_and_fitted_estimators():
    X, y = load_iris(return_X_y=True)
    clf = MLPClassifier((6,), max_epochs=2, random_state=0)
    initial = inspect_activations(clf, X, y)
    assert not hasattr(clf, "net_")
    with pytest.raises(ValueError, match="no sample"):
        inspect_activations(torch.nn.ReLU(), np.zeros((0, 3)))
    with pytest.raises(ValueError, match="give y"):
        inspect_activations(clf, X)
    trained = inspect_activations(clf.fit(X, y), X)
    assert initial.to_frame()["layer"].tolist() == ["hidden_1", "hidden_1", "output"]
    assert initial.to_frame()["rms"][0] != trained.to_frame()["rms"][0]
    histograms = trained.histograms()
    assert histograms.groupby(["layer", "position"])["count"].sum().tolist() == [900, 900, 450]


def test_memory_does_not_grow_with_the_samples():
    net = known_net()
    summary = inspect_activations(net, np.arange(100000.0).reshape(-1, 1), batch_size=1000)
    assert len(summary.histograms()) <= 3 * 128


_MEMORY = """
import sys, torch
from pathlib import Path
from torch import nn
from initsk import inspect_activations
net = nn.Sequential(nn.Linear(50, 200), nn.ReLU(), nn.Linear(200, 10))
stream = (torch.randn(1000, 50) for _ in range(int(sys.argv[1])))
inspect_activations(net, stream)
print(next(l for l in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in l).split()[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_is_flat():
    peaks = [peak_memory(_MEMORY, n) for n in ("30", "300")]
    assert peaks[1] < 1.05 * peaks[0]
