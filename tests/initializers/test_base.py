"""Initializers as users call them: `sample`, `fill_`, `draw`, seeds, shapes and errors."""

from html import escape

import numpy as np
import pytest
import torch
from torch import nn

from initsk import initialize
from initsk.exceptions import InvalidParameterError
from initsk.initializers import (
    HeNormal,
    Initializer,
    Orthogonal,
    PerParameter,
    VarianceScaling,
    get_initializer,
)
from initsk.utils.random import isolated_torch_random
from tests.helpers import build, label


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: HeNormal().sample((2, 2), dtype="float32"), "dtype='float32' is not allowed"),
        (lambda: HeNormal().sample((2, 2), dtype=torch.int64), "dtype=torch.int64 is not allowed"),
        (lambda: HeNormal().sample((2, 2), generator=0), "generator=0 is not allowed"),
        (lambda: HeNormal().sample((2, 2), random_state=0, generator=torch.Generator()), "not allowed together"),
        (lambda: Initializer.from_json("{"), "not JSON"),
        (lambda: Initializer.from_json("[1]"), "does not describe an initializer"),
        (lambda: Initializer.from_json('{"initializer": "HeNormal", "parameters": {"x": 1}}'), "cannot be made of"),
        (lambda: Initializer.from_json('{"initializer": "HeNormal", "parameters": {"mode": "x"}}'), "mode='x'"),
        (lambda: Initializer.from_json('{"torch.nn": "Nothing"}'), "torch.nn has no class 'Nothing'"),
    ],
)
def test_errors_of_calls(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def own_initializer(**methods):
    return type("Mine", (Initializer,), {"__module__": __name__, **methods})()


def returns(values):
    return own_initializer(draw_values=lambda self, spec, generator, dtype: values)


@pytest.mark.parametrize(
    ("initializer", "words"),
    [
        (returns(np.zeros((4, 3))), r"draw_values of Mine\(\) returns numpy.ndarray \(allowed: a tensor of torch"),
        (returns([[0.0] * 3] * 4), r"draw_values of Mine\(\) returns list \(allowed: a tensor"),
        (returns(None), r"draw_values of Mine\(\) returns None \(allowed: a tensor"),
        (
            own_initializer(),
            r"Mine does not define draw_values\(self, spec, generator, dtype\), which returns the values",
        ),
        (own_initializer(draw_value=lambda *_: None), r"does not define draw_values.*\(is 'draw_value' meant\?\)"),
    ],
)
def test_an_own_initializer_without_a_drawn_tensor_is_told_what_draw_values_returns(initializer, words):
    with torch.random.fork_rng():
        module = nn.Linear(3, 4)
    with pytest.raises(InvalidParameterError, match=words):
        initialize(module, initializer)
    with pytest.raises(InvalidParameterError, match=words):
        initializer.sample((4, 3))


def test_one_message_shows_all_wrong_parameters():
    with pytest.raises(ValueError, match=r"scale=-1.*mode='x'.*distribution='y'"):
        VarianceScaling(-1, "x", "y").sample((2, 2))


@pytest.mark.parametrize("initializer", [HeNormal(), Orthogonal()], ids=label)
def test_vector_has_no_fans(initializer):
    with pytest.raises(ValueError, match=r"\(3,\)"):
        initializer.sample((3,))


def test_fill_changes_one_tensor_in_place():
    parameter = torch.nn.Parameter(torch.zeros(30, 20))
    assert HeNormal().fill_(parameter, random_state=3) is parameter
    assert torch.equal(parameter, HeNormal().sample((30, 20), random_state=3))
    assert parameter.requires_grad


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: torch.zeros(3, 4).to_sparse(), "is stored as torch.sparse_coo, not densely"),
        (lambda: torch.zeros(3, 4).to_sparse_csr(), "is stored as torch.sparse_csr, not densely"),
        (lambda: torch.zeros(4, 1).expand(4, 3), "has elements that share memory"),
        (lambda: torch.zeros(8).as_strided((2, 4), (2, 1)), "has elements that share memory"),
        (lambda: torch.zeros(3, 4, dtype=torch.int64), "has the type torch.int64"),
        (torch.nn.parameter.UninitializedParameter, "has no shape yet"),
        (lambda: [[1.0, 2.0]], "is of the type list"),
        (lambda: None, "is of the type NoneType"),
    ],
)
def test_tensors_that_cannot_be_filled(make, words):
    with pytest.raises(InvalidParameterError, match=rf"^fill_: tensor {words}.*\(allowed: a dense tensor of floating"):
        HeNormal().fill_(make())


