"""Mistakes in a recorder's parameters and probe, and networks that change while they are recorded."""

import numpy as np
import pandas as pd
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from initsk import diagnose, inspect_activations
from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.inspection import ActivationRecorder
from tests.helpers import build
from tests.inspection.test_callback import PROBE, X, Y, mlp, plain


@pytest.fixture(autouse=True)
def _random_state_of_skorch():
    """Let nets of skorch draw from torch's generator."""
    with torch.random.fork_rng(devices=[]):
        yield


class Changing(Callback):
    """Calls a function after the first step of each epoch."""

    def __init__(self, change):
        self.change = change

    def on_batch_end(self, net, training=False, **kwargs):
        if training and len(net.history[-1]["batches"]) == 1:
            self.change(net)


@pytest.mark.parametrize("unit", ["epoch", "step"])
@pytest.mark.parametrize("probe", [PROBE, None], ids=["probe", "batches"])
@pytest.mark.parametrize(("name", "value"), [("every", 0), ("every", 1.5), ("unit", "week"), ("bins", 0)])
def test_a_parameter_that_changes_in_training_is_checked(unit, probe, name, value):
    recorder = ActivationRecorder(probe, unit=unit)
    wrong = Changing(lambda net: recorder.set_params(**{name: value}))
    with pytest.raises(InvalidParameterError, match=rf"ActivationRecorder: {name}={value!r} is not allowed"):
        plain(wrong, recorder).fit(X, Y)


@pytest.mark.parametrize("criterion", [nn.CrossEntropyLoss, nn.NLLLoss])
def test_labels_of_a_probe_count_from_0(criterion):
    words = r"y has labels 1 to 10, but the module gives 10 scores \(labels count from 0\)"
    module = build(lambda: nn.Sequential(nn.Linear(64, 10), nn.Softmax(-1)))
    net = plain(ActivationRecorder((X, Y + 1), gradients=True), module=module).set_params(criterion=criterion)
    with pytest.raises(ModuleError, match=words):
        net.fit(X, Y)
    with pytest.raises(ModuleError, match=words):
        mlp(ActivationRecorder((X, Y + 1), gradients=True)).fit(X, Y + 1)


def test_measurements_of_a_net_name_labels_that_have_no_score():
    net = plain().fit(X, Y)
    with pytest.raises(ModuleError, match="y has labels 5 to 14, but the module gives 10 scores"):
        inspect_activations(net, X, Y + 5, gradients=True)
    with pytest.raises(ModuleError, match="y has labels -1 to 8, but"):
        diagnose(net, X, Y - 1, trial_steps=2)


def test_an_ignored_label_needs_no_score():
    net = plain().set_params(criterion__ignore_index=10).fit(X, Y)
    expected = inspect_activations(net, X, Y, gradients=True).parameters()
    labels = np.concatenate([Y, np.full(50, 10)])
    found = inspect_activations(net, np.concatenate([X, X[:50]]), labels, gradients=True).parameters()
    pd.testing.assert_frame_equal(found, expected, rtol=1e-3)


@pytest.mark.parametrize("probe", ["x", ("x", Y), [["a"]], (X, "y"), (X, Y[:3])], ids=str)
def test_an_error_in_the_probe_names_it(probe):
    recorder = ActivationRecorder(probe, gradients=isinstance(probe, tuple))
    with pytest.raises(InvalidParameterError, match=r"^probe: .*(X|y)"):
        plain(recorder).fit(X, Y)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda net: net.module_.add_module("added", nn.Linear(10, 10)), r"only the second has 'added' \(output\)"),
        (lambda net: net.module_.__delitem__(2), r"only the first has '1' \(activation\), '1' \(pre_activation\)"),
    ],
    ids=["added", "deleted"],
)
def test_layers_that_change_within_an_epoch_are_named(change, words):
    with pytest.raises(InvalidParameterError, match=rf"summaries of different layers cannot be added: .*{words}"):
        plain(Changing(change), ActivationRecorder()).fit(X, Y)
