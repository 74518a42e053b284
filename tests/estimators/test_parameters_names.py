"""Values that users of scikit-learn and torch give: an integer as layers, and names of their libraries."""

from functools import partial

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from torch import nn

from initsk import MLPClassifier, MLPRegressor, compare_initializers, diagnose, inspect_activations
from initsk.exceptions import InvalidParameterError
from initsk.network import get_optimizer, make_activation


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


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize(
    ("optimizer", "instead"),
    [
        (
            lambda params: torch.optim.SGD(params, lr=0.1),
            "optimizer='sgd', lr=0.1, optimizer_params={'momentum': 0.9}",
        ),
        (
            partial(torch.optim.AdamW, lr=0.5, weight_decay=0.2),
            "optimizer=torch.optim.AdamW, lr=0.5, optimizer_params={'weight_decay': 0.2}",
        ),
    ],
)
def test_a_function_as_the_optimizer_is_an_error_with_what_to_write(iris, kind, optimizer, instead):
    with pytest.raises(InvalidParameterError, match=r"a name of torch's optimizers or a torch\.optim class") as caught:
        kind(3, optimizer=optimizer, random_state=0).fit(*iris)
    assert f"so write {instead})" in str(caught.value)
    allowed = eval(f"dict({instead})", {"torch": torch})
    kind(3, max_epochs=1, random_state=0, **allowed).fit(*iris)


def test_no_suggestion_if_several_optimizers_are_as_close():
    with pytest.raises(InvalidParameterError, match=r"unknown optimizer 'adamx'\. Allowed: 'adadelta'"):
        get_optimizer("adamx")


@pytest.mark.parametrize(
    ("given", "plain"), [("torch.optim.AdamW", "adamw"), ("optim.SGD", "sgd"), ("torch.RMSprop", "rmsprop")]
)
def test_optimizers_have_the_names_of_their_modules(given, plain):
    assert get_optimizer(given) is get_optimizer(plain)


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("nn.ReLU", "relu"),
        ("torch.nn.functional.leaky_relu", "leaky_relu"),
        ("keras.activations.swish", "silu"),
        ("torch.nn.GELU", "gelu"),
        ("jax.nn.gelu", "gelu_tanh"),
    ],
)
def test_a_name_with_a_module_is_the_function_of_that_library(given, plain):
    x = torch.linspace(-3, 3, 50)
    torch.testing.assert_close(make_activation(given)(x), make_activation(plain)(x), rtol=0, atol=0)


def test_a_function_that_differs_from_torchs_is_refused_with_the_right_one():
    with pytest.raises(InvalidParameterError, match=r"slope 0\.2: give torch\.nn\.LeakyReLU\(0\.2\)"):
        make_activation("keras.layers.LeakyReLU")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"activation": "glu"}, r"^MLPClassifier: activation='glu' is not allowed \(it is no function"),
        ({"batch_size": "auto"}, r"an integer >= 1; \"auto\" of scikit-learn is min\(200, n_samples\)"),
        ({"optimizer_params": {"lr": 0.1}}, "use lr= of the estimator"),
        ({"optimizer_params": {"momentum": 0.9}}, 'optimizer="sgd" has it, Adam has not'),
        ({"optimizer": torch.optim.Adam([nn.Parameter(torch.ones(1))])}, r"optimizer=Adam \(\.\.\.\) .*the class Adam"),
    ],
)
def test_the_message_is_short_and_has_the_next_step(iris, parameters, message):
    with pytest.raises(InvalidParameterError, match=message) as caught:
        MLPClassifier(3, **parameters).fit(*iris)
    assert "\n" not in str(caught.value)
    assert str(caught.value).count("is not allowed") <= 1


def test_truth_values_are_levels_of_verbosity(iris, capsys):
    MLPClassifier(2, max_epochs=1, random_state=0, verbose=False).fit(*iris)
    assert not capsys.readouterr().out
    MLPClassifier(2, max_epochs=1, random_state=0, verbose=True).fit(*iris)
    assert "train_loss" in capsys.readouterr().out


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("name", ["coefs_", "intercepts_", "loss_curve_", "n_iter_", "best_loss_"])
def test_fitted_attributes_of_scikit_learn_are_explained(iris, kind, name):
    model = kind(2, max_epochs=2, random_state=0).fit(*iris)
    assert not hasattr(model, name)
    with pytest.raises(AttributeError, match=rf"{name}' \(here: (net_|.*history_)") as caught:
        getattr(model, name)
    # What is named can be written as it is.
    first = str(caught.value).partition("(here: ")[2].removesuffix(")").partition(", ")[0]
    eval(f"model.{first}" if not first.startswith("len(") else first.replace("history_", "model.history_"))


@pytest.mark.parametrize(("kind", "score"), [(MLPClassifier, "valid_acc"), (MLPRegressor, "valid_loss")])
@pytest.mark.parametrize("name", ["validation_scores_", "best_validation_score_"])
def test_scores_of_held_out_samples_are_the_accuracy_of_a_classifier_and_the_loss_of_a_regressor(
    iris, kind, score, name
):
    X, y = iris
    model = kind(2, max_epochs=2, early_stopping=True, random_state=0).fit(X, y)
    with pytest.raises(AttributeError, match=rf"{name}' \(here: history_\[\"{score}\"\]") as caught:
        getattr(model, name)
    first = str(caught.value).partition("(here: ")[2].partition(", ")[0]
    best = model.history_[score].agg("max" if kind is MLPClassifier else "min")
    assert np.max(eval(f"model.{first}")) == (best if name.startswith("best") else model.history_[score].max())


def test_optimizers_have_the_names_of_torch_and_keras(iris):
    for optimizer in ("Adam", "torch.optim.Adam", "keras.optimizers.Adam", "tf.keras.optimizers.adam"):
        model = MLPClassifier(2, max_epochs=1, optimizer=optimizer, random_state=0).fit(*iris)
        assert isinstance(model.net_.optimizer_, torch.optim.Adam)


def test_a_number_in_place_of_an_initializer_is_a_constant_in_the_message(iris):
    with pytest.raises(ValueError, match=r"bias_initializer=0.01 .*: initsk\.initializers\.Constant\(0\.01\);"):
        MLPClassifier(2, bias_initializer=0.01).fit(*iris)


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
