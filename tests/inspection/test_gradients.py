"""Saturation, sums of summaries, gradients and updates: answers known by hand."""

import copy
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as users write it

from initsk import inspect_activations
from tests.helpers import batch, build


class Doubled(nn.Tanh):
    """An activation function written by a user."""

    def forward(self, x):
        return 2 * torch.tanh(x) + 1


class Calls(nn.Module):
    def __init__(self, *functions):
        super().__init__()
        self.fc = build(lambda: nn.Linear(1, 1, bias=False))
        nn.init.ones_(self.fc.weight)
        self.functions = functions

    def forward(self, x):
        for function in self.functions:
            x = function(self.fc(x))
        return x


@pytest.mark.parametrize(
    ("function", "share"),
    [
        (lambda x: F.hardtanh(x, -2, 2), 3 / 5),  # -1.9 and less, 1.9 and more
        (lambda x: F.hardtanh(x, min_val=-8.0, max_val=2.0), 3 / 5),
        (torch.special.expit, 3 / 5),  # sigmoid(3) = 0.953 is 90 % of the way from 0.5 to 1
        (lambda x: F.elu(x, 5.0), 1 / 5),  # expm1(-3) = -0.950
        (F.leaky_relu, np.nan),
        (F.softplus, 1 / 5),  # softplus(-9) = 0.0001, of log(2) at zero
    ],
)
def test_saturation_of_functions_with_arguments(function, share):
    X = torch.tensor([[-9.0], [-1.0], [0.0], [2.0], [9.0]])
    if function is torch.special.expit:
        X = torch.tensor([[-9.0], [-4.0], [0.0], [3.0], [9.0]])
    told = inspect_activations(Calls(function), X).to_frame()["saturated_fraction"].tolist()
    assert told == pytest.approx([np.nan, share], nan_ok=True)


def test_saturation_of_a_module_of_ones_own():
    net = nn.Sequential(Calls(), Doubled())
    net[0].functions = (lambda x: x + 0.0,)
    X = torch.tensor([[-9.0], [-1.0], [0.0], [2.0]])  # tanh(2) = 0.964
    assert inspect_activations(net, X).to_frame()["saturated_fraction"].iloc[-1] == 1 / 2


def network():
    return build(lambda: nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)))


def test_sums_claim_nothing_that_only_one_half_measured():
    X = batch(20, 3)
    some, every = inspect_activations(network(), X, measures=("samples",)), inspect_activations(network(), X)
    for total in (lambda: some + every, lambda: every + some):
        try:
            frame = total().to_frame()
        except ValueError:
            continue
        assert frame[["dead_fraction", "copied_fraction", "effective_rank"]].isna().all(axis=None)


@pytest.mark.parametrize("other", [{}, {"edges": [0, 2]}])
def test_sums_keep_the_edges_that_were_asked_for(other):
    X = batch(20, 3)
    with pytest.raises(ValueError, match="edges"):
        inspect_activations(network(), X, edges=[0, 1]) + inspect_activations(network(), X, **other)


SGD = {"optimizer": lambda p: torch.optim.SGD(p, lr=0.5)}


@pytest.mark.parametrize("relu", [F.relu, lambda x: F.relu(x, inplace=True), nn.ReLU(inplace=True)])
@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_gradients_of_a_layer_called_twice_by_hand(relu, batch_size):
    """Outputs w^2 x where that is positive: 1, 0, 2; with targets 0 the losses are 1, 0, 4."""
    X, y = torch.tensor([[1.0], [-1.0], [2.0]]), torch.zeros(3, 1)
    summary = inspect_activations(Calls(relu, relu), X, y, gradients=True, batch_size=batch_size, **SGD)
    frame = summary.to_frame("gradients").set_index(["layer", "position"])
    told = frame[["mean", "min", "max"]].to_dict("index")
    # 2 * output, and nothing through a ReLU that is off; its slope at zero is zero.
    expected = dict(zip(("mean", "min", "max"), (2.0, 0.0, 4.0), strict=True))
    for name in ("fc", "fc:1"):
        for position in ("pre_activation", "activation"):
            assert told[name, position] == pytest.approx(expected)
    table = summary.parameters().iloc[0]
    # Mean of 2 * w^2 x * 2 * w x: 4, 0, 16.
    told = table[["weight_norm", "gradient_norm", "gradient_to_weight", "update_norm", "update_to_weight"]].tolist()
    assert told == pytest.approx([1, 20 / 3, 20 / 3, 10 / 3, 10 / 3])


