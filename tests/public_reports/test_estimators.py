"""Needs of public reports about estimators that are fitted again, searched or stopped; README.md has the reports."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_validate
from torch import nn

from initsk import ActivationInspector, MLPClassifier, MLPRegressor, NeuralNetClassifier
from initsk.exceptions import DivergenceWarning, InvalidParameterError
from tests.helpers import build

pytestmark = pytest.mark.usefixtures("one_thread")
X, SPECIES = load_iris(return_X_y=True)
X32 = X.astype(np.float32)


def net_of(module, **parameters):
    usual = {"criterion": nn.CrossEntropyLoss, "max_epochs": 2, "train_split": None, "verbose": 0, "random_state": 0}
    return NeuralNetClassifier(module, initializer="he_normal", **usual | parameters)


def built_network():
    return build(lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)))


def equal_states(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_a_seed_repeats_a_fit_whatever_the_global_seeds_are():
    """With weights, held-out samples, batches and dropout."""
    clf = MLPClassifier((8,), dropout=0.2, early_stopping=True, max_epochs=3, random_state=5)
    state = np.random.get_state()  # noqa: NPY002 - the global state
    probabilities = []
    for seed in (1, 2):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            np.random.seed(seed)  # noqa: NPY002 - the global state
            probabilities.append(clone(clf).fit(X, SPECIES).predict_proba(X))
    np.random.set_state(state)  # noqa: NPY002 - the global state
    np.testing.assert_array_equal(*probabilities)


def test_a_second_fit_of_a_built_network_begins_anew():
    module = built_network()
    given = {name: value.clone() for name, value in module.state_dict().items()}
    net = net_of(module)
    first = {name: value.clone() for name, value in net.fit(X32, SPECIES).module_.state_dict().items()}
    assert equal_states(first, net.fit(X32, SPECIES).module_.state_dict())
    assert not equal_states(first, given)


def test_every_fold_begins_with_the_same_weights():
    """Without a learning rate, the weights after the training are those of the start."""
    net = net_of(built_network(), lr=0.0)
    folds = cross_validate(net, X32, SPECIES, cv=3, return_estimator=True)["estimator"]
    start = clone(net).initialize().module_.state_dict()
    assert all(equal_states(start, fold.module_.state_dict()) for fold in folds)


def test_a_network_with_weight_normalization_can_be_searched():
    module = built_network()
    nn.utils.parametrizations.weight_norm(module[0])
    module(torch.zeros(2, 4))
    search = GridSearchCV(net_of(module), {"lr": [0.01, 0.1]}, cv=2, error_score="raise").fit(X32, SPECIES)
    assert search.best_params_["lr"] in (0.01, 0.1)
    assert nn.utils.parametrize.is_parametrized(search.best_estimator_.module_[0], "weight")


@pytest.mark.parametrize("fitted", [False, True])
def test_partial_fit_with_early_stopping_says_what_to_change_and_keeps_the_model(fitted):
    reg = MLPRegressor((6,), early_stopping=True, max_epochs=2, random_state=0)
    before = reg.fit(X, X[:, 0]).predict(X) if fitted else None
    with pytest.raises(InvalidParameterError, match="early_stopping=True is not allowed in partial_fit"):
        reg.partial_fit(X, X[:, 0])
    if fitted:
        np.testing.assert_array_equal(reg.predict(X), before)
        reg.set_params(early_stopping=False).partial_fit(X, X[:, 0])


def test_a_diverged_fit_with_early_stopping_is_a_warning_with_finite_predictions():
    reg = MLPRegressor((6,), optimizer="sgd", lr=1e6, early_stopping=True, max_epochs=5, random_state=0)
    with pytest.warns(DivergenceWarning, match="not finite"):
        reg.fit(1e3 * X, 1e8 * X[:, 0])
    assert reg.diverged_
    assert np.isfinite(reg.predict(X)).all()


def test_a_network_computes_before_any_training():
    """The features are the weights' own, and equal seeds give equal weights."""
    clf = MLPClassifier((5, 4), random_state=3)
    features = [ActivationInspector(clf, when="initialized").fit_transform(X, SPECIES) for _ in range(2)]
    np.testing.assert_array_equal(*features)
    assert features[0].shape[0] == len(X)
    assert not hasattr(clf, "net_")
