"""Gradient coherence: known answers and general properties."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from initsk import MLPClassifier, diagnose, initialize
from initsk.exceptions import ModuleError
from initsk.inspection import gradient_coherence
from initsk.network import MLP
from tests.helpers import batch, build

X, Y = load_digits(return_X_y=True)
X = (X / 16).astype("float32")


def test_the_gradient_of_a_linear_layer_is_the_covariance_of_inputs_and_errors():
    # The gradient of x^T w without the mean error is the covariance of inputs and errors.
    module = build(lambda: nn.Linear(5, 1))
    inputs, targets = batch(400, 5), batch(400, 1, seed=1)
    signal = gradient_coherence(module, inputs, targets)
    sizes = []
    for half in (slice(0, 200), slice(200, 400)):
        errors = (module(inputs[half]) - targets[half]).detach()
        errors = errors - errors.mean(0)
        sizes.append(((errors * inputs[half]).mean(0).norm() ** 2, errors.square().mean()))
    expected = (sum(g for g, _ in sizes) / sum(e for _, e in sizes)) ** 0.5
    assert signal.sizes["weight"] == pytest.approx(expected.item(), rel=1e-4)
    # A bias moves all outputs together, so its part of the gradient that distinguishes samples is zero.
    assert signal.sizes["bias"] == pytest.approx(0, abs=1e-6)
    assert list(signal.agreements) == ["weight"]


def test_coherence_does_not_depend_on_the_scale_of_the_loss():
    module = build(lambda: MLP(64, 10, (16,)))
    one, ten = (
        gradient_coherence(module, X, Y, criterion=lambda output, y, f=f: f * nn.functional.cross_entropy(output, y))
        for f in (1.0, 10.0)
    )
    assert ten.size == pytest.approx(one.size, rel=1e-5)
    assert ten.agreements == pytest.approx(one.agreements, rel=1e-5)
    assert ten.loss == pytest.approx(10 * one.loss, rel=1e-6)


def test_agreement_does_not_depend_on_the_number_of_samples():
    module = build(lambda: MLP(64, 10, (64, 64)))
    initialize(module, "he_normal", random_state=0)
    order = np.random.default_rng(0).permutation(len(X))
    few, many = (gradient_coherence(module, X[order[:n]], Y[order[:n]]).agreement for n in (128, 1024))
    # The cosines themselves differ more: 1 / (1 + N / n) for n = 64 and 512.
    assert few == pytest.approx(many, abs=0.1)
    assert 0.5 < many < 1


def test_gradients_of_random_labels_do_not_agree():
    module = build(lambda: MLP(64, 10, (64, 64)))
    initialize(module, "he_normal", random_state=0)
    labels = np.random.default_rng(0).integers(0, 10, len(X))
    assert (
        gradient_coherence(module, X, labels).agreement < 0.2 < 0.8 < gradient_coherence(module, X, Y).agreement + 0.1
    )


def test_nothing_is_left_behind():
    clf = MLPClassifier((16,), random_state=0).initialize(X, Y)
    module = clf.net_.module_
    before = {name: values.clone() for name, values in module.state_dict().items()}
    gradient_coherence(clf, X, Y)
    assert all(torch.equal(values, before[name]) for name, values in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())


def test_a_module_without_trained_parameters_is_an_error():
    with pytest.raises(ModuleError, match="no parameter is trained"):
        gradient_coherence(build(lambda: nn.Flatten()), X, Y)


class ComplexProduct(nn.Module):
    """A product with complex weights, which are one complex tensor or the pairs of their parts."""

    def __init__(self, is_complex):
        super().__init__()
        weight = torch.view_as_complex(batch(64, 10, 2) / 8)
        self.weight = nn.Parameter(weight if is_complex else torch.view_as_real(weight).clone())

    def forward(self, x):
        weight = self.weight if self.weight.is_complex() else torch.view_as_complex(self.weight)
        return (x.to(weight.dtype) @ weight).abs()


@pytest.mark.filterwarnings("error")
def test_both_parts_of_complex_weights_count():
    found, expected = (gradient_coherence(ComplexProduct(form), X, Y) for form in (True, False))
    assert found.sizes == pytest.approx(expected.sizes, rel=1e-5)
    assert found.agreements == pytest.approx(expected.agreements, rel=1e-5)


@pytest.mark.filterwarnings("error")
def test_a_diagnosis_of_complex_weights_is_that_of_their_parts():
    found, expected = (diagnose(ComplexProduct(form), X, Y, trial_steps=4, budget=8) for form in (True, False))
    assert found.measurements.coherence.size == pytest.approx(expected.measurements.coherence.size, rel=1e-5)
    assert found.trial["loss"].iloc[0] == pytest.approx(expected.trial["loss"].iloc[0])
    assert found.trial["gradient_norm"].iloc[0] == pytest.approx(expected.trial["gradient_norm"].iloc[0])
