"""Parameters that change between a fit and a warm start, or between calls of partial_fit."""

import copy
import pickle
import threading
from functools import partial

import numpy as np
import pytest
import skorch
import torch
from torch import nn

from initsk import MLPClassifier, MLPRegressor
from initsk.exceptions import InvalidParameterError
from initsk.initializers import RandomNormal
from tests.estimators.support import small
from tests.helpers import label, params

KINDS = pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])


class Epochs(skorch.callbacks.Callback):
    def __init__(self):
        self.seen = []

    def on_epoch_end(self, net, **kwargs):
        self.seen.append(len(net.history))


def continued(model, iris, how, **changes):
    """Train further by a warm start or by partial_fit."""
    model.set_params(**changes)
    return model.fit(*iris) if how == "warm start" else model.partial_fit(*iris)


HOW = pytest.mark.parametrize("how", ["warm start", "partial_fit"])


def trained(iris, kind=MLPClassifier, **arguments):
    return small(kind, warm_start=True, **arguments).fit(*iris)


def weights(model):
    return [parameter.detach().clone() for parameter in model.net_.module_.parameters()]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hidden_layer_sizes": (9,)}, r"hidden_layer_sizes=\(9,\) .* the trained network has \(8,\)"),
        ({"hidden_layer_sizes": ()}, r"hidden_layer_sizes=\(\)"),
        ({"activation": "tanh"}, "activation='tanh' .* has 'relu'"),
        ({"activation": nn.LeakyReLU(0.2)}, r"activation=LeakyReLU\(negative_slope=0.2\) .* has 'relu'"),
        ({"activation": torch.sin}, "activation=.*sin.* has 'relu'"),
        ({"normalization": "layer_norm"}, "normalization='layer_norm' .* has None"),
        ({"dropout": 0.1}, r"dropout=0\.1 .* has 0\.0"),
        ({"input_scale": 2.0}, r"input_scale=2\.0 .* has None"),
        ({"initializer": "zeros"}, "initializer='zeros' .* has 'he_normal'"),
        ({"bias_initializer": "ones"}, "bias_initializer='ones' .* has None"),
        ({"output_initializer": "ones"}, "output_initializer='ones' .* has None"),
        ({"dropout": 0.1, "activation": "tanh"}, "activation='tanh'.*; dropout="),
    ],
    ids=label,
)
@HOW
@pytest.mark.parametrize("kind", params([MLPClassifier, MLPRegressor], slow={MLPRegressor}))
def test_another_network_is_an_error_that_names_the_parameter(iris, kind, how, changes, words):
    model = trained(iris, kind)
    before = weights(model)
    with pytest.raises(InvalidParameterError, match=words) as caught:
        continued(model, iris, how, **changes)
    assert "warm_start=False, or a new estimator" in str(caught.value)
    torch.testing.assert_close(weights(model), before, rtol=0, atol=0)
    # What the message says helps.
    model.set_params(warm_start=False).fit(*iris)
    fresh = small(kind, **changes).fit(*iris)
    torch.testing.assert_close(weights(model), weights(fresh), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"hidden_layer_sizes": (8,)}, {"hidden_layer_sizes": np.array([8])}),
        ({"activation": "relu"}, {"activation": nn.ReLU}),
        ({"activation": nn.LeakyReLU(0.2)}, {"activation": [nn.LeakyReLU(0.2)]}),
        ({"activation": torch.sin}, {"activation": [torch.sin]}),
        ({"dropout": 0.0}, {"dropout": 0}),
        ({"initializer": "random_normal"}, {"initializer": RandomNormal()}),
    ],
    ids=label,
)
@HOW
def test_another_way_to_write_the_same_network_is_allowed(iris, how, first, then):
    models = [trained(iris, **first) for _ in range(2)]
    other, same = continued(models[0], iris, how, **then), continued(models[1], iris, how)
    torch.testing.assert_close(weights(other), weights(same), rtol=0, atol=0)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
@pytest.mark.parametrize(
    "activation", ["relu", nn.PReLU(), torch.sin, [nn.Sequential(nn.ReLU(), nn.Tanh())]], ids=label
)
def test_a_copy_of_an_estimator_is_trained_further(iris, copied, activation):
    model = trained(iris, activation=activation)
    other = copied(model)
    torch.testing.assert_close(weights(other.fit(*iris)), weights(model.fit(*iris)), rtol=0, atol=0)


def test_a_nested_parameter_of_an_initializer_is_a_change(iris):
    model = trained(iris, initializer=RandomNormal(std=0.1))
    with pytest.raises(InvalidParameterError, match=r"std=0\.2.* the trained network has RandomNormal\(std=0\.1\)"):
        model.set_params(initializer__std=0.2).fit(*iris)
    model.initializer.std = 0.1
    model.fit(*iris)
    model.initializer.std = 0.3
    with pytest.raises(InvalidParameterError, match=r"std=0\.3"):
        model.fit(*iris)


