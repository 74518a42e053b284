"""Gradients of activations and parameters, and updates of the optimizer: known answers."""

import copy
import sys
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as users write it

from initsk import inspect_activations
from initsk.exceptions import ModuleError
from initsk.inspection import gradient_coherence
from tests.helpers import batch, build
from tests.inspection.support import Calls, peak_memory


def network():
    return build(lambda: nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)))


def linear():
    net = build(lambda: nn.Sequential(nn.Linear(2, 1, bias=False), nn.Identity()))
    net[0].weight.data = torch.tensor([[1.0, 2.0]])
    return net


SGD = {"optimizer": lambda p: torch.optim.SGD(p, lr=0.5)}


@pytest.mark.parametrize("relu", [F.relu, lambda x: F.relu(x, inplace=True), nn.ReLU(inplace=True)])
@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_gradients_of_a_layer_called_twice_by_hand(relu, batch_size):
    """The outputs are the positive parts of w^2 x: 1, 0, 2. With targets 0 the losses are 1, 0, 4."""
    X, y = torch.tensor([[1.0], [-1.0], [2.0]]), torch.zeros(3, 1)
    summary = inspect_activations(Calls(relu, relu), X, y, gradients=True, batch_size=batch_size, **SGD)
    frame = summary.to_frame("gradients").set_index(["layer", "position"])
    found = frame[["mean", "min", "max"]].to_dict("index")
    # 2 * output, and zero through an inactive ReLU.
    expected = dict(zip(("mean", "min", "max"), (2.0, 0.0, 4.0), strict=True))
    for name in ("fc", "fc:1"):
        for position in ("pre_activation", "activation"):
            assert found[name, position] == pytest.approx(expected)
    table = summary.parameters().iloc[0]
    # Mean of 2 * w^2 x * 2 * w x: 4, 0, 16.
    found = table[["weight_norm", "gradient_norm", "gradient_to_weight", "update_norm", "update_to_weight"]].tolist()
    assert found == pytest.approx([1, 20 / 3, 20 / 3, 10 / 3, 10 / 3])


def test_gradients_are_those_of_the_given_criterion():
    X, y = torch.tensor([[1.0], [3.0]]), torch.zeros(2, 1)
    frame = inspect_activations(Calls(lambda x: x), X, y, gradients=True, criterion=nn.L1Loss()).to_frame("gradients")
    assert frame[["mean", "std"]].to_numpy().tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize(
    ("criterion", "words"),
    [
        (lambda output, y: 1.0, "criterion <lambda> returns a value of type float"),
        (lambda output, y: output, r"criterion <lambda> returns a value of shape \(\d, 1\)"),
        (lambda output, y: 1 / 0, "criterion <lambda> fails for output of shape .*division by zero"),
        ("CTCLoss", "criterion CTCLoss fails for output of shape .*input_lengths"),
    ],
)
def test_a_criterion_that_gives_no_mean_loss_is_an_error_of_one_line(criterion, words):
    for measure in (partial(inspect_activations, gradients=True), gradient_coherence):
        with pytest.raises(ModuleError, match=words) as caught:
            measure(Calls(lambda x: x), torch.ones(4, 1), torch.zeros(4, 1), criterion=criterion)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "optimizer",
    [torch.optim.Adam, torch.optim.SGD, lambda p: torch.optim.AdamW(p, lr=0.1), torch.optim.RMSprop],
)
@pytest.mark.parametrize("n_steps", [0, 3])
def test_updates_are_those_of_the_next_step(optimizer, n_steps):
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
    found = inspect_activations(net, X, y, gradients=True, optimizer=own, batch_size=5).parameters()
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    twin, its = copy.deepcopy((net, own))
    step(twin, its)
    true = [float((new.detach() - before[name]).norm()) for name, new in twin.named_parameters()]
    assert found["update_norm"].tolist() == pytest.approx(true, rel=1e-3)
    assert schedule.get_last_lr() == [group["lr"] for group in own.param_groups]


def test_optimizers_of_some_parameters():
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


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_gradients_by_hand(batch_size):
    X, y = torch.tensor([[1.0, 0], [0, 1], [1, 1]]), torch.tensor([[0.0], [0], [0]])
    summary = inspect_activations(
        linear(), X, y, gradients=True, optimizer=lambda p: torch.optim.SGD(p, lr=0.1), batch_size=batch_size
    )
    # Outputs 1, 2, 3: the gradients of their squares are 2, 4, 6.
    row = summary.to_frame("gradients").iloc[0]
    assert [row["mean"], row["min"], row["max"]] == pytest.approx([4, 2, 6])
    # Mean over the samples of 2 * output * x.
    gradient = np.array([(2 + 6) / 3, (4 + 6) / 3])
    table = summary.parameters().iloc[0]
    assert table["gradient_to_weight"] == pytest.approx(np.linalg.norm(gradient) / np.sqrt(5), rel=1e-6)
    assert table["update_to_weight"] == pytest.approx(0.1 * np.linalg.norm(gradient) / np.sqrt(5), rel=1e-6)


def test_updates_after_some_steps_are_the_optimizers_own():
    X, y = batch(32, 3), torch.arange(32) % 2
    net = network()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)

    def step():
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(X), y).backward()
        optimizer.step()

    for _ in range(3):
        step()
    state = copy.deepcopy(optimizer.state_dict())
    found = inspect_activations(net, X, y, gradients=True, optimizer=optimizer, batch_size=10).parameters()
    assert str(state) == str(optimizer.state_dict())
    before = [p.detach().clone() for p in net.parameters()]
    step()
    true = [float((p.detach() - b).norm() / b.norm()) for p, b in zip(net.parameters(), before, strict=True)]
    assert found["update_to_weight"].tolist() == pytest.approx(true, rel=1e-3)
    with pytest.raises(ValueError, match="do not belong to the model"):
        inspect_activations(network(), X, y, gradients=True, optimizer=optimizer)
    net[0].requires_grad_(False)
    with pytest.raises(ValueError, match=r"has parameters that are frozen: 0\.weight, 0\.bias$"):
        inspect_activations(net, X, y, gradients=True, optimizer=optimizer)


def test_frozen_layers_have_gradients_but_no_updates():
    net = network()
    net[0].requires_grad_(False)
    X, y = batch(32, 3), torch.arange(32) % 2
    summary = inspect_activations(net, X, y, gradients=True, optimizer=torch.optim.SGD)
    assert summary.parameters()["name"].tolist() == ["2.weight", "2.bias"]
    assert (summary.to_frame("gradients")["rms"] > 0).all()
    own = inspect_activations(
        net, X, y, gradients=True, criterion=lambda out, y: 2 * nn.functional.cross_entropy(out, y)
    )
    ratio = own.to_frame("gradients")["rms"] / summary.to_frame("gradients")["rms"]
    assert ratio.tolist() == pytest.approx([2, 2, 2], rel=1e-5)


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
    peaks = [peak_memory(_MEMORY, n) for n in ("20", "200")]
    assert peaks[1] < 1.05 * peaks[0]


def test_parameters_are_those_of_the_chosen_layers():
    net, X = network(), torch.ones(4, 3)
    options = {"gradients": True, "weights": True, **SGD}
    whole = inspect_activations(net, X, torch.zeros(4, dtype=torch.int64), **options)
    part = inspect_activations(net, X, torch.zeros(4, dtype=torch.int64), layers="0", **options)
    assert whole.parameters()["name"].tolist() == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert part.parameters().equals(whole.parameters()[:2])
    assert set(part.to_frame("weights")["layer"]) == {"0"}
    assert part.answer().startswith("No problems were found in the inspected layer.")
