"""Global settings of torch and numpy around every entry point: the numbers are those without the setting."""

import warnings
from contextlib import contextmanager, suppress

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from initsk import (
    ActivationInspector,
    MLPClassifier,
    MLPRegressor,
    NeuralNetClassifier,
    NeuralNetRegressor,
    audit,
    compare_initializers,
    diagnose,
    get_initializer,
    initialize,
    inspect_activations,
    list_initializers,
    recommend_initializer,
)
from initsk.exceptions import InitskError, ModuleError
from initsk.initializers import GradInit
from initsk.inspection import gradient_coherence
from initsk.utils.torch_settings import default_type, flushed_subnormals, outside_of_contexts
from tests.helpers import build

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(60, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)


@contextmanager
def default_device(device):
    before = torch.get_default_device() if torch.empty(0).device.type != "cpu" else None
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(before)


@contextmanager
def deterministic():
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


@contextmanager
def strict():
    with np.errstate(all="raise"), warnings.catch_warnings(action="error"):
        yield


SETTINGS = {
    "float64": lambda: default_type(torch.float64),
    "bfloat16": lambda: default_type(torch.bfloat16),
    "float16": lambda: default_type(torch.float16),
    "meta": lambda: default_device("meta"),
    "cpu": lambda: default_device("cpu"),
    "with meta": lambda: torch.device("meta"),
    "inference": torch.inference_mode,
    "no_grad": torch.no_grad,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "deterministic": deterministic,
    "flushing": flushed_subnormals,
    "strict": strict,
}


def network():
    """Return a network that was made without the setting."""
    with outside_of_contexts(dtype=torch.float32):
        return _network()


def _network():
    return build(lambda: nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2)))


class Net(nn.Module):
    """A user's module, which makes numbers of the default type in its forward pass."""

    def __init__(self, n_outputs=2, dtype=torch.float32):
        super().__init__()
        self.first, self.last = nn.Linear(4, 8, dtype=dtype), nn.Linear(8, n_outputs, dtype=dtype)

    def forward(self, x):
        return self.last(torch.tanh(self.first(x)) * torch.ones(8))


def fit_classifier():
    clf = MLPClassifier((8,), max_epochs=3, random_state=0, dropout=0.1, normalization="batch_norm").fit(X, Y)
    return [*clf.net_.module_.parameters(), clf.predict_proba(X), clf.history_["train_loss"].to_numpy()]


def fit_fast():
    clf = MLPClassifier((8,), max_epochs=3, random_state=0, batch_size=16).fit(X, Y, X_val=X, y_val=Y)
    clf.partial_fit(X, Y)
    return [*clf.net_.module_.parameters(), clf.predict_log_proba(X), clf.history_["valid_loss"].to_numpy()]


def fit_regressor():
    reg = MLPRegressor((8,), max_epochs=3, random_state=0).fit(X, X[:, :2])
    return [*reg.net_.module_.parameters(), reg.predict(X)]


def fit_net():
    net = NeuralNetClassifier(
        Net, criterion=nn.CrossEntropyLoss, max_epochs=2, random_state=0, verbose=0, classes=[0, 1]
    )
    net.fit(X, Y).partial_fit(X, Y)
    return [*net.module_.parameters(), net.predict_proba(X), net.forward(X), net.predict(X)]


def fit_net_regressor():
    net = NeuralNetRegressor(Net, max_epochs=2, random_state=0, verbose=0, initializer="lsuv")
    net.fit(X, X[:, :2].astype(np.float64))
    return [*net.module_.parameters(), net.predict(X)]


def search():
    estimator = MLPClassifier((8,), max_epochs=2, random_state=0)
    found = GridSearchCV(estimator, {"initializer": ["zeros", "he_normal"]}, cv=2).fit(X, Y)
    return [found.cv_results_["mean_test_score"], *found.best_estimator_.net_.module_.parameters()]


def compare(n_jobs=None):
    estimator = MLPClassifier((8,), max_epochs=2)
    result = compare_initializers(
        estimator, X, Y, initializers=["zeros", "he_normal"], n_repeats=2, random_state=0, n_jobs=n_jobs, progress=False
    )
    assert set(result.runs["status"]) == {"ok"}, result.runs["reason"].tolist()
    return [result.runs["score"].to_numpy(), *(result.layers.select_dtypes("number").to_numpy().T)]


def fill():
    module = network()
    values = []
    for name in ("orthogonal", "sparse", "lsuv", GradInit(n_steps=3), "torch.trunc_normal_"):
        initialize(module, name, X=torch.from_numpy(X), y=torch.from_numpy(Y), random_state=0)
        values += [parameter.detach().clone() for parameter in module.parameters()]
    return values


