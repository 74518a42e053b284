"""Samples and targets that a network cannot compute with, and those of a type that numpy lacks."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier, NeuralNetRegressor
from torch import nn

from initsk import MLPClassifier, MLPRegressor, audit, diagnose, initialize, inspect_activations, recommend_initializer
from initsk.exceptions import InvalidParameterError, ModuleError
from tests.helpers import Net, batch, build

X = batch(60, 4).float()
LABELS = (X[:, 0] > 0).long()
NUMBERS = 2 * X[:, 0]
FAST = {"trial_steps": 4, "budget": 8}


def network(n_outputs=2):
    return build(lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, n_outputs))).float()


def sum_of_inputs():
    def forward(net, left, right):
        return net.b(torch.relu(net.a(left + right)))

    return build(lambda: Net(forward, a=nn.Linear(4, 8), b=nn.Linear(8, 2))).float()


def replaced(values, row, value):
    values = values.clone()
    values[row] = value
    return values


# In the fourth row and the second column.
NAN, INFINITE = (replaced(X, (3, 1), value) for value in (float("nan"), float("inf")))


@pytest.mark.parametrize("function", [diagnose, recommend_initializer, inspect_activations])
@pytest.mark.parametrize(
    "make", [network, lambda: MLPClassifier((8,)), lambda: make_pipeline(StandardScaler(), MLPClassifier((8,)))]
)
def test_a_dict_for_a_network_without_named_inputs_is_an_error_about_x(function, make):
    with pytest.raises(InvalidParameterError, match=r"^X( is a dict|: unknown argument of forward 'left')"):
        function(make(), {"left": X}, LABELS)


def test_a_dict_of_named_inputs_is_samples():
    diagnosis = diagnose(sum_of_inputs(), {"left": X, "right": NAN}, LABELS, **FAST)
    assert diagnosis.findings()["layer"].tolist() == ["X['right'][:, 1]"]
    assert diagnose(sum_of_inputs(), {"left": X, "right": X}, LABELS, **FAST).score > 0


@pytest.mark.parametrize(
    ("inputs", "targets", "words"),
    [
        (NAN, LABELS, r"^X has NaN: column 2 \(row 4\)"),
        (INFINITE, LABELS, r"^X has infinity: column 2 \(row 4\)"),
        (pd.DataFrame(NAN.numpy(), columns=list("abcd")), LABELS, r"^X has NaN: column 'b' \(row 4\)"),
        (X, replaced(NUMBERS, 5, float("inf")), "^y has infinity: row 6"),
    ],
)
def test_no_initializer_is_recommended_for_values_that_no_network_learns_from(inputs, targets, words):
    with pytest.raises(InvalidParameterError, match=words):
        recommend_initializer(network(2 if targets is LABELS else 1), inputs, targets)


def test_a_network_that_fills_nan_in_gets_a_recommendation():
    class Filled(nn.Sequential):
        def forward(self, x):
            return super().forward(x.nan_to_num())

    found = recommend_initializer(build(lambda: Filled(*network())), NAN, LABELS)
    assert found.measured["score"].max() > 0


@pytest.mark.parametrize("inner", [MLPClassifier((8,)), NeuralNetClassifier(network, criterion=nn.CrossEntropyLoss)])
def test_what_the_steps_of_a_pipeline_refuse_is_named_with_its_column(inner):
    with pytest.raises(InvalidParameterError, match=r"^X has infinity: column 2 \(row 4\)"):
        diagnose(make_pipeline(StandardScaler(), inner), INFINITE.numpy(), LABELS.numpy())


INFINITE_TARGET = replaced(NUMBERS, 5, float("inf")).numpy()
SCALED = TransformedTargetRegressor(MLPRegressor((8,), max_epochs=1, random_state=0), transformer=StandardScaler())


@pytest.mark.parametrize("model", [MLPRegressor((8,), max_epochs=1, random_state=0), SCALED])
@pytest.mark.parametrize("fitted", [True, False])
def test_an_infinite_target_of_an_estimator_is_one_error(model, fitted):
    if fitted:
        model = model.fit(X.numpy(), NUMBERS.numpy())
    with pytest.raises(InvalidParameterError, match=r"^y has 1 infinite value; the first is in row 6"):
        diagnose(model, X.numpy(), INFINITE_TARGET)


@pytest.mark.parametrize("trial_steps", [0, 4])
def test_an_infinite_target_of_a_module_is_a_finding_without_a_warning(trial_steps):
    with warnings.catch_warnings(action="error"):
        found = diagnose(network(1), X, INFINITE_TARGET, trial_steps=trial_steps, budget=8).findings()
    assert found[["layer", "kind", "what"]].to_numpy().tolist() == [["y", "non-finite", "infinity"]]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("criterion", [None, "CrossEntropyLoss"])
def test_labels_that_are_not_finite_are_named(criterion, value):
    with pytest.raises(ModuleError, match=r"y has (NaN|infinity|the label nan|the label inf)"):
        diagnose(network(), X, replaced(LABELS.double(), 3, value), criterion=criterion)


@pytest.mark.parametrize(
    "function",
    [
        diagnose, recommend_initializer, inspect_activations,
        lambda module, inputs, targets: audit(module, inputs),
        lambda module, inputs, targets: initialize(module, "lsuv", X=inputs),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("inputs", "dtype", "words"),
    [
        (X.double().numpy() * [1, 1, 1e39, 1], torch.float32, r"single precision \(3.4e\+38\): .* in column 3;"),
        (X * torch.tensor([1, 1, 1, 1e6]), torch.float16, r"half precision \(6.6e\+04\): .* in column 4;"),
    ],
)
def test_finite_numbers_beyond_the_precision_of_a_module_are_said_to_be_so(function, inputs, dtype, words):
    with pytest.raises(InvalidParameterError, match=f"^X has numbers beyond the range of {words}"):
        function(network().to(dtype), inputs, LABELS)


def test_targets_beyond_the_precision_of_a_module_are_said_to_be_so():
    with pytest.raises(InvalidParameterError, match=r"^y has numbers beyond the range of single precision"):
        diagnose(network(1), X, NUMBERS.double() * 1e39)


def test_a_module_of_double_precision_takes_numbers_beyond_single_precision():
    inspected = inspect_activations(network().double(), X.double() * 1e39)
    assert np.isfinite(inspected.to_frame()["mean"]).all()


BRAIN = X.bfloat16()


@pytest.mark.parametrize(
    ("make", "inputs", "targets"),
    [
        (network, BRAIN, LABELS),
        (network, list(BRAIN), LABELS),
        (lambda: network().bfloat16(), BRAIN, LABELS),
        (lambda: network(1), BRAIN, BRAIN[:, 0]),
        (lambda: MLPClassifier((8,)), BRAIN, LABELS),
        (lambda: MLPRegressor((8,)), BRAIN, BRAIN[:, 0]),
        (lambda: MLPRegressor((8,)), BRAIN, list(BRAIN[:, 0])),
        (lambda: make_pipeline(StandardScaler(), MLPClassifier((8,))), BRAIN, LABELS),
        (lambda: NeuralNetRegressor(lambda: network(1)), BRAIN, BRAIN[:, 0]),
    ],
)
@pytest.mark.parametrize("function", [diagnose, inspect_activations])
def test_bfloat16_is_taken(function, make, inputs, targets):
    options = FAST if function is diagnose else {}
    assert function(make(), inputs, targets, **options).to_markdown()


def test_bfloat16_gives_the_result_of_the_same_values_in_single_precision():
    scores = [diagnose(network(1), inputs, inputs[:, 0], **FAST).score for inputs in (BRAIN, BRAIN.float())]
    assert scores[0] == scores[1]
