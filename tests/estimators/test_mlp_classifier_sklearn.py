"""The table in docs/guide/estimators.md: calls of scikit-learn's perceptrons, and ours with the same training."""

import inspect
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn import neural_network
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

from initsk import MLPClassifier, MLPRegressor
from initsk.estimators import OTHER_NAMES

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "estimators.md"
SECTION = PAGE.read_text().partition("## From scikit-learn")[2].partition("\n## ")[0]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")] for line in SECTION.splitlines() if line.startswith("| `")
]
X, Y = load_iris(return_X_y=True)
X = (X - X.mean(0)) / X.std(0)
N = len(X)
RATE = 0.1


def test_the_table_has_every_parameter_with_its_default():
    left = " ".join(row[0] for row in ROWS)
    shown = dict(re.findall(r"(\w+)=(\([^)]*\)|[^`]+)`", left))
    expected = {
        name: parameter.default
        for kind in (neural_network.MLPClassifier, neural_network.MLPRegressor)
        for name, parameter in inspect.signature(kind).parameters.items()
    }
    assert {name: eval(text) for name, text in shown.items()} == expected


def test_the_right_side_can_be_given_and_agrees_with_the_error():
    own, settings = inspect.signature(MLPClassifier).parameters, []
    for left, right, difference in ROWS:
        for name, value in re.findall(r"(\w+)=([^`]+)`", right):
            assert name in own
            if name != "callbacks":
                options = {"optimizer": "lbfgs"} if "max_eval" in value else {}
                options |= {"optimizer": "sgd"} if "nesterov" in value else {}
                settings.append({**options, name: eval(value, {"batch_size": 200})})
            for theirs in set(re.findall(r"(\w+)=", left)) & set(OTHER_NAMES):
                assert OTHER_NAMES[theirs].replace("lr, or ", "").startswith(name)
        if not right:
            assert difference.startswith(OTHER_NAMES[left.strip("`").partition("=")[0]][:20])
    for options in settings:
        MLPClassifier(**options).check_parameters()


def stepped(theirs, ours, target, steps):
    """Return pairs of weights and biases after full-batch steps of both from the same weights and zero biases."""
    ours.initialize(X, target)
    layers = [ours.net_.module_.hidden_1, ours.net_.module_.output]
    start = [layer.weight.detach().T.double().numpy().copy() for layer in layers]
    classes = {"classes": np.unique(target)} if isinstance(ours, MLPClassifier) else {}
    # The first step builds scikit-learn's network; the optimizer is then that of a new training.
    theirs.partial_fit(X, target, **classes)
    for values, new in zip([*theirs.coefs_, *theirs.intercepts_], [*start, 0, 0], strict=True):
        values[...] = new
    optimizer = theirs._optimizer
    for moments in ("velocities", "ms", "vs"):
        for values in getattr(optimizer, moments, []):
            values[...] = 0
    optimizer.t = 0
    for _ in range(steps):
        theirs.partial_fit(X, target)
        ours.partial_fit(X, target, **classes)
    layers = [ours.net_.module_.hidden_1, ours.net_.module_.output]
    found = [*(layer.weight.detach().T for layer in layers), *(layer.bias.detach() for layer in layers)]
    return list(zip(found, map(torch.from_numpy, [*theirs.coefs_, *theirs.intercepts_]), strict=True))


def trained(sklearn_options, options, steps):
    """Return the weights and biases of both classifiers after steps, and the classifiers."""
    ours = MLPClassifier(5, "logistic", lr=RATE, batch_size=N, initializer="glorot_uniform", random_state=0, **options)
    theirs = neural_network.MLPClassifier(
        5, "logistic", learning_rate_init=RATE, batch_size=N, random_state=0, **sklearn_options
    )
    return stepped(theirs, ours, Y, steps), theirs, ours


