"""Several threads at once: each gets the result that it gets alone, and what they share stays as it was."""

import copy
import sys
import threading
import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from torch import nn

from initsk import (
    MLPClassifier,
    NeuralNetClassifier,
    compare_initializers,
    initialize,
    inspect_activations,
)
from initsk.initializers import HeNormal
from tests.entry_points import entry_points, values_of
from tests.helpers import batch, build, params

N_THREADS = 8
LIMIT_S = 60
X = batch(48, 6)
Y = torch.arange(48) % 3
IRIS, SPECIES = load_iris(return_X_y=True)
IRIS = IRIS.astype(np.float32)


def hook(layer, arguments, output):
    """Stand for a hook of a user."""


def make_shared():
    """Build a module whose state is not the usual one."""
    module = build(
        lambda: nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 3))
    )
    module.train()
    module[2].eval()
    module[0].weight.requires_grad_(False)
    module[4].weight.grad = torch.ones(3, 16)
    module[4].register_forward_hook(hook)
    return module


def state_of(module):
    """Return all of a module that a call could leave changed, as comparable values."""
    return (
        [part.training for part in module.modules()],
        [parameter.requires_grad for parameter in module.parameters()],
        [None if parameter.grad is None else parameter.grad.tolist() for parameter in module.parameters()],
        {name: values.tolist() for name, values in module.state_dict().items()},
        [[list(held.values()) for held in vars(part).values() if isinstance(held, dict)] for part in module.children()],
    )


# What is shared is only read: the calls promise to leave it as it is.
ON_A_SHARED_MODULE = entry_points(
    X, Y, "inspect in training", "transform", "read", "audit", "recommend", "diagnose", "predict its own weights"
) | {"inspect": lambda module: inspect_activations(module, X, Y, gradients=True, batch_size=16)}


def weights(estimator):
    module = getattr(estimator, "net_", estimator).module_
    return [parameter.tolist() for parameter in module.parameters()]


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.Tanh(), nn.Linear(8, 3))

    def forward(self, x):
        return self.layers(x)


def fit_net():
    settings = {"criterion": nn.CrossEntropyLoss, "max_epochs": 2, "random_state": 0, "verbose": 0}
    return weights(NeuralNetClassifier(Dense, initializer=HeNormal(), **settings).fit(IRIS, SPECIES))


def fit(**parameters):
    return weights(MLPClassifier((8,), max_epochs=2, random_state=0, dropout=0.3, **parameters).fit(IRIS, SPECIES))


# torch's constructors draw from the global generator, which no thread may do while others use it.
PLAIN = build(lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)))


def fill():
    module = copy.deepcopy(PLAIN)
    initialize(module, "lsuv", X=IRIS, random_state=0)
    return [parameter.tolist() for parameter in module.parameters()]


def compare():
    clf = MLPClassifier((4,), max_epochs=1)
    result = compare_initializers(clf, IRIS, SPECIES, initializers=["zeros", "he_normal"], n_repeats=1, n_jobs=1)
    return result.runs["score"].tolist()


# Each call has a module of its own.
ON_OWN_MODULES = {
    "fit": fit,
    "fit with n_threads": lambda: fit(n_threads=2),
    "fit with a function": lambda: fit(activation=lambda x: torch.nn.functional.dropout(x, 0.5).tanh()),
    "fit a net": fit_net,
    "initialize": fill,
}


def run_together(calls, times=2):
    """Run calls in threads that begin at the same moment, each several times; return each call's results."""
    results, errors, start = {name: [] for name in calls}, [], threading.Barrier(len(calls))

    def work(name, call):
        try:
            start.wait(LIMIT_S)
            for _ in range(times):
                results[name].append(call())
        except BaseException as error:
            errors.append((name, error))

    threads = [threading.Thread(target=work, args=item, daemon=True) for item in calls.items()]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT_S)
    finally:
        sys.setswitchinterval(before)
    assert not any(thread.is_alive() for thread in threads)
    assert errors == []
    # pandas changes the warning filters, so the threads have ended by now.
    return {name: list(map(values_of, found)) for name, found in results.items()}


# The next test calls all of them.
@pytest.mark.parametrize("name", params(ON_A_SHARED_MODULE, slow={"diagnose"}))
def test_a_module_that_threads_share_stays_as_it_was(name):
    module, call = make_shared(), ON_A_SHARED_MODULE[name]
    before, alone = state_of(module), values_of(call(module))
    together = run_together({number: lambda: call(module) for number in range(N_THREADS)}, times=1)
    assert all(found == [alone] for found in together.values())
    assert state_of(module) == before


def test_different_calls_on_a_shared_module_and_on_others_at_once():
    module = make_shared()
    before = state_of(module)
    calls = {name: lambda call=call: call(module) for name, call in ON_A_SHARED_MODULE.items()} | ON_OWN_MODULES
    alone = {name: values_of(call()) for name, call in calls.items()}
    together = run_together(calls)
    assert [name for name, found in together.items() if found != [alone[name]] * 2] == []
    assert state_of(module) == before


def test_comparisons_in_threads():
    alone, module = compare(), make_shared()
    # scikit-learn's splits and joblib put the warning filters back in an order of their own, which threads may mix.
    with warnings.catch_warnings():
        together = run_together({0: compare, 1: compare, 2: lambda: ON_A_SHARED_MODULE["inspect"](module)})
    assert together[0] == together[1] == [alone] * 2


def test_predictions_while_the_network_is_inspected():
    clf = MLPClassifier((8,), max_epochs=2, random_state=0, dropout=0.3).fit(IRIS, SPECIES)
    alone = clf.predict_proba(IRIS).tolist()
    calls = {
        "predict": lambda: clf.predict_proba(IRIS).tolist(),
        "forward": lambda: clf.net_.predict_proba(IRIS).tolist(),
        "inspect": lambda: inspect_activations(clf, IRIS, training=True),
    }
    expected = {name: values_of(call()) for name, call in calls.items()}
    assert expected["predict"] == alone
    assert run_together(calls, times=10) == {name: [values] * 10 for name, values in expected.items()}


def test_nets_that_share_a_module_train_one_after_the_other():
    module = build(Dense)
    settings = {"criterion": nn.CrossEntropyLoss, "max_epochs": 2, "random_state": 0, "verbose": 0}

    def losses():
        return NeuralNetClassifier(module, **settings).fit(IRIS, SPECIES).history[:, "train_loss"]

    alone = losses()
    assert run_together(dict.fromkeys(range(4), losses)) == {number: [alone] * 2 for number in range(4)}


def test_clones_are_made_of_the_module_as_it_is_outside_of_inspections():
    net = NeuralNetClassifier(make_shared(), random_state=0)
    before = state_of(net.module)

    def modes():
        copied = net.__sklearn_clone__().module
        return [part.training for part in copied.modules()], [p.requires_grad for p in copied.parameters()]

    calls = {"clone": modes, "inspect": lambda: ON_A_SHARED_MODULE["inspect"](net.module)}
    alone = modes()
    assert run_together(calls, times=5)["clone"] == [alone] * 5
    assert state_of(net.module) == before
