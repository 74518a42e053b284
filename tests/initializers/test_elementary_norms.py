"""Normalization in elementary operations, which has correct third derivatives."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from initsk.initializers import (
    MetaInit,
)
from initsk.initializers.core._elementary_norms import ElementaryNorms
from tests.helpers import build
from tests.initializers.support import GRADIENT_SCHEMES, data, fitted, quotient, weights

pytestmark = pytest.mark.usefixtures("one_thread")


NORMS = {
    "batch norm": (lambda: nn.BatchNorm1d(4), (6, 4)),
    "batch norm of images": (lambda: nn.BatchNorm2d(2, eps=0.1), (3, 2, 2, 2)),
    "batch norm without factors": (lambda: nn.BatchNorm1d(4, affine=False), (6, 4)),
    "batch norm without running statistics": (lambda: nn.BatchNorm1d(4, track_running_stats=False).eval(), (6, 4)),
    "batch norm in evaluation mode": (lambda: nn.BatchNorm1d(4).eval(), (6, 4)),
    "instance norm": (lambda: nn.InstanceNorm1d(2, affine=True), (3, 2, 4)),
    "instance norm of images": (lambda: nn.InstanceNorm2d(2), (2, 2, 2, 3)),
    "layer norm": (lambda: nn.LayerNorm(4), (3, 4)),
    "layer norm over two axes": (lambda: nn.LayerNorm((2, 3), bias=False), (2, 2, 3)),
    "group norm": (lambda: nn.GroupNorm(2, 4), (3, 4, 2)),
    "RMS norm": (lambda: nn.RMSNorm(4), (3, 4)),
}


def make(name):
    factory, shape = NORMS[name]
    X = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    return build(lambda: factory().double()), X.requires_grad_()


def gradients(module, X):
    parameters = [p for p in module.parameters() if p.requires_grad]
    output = module(X)
    goal = (output * torch.linspace(-1, 1, output.numel(), dtype=output.dtype).view_as(output) + output**3).sum()
    return torch.autograd.grad(goal, [X, *parameters], create_graph=True)


@pytest.mark.parametrize("name", NORMS)
def test_values_and_gradients_equal_torchs(name):
    module, X = make(name)
    with ElementaryNorms():
        found, found_gradients = module(X), gradients(module, X)
    torch.testing.assert_close(found, module(X))
    for ours, theirs in zip(found_gradients, gradients(module, X), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("name", NORMS)
def test_third_derivatives_are_the_slopes_of_the_second(name):
    module, X = make(name)
    # gradgradcheck draws directions from the global generator.
    with torch.random.fork_rng(), ElementaryNorms():
        torch.manual_seed(0)
        assert torch.autograd.gradgradcheck(lambda x: gradients(module, x)[0], X)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_kept(dtype):
    X = torch.linspace(-1, 1, 12, dtype=dtype).reshape(3, 4)
    with ElementaryNorms():
        found = nn.functional.layer_norm(X, (4,))
    assert found.dtype == dtype
    torch.testing.assert_close(found, nn.functional.layer_norm(X, (4,)))


WRONG_CALLS = {
    "one value per channel": lambda: F.batch_norm(torch.ones(1, 3), None, None, training=True),
    "one position": lambda: F.instance_norm(torch.ones(2, 3, 1)),
    "channels": lambda: F.batch_norm(torch.ones(4, 3), None, None, torch.ones(1), torch.ones(3), training=True),
    "channels of images": lambda: F.instance_norm(torch.ones(2, 3, 4), weight=torch.ones(2), bias=torch.ones(2)),
    "another shape": lambda: F.layer_norm(torch.ones(4, 3), (4,)),
    "more axes": lambda: F.layer_norm(torch.ones(3), (3, 3)),
    "factors": lambda: F.layer_norm(torch.ones(4, 3), (3,), torch.ones(1)),
    "running statistics": lambda: F.batch_norm(torch.ones(4, 3), torch.ones(2), torch.ones(2), training=True),
    "mixed types": lambda: F.layer_norm(torch.ones(4, 3), (3,), torch.ones(3, dtype=torch.float64)),
    "a number for a shape": lambda: F.layer_norm(torch.ones(4, 3), 3),
    "whole numbers": lambda: F.layer_norm(torch.ones(4, 3, dtype=torch.int64), (3,)),
}


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_wrong_arguments_raise_the_errors_of_torch(name):
    with pytest.raises((RuntimeError, TypeError, ValueError)) as plain:
        WRONG_CALLS[name]()
    with ElementaryNorms(), pytest.raises(type(plain.value)) as found:
        WRONG_CALLS[name]()
    assert str(found.value) == str(plain.value)


class Channels(nn.Sequential):
    def forward(self, X):
        return super().forward(X.unflatten(1, (2, 3))).flatten(1)


def networks():
    act, double = nn.Tanh, {"dtype": torch.float64}
    first, last = lambda: nn.Linear(6, 5, **double), lambda: nn.Linear(5, 3, **double)
    for norm in (nn.BatchNorm1d(5, **double), nn.LayerNorm(5, **double)):
        yield nn.Sequential(first(), norm, act(), nn.Linear(5, 5, **double), act(), last())
        yield nn.Sequential(first(), act(), nn.Linear(5, 5, **double), copy.deepcopy(norm), act(), last())
    image = nn.Conv1d(2, 4, 2, **double), nn.InstanceNorm1d(4, **double), act(), nn.Conv1d(4, 1, 2, **double)
    yield nn.Sequential(Channels(*image), nn.Linear(1, 3, **double))


@pytest.mark.parametrize("number", range(5))
def test_a_step_of_metainit_descends_the_quotient(number):
    X, y = data()
    module = build(lambda: list(networks())[number])
    start = fitted(copy.deepcopy(module), "he_normal", X, y)
    lr, expected = 0.02, {}
    for name, weight in weights(start).items():
        sides = []
        for shift in (1e-6, -1e-6):
            moved = copy.deepcopy(start)
            with torch.no_grad():
                moved.get_parameter(name).mul_(1 + shift)
            sides.append(quotient(moved, X, y))
        norm = weight.norm().item()
        expected[name] = (norm - lr * np.sign(sides[0] - sides[1])) / norm
    tuned = fitted(copy.deepcopy(module), MetaInit(lr=lr, n_steps=1, batch_size=None), X, y)
    found = {name: (w.norm() / weights(start)[name].norm()).item() for name, w in weights(tuned).items()}
    assert found == pytest.approx(expected, rel=1e-9)


class Interrupted(nn.Module):
    """Module that raises KeyboardInterrupt when it runs for the given time."""

    def __init__(self, time):
        super().__init__()
        self.time, self.runs = time, 0

    def forward(self, x):
        self.runs += 1
        if self.runs == self.time:
            raise KeyboardInterrupt
        return x


@pytest.mark.parametrize("scheme", GRADIENT_SCHEMES, ids=str)
@pytest.mark.parametrize("time", [1, 2])
def test_an_interrupt_restores_normalization(time, scheme):
    X, y = data()
    network = build(lambda: nn.Sequential(nn.Linear(6, 3), nn.Sequential(Interrupted(time))).double())
    with pytest.raises(KeyboardInterrupt):
        fitted(network, scheme, X, y)
    norm = nn.BatchNorm1d(6).double()
    norm(X)
    # The elementary operations would not update the running statistics.
    assert norm.running_mean.any()


DIRECT = {
    "batch_norm": ((6, 4), lambda x: torch.batch_norm(x, None, None, None, None, True, 0.1, 1e-5, False)),
    "instance_norm": ((3, 2, 4), lambda x: torch.instance_norm(x, None, None, None, None, True, 0.1, 1e-5, False)),
    "layer_norm": ((3, 4), lambda x: torch.layer_norm(x, (4,), None, None, 1e-5, False)),
}


@pytest.mark.parametrize("name", DIRECT)
def test_the_functions_that_torchs_layers_call_are_also_replaced(name):
    shape, function = DIRECT[name]
    X = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3)).requires_grad_()
    weights = torch.linspace(-1, 1, X.numel(), dtype=torch.float64).view_as(X)

    def gradient(x):
        output = function(x)
        return torch.autograd.grad((output * weights + output**3).sum(), x, create_graph=True)[0]

    with torch.random.fork_rng(), ElementaryNorms():
        torch.manual_seed(0)
        found = function(X)
        assert torch.autograd.gradgradcheck(gradient, X)
    torch.testing.assert_close(found, function(X))
