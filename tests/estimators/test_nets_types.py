"""Nets of skorch: outputs that fit the criterion, and data in the type of the module."""

import numpy as np
import pytest
import skorch
import torch
from sklearn.exceptions import FitFailedWarning
from torch import nn

from initsk import NeuralNetClassifier, NeuralNetRegressor, compare_initializers, diagnose, inspect_activations
from initsk.estimators import with_initializer
from initsk.exceptions import ModuleError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 6)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)
SETTINGS = {"max_epochs": 2, "verbose": 0, "random_state": 0}


def layers(n_outputs, *others):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, n_outputs), *others)


class Embedded(nn.Module):
    """Takes integers as indices, and floats beside them."""

    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(9, 2), nn.Linear(18, 2)

    def forward(self, index, value):
        return self.head(torch.cat([self.table(index).flatten(1), value], 1))


def first_run(net):
    return compare_initializers(net, X, Y, initializers=["zeros"], n_repeats=1, activations=False).runs.iloc[0]


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ((2,), "criterion=torch.nn.CrossEntropyLoss"),
        ((2, nn.LogSoftmax(-1)), "criterion=torch.nn.CrossEntropyLoss"),
        ((2, nn.Sigmoid()), "add up to 1"),
        ((1,), "NeuralNetBinaryClassifier.*BCEWithLogitsLoss"),
        ((1, nn.Flatten(0)), "NeuralNetBinaryClassifier.*BCEWithLogitsLoss"),
    ],
    ids=["logits", "log-probabilities", "rates", "one logit", "a vector"],
)
def test_outputs_without_probabilities_are_one_error_everywhere(outputs, words):
    def net():
        with torch.random.fork_rng():
            return NeuralNetClassifier(layers(*outputs), **SETTINGS)

    for call in (
        lambda: net().fit(X, Y),
        lambda: net().partial_fit(X, Y),
        lambda: diagnose(net(), X, Y),
        lambda: inspect_activations(net(), X, Y, gradients=True),
    ):
        with pytest.raises(ModuleError, match=words):
            call()
    if outputs == (2,):
        with pytest.warns(FitFailedWarning, match=words):
            run = first_run(net())
        assert (run["status"], words in run["reason"]) == ("failed", True)


@pytest.mark.parametrize(
    ("outputs", "criterion"),
    [((2, nn.Softmax(-1)), nn.NLLLoss), ((2,), nn.CrossEntropyLoss), ((2, nn.LogSoftmax(-1)), nn.CrossEntropyLoss)],
    ids=["probabilities", "logits", "log-probabilities"],
)
def test_outputs_that_fit_the_criterion_train(outputs, criterion):
    with torch.random.fork_rng():
        net = NeuralNetClassifier(layers(*outputs), criterion=criterion, **SETTINGS).fit(X, Y)
    assert not net.diverged_


# torch 2.6 collects booleans of numpy in a way that numpy announces the end of.
@pytest.mark.filterwarnings("ignore:In future, it will be an error for 'np.bool' scalars:DeprecationWarning")
@pytest.mark.parametrize("labels", [Y, Y.astype(float), Y > 0], ids=["integers", "floats", "booleans"])
def test_a_binary_net_takes_any_zeros_and_ones(labels):
    with torch.random.fork_rng():
        plain = skorch.NeuralNetBinaryClassifier(layers(1), max_epochs=2, verbose=0)
        net = with_initializer(plain).fit(X, labels)
    expected = with_initializer(plain).fit(X, Y.astype(np.float32))
    assert net.history[:, "train_loss"] == expected.history[:, "train_loss"]


@pytest.mark.parametrize("dtype", [np.float64, np.float16], ids=str)
def test_floats_of_any_precision_give_the_same_training(dtype):
    values = np.round(X, 1).astype(np.float16)
    losses = []
    for samples in (values.astype(np.float32), values.astype(dtype)):
        with torch.random.fork_rng():
            net = NeuralNetClassifier(layers(2), criterion=nn.CrossEntropyLoss, **SETTINGS).fit(samples, Y)
        losses.append(net.history[:, "train_loss"])
        assert net.predict(samples).shape == (60,)
    assert losses[0] == losses[1]


def test_a_module_in_double_precision_takes_floats():
    with torch.random.fork_rng():
        module = layers(1).double()
    net = NeuralNetRegressor(module, **SETTINGS).fit(X, X[:, 0])
    assert net.predict(X).dtype == np.float64
    assert inspect_activations(net, X, X[:, :1], gradients=True).to_frame("gradients")["rms"].gt(0).all()


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool], ids=lambda kind: kind.__name__)
def test_integers_are_floats_for_a_module_that_needs_them(dtype):
    values = RNG.integers(0, 2, (60, 6)).astype(dtype)
    predictions = []
    for samples in (values, values.astype(np.float32)):
        with torch.random.fork_rng():
            net = NeuralNetClassifier(layers(2), criterion=nn.CrossEntropyLoss, **SETTINGS).fit(samples, Y)
        predictions.append(net.predict_proba(values))
    np.testing.assert_array_equal(*predictions)


def test_integers_stay_integers_for_an_embedding():
    arguments = {"index": RNG.integers(0, 9, (60, 6)), "value": RNG.integers(0, 9, (60, 6))}
    with torch.random.fork_rng():
        net = NeuralNetClassifier(Embedded, criterion=nn.CrossEntropyLoss, **SETTINGS).fit(arguments, Y)
    floats = arguments | {"value": arguments["value"].astype(float)}
    np.testing.assert_array_equal(net.predict_proba(arguments), net.predict_proba(floats))
    with pytest.raises(ModuleError, match=r"'table' .*indices"):
        net.predict_proba(floats | {"index": floats["value"]})


def test_targets_of_one_dimension_fit_an_output_of_one_column():
    losses = []
    for targets in (X[:, 0], X[:, :1], X[:, :1].astype(np.float64)):
        with torch.random.fork_rng():
            losses.append(NeuralNetRegressor(layers(1), **SETTINGS).fit(X, targets).history[:, "train_loss"])
    assert losses[0] == losses[1] == losses[2]
