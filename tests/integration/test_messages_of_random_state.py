"""A random state that is not allowed: every entry says it once."""

import pytest
import torch
from sklearn.datasets import load_iris
from torch import nn

from initsk import (
    ActivationInspector,
    MLPClassifier,
    MLPRegressor,
    NeuralNetClassifier,
    audit,
    compare_initializers,
    diagnose,
    get_initializer,
    initialize,
    inspect_activations,
    recommend_initializer,
)
from initsk.exceptions import InvalidParameterError
from tests.helpers import build

X, Y = load_iris(return_X_y=True)


def net():
    return build(lambda: nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3)))


ENTRIES = {
    "MLPClassifier": lambda seed: MLPClassifier((4,), random_state=seed).fit(X, Y),
    "MLPRegressor": lambda seed: MLPRegressor((4,), random_state=seed).fit(X, Y),
    "NeuralNetClassifier": lambda seed: NeuralNetClassifier(net(), random_state=seed).fit(X, Y),
    "ActivationInspector": lambda seed: ActivationInspector(net(), random_state=seed).fit(X),
    "compare_initializers": lambda seed: compare_initializers(MLPClassifier((4,)), X, Y, random_state=seed),
    "initialize": lambda seed: initialize(net(), "he_normal", random_state=seed),
    "sample": lambda seed: get_initializer("he_normal").sample((3, 4), random_state=seed),
    "fill_": lambda seed: get_initializer("he_normal").fill_(torch.zeros(3, 4), random_state=seed),
    "inspect_activations": lambda seed: inspect_activations(net(), X, random_state=seed),
    "diagnose": lambda seed: diagnose(net(), X, Y, random_state=seed),
    "audit": lambda seed: audit(net(), X, random_state=seed),
    "recommend_initializer": lambda seed: recommend_initializer(net(), X, Y, random_state=seed),
}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("seed", [-1, "0", 0.5, True])
def test_the_message_says_once_what_is_allowed(entry, seed):
    with pytest.raises(InvalidParameterError) as caught:
        ENTRIES[entry](seed)
    message = str(caught.value)
    assert message.count("is not allowed") == 1
    assert message.endswith(
        f"random_state={seed!r} is not allowed (an integer >= 0, a numpy RandomState or Generator, or None)"
    )