def test_the_loss_that_was_asked_for():
    X, y = torch.tensor([[1.0], [3.0]]), torch.zeros(2, 1)
    frame = inspect_activations(Calls(lambda x: x), X, y, gradients=True, criterion=nn.L1Loss()).to_frame("gradients")
    assert frame[["mean", "std"]].to_numpy().tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize(
    "optimizer",
    [torch.optim.Adam, torch.optim.SGD, lambda p: torch.optim.AdamW(p, lr=0.1), torch.optim.RMSprop],
)
@pytest.mark.parametrize("n_steps", [0, 3])
def test_updates_are_those_of_a_copy(optimizer, n_steps):
    X, y, net = batch(32, 3), torch.arange(32) % 2, network()

    def step(module, own):
        own.zero_grad()
        F.cross_entropy(module(X), y).backward()
        own.step()

    own = optimizer(net.parameters())
    schedule = torch.optim.lr_scheduler.ConstantLR(own, 0.5, 1)
    for _ in range(n_steps):
        step(net, own)
    before = copy.deepcopy(net.state_dict())
    told = inspect_activations(net, X, y, gradients=True, optimizer=own, batch_size=5).parameters()
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    twin, its = copy.deepcopy((net, own))
    step(twin, its)
    true = [float((new.detach() - before[name]).norm()) for name, new in twin.named_parameters()]
    assert told["update_norm"].tolist() == pytest.approx(true, rel=1e-3)
    assert schedule.get_last_lr() == [group["lr"] for group in own.param_groups]


def test_optimizers_of_some_parameters_and_of_none():
    X, y, net = batch(8, 3), torch.arange(8) % 2, network()
    with torch.no_grad():
        net[2].bias.zero_()
    some = torch.optim.SGD([net[0].weight], lr=0.1)
    table = inspect_activations(net, X, y, gradients=True, optimizer=some).parameters().set_index("name")
    assert table["update_norm"].notna().tolist() == [True, False, False, False]
    assert table.loc["0.weight", "update_norm"] == pytest.approx(0.1 * table.loc["0.weight", "gradient_norm"], rel=1e-5)
    # A weight of zero has no ratio.
    assert table["gradient_to_weight"].isna().tolist() == [False, False, False, True]
    net[0].requires_grad_(False)
    for wrong, words in ((some, "frozen"), (torch.optim.LBFGS, "from gradients alone")):
        with pytest.raises(ValueError, match=words):
            inspect_activations(net, X, y, gradients=True, optimizer=wrong)


_MEMORY = """
import sys, torch
from pathlib import Path
from torch import nn
from initsk import inspect_activations
torch.set_num_threads(1)
net = nn.Sequential(nn.Linear(30, 100), nn.ReLU(inplace=True), nn.Linear(100, 2))
stream = ((torch.randn(500, 30), torch.arange(500) % 2) for _ in range(int(sys.argv[1])))
inspect_activations(net, stream, gradients=True, edges=[-1, 0, 1], optimizer=torch.optim.Adam)
print(next(l for l in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in l).split()[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_with_gradients_is_flat():
    peaks = [
        int(subprocess.run([sys.executable, "-c", _MEMORY, n], capture_output=True, text=True, check=True).stdout)
        for n in ("20", "200")
    ]
    assert peaks[1] < 1.05 * peaks[0]


def test_frames_of_nothing_have_the_same_types():
    empty = inspect_activations(network(), batch(5, 3))
    full = inspect_activations(network(), batch(5, 3), torch.arange(5) % 2, gradients=True)
    for frame in ("to_frame", "histograms"):
        told, true = getattr(empty, frame)("gradients"), getattr(full, frame)("gradients")
        assert len(told) == 0 < len(true)
        pd.testing.assert_series_equal(told.dtypes, true.dtypes)
    pd.testing.assert_series_equal(empty.parameters().dtypes, full.parameters().dtypes)
