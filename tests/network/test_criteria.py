"""The criterion of a module: the names of torch's losses, as the estimators take them."""

import numpy as np
import pytest
import torch
from torch import nn

from initsk import diagnose, initialize, inspect_activations
from initsk.exceptions import InvalidParameterError
from initsk.initializers import GradInit, MetaInit
from initsk.inspection import gradient_coherence
from initsk.network import loss_of
from initsk.testing import assert_trainable

X = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
Y = 3 * X[:, :2]
QUICK = {"trial_steps": 2, "time_limit": 10.0}


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))


def weights(initializer):
    model = network()
    initialize(model, initializer, X=X, y=Y, random_state=0)
    return [parameter.tolist() for parameter in model.parameters()]


# Each returns what depends on the criterion.
FUNCTIONS = {
    "diagnose": lambda criterion: diagnose(network(), X, Y, criterion=criterion, **QUICK).loss,
    "inspect_activations": lambda criterion: (
        inspect_activations(network(), X, Y, gradients=True, criterion=criterion).to_frame("gradients")["rms"].tolist()
    ),
    "gradient_coherence": lambda criterion: gradient_coherence(network(), X, Y, criterion=criterion).loss,
    "assert_trainable": lambda criterion: (
        assert_trainable(network(), X, Y, min_score=0, criterion=criterion, **QUICK).loss
    ),
    "GradInit": lambda criterion: weights(GradInit(n_steps=2, criterion=criterion)),
    "MetaInit": lambda criterion: weights(MetaInit(n_steps=2, criterion=criterion)),
    "loss_of": lambda criterion: loss_of(network()(torch.tensor(X)), torch.tensor(Y), criterion).item(),
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_name_is_the_loss_of_torch_with_its_defaults(function):
    measured = FUNCTIONS[function]
    expected = measured(nn.HuberLoss())
    for name in ("HuberLoss", "huberloss", "nn.HuberLoss", "torch.nn.HuberLoss"):
        assert measured(name) == expected
    assert measured(None) != expected


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_misspelled_name_is_an_error_with_the_name_that_is_meant(function):
    with pytest.raises(InvalidParameterError, match=r"did you mean 'CrossEntropyLoss'.* or a function loss"):
        FUNCTIONS[function]("CrossEntropyLos")


@pytest.mark.parametrize("function", sorted(set(FUNCTIONS) - {"loss_of"}))
@pytest.mark.parametrize("criterion", [3, nn.MSELoss])
def test_what_is_no_criterion_is_an_error_with_what_is_allowed(function, criterion):
    with pytest.raises(InvalidParameterError, match=r"criterion=.*the name of one of torch's losses, a function loss"):
        FUNCTIONS[function](criterion)


def test_each_head_may_have_a_name():
    class Heads(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = network()
            self.size = nn.Linear(2, 1)

        def forward(self, x):
            scores = self.body(x)
            return {"kind": scores, "size": self.size(scores)}

    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = Heads()
    y = {"kind": (X.sum(1) > 0).astype(int), "size": X[:, :1]}
    named = {"kind": "CrossEntropyLoss", "size": "MSELoss"}
    called = {"kind": nn.CrossEntropyLoss(), "size": nn.MSELoss()}
    losses = [diagnose(module, X, y, criterion=criterion, **QUICK).loss for criterion in (named, called)]
    assert losses[0] == losses[1]
    with pytest.raises(InvalidParameterError, match=r"did you mean 'MSELoss'"):
        diagnose(module, X, y, criterion={"kind": "CrossEntropyLoss", "size": "MSELos"})
