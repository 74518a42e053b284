"""Modules that torch runs, or nearly runs: every entry point gives its result, or one error in one line."""

import re
import sys
import threading

import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn.utils.parametrizations import orthogonal, spectral_norm, weight_norm

from initsk import (
    ActivationInspector,
    MLPClassifier,
)
from initsk.exceptions import InitskError, ModuleError
from tests.entry_points import entry_points
from tests.helpers import Net, batch, build, params
from tests.integration.test_threads import IRIS, SPECIES, state_of

X, Y = batch(24, 4), torch.arange(24) % 3
CALLS = entry_points(
    X, Y, "read", "read X", "inspect", "gradients", "transform", "audit", "recommend", "diagnose", "initialize", "lsuv"
)
WRITES = {"initialize", "lsuv"}


def dense(width=4):
    return nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 3))


def gradient_inside(self, x):
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(self.layers(x).square().sum(), x, create_graph=True)
    return self.out(gradient)


def by_torch_func(self, x):
    return self.out(torch.func.vmap(torch.func.grad(lambda row: self.layers(row).square().sum()))(x))


class Answering(nn.Module):
    """Has an answer for every attribute."""

    def __init__(self, answer):
        super().__init__()
        self.layers, self.answer = dense(), answer

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith("__"):
                raise
            return self.answer

    def forward(self, x):
        return self.layers(x)


class Refusing(nn.Module):
    """Has properties that raise, of names that libraries declare."""

    def __init__(self):
        super().__init__()
        self.layers = dense()

    def forward(self, x):
        return self.layers(x)

    @property
    def config(self):
        raise RuntimeError("no configuration")

    example_input_array = dummy_inputs = pretrained_cfg = config


class Unprepared(nn.Module):
    def __init__(self):
        pass


class WithoutHash(nn.Module):
    __hash__ = None

    def __eq__(self, other):
        return self is other


class WithoutModes(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = dense()

    def train(self, mode=True):
        raise RuntimeError("no modes")

    def forward(self, x):
        return self.layers(x)


def holding_itself(as_part):
    module = build(dense)
    if as_part:
        module.add_module("again", module)
    else:
        module.held = [module]
        module.held.append(module.held)
    return module


def nested(depth):
    module = nn.Linear(4, 3)
    for _ in range(depth):
        module = nn.Sequential(module)
    return module


def in_one_byte():
    module = Net(lambda self, x: self.layers(x) @ self.stored.float(), layers=dense())
    module.stored = nn.Parameter(torch.ones(3, 3).to(torch.float8_e4m3fn), requires_grad=False)
    return module


def locked():
    module = dense()
    module.lock = threading.Lock()
    return module


def lazy(forward):
    return Net(forward, layers=nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(3)))


def fails(self, x):
    raise ValueError("it fails")


# torch itself cannot go through their parts, or they have no values to compare.
WITHOUT_STATE = {
    "not prepared", "no hash", "a part of itself", "nested too deep", "lazy", "lazy and failing", "on the meta device"
}  # fmt: skip
# The calls that raise, None if the table does not tell, and words of their errors.
HONEST = {
    "a gradient in the forward pass": (lambda: Net(gradient_inside, layers=dense(), out=nn.Linear(4, 3)), (), ""),
    "torch.func": (lambda: Net(by_torch_func, layers=dense(), out=nn.Linear(4, 3)), None, "vmap|no layer"),
    "traced by torch.fx": (lambda: torch.fx.symbolic_trace(dense()), (), ""),
    "scripted": (lambda: torch.jit.script(dense()), set(CALLS), "hides its layers"),
    "any attribute": (lambda: Answering(lambda *args, **kwargs: 1), (), ""),
    "any attribute is a number": (lambda: Answering(7), (), ""),
    "properties that raise": (Refusing, (), ""),
    "not prepared": (Unprepared, set(CALLS), "__init__ calls that of torch.nn.Module"),
    "no hash": (WithoutHash, set(CALLS), "have a hash"),
    "a part of itself": (lambda: holding_itself(True), set(CALLS), "contains itself"),
    "in a list of its own": (lambda: holding_itself(False), (), ""),
    "deep": (lambda: nn.Sequential(*(nn.Linear(4, 4) for _ in range(100)), nn.Linear(4, 3)), (), ""),
    "nested": (lambda: nested(60), (), ""),
    "nested too deep": (lambda: nested(sys.getrecursionlimit()), set(CALLS), "too many modules"),
    "no modes": (WithoutModes, {*CALLS} - {"read", "initialize"}, "cannot be set into .* mode: no modes"),
    "no copy": (locked, {"diagnose"}, "cannot be copied"),
    "one byte": (in_one_byte, (), ""),
    "on the meta device": (lambda: nn.Linear(4, 3, device="meta"), {*CALLS} - {"read", "read X"}, "meta device"),
    "without units": (lambda: nn.Sequential(nn.Linear(4, 0), nn.Linear(0, 3)), None, ""),
    "a nested tensor": (
        lambda: Net(lambda self, x: torch.nested.nested_tensor([self.layers(x)]), layers=dense()), None, "nested tensor"
    ),
    "no gradient": (
        lambda: Net(lambda self, x: self.layers(x).detach(), layers=dense()), {"gradients", "diagnose"},
        "gradient|depend",
    ),
    "not invertible": (
        lambda: orthogonal(nn.Linear(4, 4), orthogonal_map="cayley", use_trivialization=False), None, "",
    ),
    "orthogonal": (lambda: nn.Sequential(orthogonal(nn.Linear(4, 4)), nn.ReLU(), nn.Linear(4, 3)), None, ""),
    "spectral norm": (lambda: nn.Sequential(spectral_norm(nn.Linear(4, 4)), nn.ReLU(), nn.Linear(4, 3)), None, ""),
    "weight norm": (lambda: nn.Sequential(weight_norm(nn.Linear(4, 4)), nn.ReLU(), nn.Linear(4, 3)), (), ""),
    "lazy": (lambda: lazy(lambda self, x: self.layers(x)), {"initialize"}, "no shape yet"),
    "lazy and failing": (lambda: lazy(fails), set(CALLS) - {"read"}, "it fails|no shape yet"),
}  # fmt: skip

