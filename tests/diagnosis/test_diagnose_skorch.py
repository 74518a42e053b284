"""Diagnoses of skorch nets: their start, their loss and the steps of their fit."""

import numpy as np
import pytest
import skorch
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from initsk import diagnose, inspect_activations, recommend_initializer
from initsk.diagnosis import predict_signal
from initsk.inspection import ActivationInspector, gradient_coherence
from initsk.network import MLP
from initsk.testing._global_state import global_state

N = 200
X = np.random.default_rng(0).normal(size=(N, 8)).astype(np.float32)
CLASSES = (X[:, 0] > 0).astype(np.int64) + (X[:, 1] > 0)


def classifier(kind=skorch.NeuralNetClassifier, **options):
    """Return a net with logits for three classes, not initialized."""
    options = {"module__n_features": 8, "module__n_outputs": 3} | options
    return kind(MLP, **{"criterion": nn.CrossEntropyLoss, "lr": 0.1, "max_epochs": 10, "verbose": 0} | options)


def noisy(inputs):
    """Return inputs with noise of numpy's global generator."""
    return inputs + np.random.normal(size=inputs.shape).astype(np.float32)  # noqa: NPY002 - as a user's function


MEASURES = {
    "diagnose": lambda net: diagnose(net, X, CLASSES).trial["loss"],
    "recommend_initializer": lambda net: recommend_initializer(net, X, CLASSES).measured["loss"],
    "inspect_activations": lambda net: inspect_activations(net, X).to_frame()["std"],
    "gradient_coherence": lambda net: gradient_coherence(net, X, CLASSES).size,
    "predict_signal": lambda net: predict_signal(net)["forward"],
}


def check_that_it_repeats_without_a_trace(measure, net):
    before = global_state()
    first, second = measure(net), measure(net)
    np.testing.assert_array_equal(first, second)
    assert global_state() == before


@pytest.mark.parametrize("pipeline", [False, True])
@pytest.mark.parametrize("measure", MEASURES)
def test_an_unfitted_net_is_measured_without_a_trace(measure, pipeline):
    net = make_pipeline(FunctionTransformer(noisy), classifier()) if pipeline else classifier()
    check_that_it_repeats_without_a_trace(MEASURES[measure], net)


def test_an_inspector_initializes_without_a_trace():
    def measure(net):
        return ActivationInspector(net, when="initialized").fit(X, CLASSES).transform(X)

    check_that_it_repeats_without_a_trace(measure, classifier())


def test_the_weights_are_those_from_which_a_fit_would_start():
    net = classifier(max_epochs=1, batch_size=-1, train_split=None)
    loss = gradient_coherence(net, X, CLASSES).loss
    with torch.random.fork_rng():
        net.fit(X, CLASSES)
    # A single batch, whose loss is that before the step.
    assert net.history[0, "train_loss"] == pytest.approx(loss, rel=1e-5)
