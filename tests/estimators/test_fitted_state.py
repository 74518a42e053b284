"""A fit that fails leaves the estimator as it was fitted before."""

import numpy as np
import pytest
import skorch
import torch
from sklearn.exceptions import NotFittedError
from torch import nn

from initsk import MLPClassifier, MLPRegressor
from initsk.exceptions import DivergenceWarning, InvalidParameterError
from tests.estimators.support import small
from tests.helpers import label

KINDS = pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])


class Failing(skorch.callbacks.Callback):
    """Raises an error at the end of an epoch, from a number of epochs on."""

    def __init__(self, error=RuntimeError, epoch=2):
        self.error, self.epoch = error, epoch

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) >= self.epoch:
            raise self.error("as told")


class OddOptimizer(torch.optim.SGD):
    """Fails at the fifth step of a training, when the state has changed."""

    def step(self, closure=None):
        loss = super().step(closure)
        weight = self.param_groups[0]["params"][0]
        self.state[weight]["n"] = self.state[weight].get("n", 0) + 1
        if self.state[weight]["n"] == 5:
            raise ArithmeticError("fifth step")
        return loss


def fitted(estimator):
    """Return the fitted attributes but the net, the history, and the values of the net."""
    names = vars(estimator).keys() - estimator.get_params(deep=False).keys() - {"net_", "initialization_record_"}
    attributes = {name: vars(estimator)[name] for name in names if name.endswith("_")}
    values = [tensor.detach().clone() for tensor in estimator.net_.module_.state_dict().values()]
    return attributes, estimator.history_, values


def assert_same(first, second):
    assert first[0].keys() == second[0].keys()
    for name in first[0]:
        np.testing.assert_array_equal(first[0][name], second[0][name])
    assert first[1].equals(second[1])
    torch.testing.assert_close(first[2], second[2], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"early_stopping": True, "validation_fraction": 0.001}, r"validation_fraction=0\.001 of 150 samples"),
        ({"optimizer": torch.optim.SparseAdam}, "SparseAdam.*does not support dense gradients"),
        ({"optimizer": torch.optim.Muon} if hasattr(torch.optim, "Muon") else {"optimizer": "muon"}, "[Mm]uon"),
        ({"optimizer_params": {"weight_decay": "x"}}, "optimizer_params={'weight_decay': 'x'}"),
        ({"optimizer_params": {"betas": 3}}, "optimizer_params={'betas': 3}"),
        ({"activation": nn.GLU}, r"GLU.*\(2, 8\) to \(2, 4\); allowed: the same shape"),
        ({"activation": nn.PReLU(3)}, "PReLU.*after a layer of 8 units.*it raises"),
        ({"activation": nn.Softmax2d()}, "Softmax2d"),
        ({"device": None}, "device=None is not allowed"),
        ({"device": "meta"}, "device='meta' is not allowed"),
        ({"device": 0}, "device=0 is not allowed"),
        ({"hidden_layer_sizes": (10**30,)}, "widths up to 2147483647"),
        ({"hidden_layer_sizes": (2**31 - 1, 2**31 - 1)}, "torch cannot build the network"),
    ],
    ids=label,
)
@KINDS
def test_parameters_that_cannot_train_are_an_error_that_changes_nothing(iris, kind, wrong, words):
    if kind is MLPRegressor and "early_stopping" in wrong:
        wrong = {"early_stopping": True, "validation_fraction": 0.999}
        words = r"validation_fraction=0\.999 of 150 samples"
    model = small(kind).fit(*iris)
    before, device = fitted(model), model.device
    with pytest.raises(InvalidParameterError, match=words) as caught:
        model.set_params(**wrong).fit(*iris)
    assert "\n" not in str(caught.value)
    assert_same(before, fitted(model))
    model.set_params(device=device).predict(iris[0])


def fails_for_large_values(x):
    if x.abs().max() > 1.5:
        raise ArithmeticError("too large")
    return x


@KINDS
def test_an_activation_function_that_fails_in_training_is_an_error_that_names_it(iris, kind):
    model = small(kind).fit(*iris)
    before = fitted(model)
    with pytest.raises(InvalidParameterError, match=r"activation=.*fails_for_large.*forward pass.*too large"):
        model.set_params(activation=fails_for_large_values).fit(*iris)
    assert_same(before, fitted(model))


@KINDS
def test_batch_normalization_of_one_sample_is_an_error(iris, kind):
    with pytest.raises(InvalidParameterError, match=r"normalization='batch_norm' with 1 sample .*samples >= 2"):
        small(kind, normalization="batch_norm").fit(iris[0][:1], iris[1][:1])


@pytest.mark.parametrize(("names", "words"), [((1,), "a list of skorch callbacks"), (("a", "a"), "each name once")])
def test_names_of_callbacks_are_different_texts(iris, names, words):
    with pytest.raises(InvalidParameterError, match=f"callbacks.*{words}"):
        small(callbacks=[(name, Failing()) for name in names]).fit(*iris)


