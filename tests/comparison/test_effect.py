"""A comparison whose initializers change nothing is refused, and no run that fills nothing counts as a result."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import FitFailedWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from initsk import NeuralNetClassifier, compare_initializers
from initsk.exceptions import InvalidParameterError
from initsk.initializers import Initializer

X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)


class Nothing(Initializer):
    """Initializer that chooses nothing."""

    def choose(self, spec):
        return None


class Frozen(nn.Module):
    """A network whose weights are frozen; its biases are not."""

    def __init__(self, n_frozen=2):
        super().__init__()
        self.first, self.second = nn.Linear(4, 8), nn.Linear(8, 2)
        for layer in (self.first, self.second)[:n_frozen]:
            layer.weight.requires_grad_(False)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


class Reordered(nn.Module):
    """A network that multiplies the signal by rows of its weight in another order, a use that is not known."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, 4))

    def forward(self, x):
        return nn.functional.linear(x, self.weight[torch.tensor([1, 0])])


class Built(nn.Module):
    """A network that can only be built with an argument, which a callback may set."""

    def __init__(self, width):
        super().__init__()
        self.layer = nn.Linear(width, 2)

    def forward(self, x):
        return self.layer(x)


def net(module, **options):
    settings = {"criterion": nn.CrossEntropyLoss, "max_epochs": 1, "verbose": 0, "train_split": None}
    return NeuralNetClassifier(module, **settings | options)


def compare(estimator, initializers, **options):
    settings = {"n_repeats": 1, "activations": False, "random_state": 0}
    return compare_initializers(estimator, X, Y, initializers=initializers, **settings | options)


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (Frozen, r"frozen \(requires_grad is False\)"),
        (Reordered, "no rule for weight of Reordered|way that is not known"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: make_pipeline(StandardScaler(), model)])
def test_a_network_without_reachable_weights_is_refused(module, reason, wrap):
    with pytest.raises(InvalidParameterError, match=r"no initializer \(zeros, he_normal\) fills a weight") as caught:
        compare(wrap(net(module)), ["zeros", "he_normal"])
    assert caught.match(reason)


def test_initializers_that_choose_nothing_are_refused():
    with pytest.raises(InvalidParameterError, match="chooses nothing"):
        compare(net(Frozen, module__n_frozen=0), [Nothing()])


def test_a_candidate_that_fills_nothing_fails_with_the_reason():
    runs = compare(net(Frozen, module__n_frozen=0), [Nothing(), "he_normal"]).runs.set_index("initializer")
    assert runs.loc["Nothing()", "status"] == "failed"
    assert "filled no weight: the initializer chooses nothing for weights" in runs.loc["Nothing()", "reason"]
    assert runs.loc["he_normal", "status"] == "ok"


def test_one_weight_that_is_filled_is_enough():
    runs = compare(net(Frozen, module__n_frozen=1), ["zeros", "he_normal"]).runs
    assert set(runs["status"]) == {"ok"}


def test_other_parameters_than_the_weights_initializer_are_compared():
    """Biases are filled although all weights are frozen."""
    runs = compare(net(Frozen, bias_initializer="zeros"), ["zeros", "ones"], parameter="bias_initializer").runs
    assert set(runs["status"]) == {"ok"}


def test_a_module_that_only_the_training_can_build_is_not_refused():
    with pytest.warns(FitFailedWarning, match="missing 1 required positional argument: 'width'"):
        compare(net(Built), ["zeros", "he_normal"])
