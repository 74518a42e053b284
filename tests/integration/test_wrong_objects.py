"""Functions that take a model refuse other objects, and name the next step."""

import pandas as pd
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier as SklearnMLP
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from initsk import (
    ComparisonResult,
    MLPClassifier,
    NeuralNetClassifier,
    audit,
    compare_initializers,
    diagnose,
    initialize,
    inspect_activations,
    recommend_initializer,
    theory,
)
from initsk.exceptions import InitskError
from initsk.initializers import HeNormal

X, Y = load_iris(return_X_y=True)
FRAME = pd.DataFrame({"initializer": ["a", "b"] * 2, "repeat": [0, 0, 1, 1], "score": [0.1, 0.2, 0.3, 0.4]})
NET = nn.Sequential(nn.Linear(4, 3))
# A stand-in, as Keras is not installed for the tests.
KerasModel = type("Sequential", (), {"__module__": "keras.src.models.sequential"})

TAKE_A_NETWORK = {
    "diagnose": lambda model: diagnose(model, X, Y),
    "inspect_activations": lambda model: inspect_activations(model, X),
    "recommend_initializer": lambda model: recommend_initializer(model, X),
    "audit": lambda model: audit(model, X),
    "initialize": lambda model: initialize(model, "he_normal"),
}
OBJECTS = {
    "class of an estimator": (MLPClassifier, r"make an instance first: MLPClassifier\(...\)"),
    "class of a module": (nn.Linear, "(make an instance first|make an estimator of the module)"),
    "scikit-learn's MLP": (SklearnMLP(), "initsk.MLPClassifier"),
    "other estimator": (LogisticRegression(), "initsk.MLPClassifier or initsk.NeuralNetClassifier"),
    "function": (lambda: NET, "call it and give the module"),
    "state_dict": (NET.state_dict(), r"module.load_state_dict\(...\)"),
    "parameters": (list(NET.parameters()), "give the module that has these tensors"),
    "tensor": (torch.ones(3), "give the module that has these tensors"),
    "path": ("net.pt", r"torch.load\(...\)"),
    "pipeline": (make_pipeline(StandardScaler(), LogisticRegression()), "initsk.MLPClassifier"),
    "Keras": (KerasModel(), "a model of keras has no torch module"),
    "optimizer": (torch.optim.SGD(NET.parameters()), "give the module that it optimizes"),
}


@pytest.mark.parametrize(("given", "words"), OBJECTS.values(), ids=OBJECTS)
def test_the_message_names_the_next_step(given, words):
    for name, call in TAKE_A_NETWORK.items() | {("compare", lambda m: compare_initializers(m, X, Y))}:
        with pytest.raises(InitskError, match=words) as caught:
            call(given)
        # No values of tensors, and no addresses.
        assert len(str(caught.value)) < 400, name
        assert " 0x" not in str(caught.value)


@pytest.mark.parametrize("given", [NET, nn.Linear])
def test_a_module_becomes_an_estimator_as_the_message_says(given):
    words = r"NeuralNetClassifier\(module, criterion=torch.nn.CrossEntropyLoss\)"
    with pytest.raises(InitskError, match=words):
        compare_initializers(given, X, Y)
    net = NeuralNetClassifier(NET, criterion=torch.nn.CrossEntropyLoss, max_epochs=1, verbose=0)
    result = compare_initializers(net, X.astype("float32"), Y, initializers=["he_normal"], n_repeats=1)
    assert result.runs["status"].tolist() == ["ok"]


def test_objects_in_the_place_of_others():
    with pytest.raises(InitskError, match="initializers come in the list initializers="):
        compare_initializers(HeNormal(), X, Y)
    with pytest.raises(InitskError, match=r"give its module .*or set its parameter initializer"):
        initialize(MLPClassifier((4,)), "he_normal")


class Own:
    """An object with the repr of Python, which shows its address."""

    def __call__(self, *values):
        return None


REFUSE_A_VALUE = {
    "parameter": lambda value: MLPClassifier((4,), lr=value).fit(X, Y),
    "list of layers": lambda value: inspect_activations(NET, X, layers=[value]),
    "initializer": lambda value: initialize(NET, [value]),
    "random state": lambda value: initialize(NET, random_state=value),
    "activation": lambda value: theory.gain(value),
    "grid": lambda value: compare_initializers(MLPClassifier(), X, Y, grid={"lr": value}),
    "compared parameter": lambda value: compare_initializers(MLPClassifier(), X, Y, parameter=value),
    "folds": lambda value: compare_initializers(MLPClassifier(), X, Y, cv=value),
    "scorer": lambda value: compare_initializers(MLPClassifier(), X, Y, scoring=[value]),
    "bounds": lambda value: ComparisonResult.from_frame(FRAME, bounds=value),
}


@pytest.mark.parametrize("call", REFUSE_A_VALUE.values(), ids=REFUSE_A_VALUE)
def test_messages_show_objects_without_their_addresses(call):
    for value, name in [(Own(), "Own"), (Own().__call__, "Own.__call__")]:
        with pytest.raises(InitskError, match=name) as caught:
            call(value)
        assert " at 0x" not in str(caught.value)
        assert " 0x" not in str(caught.value)


def test_numbers_in_hexadecimal_stay_in_messages():
    with pytest.raises(InitskError, match=r"'layer 0x1F'"):
        inspect_activations(NET, X, layers=["layer 0x1F"])
