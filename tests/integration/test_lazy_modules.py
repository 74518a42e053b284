"""Functions that only read a network leave lazy modules without shapes, and measure what any module would give."""

import warnings

import pandas as pd
import pytest
import torch
from skorch import NeuralNetClassifier
from torch import nn
from torch.fx.immutable_collections import immutable_dict

from initsk import (
    audit,
    diagnose,
    initialize,
    inspect_activations,
    network,
)
from initsk.displays import NetworkDisplay
from initsk.exceptions import InitskError, ModuleError
from tests.entry_points import entry_points, values_of
from tests.helpers import Net, batch, build, hooks_of

X, Y = batch(24, 4), torch.arange(24) % 3


def lazy():
    with warnings.catch_warnings(action="ignore"):  # some versions of torch warn that lazy modules are new
        return nn.Sequential(
            nn.LazyLinear(6, bias=False), nn.LazyBatchNorm1d(), nn.ReLU(), nn.Dropout(), nn.LazyLinear(3)
        )


FUNCTIONS = entry_points(
    X, Y, "audit", "inspect", "gradients", "coherence", "read X", "read in training", "diagnose", "predict",
    "recommend", "recommend by scores", "transform",
)  # fmt: skip
REFUSED = {
    "an unknown layer": lambda net: inspect_activations(net, X, layers="nope"),
    "too few samples": lambda net: diagnose(net, X[:5], Y[:5]),
    "other targets": lambda net: inspect_activations(net, X, Y + 5, gradients=True),
    "no shape": audit,
    "too many axes": lambda net: audit(net, X[:, :, None, None, None]),
    "no mask": lambda net: audit(net, X, padding_mask=torch.ones(3)),
}


def state_of(module):
    """Return classes, attributes, tables, and the identity and the type of each tensor."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return (
        [(type(part), part.training, sorted(vars(part))) for part in module.modules()],
        [[list(held) for held in vars(part).values() if isinstance(held, dict)] for part in module.modules()],
        [(name, id(each), type(each), each.requires_grad) for name, each in tensors],
        [None if nn.parameter.is_lazy(each) else each.tolist() for _, each in tensors],
        [hooks_of(module), repr(module), list(module.state_dict())],
    )


def trained(module, X, n_steps=3):
    """Return the parameters after a few steps, from a random state of its own."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module(X)
        optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
        for _ in range(n_steps):
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(X), Y).backward()
            optimizer.step()
    return [parameter.detach() for parameter in module.parameters()]


@pytest.mark.parametrize("name", FUNCTIONS | REFUSED)
def test_a_lazy_module_stays_lazy(name):
    module, before = (net := build(lazy)), state_of(net)
    if name in REFUSED:
        with pytest.raises(InitskError):
            REFUSED[name](module)
    else:
        FUNCTIONS[name](module)
    assert state_of(module) == before
    # It has kept nothing of the shapes: it learns data of another width as a new module does.
    wide = batch(24, 7)
    assert all(map(torch.equal, trained(module, wide), trained(build(lazy), wide)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_result_is_that_of_the_module_with_shapes(name):
    with_shapes = network.get_model(build(lazy), X).module
    assert not network.lazy_parameters(with_shapes)
    assert values_of(FUNCTIONS[name](build(lazy))) == values_of(FUNCTIONS[name](with_shapes))


def test_the_parts_of_a_diagnosis_work_after_the_call():
    diagnosis = diagnose(build(lazy), X, Y, trial_steps=4)
    expected = diagnose(network.get_model(build(lazy), X).module, X, Y, trial_steps=4)
    pd.testing.assert_frame_equal(diagnosis.learning_rates(), expected.learning_rates())
    assert diagnosis.recommended_score == expected.recommended_score


@pytest.mark.parametrize("measure", ["inspect", "diagnose"])
def test_an_optimizer_of_parameters_without_shapes(measure):
    module = build(lazy)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    before = state_of(module)
    if measure == "inspect":
        found = inspect_activations(module, X, Y, gradients=True, optimizer=optimizer).parameters()
        assert (found["update_norm"] > 0).all()
    else:
        assert diagnose(module, X, Y, optimizer=optimizer, trial_steps=2).lr == 0.5
    assert state_of(module) == before
    assert all(map(torch.nn.parameter.is_lazy, optimizer.param_groups[0]["params"][:1]))


def test_the_graph_of_a_lazy_module_and_its_picture_have_shapes():
    module = build(lazy)
    graph = network.read(module, X)
    assert [use.shape for each in graph.operations for use in each.uses if use.how == "multiplies"] == [(6, 4), (3, 6)]
    NetworkDisplay.from_module(module, X).plot()
    assert network.lazy_parameters(module)


def test_a_lazy_module_in_a_net_stays_lazy():
    net = NeuralNetClassifier(lazy, criterion=nn.CrossEntropyLoss, verbose=0).initialize()
    before = state_of(net.module_)
    inspect_activations(net, X.numpy())
    audit(net, X.numpy())
    assert state_of(net.module_) == before


def test_a_reading_inside_an_initialization_keeps_the_shapes():
    module = build(lazy)
    initialize(module, X=X)
    inspect_activations(module, X)
    assert not network.lazy_parameters(module)


def test_an_interrupt_leaves_the_module_lazy():
    passes = []

    def forward(self, x):
        passes.append(x)
        if len(passes) > 3:
            raise KeyboardInterrupt
        return self.layers(x)

    module = build(lambda: Net(forward, layers=lazy()))
    before = state_of(module)
    with pytest.raises(KeyboardInterrupt):
        inspect_activations(module, X, batch_size=4)
    assert state_of(module) == before


class Notes(nn.Module):
    """A module with dicts of the user's own: one that others share, and one that cannot be changed."""

    def __init__(self, shared):
        super().__init__()
        self.first, self.shared, self.fixed = nn.LazyLinear(3), shared, immutable_dict(a=1)

    def forward(self, X):
        self.shared["passes"] = self.shared.get("passes", 0) + 1
        return self.first(X)


@pytest.mark.parametrize("name", ["audit", "inspect", "diagnose", "read X", "recommend"])
def test_dicts_of_the_user_stay(name):
    shared = {"mine": 1}
    module = build(lambda: Notes(shared))
    FUNCTIONS[name](module)
    assert nn.parameter.is_lazy(module.first.weight)
    assert isinstance(module.first, nn.LazyLinear)
    assert shared["mine"] == 1
    assert module.shared is shared


def test_a_failing_layer_is_named_once():
    module = build(lambda: nn.Sequential(nn.LazyLinear(4), nn.Linear(5, 2)))
    with pytest.raises(ModuleError, match=r"no shapes, since the forward pass fails in layer '1' \(Linear\)") as caught:
        inspect_activations(module, X)
    assert str(caught.value).count("forward pass") == 1
    assert isinstance(caught.value.__cause__, RuntimeError)