# They take long, or are like others that do not.
SLOW = {
    "deep", "torch.func", "any attribute is a number", "not invertible", "spectral norm", "weight norm",
    "a nested tensor",
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::initsk.exceptions.UninitializedWarning", "ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors:UserWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("name", params(HONEST, slow=SLOW))
def test_a_result_or_one_error_in_one_line(name):
    make, refusing, words = HONEST[name]
    for call_name, call in CALLS.items():
        module = build(make)
        before = state_of(module) if name not in WITHOUT_STATE else None
        error = None
        try:
            call(module)
        except InitskError as raised:
            error = str(raised)
        if refusing is not None:
            assert (error is not None) == (call_name in refusing), (call_name, error)
        if error is not None:
            assert re.search(words, error)
            assert "\n" not in error
        if before is not None and (error is not None or call_name not in WRITES):
            assert state_of(module) == before, call_name


class WordlessError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


RAISED = (
    WordlessError(), ValueError("two\nlines"), StopIteration(), AssertionError("no"), OSError("gone"),
    FileNotFoundError(2, "No such file", "weights.bin"), KeyError("mask"), EOFError(), UserWarning("odd"),
)  # fmt: skip
MORE_CALLS = entry_points(X, Y, "coherence", "gradinit", "within layer", "display", "recommend by scores")


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("name", CALLS | MORE_CALLS)
def test_an_error_of_the_network_s_own_code(name, error):
    def forward(self, x):
        raise error

    module = build(lambda: Net(forward, layer=nn.Linear(4, 3)))
    before = state_of(module)
    if name in ("read", "initialize"):
        # No guess of an input runs, which is no error.
        CALLS[name](module)
        return
    with pytest.raises(ModuleError) as caught:
        (CALLS | MORE_CALLS)[name](module)
    message = str(caught.value)
    assert "\n" not in message
    assert "Net" in message
    assert type(error).__name__ in message
    assert ("two" in message, "gone" in message) == (type(error) is ValueError, type(error) is OSError)
    assert caught.value.__cause__ is error
    assert state_of(module) == before


@pytest.mark.parametrize("name", [name for name in CALLS | MORE_CALLS if name not in ("read", "initialize")])
def test_an_interrupt_is_not_an_error_of_the_network(name):
    def forward(self, x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        (CALLS | MORE_CALLS)[name](build(lambda: Net(forward, layer=nn.Linear(4, 3))))


@pytest.mark.parametrize("n_passes", range(1, 9))
@pytest.mark.parametrize("name", ["inspect", "gradients", "transform", "audit", "diagnose", "lsuv"])
def test_an_error_of_a_later_forward_pass(name, n_passes):
    passes = []

    def forward(self, x):
        passes.append(x)
        assert len(passes) <= n_passes, "worn out"
        return self.layers(x)

    error = None
    try:
        CALLS[name](build(lambda: Net(forward, layers=dense())))
    except ModuleError as raised:
        error = raised
    # A later pass may be one that the call does without.
    assert error is None or "AssertionError: worn out" in str(error)
    assert error is not None or n_passes > 1


def test_an_inspector_of_a_pipeline_at_its_initial_weights():
    clf = MLPClassifier((5,), max_epochs=1, random_state=0)
    pipeline = make_pipeline(StandardScaler(), PCA(3, random_state=0), clf)
    found = ActivationInspector(pipeline, layers="hidden_1", when="initialized").fit(IRIS, SPECIES).transform(IRIS)
    before = make_pipeline(StandardScaler(), PCA(3, random_state=0)).fit(IRIS)
    alone = MLPClassifier((5,), max_epochs=1, random_state=0).initialize(before.transform(IRIS), SPECIES)
    expected = ActivationInspector(alone, layers="hidden_1", prefit=True).fit(before.transform(IRIS))
    assert (found == expected.transform(before.transform(IRIS))).all()
    assert not hasattr(pipeline[-1], "net_")


@pytest.mark.parametrize(
    "estimator",
    [
        GridSearchCV(MLPClassifier((5,), max_epochs=1, random_state=0), {"lr": [0.1, 0.2]}),
        make_pipeline(GridSearchCV(MLPClassifier((5,), max_epochs=1, random_state=0), {"lr": [0.1]})),
    ],
)
def test_an_inspector_of_a_search_at_its_initial_weights(estimator):
    found = ActivationInspector(estimator, layers="hidden_1", when="initialized").fit(IRIS, SPECIES).transform(IRIS)
    alone = MLPClassifier((5,), max_epochs=1, random_state=0).initialize(IRIS, SPECIES)
    assert (found == ActivationInspector(alone, layers="hidden_1", prefit=True).fit(IRIS).transform(IRIS)).all()


def test_an_estimator_without_a_network_has_no_initial_weights():
    with pytest.raises(ModuleError, match="PCA has no network"):
        ActivationInspector(PCA(2), when="initialized").fit(IRIS, SPECIES)