@HOW
@KINDS
def test_a_changed_optimizer_takes_effect(iris, kind, how):
    model = trained(iris, kind, optimizer_params={"weight_decay": 0.1}, callbacks=[Epochs()])
    before, n_epochs = weights(model), 3 if how == "warm start" else 1
    sgd = {"optimizer": "sgd", "optimizer_params": {"weight_decay": 0.5, "momentum": 0.0}, "lr": 1e-3}
    continued(model, iris, how, **sgd)
    assert type(model.net_.optimizer_) is torch.optim.SGD
    assert [group["weight_decay"] for group in model.net_.optimizer_.param_groups] == [0.5]
    assert len(model.history_) == 3 + n_epochs
    assert not torch.equal(before[0], weights(model)[0])
    # Back to the defaults: the former arguments are gone.
    continued(model, iris, how, optimizer="adam", optimizer_params=None)
    assert [group["weight_decay"] for group in model.net_.optimizer_.param_groups] == [0]


@HOW
def test_a_changed_optimizer_trains_as_torch_does(iris, how):
    """A step of gradient descent with all samples, after training with Adam."""
    X, y = iris
    model = trained(iris, batch_size=150)
    module, start = copy.deepcopy(model.net_.module_), torch.tensor(X, dtype=torch.float32)
    nn.functional.cross_entropy(module(start), torch.tensor(y)).backward()
    expected = [(p - 0.1 * p.grad).detach() for p in module.parameters()]
    continued(model, iris, how, optimizer="sgd", lr=0.1, max_epochs=1)
    torch.testing.assert_close(weights(model), expected, rtol=1e-4, atol=1e-6)


@HOW
@KINDS
def test_changed_callbacks_take_effect(iris, kind, how):
    first, second = Epochs(), Epochs()
    model = trained(iris, kind, callbacks=[first])
    n_epochs = 3 if how == "warm start" else 1
    continued(model, iris, how, callbacks=[second])
    assert first.seen == [1, 2, 3]
    assert second.seen == [*range(4, 4 + n_epochs)]
    model.callbacks.append(first)
    continued(model, iris, how)
    assert first.seen == [1, 2, 3, *range(4 + n_epochs, 4 + 2 * n_epochs)]
    continued(model, iris, how, callbacks=None)
    assert len(second.seen) == 2 * n_epochs


def test_early_stopping_begins_and_ends_with_its_parameter(iris):
    model = trained(iris, max_epochs=2)
    # No loss improves by this factor, so that patience ends after one epoch more than its number.
    model.set_params(early_stopping=True, patience=2, tol=0.99, lr=1e-9, max_epochs=50).fit(*iris)
    assert len(model.history_) == 2 + 3
    model.set_params(patience=4).fit(*iris)
    assert len(model.history_) == 2 + 3 + 5
    model.set_params(early_stopping=False, max_epochs=7).fit(*iris)
    assert len(model.history_) == 2 + 3 + 5 + 7


@HOW
def test_verbose_takes_effect(iris, how, capsys):
    model = trained(iris)
    continued(model, iris, how, verbose=1)
    assert "train_loss" in capsys.readouterr().out
    continued(model, iris, how, verbose=0)
    assert capsys.readouterr().out == ""


def test_a_changed_optimizer_is_put_back_if_the_training_fails(iris):
    class Failing(skorch.callbacks.Callback):
        def on_epoch_end(self, net, **kwargs):
            raise RuntimeError("as told")

    models = [trained(iris) for _ in range(2)]
    with pytest.raises(RuntimeError, match="as told"):
        models[0].set_params(optimizer="sgd", callbacks=[Failing()], early_stopping=True).fit(*iris)
    assert type(models[0].net_.optimizer_) is torch.optim.Adam
    models[0].set_params(optimizer="adam", callbacks=None, early_stopping=False)
    torch.testing.assert_close(*(weights(model.fit(*iris)) for model in models), rtol=0, atol=0)


class Draws:
    """An initializer of the user's own, which has no equality, and cannot be copied."""

    def __init__(self):
        self.lock = threading.Lock()

    def __call__(self, tensor):
        return nn.init.normal_(tensor)

    def method(self, tensor):
        return nn.init.normal_(tensor)


@pytest.mark.parametrize(
    "made", [Draws, lambda: Draws().method, lambda: partial(nn.init.normal_, generator=torch.Generator())],
    ids=["object", "method", "partial"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["initializer", "bias_initializer", "output_initializer"])
@HOW
def test_an_initializer_that_did_not_change_is_the_same(iris, how, name, made):
    model = trained(iris, **{name: made()})
    continued(model, iris, how)
    with pytest.raises(InvalidParameterError, match=f"{name}=.* is not allowed"):
        continued(model, iris, how, **{name: made()})


class Holds:
    def __init__(self):
        self.values = np.ones(100_000)

    def __call__(self, tensor):
        return nn.init.normal_(tensor)


def test_what_an_initializer_holds_is_kept_once(iris):
    n_bytes = len(pickle.dumps(trained(iris, initializer=Holds())))
    assert 800_000 < n_bytes < 900_000
