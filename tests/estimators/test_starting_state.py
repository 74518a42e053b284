"""Each training of a module that was given as an instance starts from the same state."""

import pickle

import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback, Freezer
from torch import nn

from initsk import NeuralNetClassifier, compare_initializers
from initsk.estimators import with_initializer
from tests.helpers import batch, build, label

X, y = batch(60, 6).numpy(), (torch.arange(60) % 3).numpy()


class Stateful(nn.Module):
    """A network of norms, learned slopes, buffers, parameters of its own, counters and caches."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.batch, self.layer, self.act = nn.BatchNorm1d(8), nn.LayerNorm(8), nn.PReLU()
        self.normed = nn.utils.parametrizations.spectral_norm(nn.Linear(8, 8))
        self.head = nn.Linear(8, 3)
        self.scale = nn.Parameter(torch.ones(8))
        self.register_buffer("total", torch.zeros(()))
        self.alias = self.total
        self.calls, self.log, self.mean, self.settings = 0, [], torch.zeros(8), {"rates": [0.1]}

    def forward(self, x):
        self.calls += 1
        x = self.act(self.batch(self.first(x)))
        self.cache = x.detach()
        if self.training:
            self.log.append(self.calls)
            self.mean = self.mean + self.cache.mean(0)
            self.settings["rates"][0] *= 0.99
            self.total += 1
            self.batch.momentum *= 0.9
        return self.head(self.layer(self.normed(x)) * self.scale * (1 + self.settings["rates"][0]))


def net(module, **arguments):
    settings = {"criterion": nn.CrossEntropyLoss, "max_epochs": 3, "lr": 0.1, "verbose": 0, "random_state": 0}
    return NeuralNetClassifier(module, **{"train_split": None, "batch_size": 20, **settings, **arguments})


def state(module):
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def results(fitted):
    """Return everything that a training leaves."""
    module = fitted.module_
    own = module.calls, list(module.log), module.mean.tolist(), module.settings["rates"][0], module.batch.momentum
    return state(module), fitted.history[:, "train_loss"], own


def assert_equal(first, second):
    assert first[1:] == second[1:]
    for name, value in first[0].items():
        assert torch.equal(value, second[0][name]), name


@pytest.mark.parametrize("initializer", ["he_normal", "auto", "torch_default"])
def test_the_second_fit_equals_the_first(initializer):
    ready = net(build(Stateful), initializer=initializer)
    first = results(ready.fit(X, y))
    module = ready.module_
    assert module.calls > 0
    assert_equal(results(ready.fit(X, y)), first)
    assert ready.module_ is module
    assert module.alias is module.total


@pytest.mark.parametrize("copied", [clone, lambda net: clone(clone(net))], ids=label)
def test_copies_of_a_fitted_net_start_like_the_net(copied):
    ready = net(build(Stateful))
    first = results(ready.fit(X, y))
    again = copied(ready)
    assert_equal(results(again.fit(X, y)), first)
    assert_equal(results(ready), first)
    assert again.module_ is not ready.module_


def test_a_net_that_was_pickled_starts_like_the_net():
    ready = net(build(lambda: nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)))).fit(X, y)
    again = pickle.loads(pickle.dumps(ready)).fit(X, y)
    assert all(torch.equal(value, state(ready.module_)[name]) for name, value in state(again.module_).items())


def test_parameters_that_a_callback_has_frozen_are_trained_again():
    ready = net(build(Stateful), callbacks=[Freezer(["first.*", "batch.*"])])
    first = results(ready.fit(X, y))
    assert_equal(results(ready.fit(X, y)), first)


def test_hooks_of_the_user_stay():
    seen = []
    ready = net(build(Stateful)).initialize()
    handle = ready.module_.head.register_forward_hook(lambda *_: seen.append(1))
    ready.fit(X, y)
    assert seen
    handle.remove()


def test_another_module_has_a_state_of_its_own():
    ready = net(build(Stateful)).fit(X, y)
    other = build(Stateful)
    other.scale.data.fill_(2.0)
    ready.set_params(module=other, max_epochs=0).fit(X, y)
    assert ready.module_.scale.tolist() == [2.0] * 8


def test_without_an_initializer_the_training_continues():
    ready = net(build(Stateful), initializer=None).fit(X, y)
    before = state(ready.module_)
    ready.set_params(max_epochs=0).fit(X, y)
    assert all(torch.equal(value, before[name]) for name, value in state(ready.module_).items())


def test_further_training_continues():
    ready = net(build(Stateful)).fit(X, y)
    calls = ready.module_.calls
    ready.partial_fit(X, y)
    assert ready.module_.calls == 2 * calls


class Copies(Callback):
    """Count the tensors that a net holds beside its module."""

    def on_train_begin(self, net, **kwargs):
        self.held = sum(values.numel() for values in net._start.parameters.values())


def test_filled_weights_are_not_copied():
    callback = Copies()
    net(build(Stateful), callbacks=[("copies", callback)]).fit(X, y)
    module = build(Stateful)
    left = [module.batch.weight, module.batch.bias, module.layer.weight, module.layer.bias, module.act.weight]
    assert callback.held == sum(p.numel() for p in left) + module.scale.numel()


@pytest.mark.parametrize("make", [net, lambda module: with_initializer(net(module))], ids=label)
def test_a_comparison_of_a_fitted_net_equals_that_of_a_new_one(make):
    def scores(estimator):
        result = compare_initializers(
            estimator, X, y, initializers=["he_normal", "zeros"], cv=2, n_repeats=1, random_state=0
        )
        return result.history.drop(columns=[name for name in result.history if "second" in name])

    assert scores(make(build(Stateful)).fit(X, y)).equals(scores(make(build(Stateful))))
