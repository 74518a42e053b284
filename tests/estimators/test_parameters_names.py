"""Values that users of scikit-learn and torch give: an integer as layers, and names of their libraries."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

from initsk import MLPClassifier, MLPRegressor, compare_initializers, diagnose, inspect_activations
from initsk.exceptions import InvalidParameterError
from initsk.network import get_optimizer


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return X[::3], y[::3]


def weights(estimator):
    return torch.nn.utils.parameters_to_vector(estimator.net_.module_.parameters()).detach()


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_an_integer_is_a_single_hidden_layer(iris, kind):
    settings = {"max_epochs": 2, "random_state": 0}
    one, several = (kind(sizes, **settings).fit(*iris) for sizes in (6, (6,)))
    torch.testing.assert_close(weights(one), weights(several), rtol=0, atol=0)
    assert clone(one).hidden_layer_sizes == 6
    assert kind(np.int64(6), activation=["tanh"], **settings).fit(*iris).net_.module_.hidden_1.out_features == 6
    # A warm start sees the same network.
    one.set_params(hidden_layer_sizes=[6], warm_start=True).fit(*iris)
    with pytest.raises(InvalidParameterError, match=r"hidden_layer_sizes=7 is not allowed, since .* has \[6\]"):
        one.set_params(hidden_layer_sizes=7).fit(*iris)


@pytest.mark.parametrize("wrong", [0, -1, 2.0, True, "8", None, (8, 0)])
def test_other_layers_are_refused(iris, wrong):
    with pytest.raises(InvalidParameterError, match="an integer >= 1, or a tuple of them"):
        MLPClassifier(wrong).fit(*iris)


def test_a_grid_varies_integers_and_names(iris):
    grid = {"hidden_layer_sizes": [4, (4,)], "activation": ["logistic", "Sigmoid"], "optimizer": ["Adam", "adam"]}
    clf = MLPClassifier(max_epochs=1, random_state=0)
    scores = GridSearchCV(clf, grid, cv=2, error_score="raise").fit(*iris).cv_results_["mean_test_score"]
    # All of these are the same network and training.
    assert len(set(scores)) == 1
    result = compare_initializers(
        clf.set_params(hidden_layer_sizes=4), *iris, initializers=["zeros"], n_repeats=2, n_jobs=1
    )
    assert len(result.runs) == 2


KINDS = [
    kind
    for kind in vars(torch.optim).values()
    if isinstance(kind, type) and kind.__module__.startswith("torch.optim.") and kind is not torch.optim.Optimizer
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_optimizers_have_torchs_names_in_any_case(iris, kind):
    name = kind.__name__
    if name in ("SparseAdam", "Muon"):
        with pytest.raises(InvalidParameterError, match=f"'{name}' cannot train dense weights and biases: it takes"):
            get_optimizer(name)
        return
    for written in (name, name.lower(), name.upper()):
        assert get_optimizer(written) is kind
    by_name, by_class = (MLPClassifier(3, optimizer=o, max_epochs=1, random_state=0).fit(*iris) for o in (name, kind))
    torch.testing.assert_close(weights(by_name), weights(by_class), rtol=0, atol=0)


def test_diagnose_takes_the_same_names_and_refuses_others(iris):
    clf = MLPClassifier(3, random_state=0)
    options = {"budget": 4, "trial_steps": 2, "random_state": 0}
    scores = {diagnose(clf, *iris, optimizer=o, **options).score for o in ("NAdam", "nadam", torch.optim.NAdam)}
    assert len(scores) == 1
    with pytest.raises(InvalidParameterError, match=r"did you mean 'rmsprop'.*its class, or a function of parameters"):
        diagnose(clf, *iris, optimizer="rmspropp")


def test_no_suggestion_if_several_optimizers_are_as_close():
    with pytest.raises(InvalidParameterError, match=r"unknown optimizer 'adamx'\. Allowed: 'adadelta'"):
        get_optimizer("adamx")


def test_inspect_activations_takes_the_same_names(iris):
    clf = MLPClassifier(3, random_state=0).initialize(*iris)
    first, second = (
        inspect_activations(clf, *iris, gradients=True, optimizer=o).parameters()["update_norm"]
        for o in ("adamw", torch.optim.AdamW)
    )
    assert first.gt(0).any()
    assert first.equals(second)
    with pytest.raises(InvalidParameterError, match="did you mean 'adam'"):
        inspect_activations(clf, *iris, gradients=True, optimizer="adm")
