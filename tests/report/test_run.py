"""Pages tell what was run: how networks trained, defaults included, and which model a page is about."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from initsk import (
    MLPClassifier,
    NeuralNetClassifier,
    __version__,
    audit,
    compare_initializers,
    diagnose,
    inspect_activations,
    recommend_initializer,
)
from initsk.report import summarize
from tests.helpers import batch, build

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


MADE_BY = {
    "inspect": lambda model: inspect_activations(model, X, Y, gradients=True, batch_size=50, random_state=7),
    "diagnose": lambda model: diagnose(model, X, Y, batch_size=50, random_state=7, trial_steps=2),
    "audit": lambda model: audit(model, X, random_state=7),
    "recommend": lambda model: recommend_initializer(model, X, Y, random_state=7),
}


def run_of(result):
    section = summarize(result).sections[-1]
    assert (section.key, section.title) == ("run", "What was run")
    [details] = section.elements
    return {detail.name: detail.value for detail in details.items}


@pytest.mark.parametrize("name", MADE_BY)
def test_a_page_of_a_network_tells_what_was_run(name):
    clf = MLPClassifier((4,), initializer="he_normal", max_epochs=1, random_state=0).fit(X, Y)
    shown = run_of(MADE_BY[name](clf))
    assert (shown["Model"], shown["Fitted"], shown["Initializer"]) == ("MLPClassifier", "yes", "he_normal")
    # Weights and biases of 4 to 4 and 4 to 3 units.
    assert (shown["Parameters of the network"], shown["Shape of the data"]) == ("35", "150 x 4")
    assert shown["Random state"] == "7"
    assert f"initsk {__version__}, torch {torch.__version__}" in shown["Versions"]
    assert shown.get("Loss") == (None if name == "audit" else "CrossEntropyLoss")
    assert shown.get("Batch size") == {"inspect": "50", "diagnose": "50", "audit": None, "recommend": "32"}[name]


@pytest.mark.parametrize("name", ["inspect", "diagnose", "recommend"])
def test_an_estimator_that_has_not_trained_is_not_fitted(name):
    assert run_of(MADE_BY[name](MLPClassifier((4,), random_state=0)))["Fitted"].startswith("no")


@pytest.mark.parametrize("name", MADE_BY)
def test_whether_a_module_is_trained_is_not_known(name):
    module = build(lambda: nn.Sequential(nn.Linear(4, 3)))
    shown = run_of(MADE_BY[name](module))
    assert shown["Model"] == "Sequential"
    assert shown["Fitted"].startswith("not known")
    assert "Initializer" not in shown


def test_several_arrays_have_their_shapes():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, first, second):
            return self.layer(first + second)

    summary = inspect_activations(build(Sum), (batch(8, 3), batch(8, 3)))
    assert run_of(summary)["Shape of the data"] == "X[0]: 8 x 3, X[1]: 8 x 3"
    both = inspect_activations(build(Sum), {"first": batch(5, 3), "second": batch(5, 3)})
    assert "first']: 5 x 3" in run_of(both)["Shape of the data"]
    assert "Shape of the data" not in run_of(summary + both)


def test_a_summary_without_settings_has_no_such_section():
    clf = MLPClassifier((4,), max_epochs=1, random_state=0).fit(X, Y)
    inner = diagnose(clf, X, Y, trial_steps=2).inspection
    assert "run" not in [section.key for section in summarize(inner).sections]
