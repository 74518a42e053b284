"""Early stopping, divergence, warm starts, partial fits and the history."""

import pickle
import warnings

import numpy as np
import pytest
import skorch
import torch
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import log_loss

from initsk import MLPClassifier, MLPRegressor, NeuralNetClassifier, NeuralNetRegressor
from initsk.exceptions import DivergenceWarning, InvalidParameterError
from tests.helpers import Listening

KINDS = pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
CALLBACKS = pytest.mark.parametrize("callbacks", [None, [Listening()]], ids=["plain", "autograd"])


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return (X / 16)[:300], y[:300]


def small(kind=MLPClassifier, **arguments):
    return kind(**{"hidden_layer_sizes": (16,), "max_epochs": 3, "random_state": 0, **arguments})


def parameters(estimator):
    return [p.detach().clone() for p in estimator.net_.module_.parameters()]


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(parameters(first), parameters(second), strict=True))


@CALLBACKS
def test_early_stopping_restores_the_best_epoch(digits, callbacks):
    X, y = digits
    arguments = {"lr": 0.05, "max_epochs": 200, "random_state": 0, "callbacks": callbacks}
    clf = small(early_stopping=True, patience=4, **arguments).fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:])
    losses = clf.history_["valid_loss"]
    assert len(losses) < 200
    best = losses.idxmin()
    assert len(losses) == best + 1 + 4
    # The weights are those of the best epoch: their loss on the held-out data is the minimum of the history.
    assert log_loss(y[200:], clf.predict_proba(X[200:]), labels=clf.classes_) == pytest.approx(losses[best], rel=1e-4)


@KINDS
def test_the_seed_determines_the_samples_that_early_stopping_holds_out(digits, kind):
    X, y = digits
    fitted = [small(kind, early_stopping=True, validation_fraction=0.2, random_state=s).fit(X, y) for s in (0, 0, 1)]
    first, second, other = (clf.history_ for clf in fitted)
    assert first["valid_loss"].tolist() == second["valid_loss"].tolist()
    assert first["valid_loss"].tolist() != other["valid_loss"].tolist()
    batches = fitted[0].net_.history[-1, "batches"]
    assert sum(batch.get("train_batch_size", 0) for batch in batches) == 240
    assert sum(batch.get("valid_batch_size", 0) for batch in batches) == 60


def test_warm_starts_hold_out_the_same_samples(digits):
    seen = []

    class Rows(skorch.callbacks.Callback):
        def on_train_begin(self, net, **kwargs):
            seen.append(sorted(net.train_split(None)[1].indices))

    clf = small(early_stopping=True, warm_start=True, callbacks=[Rows()])
    clf.fit(*digits).fit(*digits)
    assert seen[0] == seen[1]


def test_every_class_is_held_out_in_proportion():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 3)), np.repeat(["rare", "common"], [20, 180])
    seen = []

    class Labels(skorch.callbacks.Callback):
        def on_epoch_end(self, net, dataset_valid, **kwargs):
            seen.append([int(dataset_valid[i][1]) for i in range(len(dataset_valid))])

    small(early_stopping=True, max_epochs=1, callbacks=[Labels()]).fit(X, y)
    # Classes are sorted: "common" is 0, "rare" 1.
    assert np.bincount(seen[0]).tolist() == [18, 2]


def test_too_few_samples_to_hold_out_are_an_error(digits):
    with pytest.raises(InvalidParameterError, match="least populated class"):
        small(early_stopping=True).fit(np.eye(5), [0, 0, 1, 1, 2])


def exploding(kind, callbacks=None, **arguments):
    """Return an estimator whose losses overflow after a few steps."""
    return small(kind, optimizer="sgd", lr=1e30, max_epochs=5, callbacks=callbacks, **arguments)


@KINDS
@CALLBACKS
def test_divergence_ends_the_fit_at_once(digits, kind, callbacks):
    X, y = digits
    with pytest.warns(DivergenceWarning, match="the loss is not finite") as caught:
        model = exploding(kind, callbacks).fit(X, y)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert issubclass(DivergenceWarning, ConvergenceWarning)
    assert model.diverged_
    # The epoch of the divergence is the last, and ends with the first batch whose loss is not finite.
    assert len(model.history_) == 1
    losses = model.net_.history[-1, "batches", :, "train_loss"]
    assert len(losses) < 10
    assert np.isfinite(losses[:-1]).all()
    assert not np.isfinite(losses[-1])
    assert not np.isfinite(model.history_["train_loss"]).all()