@pytest.mark.parametrize(
    ("sklearn_options", "options", "steps"),
    [
        (
            {"solver": "sgd", "momentum": 0.0, "nesterovs_momentum": False, "alpha": 0.0},
            {"optimizer": "sgd"},
            3,
        ),
        (
            {"solver": "sgd", "momentum": 0.8, "nesterovs_momentum": False, "alpha": 0.0},
            {"optimizer": "sgd", "optimizer_params": {"momentum": 0.8}},
            3,
        ),
        (
            {"solver": "sgd", "momentum": 0.8, "alpha": 0.0},
            {"optimizer": "sgd", "optimizer_params": {"momentum": 0.8, "nesterov": True}},
            3,
        ),
        (
            {"solver": "adam", "beta_1": 0.7, "beta_2": 0.9, "epsilon": 1e-9, "alpha": 0.0},
            {"optimizer": "adam", "optimizer_params": {"betas": (0.7, 0.9), "eps": 1e-9}},
            3,
        ),
        # Biases do not decay in scikit-learn, and those of the first step are zero.
        (
            {"solver": "sgd", "momentum": 0.0, "nesterovs_momentum": False, "alpha": 30.0},
            {"optimizer": "sgd", "optimizer_params": {"weight_decay": 30.0 / N}},
            1,
        ),
    ],
    ids=["sgd", "momentum", "nesterov", "adam", "alpha"],
)
def test_steps_are_those_of_scikit_learn(sklearn_options, options, steps):
    values, theirs, ours = trained(sklearn_options, options, steps)
    for found, expected in values:
        torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)
    if not sklearn_options["alpha"]:
        np.testing.assert_allclose(ours.history_["train_loss"].iloc[-steps:], theirs.loss_curve_[-steps:], rtol=1e-4)


def test_here_the_biases_decay_too():
    plain = {"solver": "sgd", "momentum": 0.0, "nesterovs_momentum": False, "alpha": 30.0}
    values, _, _ = trained(plain, {"optimizer": "sgd", "optimizer_params": {"weight_decay": 30.0 / N}}, 2)
    # The second step takes lr * alpha / n of the biases of the first.
    first, _, _ = trained(plain, {"optimizer": "sgd", "optimizer_params": {"weight_decay": 30.0 / N}}, 1)
    for (found, expected), (before, _) in zip(values[2:], first[2:], strict=True):
        torch.testing.assert_close(found.double(), expected - RATE * 30.0 / N * before.double(), rtol=1e-4, atol=1e-6)


def test_glorots_distribution_and_the_batch_size():
    theirs = neural_network.MLPClassifier(60, solver="sgd", learning_rate_init=1e-12, max_iter=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs.fit(X, Y)
    ours = MLPClassifier(60, initializer="glorot_uniform", random_state=0).initialize(X, Y)
    bound = np.sqrt(6 / 64)
    # Of 240 values from -b to b, the largest is below 0.95 b with a probability of 5e-6.
    for values in (theirs.coefs_[0], ours.net_.module_.hidden_1.weight.detach().numpy()):
        assert 0.95 * bound < np.abs(values).max() <= bound
    assert theirs.coefs_[0].shape == ours.net_.module_.hidden_1.weight.T.shape


def test_a_regressor_minimizes_twice_the_loss_of_scikit_learn():
    target = np.sin(X[:, 0]) + X[:, 1] / 2
    target = (target - target.mean()) / target.std()
    theirs = neural_network.MLPRegressor(
        hidden_layer_sizes=5, solver="sgd", momentum=0.0, nesterovs_momentum=False, alpha=30.0, batch_size=N,
        learning_rate_init=RATE, random_state=0,
    )  # fmt: skip
    ours = MLPRegressor(
        5, lr=RATE / 2, batch_size=N, random_state=0, optimizer="sgd", optimizer_params={"weight_decay": 2 * 30.0 / N}
    )
    for found, expected in stepped(theirs, ours, target, 1):
        torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)
