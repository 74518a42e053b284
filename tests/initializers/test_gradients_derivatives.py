"""Second and third derivatives that GradInit and MetaInit need: own functions, checkpoints, compiled modules."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it
from torch.utils.checkpoint import checkpoint

from initsk import initialize
from initsk.exceptions import ModuleError
from initsk.initializers import (
    GradInit,
)
from tests.helpers import build
from tests.initializers.support import GRADIENT_SCHEMES, data, fitted, weights

pytestmark = pytest.mark.usefixtures("one_thread")


class Once(torch.autograd.Function):
    """A square whose second derivative torch refuses, or computes as zero."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        return 2 * ctx.saved_tensors[0] * g


class Outside(Once):
    """A square whose derivative is computed by numpy."""

    @staticmethod
    def backward(ctx, g):
        return torch.from_numpy(2 * ctx.saved_tensors[0].detach().numpy() * g.detach().numpy())


class Twice(Once):
    """A square that can be differentiated only twice."""

    @staticmethod
    def backward(ctx, g):
        return TwiceBackward.apply(ctx.saved_tensors[0], g)


class TwiceBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, g):
        ctx.save_for_backward(x, g)
        return 2 * x * g

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gg):
        x, g = ctx.saved_tensors
        return 2 * g * gg, 2 * x * gg


class Thrice(Once):
    """A square that can be differentiated any number of times."""

    @staticmethod
    def backward(ctx, g):
        return 2 * ctx.saved_tensors[0] * g


class Squared(nn.Module):
    def __init__(self, function, place):
        super().__init__()
        self.first, self.last, self.function, self.place = nn.Linear(6, 4), nn.Linear(4, 3), function, place

    def forward(self, x):
        hidden = self.first(x)
        if self.place == "inside":
            return self.last(self.function.apply(hidden))
        if self.place == "on a branch":
            return self.last(hidden + 0.1 * self.function.apply(hidden))
        return self.function.apply(self.last(hidden.tanh()))


def summed(output, target):
    """Return a loss whose gradient with respect to the output is constant."""
    return output.sum()


@pytest.mark.parametrize("scheme", GRADIENT_SCHEMES, ids=str)
@pytest.mark.parametrize("criterion", [None, summed])
@pytest.mark.parametrize("place", ["inside", "on a branch", "at the end"])
@pytest.mark.parametrize("function", [Once, Outside])
def test_a_backward_outside_of_autograd_raises(function, place, criterion, scheme):
    X, y = data()
    module = build(lambda: Squared(function, place).double())
    before = copy.deepcopy(module.state_dict())
    with pytest.raises(ModuleError, match="more than once"):
        initialize(module, copy.copy(scheme).set_params(criterion=criterion), X=X, y=y, random_state=0)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize("place", ["inside", "on a branch", "at the end"])
def test_two_derivatives_are_enough_for_gradinit_and_too_few_for_metainit(place):
    X, y = data()
    gradinit, metainit = GRADIENT_SCHEMES
    fitted(build(lambda: Squared(Twice, place).double()), gradinit, X, y)
    with pytest.raises(ModuleError, match="more than once"):
        fitted(build(lambda: Squared(Twice, place).double()), metainit, X, y)


class Unequal(Squared):
    """Network with the square on a separate branch, whose gradients are small compared with the others."""

    def __init__(self, function):
        super().__init__(function, "")
        self.other = nn.Linear(6, 3)

    def forward(self, x):
        return self.last(self.first(x).tanh()) + 0.001 * self.function.apply(self.other(x))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scheme", GRADIENT_SCHEMES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_small_part_outside_of_autograd_raises(dtype, scheme, seed):
    X, y = data()
    fitted(build(lambda: Unequal(Thrice).to(dtype)), scheme, X.to(dtype), y, seed)
    with pytest.raises(ModuleError, match="more than once"):
        fitted(build(lambda: Unequal(Once).to(dtype)), scheme, X.to(dtype), y, seed)


def test_a_slope_of_nan_raises():
    X, y = data()

    def small(output, target):
        return 1e-5 * F.cross_entropy(output.float(), target)

    # The reciprocals of such gradients exceed 65,504, the largest number in half precision.
    scheme = GradInit(criterion=small, gamma=1e-9, n_steps=2)
    with pytest.raises(ModuleError, match="more than once"):
        fitted(build(lambda: Squared(Outside, "inside").half()), scheme, X.half(), y)


@pytest.mark.parametrize("algorithm", ["sgd", "adam"])
def test_gradinit_needs_one_derivative_while_the_norm_is_in_bounds(algorithm):
    X, y = data()
    scheme = GradInit(algorithm=algorithm, gamma=1e9, n_steps=3)
    fitted(build(lambda: nn.Sequential(nn.Linear(6, 6), nn.Hardsigmoid(), nn.Linear(6, 3)).double()), scheme, X, y)
    fitted(build(lambda: Squared(Once, "inside").double()), scheme, X, y)


class Checkpointed(nn.Module):
    """Network that computes its middle a second time during backpropagation."""

    def __init__(self, norm, again):
        super().__init__()
        self.first, self.last, self.again = nn.Linear(6, 8), nn.Linear(8, 3), again
        self.middle = nn.Sequential(norm(8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh())

    def forward(self, x):
        hidden = self.first(x)
        hidden = checkpoint(self.middle, hidden, use_reentrant=False) if self.again else self.middle(hidden)
        return self.last(hidden)


@pytest.mark.parametrize("scheme", [GradInit(n_steps=5, lr=0.05), *GRADIENT_SCHEMES], ids=str)
@pytest.mark.parametrize("norm", [nn.Identity, nn.LayerNorm, nn.BatchNorm1d])
def test_checkpoints_do_not_change_the_result(norm, scheme):
    X, y = data()
    plain, again = (
        weights(fitted(build(lambda again=again: Checkpointed(norm, again).double()), scheme, X, y))
        for again in (False, True)
    )
    for name in plain:
        torch.testing.assert_close(plain[name], again[name])


@pytest.mark.parametrize("scheme", GRADIENT_SCHEMES, ids=str)
def test_compiled_modules_run_as_written(scheme):
    X, y = data()
    plain, compiled = (build(lambda: Checkpointed(nn.LayerNorm, False).double()) for _ in range(2))
    compiled.compile(backend="eager")
    expected, found = (weights(fitted(module, scheme, X, y)) for module in (plain, compiled))
    assert all(torch.equal(expected[name], found[name]) for name in expected)


@pytest.mark.parametrize("scheme", GRADIENT_SCHEMES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_own_functions_with_all_derivatives_are_allowed(scheme, dtype):
    X, y = data()
    for place in ("inside", "on a branch", "at the end"):
        fitted(build(lambda place=place: Squared(Thrice, place).to(dtype)), scheme, X.to(dtype), y)
