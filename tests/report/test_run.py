"""The page lists how the networks trained, defaults included."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from initsk import MLPClassifier, NeuralNetClassifier, compare_initializers
from initsk.report import summarize

X, Y = load_iris(return_X_y=True)


def rows_of(estimator, **arguments):
    result = compare_initializers(
        estimator, X.astype(np.float32), Y, initializers=["zeros"], n_repeats=1, activations=False, **arguments
    )
    [section] = [section for section in summarize(result).sections if section.key == "run"]
    [table] = [part for part in section.elements if getattr(part, "key", "") == "training"]
    return {row["parameter"]: row["value"] for row in table.rows}


def test_an_mlp_lists_its_defaults():
    rows, defaults = rows_of(MLPClassifier((4,), max_epochs=1)), MLPClassifier().get_params()
    names = ("lr", "batch_size", "activation", "optimizer", "optimizer_params", "device", "input_scale")
    assert {name: rows[name] for name in names} == {name: str(defaults[name]) for name in names}
    assert (rows["hidden_layer_sizes"], rows["max_epochs"]) == ("(4,)", "1")
    # What the comparison sets or varies is not a setting of the training.
    assert not {"initializer", "random_state", "n_threads"} & set(rows)


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_a_skorch_net_lists_its_parts(in_pipeline):
    net = NeuralNetClassifier(
        nn.Linear, module__in_features=4, module__out_features=3, criterion=nn.CrossEntropyLoss, max_epochs=1,
        optimizer=torch.optim.AdamW, optimizer__weight_decay=0.1, verbose=0,
    )  # fmt: skip
    estimator = make_pipeline(StandardScaler(), net) if in_pipeline else net
    prefix = "neuralnetclassifier__" if in_pipeline else ""
    rows = rows_of(estimator, grid={f"{prefix}lr": [0.1]})
    assert rows["module"] == "Linear"
    assert rows["module__out_features"] == "3"
    assert (rows["criterion"], rows["optimizer"], rows["optimizer__weight_decay"]) == (
        "CrossEntropyLoss",
        "AdamW",
        "0.1",
    )
    assert (rows["batch_size"], rows["max_epochs"]) == ("128", "1")
    assert "lr" not in rows
    assert rows.get("steps") == (
        "standardscaler: StandardScaler, neuralnetclassifier: NeuralNetClassifier" if in_pipeline else None
    )


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_the_network_inside_an_estimator_lists_its_parameters(in_pipeline):
    net = MLPClassifier((4,), max_epochs=1, batch_size=50, lr=0.25, activation="tanh", optimizer="sgd")
    inside = make_pipeline(StandardScaler(), net) if in_pipeline else net
    prefix = "estimator__mlpclassifier__" if in_pipeline else "estimator__"
    rows = rows_of(BaggingClassifier(inside, n_estimators=2), parameter=f"{prefix}initializer")
    names = ("lr", "batch_size", "activation", "optimizer", "max_epochs")
    assert [rows[f"{prefix}{name}"] for name in names] == ["0.25", "50", "tanh", "sgd", "1"]
    assert (rows["estimator"], rows["n_estimators"]) == ("Pipeline" if in_pipeline else "MLPClassifier", "2")
    assert f"{prefix}initializer" not in rows


def test_every_network_inside_an_estimator_lists_what_is_not_compared():
    nets = [(name, MLPClassifier((4,), max_epochs=1, initializer="he_normal")) for name in "ab"]
    rows = rows_of(VotingClassifier(nets), parameter="a__initializer")
    assert "a__initializer" not in rows
    assert rows["b__initializer"] == "he_normal"
