"""Parameters of the multilayer perceptrons: activation functions, normalization, dropout and scaled input."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from torch import nn

from initsk import ActivationInspector, MLPClassifier, inspect_activations, theory
from initsk.exceptions import InvalidParameterError
from initsk.network import MLP
from tests.helpers import label


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return (X / 16)[:400], y[:400]


def names(clf):
    return [name for name, _ in clf.net_.module_.named_children()]


def start(digits, **arguments):
    return MLPClassifier(**{"hidden_layer_sizes": (8, 6), "random_state": 0, **arguments}).initialize(*digits)


def square(x):
    return x * x


@pytest.mark.parametrize(
    ("activation", "kinds"),
    [
        ("hardswish", [nn.Hardswish] * 2),
        (nn.Mish, [nn.Mish] * 2),
        (nn.LeakyReLU(0.2), [nn.LeakyReLU] * 2),
        (["relu", nn.Tanh], [nn.ReLU, nn.Tanh]),
        (("tanh", nn.ELU(0.5)), [nn.Tanh, nn.ELU]),
    ],
    ids=label,
)
def test_activation_functions_by_name_class_module_and_list(digits, activation, kinds):
    clf = start(digits, activation=activation)
    found = [part for name, part in clf.net_.module_.named_children() if name.startswith("activation")]
    assert [type(part) for part in found] == kinds
    assert found[0] is not found[1]


def test_layers_do_not_share_an_activation_module(digits):
    given = nn.LeakyReLU(0.2)
    module = start(digits, activation=given).net_.module_
    assert module.activation_1.negative_slope == 0.2
    assert given not in (module.activation_1, module.activation_2)


@pytest.mark.parametrize("function", [torch.sin, square, lambda x: x.clamp(min=0)], ids=["sin", "square", "lambda"])
def test_any_function_can_be_an_activation_function(digits, function):
    clf = MLPClassifier((8, 6), activation=function, max_epochs=2, random_state=0).fit(*digits)
    module, X = clf.net_.module_, torch.tensor(digits[0], dtype=torch.float32)
    with torch.no_grad():
        expected = module.output(function(module.hidden_2(function(module.hidden_1(X)))))
        torch.testing.assert_close(module(X), expected, rtol=0, atol=0)
    # The inspector captures a function like one of torch's modules.
    summary = inspect_activations(clf, digits[0]).to_frame()
    assert ("hidden_1", "activation") in set(zip(summary["layer"], summary["position"], strict=True))
    # An initializer that depends on the next activation function reads the function too.
    auto = start(digits, activation=function, initializer="auto")
    weight = auto.net_.module_.hidden_2.weight.detach()
    assert float(weight.square().mean()) == pytest.approx(theory.gain(function) ** 2 / 8, rel=1e-5)


def test_autoinit_supports_functions_and_normalization(digits):
    for arguments in ({"activation": torch.sin}, {"normalization": "layer_norm", "dropout": 0.2}, {"input_scale": 0.5}):
        record = start(digits, initializer="autoinit", **arguments).initialization_record_.to_frame()
        assert record.set_index("name").loc["hidden_2.weight", "touched"]


def test_the_parts_of_the_network_are_in_order(digits):
    clf = start(digits, normalization="batch_norm", dropout=0.5, hidden_layer_sizes=(8,))
    assert names(clf) == ["hidden_1", "norm_1", "activation_1", "dropout_1", "output"]
    assert isinstance(clf.net_.module_.norm_1, nn.BatchNorm1d)
    assert isinstance(start(digits, normalization="layer_norm").net_.module_.norm_1, nn.LayerNorm)
    assert names(start(digits)) == ["hidden_1", "activation_1", "hidden_2", "activation_2", "output"]


@pytest.mark.parametrize("normalization", ["batch_norm", "layer_norm"])
def test_normalization_standardizes(digits, normalization):
    clf = start(digits, normalization=normalization, hidden_layer_sizes=(64,))
    module, X = clf.net_.module_.train(), torch.tensor(digits[0], dtype=torch.float32)
    with torch.no_grad():
        out = module.norm_1(module.hidden_1(X))
    axis = 0 if normalization == "batch_norm" else 1
    torch.testing.assert_close(out.mean(axis), torch.zeros(out.shape[1 - axis]), rtol=0, atol=1e-4)
    torch.testing.assert_close(out.var(axis, correction=0), torch.ones(out.shape[1 - axis]), rtol=0.01, atol=0)
    module.eval()


def test_dropout_acts_in_training_only_and_depends_on_the_seed(digits):
    first, second, other = (
        MLPClassifier((32,), dropout=0.5, max_epochs=2, random_state=seed, initializer="zeros").fit(*digits)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.predict_proba(digits[0]), second.predict_proba(digits[0]))
    np.testing.assert_array_equal(first.predict_proba(digits[0]), first.predict_proba(digits[0]))
    assert not np.array_equal(first.history_["train_loss"], other.history_["train_loss"])


def test_with_batch_normalization_a_batch_of_one_is_joined_to_the_batch_before(digits):
    X, y = digits[0][:65], digits[1][:65]
    clf = MLPClassifier((8,), normalization="batch_norm", batch_size=32, max_epochs=1, random_state=0).fit(X, y)
    assert [batch["train_batch_size"] for batch in clf.net_.history[-1, "batches"]] == [32, 33]
    plain = MLPClassifier((8,), batch_size=32, max_epochs=1, random_state=0).fit(X, y)
    assert [batch["train_batch_size"] for batch in plain.net_.history[-1, "batches"]] == [32, 32, 1]


# Batch normalization is not tested: the gradient of a bias before it is only rounding, which Adam enlarges.
@pytest.mark.parametrize("normalization", [None, "layer_norm"])
def test_input_scale_applies_to_each_batch(normalization):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, size=(200, 30), dtype=np.uint8), rng.integers(0, 3, size=200)
    settings = {"hidden_layer_sizes": (8,), "max_epochs": 3, "random_state": 0, "normalization": normalization}
    scaled = MLPClassifier(**settings, input_scale=1 / 255).fit(X, y)
    plain = MLPClassifier(**settings).fit(X.astype(np.float32) / np.float32(255), y)
    np.testing.assert_allclose(scaled.predict_proba(X), plain.predict_proba(X / 255), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(scaled.predict_proba(X), scaled.predict_proba(X.astype(float)), rtol=1e-5)
    # Inspections scale the input too.
    rms = [inspect_activations(clf, data).to_frame()["rms"] for clf, data in ((scaled, X), (plain, X / 255))]
    np.testing.assert_allclose(*rms, rtol=1e-3)
    pairs = (scaled, X), (plain, X / 255)
    features = [ActivationInspector(clf, prefit=True).fit_transform(data) for clf, data in pairs]
    np.testing.assert_allclose(*features, atol=1e-4)
    # An initializer that needs data gets scaled data.
    lsuv = MLPClassifier(**settings, input_scale=1 / 255, initializer="lsuv").initialize(X, y)
    assert "LSUV" in lsuv.initialization_record_.to_frame()["why"].iloc[0]


def test_parameters_can_be_searched(digits):
    grid = {
        "activation": ["relu", torch.sin, ["tanh", "relu"]],
        "normalization": [None, "layer_norm"],
        "dropout": [0, 0.1],
    }
    clf = MLPClassifier((8, 6), max_epochs=2, random_state=0)
    search = GridSearchCV(clf, grid, cv=2, error_score="raise").fit(*digits)
    assert len(search.cv_results_["params"]) == 12
    assert clone(search.best_estimator_).get_params().keys() == clf.get_params().keys()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"activation": "rleu"}, "did you mean 'relu'"),
        ({"activation": ["relu"]}, "a list of 2, one per hidden layer"),
        ({"activation": ["relu", "tnah"]}, "did you mean 'tanh'"),
        ({"activation": torch.sum}, "does not return a tensor of its argument's shape"),
        ({"activation": len}, "does not return a tensor"),
        ({"activation": torch.matmul}, "cannot be applied to a tensor"),
        ({"activation": nn.Linear}, "without arguments"),
        ({"activation": int}, "not a torch module"),
        ({"activation": 3}, "a function of one tensor"),
        ({"normalization": "batchnorm"}, "did you mean 'batch_norm'"),
        ({"normalization": "batch_norm", "batch_size": 1}, "an integer >= 2"),
        ({"dropout": 1.0}, "below|< 1"),
        ({"input_scale": 0}, "> 0"),
        ({"optimizer_params": {"momentm": 0.9}, "optimizer": "sgd"}, "did you mean 'momentum'"),
        ({"optimizer": "adm"}, "did you mean 'adam'"),
        ({"patience": 0}, "an integer >= 1"),
        ({"validation_fraction": 1.0}, "< 1"),
        ({"early_stopping": 1}, "True or False"),
        ({"random_state": -1}, "random_state=-1"),
        ({"class_weight": "equal"}, "'balanced'"),
        ({"n_threads": 10**9}, "from 1 to 1024, or None"),
        ({"n_threads": 0}, "from 1 to 1024, or None"),
    ],
    ids=label,
)
def test_invalid_parameters_are_an_error(digits, arguments, words):
    with pytest.raises(InvalidParameterError, match=words):
        start(digits, **arguments)


def test_all_mistakes_in_one_message(digits):
    wrong = {"normalization": "norm", "dropout": -1, "patience": "many", "optimizer": "adm", "random_state": "x"}
    with pytest.raises(InvalidParameterError) as caught:
        start(digits, **wrong)
    assert all(f"{name}=" in str(caught.value) for name in wrong)


def test_the_module_itself_checks_its_arguments():
    with pytest.raises(InvalidParameterError, match="batch_norm, layer_norm"):
        MLP(4, 2, normalization="group_norm")
    with pytest.raises(InvalidParameterError, match="one activation per hidden layer"):
        MLP(4, 2, (3, 3), activation=["relu"])
