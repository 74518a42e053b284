"""MetaInit's slopes in networks with normalisation, whose third derivatives torch itself gets wrong."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from initsk import initialize
from initsk.exceptions import ModuleError
from initsk.initializers import GradInit, MetaInit
from initsk.initializers.core._elementary_norms import ElementaryNorms
from tests.helpers import build
from tests.initializers.test_gradients import data, fitted, quotient, weights

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
def test_values_and_gradients_are_torchs(name):
    module, X = make(name)
    with ElementaryNorms():
        found, found_gradients = module(X), gradients(module, X)
    torch.testing.assert_close(found, module(X))
    for ours, theirs in zip(found_gradients, gradients(module, X), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("name", NORMS)
def test_third_derivatives_are_the_slopes_of_the_second(name):
    module, X = make(name)
    # It draws directions from the global generator.
    with torch.random.fork_rng(), ElementaryNorms():
        torch.manual_seed(0)
        assert torch.autograd.gradgradcheck(lambda x: gradients(module, x)[0], X)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays(dtype):
    X = torch.linspace(-1, 1, 12, dtype=dtype).reshape(3, 4)
    with ElementaryNorms():
        found = nn.functional.layer_norm(X, (4,))
    assert found.dtype == dtype
    torch.testing.assert_close(found, nn.functional.layer_norm(X, (4,)))


F = nn.functional
REFUSED = {
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


@pytest.mark.parametrize("name", REFUSED)
def test_what_torch_refuses_is_refused_in_its_words(name):
    with pytest.raises((RuntimeError, TypeError, ValueError)) as plain:
        REFUSED[name]()
    with ElementaryNorms(), pytest.raises(type(plain.value)) as found:
        REFUSED[name]()
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
def test_a_step_goes_against_the_slope_of_the_quotient(number):
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


class Once(torch.autograd.Function):
    """A square whose second derivative torch unsupported_reason, or does not see."""

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
    """A square that can be differentiated twice and no more."""

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
    """A loss whose gradient by the output is a constant."""
    return output.sum()


# With this bound, GradInit follows the norm of the gradient from the first step on.
SCHEMES = [GradInit(gamma=1e-9, n_steps=2), MetaInit(n_steps=2)]


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
@pytest.mark.parametrize("criterion", [None, summed])
@pytest.mark.parametrize("place", ["inside", "on a branch", "at the end"])
@pytest.mark.parametrize("function", [Once, Outside])
def test_a_backward_that_autograd_does_not_see_is_refused(function, place, criterion, scheme):
    X, y = data()
    module = build(lambda: Squared(function, place).double())
    before = copy.deepcopy(module.state_dict())
    with pytest.raises(ModuleError, match="more than once"):
        initialize(module, copy.copy(scheme).set_params(criterion=criterion), X=X, y=y, random_state=0)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize("place", ["inside", "on a branch", "at the end"])
def test_two_derivatives_are_enough_for_gradinit_and_too_few_for_metainit(place):
    X, y = data()
    gradinit, metainit = SCHEMES
    fitted(build(lambda: Squared(Twice, place).double()), gradinit, X, y)
    with pytest.raises(ModuleError, match="more than once"):
        fitted(build(lambda: Squared(Twice, place).double()), metainit, X, y)


class Unequal(Squared):
    """Has the square on a branch of its own whose gradients are small beside the others."""

    def __init__(self, function):
        super().__init__(function, "")
        self.other = nn.Linear(6, 3)

    def forward(self, x):
        return self.last(self.first(x).tanh()) + 0.001 * self.function.apply(self.other(x))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_small_part_that_autograd_does_not_see_is_refused(dtype, scheme, seed):
    X, y = data()
    fitted(build(lambda: Unequal(Thrice).to(dtype)), scheme, X.to(dtype), y, seed)
    with pytest.raises(ModuleError, match="more than once"):
        fitted(build(lambda: Unequal(Once).to(dtype)), scheme, X.to(dtype), y, seed)


def test_a_slope_that_is_not_a_number_is_refused():
    X, y = data()

    def small(output, target):
        return 1e-5 * F.cross_entropy(output.float(), target)

    # Half precision ends at 65,504, which the reciprocals of such gradients exceed.
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
    """Computes its middle a second time during backpropagation."""

    def __init__(self, norm, again):
        super().__init__()
        self.first, self.last, self.again = nn.Linear(6, 8), nn.Linear(8, 3), again
        self.middle = nn.Sequential(norm(8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh())

    def forward(self, x):
        hidden = self.first(x)
        hidden = checkpoint(self.middle, hidden, use_reentrant=False) if self.again else self.middle(hidden)
        return self.last(hidden)


@pytest.mark.parametrize("scheme", [GradInit(n_steps=5, lr=0.05), *SCHEMES], ids=str)
@pytest.mark.parametrize("norm", [nn.Identity, nn.LayerNorm, nn.BatchNorm1d])
def test_checkpoints_change_nothing(norm, scheme):
    X, y = data()
    plain, again = (
        weights(fitted(build(lambda again=again: Checkpointed(norm, again).double()), scheme, X, y))
        for again in (False, True)
    )
    for name in plain:
        torch.testing.assert_close(plain[name], again[name])


class Interrupted(nn.Module):
    """Is interrupted when it runs for the time that is given."""

    def __init__(self, time):
        super().__init__()
        self.time, self.runs = time, 0

    def forward(self, x):
        self.runs += 1
        if self.runs == self.time:
            raise KeyboardInterrupt
        return x


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
@pytest.mark.parametrize("time", [1, 2])
def test_an_interrupt_leaves_normalisation_as_it_was(time, scheme):
    X, y = data()
    network = build(lambda: nn.Sequential(nn.Linear(6, 3), nn.Sequential(Interrupted(time))).double())
    with pytest.raises(KeyboardInterrupt):
        fitted(network, scheme, X, y)
    norm = nn.BatchNorm1d(6).double()
    norm(X)
    # Normalisation by elementary operations leaves the running statistics alone.
    assert norm.running_mean.any()


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_compiled_modules_run_as_written(scheme):
    X, y = data()
    plain, compiled = (build(lambda: Checkpointed(nn.LayerNorm, False).double()) for _ in range(2))
    compiled.compile(backend="eager")
    expected, found = (weights(fitted(module, scheme, X, y)) for module in (plain, compiled))
    assert all(torch.equal(expected[name], found[name]) for name in expected)


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_functions_of_ones_own_are_taken(scheme, dtype):
    X, y = data()
    for place in ("inside", "on a branch", "at the end"):
        fitted(build(lambda place=place: Squared(Thrice, place).to(dtype)), scheme, X.to(dtype), y)


DIRECT = {
    "batch_norm": ((6, 4), lambda x: torch.batch_norm(x, None, None, None, None, True, 0.1, 1e-5, False)),
    "instance_norm": ((3, 2, 4), lambda x: torch.instance_norm(x, None, None, None, None, True, 0.1, 1e-5, False)),
    "layer_norm": ((3, 4), lambda x: torch.layer_norm(x, (4,), None, None, 1e-5, False)),
}


@pytest.mark.parametrize("name", DIRECT)
def test_functions_that_torchs_layers_call_are_replaced_too(name):
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
