"""`initialize` on lazy modules: one forward pass of X gives the shapes."""

import warnings

import pytest
import torch
from torch import nn

from initsk import NeuralNetClassifier, initialize, inspect_activations
from initsk.network import get_model
from tests.helpers import batch, build, hooks_of


def lazy():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # some versions of torch warn that lazy modules are new
        return nn.Sequential(
            nn.BatchNorm1d(5), nn.LazyLinear(4), nn.LazyBatchNorm1d(), nn.ReLU(), nn.Dropout(), nn.LazyLinear(2)
        )


def plain():
    layers = nn.Linear(5, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(), nn.Linear(4, 2)
    return nn.Sequential(nn.BatchNorm1d(5), *layers)


def kinds(module):
    return [type(part) for part in module.modules()] + [type(p) for p in (*module.parameters(), *module.buffers())]


@pytest.mark.parametrize("initializer", ["he_normal", "auto", "torch_default", "lsuv"])
def test_lazy_modules_get_the_values_of_plain_modules(initializer):
    module, expected = build(lazy), build(plain)
    optimized = list(module.parameters())
    records = [initialize(each, initializer, X=batch(20, 5)).to_frame() for each in (module, expected)]
    assert kinds(module) == kinds(expected)
    assert all(first is second for first, second in zip(optimized, module.parameters(), strict=True))
    assert records[0]["name"].tolist() == records[1]["name"].tolist()
    for name, value in expected.state_dict().items():
        assert torch.equal(module.state_dict()[name], value), name
    assert all(part.training for part in module.modules())


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"X": batch(20, 5), "output_initializer": "delta_orthogonal"},
        {"X": torch.full((20, 5), 0.0), "initializer": "lsuv"},
        {"X": batch(20, 7)},
    ],
)
def test_an_error_leaves_the_module_lazy(arguments):
    module = build(lazy)
    before, hooks, parameters = kinds(module), hooks_of(module), list(module.parameters())
    with pytest.raises((ValueError, RuntimeError)):
        initialize(module, **arguments)
    assert kinds(module) == before
    assert hooks_of(module) == hooks
    assert all(first is second for first, second in zip(parameters, module.parameters(), strict=True))
    initialize(module, X=batch(20, 5))
    expected = build(plain)
    initialize(expected)
    assert torch.equal(module[1].weight, expected[1].weight)


def test_without_a_batch_the_error_asks_for_one():
    with pytest.raises(ValueError, match=r"1\.weight.* of a lazy module .*allowed: X, a batch"):
        initialize(build(lazy))


def test_a_lazy_part_that_does_not_run():
    module = build(lambda: nn.ModuleDict({"a": nn.Linear(2, 2)}))
    module["b"] = build(lazy)[1]
    module.forward = lambda x: module["a"](x)
    with pytest.raises(ValueError, match="X that reaches every lazy module"):
        initialize(module, X=batch(3, 2))


def test_inspections_give_lazy_modules_their_shapes():
    summary = inspect_activations(build(lazy), batch(20, 5))
    assert "5" in summary.to_frame()["layer"].tolist()
    with pytest.raises(ValueError, match="allowed: X"):
        get_model(build(lazy))


def test_nets_of_lazy_modules():
    X, y = batch(20, 5).numpy(), (torch.arange(20) % 2).numpy()
    net = NeuralNetClassifier(
        lazy, criterion=nn.CrossEntropyLoss, max_epochs=1, verbose=0, random_state=0, train_split=None
    )
    assert net.fit(X, y).module_[1].in_features == 5