def sample():
    names = [name for framework in (None, "torch", "keras") for name in list_initializers(framework)["name"]]
    values = []
    for name in names:
        for shape in ((12, 12), (12, 4, 3)):
            with suppress(InitskError):
                values.append(get_initializer(name).sample(shape, random_state=0))
    return values


def inspect():
    summary = inspect_activations(network(), X, Y, gradients=True)
    frames = [summary.to_frame(of) for of in ("activations", "gradients", "weights")]
    frames += [summary.histograms(), summary.findings()]
    return [column for frame in frames for column in frame.select_dtypes("number").to_numpy().T]


def transform():
    inspector = ActivationInspector(MLPClassifier((8,), max_epochs=1, random_state=0), layers="hidden_1")
    return [inspector.fit_transform(X, Y)]


def cohere():
    return [gradient_coherence(network(), X, Y).size]


def diagnosed():
    diagnosis = diagnose(network(), X, Y, random_state=0, trial_steps=5)
    return [diagnosis.score, diagnosis.baseline_loss]


def diagnosed_estimator():
    return [diagnose(MLPClassifier((8,), random_state=0, max_epochs=2), X, Y, random_state=0, trial_steps=5).score]


def audited():
    return [len(audit(network(), X).findings())]


def recommended():
    # Without time, "auto" alone is measured.
    frame = recommend_initializer(network(), X, Y, time_limit=1e-6).to_frame()
    return [np.array(frame["initializer"].astype(str) + frame["why"])]


ENTRIES = [
    fit_classifier, fit_fast, fit_regressor, fit_net, fit_net_regressor, search, compare, fill, sample, inspect,
    transform, cohere, diagnosed, diagnosed_estimator, audited, recommended,
]  # fmt: skip
_EXPECTED = {}


def plain(values):
    return [np.asarray(value.detach() if isinstance(value, torch.Tensor) else value) for value in values]


def expected(entry):
    if entry not in _EXPECTED:
        _EXPECTED[entry] = plain(entry())
    return _EXPECTED[entry]


# One setting of each kind, and entry points that take long with two of them only.
QUICK = ("float64", "meta", "with meta", "inference", "autocast", "strict")
QUICK_OF = dict.fromkeys((fill, search, compare, diagnosed, diagnosed_estimator, recommended), ("float64", "meta"))
CASES = [
    pytest.param(entry, setting, marks=[] if setting in QUICK_OF.get(entry, QUICK) else [pytest.mark.slow],
                 id=f"{entry.__name__}-{setting}")
    for entry in ENTRIES for setting in SETTINGS
]  # fmt: skip


@pytest.mark.parametrize(("entry", "setting"), CASES)
def test_numbers_do_not_depend_on_settings(entry, setting):
    wanted = expected(entry)
    with SETTINGS[setting]():
        found = entry()
    for one, other in zip(plain(found), wanted, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["float64", "inference", "autocast", "meta"])
def test_workers_give_the_same_numbers(setting):
    with SETTINGS[setting]():
        found = compare(n_jobs=2)
    for one, other in zip(plain(found), expected(compare), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_type_of_a_users_module_decides(dtype):
    arguments = {"module__dtype": dtype, "max_epochs": 1, "random_state": 0, "verbose": 0}
    net = NeuralNetRegressor(Net, **arguments).fit(X.astype(np.float64), X[:, :2])
    assert net.predict(X).dtype == net.predict(X.astype(np.float64)).dtype
    assert net.forward(X).dtype == dtype


def test_a_loader_with_a_generator_of_its_own_does_not_notice_an_inspection():
    generator = torch.Generator().manual_seed(3)
    data = TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    loader = DataLoader(data, batch_size=8, shuffle=True, generator=generator)
    before = generator.get_state()
    inspect_activations(network(), loader, gradients=True)
    recommend_initializer(network(), loader)
    initialize(network(), "lsuv", X=loader, random_state=0)
    assert torch.equal(generator.get_state(), before)


def test_a_module_made_in_inference_mode_has_one_sentence():
    with torch.inference_mode():
        module = _network()
        linear = build(lambda: nn.Linear(4, 2))
    assert len(inspect_activations(linear, X).to_frame())
    with pytest.raises(ModuleError, match=r"made in torch\.inference_mode"):
        inspect_activations(module, X)
    with pytest.raises(ModuleError, match=r"made in torch\.inference_mode"):
        inspect_activations(module, X, Y, gradients=True)