@KINDS
def test_predictions_after_a_divergence_are_well_formed(digits, kind):
    X, y = digits
    weight = 1 + (y == 3)
    with pytest.warns(DivergenceWarning):
        model = exploding(kind).fit(X, y, sample_weight=weight)
    with torch.no_grad():
        for parameter in model.net_.module_.parameters():
            parameter.fill_(torch.nan)
    predicted = model.predict(X)
    if kind is MLPClassifier:
        share = np.bincount(y, weights=weight) / weight.sum()
        np.testing.assert_allclose(model.predict_proba(X), np.tile(share, (300, 1)), rtol=1e-6)
        np.testing.assert_allclose(model.predict_log_proba(X), np.log(model.predict_proba(X)), rtol=1e-5)
        assert (predicted == share.argmax()).all()
    else:
        np.testing.assert_allclose(predicted, np.average(y, weights=weight), rtol=1e-6)
    assert np.isfinite(model.score(X, y))


def test_early_stopping_restores_the_weights_before_a_divergence(digits):
    """The weights before the divergence are the best."""
    X, y = digits

    class Exploding(skorch.callbacks.Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 3:
                net.set_params(lr=1e35)

    with pytest.warns(DivergenceWarning):
        clf = small(
            optimizer="sgd", lr=0.1, max_epochs=9, early_stopping=True, callbacks=[Exploding()]
        ).fit(X, y)  # fmt: skip
    assert len(clf.history_) == 3
    assert all(torch.isfinite(p).all() for p in parameters(clf))
    assert clf.score(X, y) > 0.3


@pytest.mark.parametrize(("kind", "columns"), [(NeuralNetClassifier, 3), (NeuralNetRegressor, 1)])
def test_training_of_nets_ends_at_a_divergence(digits, kind, columns):
    X, y = digits[0].astype(np.float32), digits[1] % 3
    y = y.astype(np.int64) if columns == 3 else y.astype(np.float32).reshape(-1, 1)
    criterion = {"criterion": torch.nn.CrossEntropyLoss} if columns == 3 else {}
    net = kind(
        torch.nn.Linear, module__in_features=64, module__out_features=columns, lr=1e38, random_state=0, verbose=0,
        train_split=None, **criterion,
    )  # fmt: skip
    with pytest.warns(DivergenceWarning):
        net.fit(X, y)
    assert net.diverged_
    assert len(net.history) == 1
    net.set_params(lr=1e-3).fit(X, y)
    assert not net.diverged_
    assert len(net.history) == 10


def test_a_fit_without_divergence_does_not_warn(digits):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not small().fit(*digits).diverged_


@KINDS
def test_warm_start_continues_training(digits, kind):
    X, y = digits
    once = small(kind, warm_start=True, max_epochs=2).fit(X, y)
    half = parameters(once)
    once.fit(X, y)
    assert len(once.history_) == 4
    assert not torch.equal(half[0], parameters(once)[0])
    # A new fit of the same length starts with the same weights and has another order of batches.
    again = small(kind, warm_start=True, max_epochs=2).fit(X, y)
    assert all(torch.equal(a, b) for a, b in zip(half, parameters(again), strict=True))
    assert same(again.fit(X, y), once)
    cold = small(kind, max_epochs=2).fit(X, y).fit(X, y)
    assert all(torch.equal(a, b) for a, b in zip(half, parameters(cold), strict=True))


def test_warm_start_uses_the_present_learning_rate(digits):
    clf = small(warm_start=True).fit(*digits)
    before = parameters(clf)
    clf.set_params(lr=1e-30).fit(*digits)
    torch.testing.assert_close(parameters(clf), before, rtol=0, atol=1e-25)


def test_warm_start_requires_known_labels_and_features(digits):
    X, y = digits
    clf = small(warm_start=True).fit(X, y)
    clf.fit(X[y < 5], y[y < 5])
    assert clf.predict_proba(X).shape == (300, 10)
    with pytest.raises(ValueError, match="y holds labels that classes_ does not have: 10"):
        clf.fit(X, y + 1)
    with pytest.raises(ValueError, match="63 features"):
        clf.fit(X[:, :63], y)
    reg = small(MLPRegressor, warm_start=True).fit(X, y)
    with pytest.raises(InvalidParameterError, match="2 targets"):
        reg.fit(X, np.stack([y, y], axis=1))


@KINDS
def test_partial_fit_trains_one_epoch(digits, kind):
    X, y = digits
    classes = {"classes": np.arange(10)} if kind is MLPClassifier else {}
    parts = small(kind)
    for _ in range(3):
        parts.partial_fit(X, y, **classes)
    assert len(parts.history_) == 3
    # A warm start of one epoch at a time gives the same weights.
    warm = small(kind, warm_start=True, max_epochs=1)
    for _ in range(3):
        warm.fit(X, y)
    assert same(parts, warm)


@KINDS
def test_partial_fit_continues_after_pickling(digits, kind):
    X, y = digits
    classes = {"classes": np.arange(10)} if kind is MLPClassifier else {}
    straight = small(kind).partial_fit(X, y, **classes)
    restored = pickle.loads(pickle.dumps(straight))
    assert same(straight.partial_fit(X, y), restored.partial_fit(X, y))


def test_partial_fit_checks_labels(digits):
    X, y = digits
    with pytest.raises(InvalidParameterError, match="classes must be passed"):
        small().partial_fit(X, y)
    clf = small().partial_fit(X[y < 3], y[y < 3], classes=np.arange(10))
    assert clf.partial_fit(X[y > 6], y[y > 6]).predict_proba(X).shape == (300, 10)
    with pytest.raises(InvalidParameterError, match="classes"):
        clf.partial_fit(X, y, classes=np.arange(11))
    with pytest.raises(ValueError, match="y holds labels that classes_ does not have: 2, 3"):
        small().partial_fit(X, y, classes=[0, 1])
    for classes in (5, ["a", 1], [np.nan, 1.0], [{}]):
        with pytest.raises(InvalidParameterError, match="classes"):
            small().partial_fit(X, y, classes=classes)
    with pytest.raises(ValueError, match="early_stopping=True is not allowed in partial_fit"):
        small(early_stopping=True).partial_fit(X, y, classes=np.arange(10))


def test_partial_fit_learns_from_a_stream_of_batches():
    X, y = load_digits(return_X_y=True)
    clf = MLPClassifier((64,), lr=0.003, random_state=0)
    for _ in range(10):
        for start in range(0, 1500, 250):
            clf.partial_fit(X[start : start + 250] / 16, y[start : start + 250], classes=np.arange(10))
    assert clf.score(X[1500:] / 16, y[1500:]) > 0.85


def test_history_is_a_frame(digits):
    X, y = digits
    with pytest.raises(AttributeError, match="before it is fitted"):
        _ = small().history_
    assert not hasattr(small(), "history_")
    frame = small().fit(X, y, X_val=X, y_val=y).history_
    assert frame["epoch"].tolist() == [1, 2, 3]
    assert {"train_loss", "valid_loss", "valid_acc", "dur"} <= set(frame.columns)
    assert "batches" not in frame.columns
    assert small(MLPRegressor).fit(X, y, X_val=X, y_val=y).history_["valid_loss"].notna().all()


def test_validation_data_are_a_pair(digits):
    with pytest.raises(ValueError, match="go together"):
        small().fit(*digits, X_val=digits[0])
    with pytest.raises(ValueError, match="63 features"):
        small().fit(*digits, X_val=digits[0][:, :63], y_val=digits[1])


def test_a_failed_fit_does_not_change_the_network(digits):
    X, y = digits
    clf = small().fit(X, y)
    before = clf.predict_proba(X)
    with pytest.raises(ValueError, match="lr=-1"):
        clf.set_params(lr=-1).fit(X, y)
    with pytest.raises(ValueError, match="NaN"):
        clf.set_params(lr=1e-3).fit(np.where(X > 0.9, np.nan, X), y)
    np.testing.assert_array_equal(clf.predict_proba(X), before)


@KINDS
def test_predictions_before_fit_are_an_error(digits, kind):
    methods = ("predict", "predict_proba", "predict_log_proba") if kind is MLPClassifier else ("predict",)
    for method in methods:
        with pytest.raises(NotFittedError):
            getattr(small(kind), method)(digits[0])
