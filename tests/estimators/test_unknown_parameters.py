"""Parameters of scikit-learn's perceptrons: the error names those that have the same meaning here."""

import inspect
import pickle

import numpy as np
import pytest
from sklearn import neural_network
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from initsk import MLPClassifier, MLPRegressor, NeuralNetClassifier, compare_initializers

X, Y = np.eye(12, 3), np.arange(12) % 2
PAIRS = [(MLPClassifier, neural_network.MLPClassifier), (MLPRegressor, neural_network.MLPRegressor)]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_every_parameter_of_scikit_learn_exists_or_is_explained(ours, theirs):
    own = set(inspect.signature(ours).parameters)
    for name in inspect.signature(theirs).parameters.keys() - own:
        with pytest.raises(TypeError, match=rf"^{ours.__name__}\(\) got an unexpected .*'{name}' \(here: ") as caught:
            ours(**{name: 1})
        with pytest.raises(ValueError, match=rf"Invalid parameter for {ours.__name__}: '{name}' \(here: ") as of_set:
            ours().set_params(**{name: 1})
        meant = str(caught.value).partition("(here: ")[2].partition(")")[0]
        assert meant in str(of_set.value)
        # What is named exists, or the sentence says what happens instead.
        assert own & set(meant.replace("=", " ").replace(",", " ").split()) or "every" in meant or "minimizes" in meant


def test_all_unknown_names_are_in_one_message():
    with pytest.raises(TypeError) as caught:
        MLPClassifier(max_iter=200, n_iter_no_change=5, optimzer="sgd", nonsense=1)
    for part in ("'max_iter' (here: max_epochs)", "'n_iter_no_change' (here: patience)", "did you mean 'optimizer'?"):
        assert part in str(caught.value)
    assert "'nonsense'. Allowed: hidden_layer_sizes, activation" in str(caught.value)
    with pytest.raises(TypeError, match="multiple values for argument 'activation'"):
        MLPClassifier((3,), "relu", activation="tanh")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("units", "hidden_layer_sizes"), ("kernel_regularizer", "optimizer_params="), ("metrics", "history_ has"),
        ("loss", "a regressor minimizes"), ("validation_split", "validation_fraction"), ("epochs", "max_epochs"),
    ],
)  # fmt: skip
def test_names_of_keras_are_explained(name, meant):
    for kind in (MLPClassifier, MLPRegressor):
        with pytest.raises(TypeError, match=rf"'{name}' \(here: {meant}"):
            kind(**{name: 1})


@pytest.mark.parametrize(
    ("name", "meant"),
    [("units", "an argument of the module"), ("kernel_regularizer", "optimizer__weight_decay"), ("loss", "criterion"),
     ("metrics", "callbacks="), ("validation_split", "train_split=")],
)  # fmt: skip
def test_names_of_keras_are_explained_for_nets(name, meant):
    with pytest.raises(TypeError, match=rf"'{name}' \(here: {meant}"):
        NeuralNetClassifier(nn.Linear, **{name: 1})


def test_misspelled_names_are_recognized():
    with pytest.raises(
        TypeError, match=r"'learnig_rate_init' \(here: lr\), 'hidden_sizes' \(did you mean 'hidden_layer_"
    ):
        MLPClassifier(learnig_rate_init=0.1, hidden_sizes=3)


def test_a_failed_call_changes_no_parameter():
    clf = MLPClassifier(7)
    with pytest.raises(ValueError, match="max_epochs"):
        clf.set_params(hidden_layer_sizes=8, max_iter=3)
    assert clf.hidden_layer_sizes == 7


def test_searches_pipelines_and_comparisons_name_it_too():
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(2, max_epochs=1, random_state=0))
    with pytest.raises(ValueError, match=r"'max_iter' \(here: max_epochs\)"):
        GridSearchCV(pipeline, {"mlpclassifier__max_iter": [1]}, cv=2, error_score="raise").fit(X, Y)
    with pytest.raises(ValueError, match=r"'alpha' \(here: optimizer_params="):
        compare_initializers(pipeline, X, Y, initializers=["zeros"], grid={"mlpclassifier__alpha": [1]})
    with pytest.raises(ValueError, match=r"grid: unknown parameter 'learning_rate_init' \(here: lr\)"):
        compare_initializers(MLPClassifier(2), X, Y, initializers=["zeros"], grid={"learning_rate_init": [1]})


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_the_constructor_keeps_scikit_learns_contract(kind):
    signature = inspect.signature(kind)
    assert not {p.kind for p in signature.parameters.values()} & {inspect.Parameter.VAR_KEYWORD}
    estimator = kind((5,), "tanh", lr=0.1)
    assert set(estimator.get_params(deep=False)) == set(signature.parameters)
    assert clone(estimator).get_params() == estimator.get_params() == pickle.loads(pickle.dumps(estimator)).get_params()


def test_a_subclass_may_have_parameters_of_its_own():
    class Wider(MLPClassifier):
        def __init__(self, factor=2, lr=0.5):
            super().__init__(4 * factor, lr=lr)
            self.factor = factor

    assert Wider(factor=3).hidden_layer_sizes == 12
    assert set(Wider().get_params()) == {"factor", "lr"}
    with pytest.raises(ValueError, match=r"Invalid parameter for Wider: 'max_iter' .*Allowed: factor, lr"):
        Wider().set_params(max_iter=2)