@pytest.mark.parametrize("error", [RuntimeError, ValueError, SystemExit, GeneratorExit])
@KINDS
def test_a_callback_that_fails_changes_nothing(iris, kind, error):
    X, y = iris
    model = small(kind).fit(X, y)
    before = fitted(model)
    with pytest.raises(error, match="as told"):
        model.set_params(callbacks=[Failing(error)]).fit(X[:, :2], 1 - y[:150] % 2)
    assert_same(before, fitted(model))
    assert model.predict(X).shape == (150,)


@KINDS
def test_an_estimator_whose_first_fit_fails_is_not_fitted(iris, kind):
    model = small(kind, callbacks=[Failing()])
    with pytest.raises(RuntimeError, match="as told"):
        model.fit(*iris)
    assert not [name for name in vars(model) if name.endswith("_") and name != "_"]
    with pytest.raises(NotFittedError):
        model.predict(iris[0])
    with pytest.raises(InvalidParameterError, match="cannot build"):
        model.set_params(hidden_layer_sizes=(2**31 - 1, 2**31 - 1)).initialize(*iris)
    assert not hasattr(model, "n_features_in_")


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"optimizer": "sgd", "optimizer_params": {"momentum": 0.9}},
        {"optimizer": torch.optim.LBFGS, "batch_size": 150},
        {"normalization": "batch_norm", "dropout": 0.1},
        {"activation": "prelu", "early_stopping": True},
    ],
    ids=label,
)
@KINDS
def test_a_warm_start_that_fails_puts_back_weights_optimizer_and_history(iris, kind, arguments):
    failing = Failing(epoch=5)
    models = [small(kind, max_epochs=3, warm_start=True, callbacks=[failing], **arguments).fit(*iris) for _ in range(2)]
    before = fitted(models[0])
    with pytest.raises(RuntimeError, match="as told"):
        models[0].set_params(lr=0.01).fit(*iris)
    assert_same(before, fitted(models[0]))
    # It goes on as if it had not failed.
    failing.epoch = 99
    again, never = (model.set_params(lr=0.001).fit(*iris) for model in models)
    torch.testing.assert_close(fitted(again)[2], fitted(never)[2], rtol=0, atol=0)
    columns = [name for name in again.history_ if name.endswith("loss")]
    assert again.history_[columns].equals(never.history_[columns])


def test_an_optimizer_that_fails_in_the_middle_of_a_warm_start_leaves_its_state(iris):
    model = small(optimizer=OddOptimizer, batch_size=75, max_epochs=2, warm_start=True).fit(*iris)
    before, state = fitted(model), [dict(held) for held in model.net_.optimizer_.state.values()]
    for _ in range(2):
        with pytest.raises(ArithmeticError, match="fifth"):
            model.fit(*iris)
        assert_same(before, fitted(model))
        assert [held.get("n") for held in model.net_.optimizer_.state.values()] == [held.get("n") for held in state]


@KINDS
def test_partial_fit_that_fails_changes_nothing(iris, kind):
    X, y = iris
    classes = {"classes": [0, 1, 2]} if kind is MLPClassifier else {}
    model = small(kind, callbacks=[Failing()]).partial_fit(X, y, **classes)
    before = fitted(model)
    with pytest.raises(RuntimeError, match="as told"):
        model.partial_fit(X, y)
    assert_same(before, fitted(model))
    fresh = small(kind, callbacks=[Failing(epoch=1)])
    with pytest.raises(RuntimeError, match="as told"):
        fresh.partial_fit(X, y, **classes)
    assert not hasattr(fresh, "classes_")
    assert not hasattr(fresh, "net_")


def test_an_interrupt_keeps_the_network_with_its_last_step(iris):
    class Interrupted(skorch.callbacks.Callback):
        def on_epoch_end(self, net, **kwargs):
            interrupt()

    def interrupt():
        raise KeyboardInterrupt

    model = small(max_epochs=5, callbacks=[Interrupted()])
    with pytest.raises(KeyboardInterrupt):
        model.fit(*iris)
    assert len(model.history_) == 1
    assert not model.diverged_
    once = small(max_epochs=1).fit(*iris)
    np.testing.assert_array_equal(model.predict_proba(iris[0]), once.predict_proba(iris[0]))


@pytest.mark.filterwarnings("error::initsk.exceptions.DivergenceWarning")
@pytest.mark.parametrize("warm_start", [False, True])
def test_a_warning_that_is_an_error_changes_nothing(iris, warm_start):
    model = small(optimizer="sgd", warm_start=warm_start).fit(*iris)
    before = fitted(model)
    with pytest.raises(DivergenceWarning):
        model.set_params(lr=1e30).fit(*iris)
    assert_same(before, fitted(model))


def test_the_warning_of_a_divergence_names_the_line_of_the_caller(iris):
    model = small(optimizer="sgd", lr=1e30)
    for call in (model.fit, lambda X, y: model.partial_fit(X, y)):
        with pytest.warns(DivergenceWarning) as caught:
            call(*iris)
        assert [warning.filename for warning in caught] == [__file__]
