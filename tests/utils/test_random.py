"""The seed that a random_state of None stands for: one draw from numpy's or from torch's global generator."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn

from initsk import (
    ActivationInspector,
    MLPClassifier,
    NeuralNetClassifier,
    audit,
    compare_initializers,
    diagnose,
    get_initializer,
    initialize,
    inspect_activations,
    recommend_initializer,
)
from initsk.utils.random import isolated_random, resolve_seed, resolve_seed_like_torch
from tests.helpers import build

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)


@contextmanager
def states():
    """Yield functions that return numpy's and torch's global states, and put the states back."""
    with isolated_random(None):
        yield (
            lambda: np.random.get_state()[1:3],  # noqa: NPY002
            lambda: torch.get_rng_state().tolist(),
        )


def network(dropout=0.5):
    return build(lambda: nn.Sequential(nn.Linear(3, 4), nn.Dropout(dropout), nn.ReLU(), nn.Linear(4, 2)))


def dropout_of(module):
    return inspect_activations(module, X, training=True, random_state=None).to_frame()["mean"].to_numpy()


def fitted():
    return MLPClassifier((3,), max_epochs=1).fit(X, Y).predict_proba(X)


def fitted_net():
    module = {"module__in_features": 3, "module__out_features": 2, "criterion": nn.CrossEntropyLoss}
    net = NeuralNetClassifier(nn.Linear, max_epochs=1, verbose=0, **module)
    return net.fit(X, Y).forward(X)


def compared():
    estimator = MLPClassifier((3,), max_epochs=1)
    result = compare_initializers(
        estimator, X, Y, initializers=["he_normal"], n_repeats=2, random_state=None, progress=False, activations=False
    )
    return result.history["train_loss"].to_numpy()


def searched():
    search = GridSearchCV(MLPClassifier((3,), max_epochs=1), {"initializer": ["he_normal", "orthogonal"]}, cv=2)
    return search.fit(X, Y).best_estimator_.predict_proba(X)


def transformed():
    return ActivationInspector(MLPClassifier((3,), max_epochs=1), "hidden_1").fit_transform(X, Y)


def diagnosed():
    return diagnose(network(), X, Y, random_state=None, trial_steps=5, max_samples=20).score


def audited():
    return len(audit(network(), X, max_samples=5, random_state=None).findings())


def recommended():
    return recommend_initializer(network(), X, Y, random_state=None).to_frame()["initializer"].astype(str).tolist()


FROM_NUMPY = {
    fitted: 1, fitted_net: 1, compared: 1, searched: 5, transformed: 1, diagnosed: 1, audited: 1,
}  # fmt: skip


def filled():
    module = network()
    initialize(module, "he_normal", random_state=None)
    return module[0].weight.detach()


def sampled():
    return get_initializer("orthogonal").sample((3, 3))


def filled_tensor():
    return get_initializer("torch.normal_").fill_(torch.empty(3, 3))


def called():
    return get_initializer(nn.init.normal_).sample((3, 3))


FROM_TORCH = (filled, sampled, filled_tensor, called)


@pytest.mark.parametrize("call", FROM_NUMPY, ids=lambda call: call.__name__)
def test_estimators_and_comparisons_follow_numpy(call):
    with states() as (of_numpy, of_torch):
        np.random.seed(3)  # noqa: NPY002
        torch_before = of_torch()
        first = call()
        moved = of_numpy()
        second = call()
        assert of_torch() == torch_before
        torch.manual_seed(9)
        np.random.seed(3)  # noqa: NPY002
        np.testing.assert_array_equal(call(), first)
        np.random.seed(3)  # noqa: NPY002
        for _ in range(FROM_NUMPY[call]):
            np.random.randint(2**31 - 1)  # noqa: NPY002
        np.testing.assert_equal(of_numpy(), moved)
    if call not in (diagnosed, audited):
        assert not np.array_equal(first, second)


@pytest.mark.parametrize("call", FROM_TORCH, ids=lambda call: call.__name__)
def test_functions_that_fill_tensors_follow_torch(call):
    with states() as (of_numpy, of_torch):
        torch.manual_seed(3)
        before = of_numpy()
        first, moved, second = call(), of_torch(), call()
        np.testing.assert_equal(of_numpy(), before)
        np.random.seed(9)  # noqa: NPY002
        torch.manual_seed(3)
        assert torch.equal(call(), first)
        torch.manual_seed(3)
        torch.randint(2**31 - 1, ())
        assert of_torch() == moved
    assert not torch.equal(first, second)


def test_a_script_with_seeds_repeats():
    def script():
        np.random.seed(0)  # noqa: NPY002
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
        initialize(module, "he_normal", random_state=None)
        return [module[0].weight.detach(), fitted(), sampled(), compared(), fitted_net()]

    with states():
        for one, other in zip(script(), script(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_what_draws_nothing_and_what_fails_moves_nothing():
    # The fixture of all tests compares the states before and after.
    for name in ("zeros", "ones", "torch.eye_", "zero_hadamard"):
        get_initializer(name).sample((3, 3))
    with pytest.raises(ValueError, match="needs"):
        get_initializer("dirac").sample((3, 3))
    with pytest.raises(ValueError, match="std=-1"):
        get_initializer("random_normal").set_params(std=-1).sample((3, 3))
    with pytest.raises(ValueError, match="lr=-1"):
        MLPClassifier(lr=-1).fit(X, Y)
    clone(MLPClassifier())


def test_seeds_of_every_kind():
    assert resolve_seed(7) == resolve_seed_like_torch(np.int64(7)) == 7
    first, same = (resolve_seed(np.random.RandomState(0)) for _ in range(2))
    assert first == same == resolve_seed_like_torch(np.random.RandomState(0))
    assert resolve_seed(np.random.default_rng(0)) == resolve_seed_like_torch(np.random.default_rng(0))


@pytest.mark.parametrize("wrong", [-1, True, 1.5, "0", [0], torch.Generator()])
@pytest.mark.parametrize("resolve", [resolve_seed, resolve_seed_like_torch])
def test_a_wrong_random_state_has_one_sentence(resolve, wrong):
    with pytest.raises(ValueError, match="is not allowed") as raised:
        resolve(wrong)
    assert str(raised.value).count("random_state") == 1
    assert "an integer >= 0" in str(raised.value)
