"""The criterion of a module: the names of torch's losses, as the estimators take them."""

import numpy as np
import pytest
import torch
from torch import nn

from initsk import NeuralNetRegressor, diagnose, initialize, inspect_activations
from initsk.exceptions import InvalidParameterError, ModuleError
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


def train(criterion, net=NeuralNetRegressor):
    return net(network(), criterion=criterion, max_epochs=1, verbose=0, random_state=0).fit(X, Y)


def squared(output, y):
    return ((output - y) ** 2).mean()


def missing(output, y):
    raise KeyError("missing")


@pytest.mark.parametrize("function", [*sorted(set(FUNCTIONS) - {"loss_of"}), "fit"])
@pytest.mark.parametrize(
    ("criterion", "words"),
    [
        (lambda output, y: squared(output, y) * 1j, r"returns a value of shape \(\) and type complex64"),
        (lambda output, y: (output - y) ** 2, r"returns a value of shape \(\d+, 2\) and type float32"),
        (lambda output, y: torch.tensor(3), r"returns a value of shape \(\) and type int64"),
        (lambda output, y: None, "returns a value of type NoneType"),
        (lambda output, y: "loss", "returns a value of type str"),
        (lambda output, y: (squared(output, y), 1), "returns a value of type tuple"),
        (missing, r"criterion missing fails for output of shape \(\d+, 2\) .*missing"),
    ],
)
def test_a_criterion_that_gives_no_real_number_is_one_error_of_one_line(function, criterion, words):
    # skorch calls what it is given, for the loss.
    call = (lambda criterion: train(lambda: criterion)) if function == "fit" else FUNCTIONS[function]
    with pytest.raises(ModuleError, match=words) as caught:
        call(criterion)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(
        f"{function}: criterion" if function in ("GradInit", "MetaInit") else "criterion"
    )


def test_a_net_with_a_loss_of_its_own_may_weight_the_losses_of_the_values():
    class Weighted(NeuralNetRegressor):
        def get_loss(self, y_pred, y_true, *args, **kwargs):
            return super().get_loss(y_pred, y_true, *args, **kwargs).mean()

    plain, weighted = train(nn.MSELoss), train(lambda: nn.MSELoss(reduction="none"), Weighted)
    assert weighted.history[-1]["train_loss"] == plain.history[-1]["train_loss"]


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = network()
        self.size = nn.Linear(2, 1)

    def forward(self, x):
        scores = self.body(x)
        return {"kind": scores, "size": self.size(scores)}


HEADS = {"kind": (X.sum(1) > 0).astype(int), "size": X[:, :1]}


def heads():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Heads()


def weights_of_heads(initializer):
    model = heads()
    initialize(model, initializer, X=X, y=HEADS, random_state=0)
    return [parameter.tolist() for parameter in model.parameters()]


# Each returns what depends on the criteria of the heads.
FUNCTIONS_OF_HEADS = {
    "diagnose": lambda criterion: diagnose(heads(), X, HEADS, criterion=criterion, **QUICK).loss,
    "inspect_activations": lambda criterion: (
        inspect_activations(heads(), X, HEADS, gradients=True, criterion=criterion)
        .to_frame("gradients")["rms"]
        .tolist()
    ),
    "gradient_coherence": lambda criterion: gradient_coherence(heads(), X, HEADS, criterion=criterion).loss,
    "GradInit": lambda criterion: weights_of_heads(GradInit(n_steps=2, criterion=criterion)),
    "MetaInit": lambda criterion: weights_of_heads(MetaInit(n_steps=2, criterion=criterion)),
}


@pytest.mark.parametrize("function", FUNCTIONS_OF_HEADS)
def test_each_head_may_have_a_criterion_or_its_name(function):
    measured = FUNCTIONS_OF_HEADS[function]
    named = measured({"kind": "CrossEntropyLoss", "size": "L1Loss"})
    assert named == measured({"kind": nn.CrossEntropyLoss(), "size": nn.L1Loss()})
    assert named != measured(None)
    with pytest.raises(InvalidParameterError, match="did you mean 'MSELoss'"):
        measured({"kind": "CrossEntropyLoss", "size": "MSELos"})
    for wrong in ({}, {"kind": None}, {1: "MSELoss"}):
        with pytest.raises(InvalidParameterError, match="a dict of names or functions by name of the head"):
            measured(wrong)
    with pytest.raises(ModuleError, match=r"criterion has the heads \['size'\], and y has \['kind', 'size'\]"):
        measured({"size": "MSELoss"})
    with pytest.raises(ModuleError, match="head 'size': criterion <lambda> returns a value of type float"):
        measured({"kind": "CrossEntropyLoss", "size": lambda output, y: 1.0})