@pytest.mark.parametrize("view", [lambda t: t.t(), lambda t: t[::2], lambda t: t[:, 1:3], lambda t: t[:, :, None]])
def test_fill_writes_into_views_that_share_no_memory_within_themselves(view):
    tensor = view(torch.zeros(6, 8))
    assert torch.equal(HeNormal().fill_(tensor, random_state=0), HeNormal().sample(tuple(tensor.shape), random_state=0))


@pytest.mark.parametrize("shape", [5, (2, 2.5), (-1, 2), None], ids=label)
def test_shapes_are_tuples_of_integers(shape):
    with pytest.raises(ValueError, match="a tuple of integers"):
        HeNormal().sample(shape)


def test_a_generator_advances():
    g = torch.Generator().manual_seed(3)
    first, second = (HeNormal().sample((4, 4), generator=g) for _ in range(2))
    again = HeNormal().sample((4, 4), generator=torch.Generator().manual_seed(3))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


def test_draws_are_on_the_cpu():
    with torch.device("meta"):
        w = HeNormal().sample((2, 2), random_state=0)
    assert torch.equal(w, HeNormal().sample((2, 2), random_state=0))


def test_filling_in_place_keeps_the_device():
    t = torch.empty(30, 20, dtype=torch.float64)
    HeNormal().fill_(t, random_state=0)
    assert torch.equal(t, HeNormal().sample((30, 20), random_state=0, dtype=torch.float64))


def test_no_seed_is_a_new_seed():
    with isolated_torch_random(None):
        assert not torch.equal(HeNormal().sample((3, 3)), HeNormal().sample((3, 3)))


@pytest.mark.parametrize("wrong", [True, -1, 1.0, "0"])
def test_wrong_seeds(wrong):
    with pytest.raises(InvalidParameterError, match="random_state"):
        HeNormal().sample((2, 2), random_state=wrong)


@pytest.mark.parametrize("kind", [np.random.RandomState, np.random.default_rng])
def test_numpy_generators_advance(kind):
    one, two = kind(3), kind(3)
    a, b = (HeNormal().sample((3, 3), random_state=one) for _ in range(2))
    c = HeNormal().sample((3, 3), random_state=two)
    assert torch.equal(a, c)
    assert not torch.equal(a, b)


def test_seed_and_name_are_separate_parts_of_a_stream():
    ms = [build(lambda n=n: nn.ModuleDict({n: nn.Linear(3, 3)})) for n in ("2a", "a")]
    for m, seed in zip(ms, (1, 12), strict=False):
        initialize(m, "he_normal", random_state=seed)
    assert not torch.equal(ms[0]["2a"].weight, ms[1]["a"].weight)


@pytest.mark.parametrize("initializer", [HeNormal(mode="fan_out"), Orthogonal(), get_initializer("keras.he_normal")])
def test_a_notebook_shows_parameters_and_formula(initializer):
    bundle = initializer._repr_mimebundle_()
    assert bundle["text/plain"] == repr(initializer)
    page = bundle["text/html"]
    assert page == initializer._repr_html_()
    assert escape(initializer.formula) in page
    assert "fitted" not in page.lower()


def test_names_are_no_html():
    page = PerParameter({"<b>": "zeros"})._repr_html_()
    assert "&lt;b&gt;" in page
    assert "'<b>'" not in page
