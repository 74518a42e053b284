"""Parameters of every initializer, set to random values: one clear refusal, or finite values of the stated law."""

import math
import pickle
import sys

import numpy as np
import torch
from hypothesis import strategies as st
from sklearn.base import clone

from initsk import get_initializer, list_initializers
from initsk.exceptions import InvalidParameterError
from initsk.initializers import Initializer
from initsk.network import ParameterSpec
from tests.fuzz.support import bounded, fuzz, on_examples

NAMES = [name for framework in (None, "torch", "keras", "jax", "timm") for name in list_initializers(framework)["name"]]
PARAMETERS = [
    (name, parameter)
    for name in NAMES
    for parameter in get_initializer(name).get_params(deep=False)
    if parameter != "function"
]
SHAPES = ((40, 40), (60, 30), (12, 12, 3), (8, 4, 3, 3))
WORDS = (
    "fan_in", "fan_out", "fan_avg", "fan_geo_avg", "normal", "uniform", "truncated_normal", "untruncated_normal",
    "orthogonal", "relu", "tanh", "leaky_relu", "selu", "torch", "keras", "jax", "before", "after", "he_normal",
    "keras.he_normal", "zeros", "", "fan_im", "\x1b[2J", "a\nb", "é" * 50,
)  # fmt: skip

NUMBERS = st.one_of(
    st.sampled_from([0, 1, -1, 2, 0.0, -0.0, 0.02, 0.5, 3.0, 1e-300, 1e-45, 1e30, 1e39, 1e300, 10**400]),
    st.sampled_from([math.nan, math.inf, -math.inf, np.float32(0.5), np.float64(2), np.int64(3), np.float16(0.1)]),
    st.floats(-5, 5),
    st.floats(),
    st.integers(-3, 20),
    st.booleans(),
)
VALUES = st.one_of(
    NUMBERS,
    NUMBERS,
    st.sampled_from(WORDS),
    st.none(),
    st.tuples(NUMBERS, NUMBERS),
    st.lists(NUMBERS, max_size=2),
    st.sampled_from([torch.tanh, len, object, torch.ones(2), np.ones(2), {"a": 1}, b"x", 1j]),
)


def refusal(call):
    """Return what a call gives, or its one-line message if it refuses; any other error fails the test."""
    try:
        return call(), None
    except InvalidParameterError as error:
        message = str(error)
        assert message.strip()
        return None, message


def require_law(value, given, shape, values):
    """Check mean, variance and bounds of values against those that the initializer states."""
    expected = value.expected_moments(ParameterSpec.from_shape(shape))
    if expected is None:
        return
    away = values.double() - expected.mean
    # Rounding to float32 is relative to the largest value.
    rounding = 1e-6 * max(float(values.abs().max()), abs(expected.mean)) + 1e-38
    if isinstance(given, int | float):
        # Draws are computed in double precision, in which a parameter may be far larger than the values.
        rounding += abs(given) * sys.float_info.epsilon
    assert float(away.abs().max()) <= expected.bound * (1 + 1e-5) + rounding
    square, n = away.square(), values.numel()
    spread = max(float(square.std()), math.sqrt(2) * expected.variance) / math.sqrt(n)
    # Six standard errors, as in the checks of `initsk.testing`.
    assert abs(float(square.mean()) - expected.variance) <= 6 * spread + rounding**2 + 1e-6 * expected.variance
    assert abs(float(away.mean())) <= 6 * math.sqrt(expected.variance / n) + rounding


def law(case, given, shape):
    name, parameter = case
    value = get_initializer(name)
    before = clone(value)
    with bounded(10_000_000):
        changed, message = refusal(lambda: value.set_params(**{parameter: given}))
        assert message is None or value == before
        if changed is None:
            return
        values, message = refusal(lambda: changed.sample(shape, random_state=0))
        if message is not None:
            _, of_check = refusal(changed.check)
            if of_check is not None:
                assert parameter in of_check
                assert ("allowed" in of_check) or ("did you mean" in of_check.lower()) or ("Allowed" in of_check)
            return
        assert tuple(values.shape) == shape
        assert torch.isfinite(values).all()
        require_law(changed, given, shape, values)
        assert torch.equal(values, clone(changed).sample(shape, random_state=0))
        require_round_trips(changed)


def require_round_trips(value):
    same = clone(value)
    assert (same, hash(same), repr(same)) == (value, hash(value), repr(value))
    assert "\x1b" not in repr(value)
    pickled = pickle.loads(pickle.dumps(value))
    assert (pickled, repr(pickled)) == (value, repr(value))
    text, message = refusal(value.to_json)
    if message is None:
        assert Initializer.from_json(text) == value
    else:
        assert "cannot be written as JSON" in message


@on_examples(quick=100, long=3000)
def test_any_value_of_any_parameter(examples):
    fuzz(law, st.sampled_from(PARAMETERS), VALUES, st.sampled_from(SHAPES), examples=examples)


def law_of_names(name, parameter, given):
    value = get_initializer(name)
    if parameter.partition("__")[0] in value.get_params(deep=False):
        return
    before = clone(value)
    _, message = refusal(lambda: value.set_params(**{parameter: given}))
    assert message is not None
    assert repr(parameter.partition("__")[0]) in message
    assert value == before


@on_examples(quick=25, long=500)
def test_any_name_of_a_parameter(examples):
    known = sorted({parameter for _, parameter in PARAMETERS})
    names = st.one_of(
        st.sampled_from(known),
        st.sampled_from(known).map(lambda name: f"{name}__std"),
        st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=8),
    )
    fuzz(law_of_names, st.sampled_from(NAMES), names, VALUES, examples=examples)
