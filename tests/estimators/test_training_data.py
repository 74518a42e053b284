"""Weights of samples and of classes."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from initsk import MLPClassifier, MLPRegressor
from initsk.exceptions import InvalidParameterError
from tests.estimators.support import small
from tests.helpers import Listening


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return (X / 16)[:300], y[:300]


def parameters(estimator):
    return [p.detach() for p in estimator.net_.module_.parameters()]


def close(first, second, rtol=1e-4, atol=1e-6):
    torch.testing.assert_close(parameters(first), parameters(second), rtol=rtol, atol=atol)


KINDS = pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
# With layer normalization skorch's own steps run, otherwise the steps without autograd.
PATHS = pytest.mark.parametrize("arguments", [{}, {"normalization": "layer_norm"}], ids=["plain", "autograd"])


@KINDS
@PATHS
def test_training_ignores_a_sample_of_weight_zero(digits, kind, arguments):
    X, y = digits
    weight = np.ones(len(X))
    weight[::3] = 0
    present = weight > 0
    with_zeros = small(kind, **arguments).fit(X, y, sample_weight=weight)
    without = small(kind, **arguments).fit(X[present], y[present])
    # Batches have the same samples, so all bits are equal.
    close(with_zeros, without, rtol=0, atol=0)


@KINDS
@PATHS
def test_an_integer_weight_equals_copies_of_the_sample(digits, kind, arguments):
    X, y = digits[0][:60], digits[1][:60]
    times = np.random.default_rng(0).integers(1, 4, size=60)
    weighted = small(kind, batch_size=1000, **arguments).fit(X, y, sample_weight=times)
    copied = small(kind, batch_size=1000, **arguments).fit(X.repeat(times, axis=0), y.repeat(times))
    close(weighted, copied)


@KINDS
@PATHS
def test_only_the_ratio_of_the_weights_matters(digits, kind, arguments):
    X, y = digits
    weight = np.random.default_rng(0).uniform(0.5, 2, size=len(X))
    close(
        small(kind, **arguments).fit(X, y, sample_weight=weight),
        small(kind, **arguments).fit(X, y, sample_weight=17 * weight),
    )
    close(small(kind, **arguments).fit(X, y, sample_weight=np.full(len(X), 3.0)), small(kind, **arguments).fit(X, y))


@pytest.mark.parametrize(("kind", "targets"), [(MLPClassifier, ()), (MLPRegressor, ()), (MLPRegressor, (3,))])
def test_the_weighted_loss_is_a_weighted_mean(kind, targets):
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(20, 4)), rng.uniform(0.1, 3, size=20)
    y = rng.integers(0, 3, size=20) if kind is MLPClassifier else rng.normal(size=(20, *targets))
    raw = {} if kind is MLPClassifier else {"standardize_target": False}
    start = small(kind, **raw).initialize(X, y)
    with torch.no_grad():
        out = start.net_.module_(torch.tensor(X, dtype=torch.float32)).double().numpy()
    if kind is MLPClassifier:
        losses = np.log(np.exp(out).sum(axis=1)) - out[np.arange(20), y]
    else:
        losses = np.square(out - y.reshape(20, -1)).mean(axis=1)
    # The first epoch is one batch, so its loss is that of the initial weights.
    for arguments in ({}, {"callbacks": [Listening()]}):
        fitted = small(kind, max_epochs=1, **raw, **arguments).fit(X, y, sample_weight=weight)
        assert fitted.history_["train_loss"][0] == pytest.approx(np.average(losses, weights=weight), rel=1e-5)


def test_class_weights_equal_weights_of_their_samples(digits):
    X, y = digits
    by_class = {0: 5.0, 3: 0.5}
    weight = np.array([by_class.get(label, 1.0) for label in y])
    close(small(class_weight=by_class).fit(X, y), small().fit(X, y, sample_weight=weight), rtol=0, atol=0)
    own = np.random.default_rng(0).uniform(1, 2, size=len(y))
    both = small(class_weight=by_class).fit(X, y, sample_weight=own)
    close(both, small().fit(X, y, sample_weight=own * weight), rtol=0, atol=0)


def test_balanced_gives_every_class_the_same_total_weight(digits):
    X, y = digits[0], (digits[1] == 0).astype(int)
    assert small(class_weight="balanced").fit(X, y).class_prior_ == pytest.approx([0.5, 0.5])
    assert small().fit(X, y).class_prior_ == pytest.approx([(y == 0).mean(), (y == 1).mean()])


def test_early_stopping_holds_out_samples_of_positive_weight(digits):
    X, y = digits
    weight = np.ones(len(X))
    weight[::2] = 0
    settings = {"early_stopping": True, "validation_fraction": 0.2}
    clf = small(**settings).fit(X, y, sample_weight=weight)
    plain = small(**settings).fit(X[weight > 0], y[weight > 0])
    assert clf.history_["valid_loss"].tolist() == pytest.approx(plain.history_["valid_loss"].tolist(), rel=1e-6)
    assert clf.history_["valid_acc"].tolist() == plain.history_["valid_acc"].tolist()


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (np.zeros(300), "zero"),
        (np.full(300, -1.0), "[Nn]egative"),
        (np.ones(299), "sample_weight"),
        (np.ones((300, 1)), r"the shape \(300, 1\) \(allowed: one number per sample, 300\)"),
    ],
    ids=["zeros", "negative", "too few", "two axes"],
)
@KINDS
def test_invalid_weights_are_an_error(digits, weight, words, kind):
    with pytest.raises(InvalidParameterError, match=words):
        small(kind).fit(*digits, sample_weight=weight)


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (np.full(300, np.nan), "contains NaN"),
        (np.full(300, np.inf), "contains infinity"),
        (["a"] * 300, "could not convert"),
        ({}, "dict"),
        ("heavy", "could not convert"),
    ],
    ids=["missing", "infinite", "text", "dict", "word"],
)
def test_weights_that_are_no_numbers_are_an_error(digits, weight, words):
    with pytest.raises(
        InvalidParameterError, match=f"sample_weight: .*{words}.*allowed: a finite number >= 0 for each"
    ):
        small().fit(*digits, sample_weight=weight)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("factor", [2.0**1022, 2.0**-1000])
def test_weights_of_any_size_are_those_of_their_ratio(digits, factor):
    X, y = digits
    weight = np.random.default_rng(0).uniform(0.5, 1.9, size=300)
    for arguments in ({}, {"class_weight": {0: 2.0**100}}):
        scaled, plain = (small(**arguments).fit(X, y, sample_weight=w) for w in (factor * weight, weight))
        close(scaled, plain, rtol=0, atol=0)
        np.testing.assert_array_equal(scaled.class_prior_, plain.class_prior_)


def test_class_weights_without_a_label_of_y_are_an_error(digits):
    with pytest.raises(InvalidParameterError, match=r"class_weight={'a': 1} is not allowed .*a label of y as each key"):
        small(class_weight={"a": 1}).fit(*digits)


@pytest.mark.parametrize("given", [{9: "x"}, "even", 3.0, {0: -1.0}, {0: np.nan}, {0: np.inf}], ids=repr)
def test_invalid_class_weights_are_an_error(digits, given):
    with pytest.raises(InvalidParameterError, match=r"class_weight=.* is not allowed \('balanced', a dict of a finite"):
        small(class_weight=given).fit(*digits)


def test_partial_fit_does_not_allow_balanced_class_weights(digits):
    with pytest.raises(ValueError, match=r"balanced.*not allowed in partial_fit"):
        small(class_weight="balanced").partial_fit(*digits, classes=range(10))
