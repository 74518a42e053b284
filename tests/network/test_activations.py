"""Names of activation functions: those of torch, scikit-learn, Keras and JAX."""

import inspect
import pickle
import re

import numpy as np
import pytest
import torch
from scipy import special
from sklearn.neural_network._base import ACTIVATIONS as OF_SCIKIT_LEARN
from torch import nn
from torch.nn import functional

from initsk.exceptions import InvalidParameterError
from initsk.network import ACTIVATIONS, MLP, make_activation
from initsk.theory import ACTIVATION_FUNCTIONS, as_function

GRID = np.linspace(-7, 7, 141)
# The public functions of `keras.activations` and `jax.nn`.
KERAS = [
    "celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish",
    "hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu",
    "sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid",
    "sparsemax", "squareplus", "swish", "tanh", "tanh_shrink", "threshold",
]  # fmt: skip
JAX = [
    "celu", "elu", "gelu", "glu", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "identity",
    "leaky_relu", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_sign",
    "softmax", "softplus", "sparse_plus", "sparse_sigmoid", "squareplus", "standardize", "swish", "tanh",
]  # fmt: skip
TORCH = nn.modules.activation.__all__
FUNCTIONAL = [
    "celu", "elu", "gelu", "glu", "gumbel_softmax", "hardshrink", "hardsigmoid", "hardswish", "hardtanh",
    "leaky_relu", "log_softmax", "logsigmoid", "mish", "prelu", "relu", "relu6", "rrelu", "selu", "sigmoid",
    "silu", "softmax", "softmin", "softplus", "softshrink", "softsign", "tanh", "tanhshrink", "threshold",
]  # fmt: skip
EVERYWHERE = sorted({*KERAS, *JAX, *TORCH, *FUNCTIONAL, *OF_SCIKIT_LEARN})
NOT_ELEMENTWISE = {"glu", "multiheadattention", "sparsemax", "standardize", "threshold"}


def values(name):
    with torch.no_grad():
        return make_activation(name).eval().double()(torch.from_numpy(GRID)).numpy()


def test_both_readings_of_a_name_are_the_same_function():
    for name in ACTIVATION_FUNCTIONS:
        np.testing.assert_allclose(as_function(name)(GRID), values(name), rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("name", EVERYWHERE)
def test_names_of_other_libraries_are_taken_or_refused_with_the_reason(name):
    if name.lower() in NOT_ELEMENTWISE or "softm" in name.lower():
        for read in (make_activation, as_function):
            with pytest.raises(InvalidParameterError, match="is not allowed: it") as caught:
                read(name)
            assert "did you mean" not in str(caught.value)
        return
    for written in (name, name.upper(), f" {name.replace('_', '-')} "):
        np.testing.assert_allclose(as_function(written)(GRID), values(name), rtol=1e-9, atol=1e-12)
    if hasattr(nn, name):
        assert type(make_activation(name)) is getattr(nn, name)
    if name in FUNCTIONAL and name != "prelu":
        expected = getattr(functional, name)(torch.from_numpy(GRID)).numpy()
        np.testing.assert_allclose(values(name), expected, rtol=1e-9, atol=1e-12)


def test_scikit_learns_names_are_scikit_learns_functions():
    for name, in_place in OF_SCIKIT_LEARN.items():
        if name != "softmax":
            expected = GRID.copy()
            in_place(expected)
            np.testing.assert_allclose(values(name), expected, err_msg=name)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("linear", lambda x: x),
        ("swish", lambda x: x / (1 + np.exp(-x))),
        ("gelu", lambda x: x * (1 + special.erf(x / np.sqrt(2))) / 2),
        ("gelu_new", lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))),
        ("hard_sigmoid", lambda x: np.minimum(np.maximum(x + 3, 0), 6) / 6),
        ("hard_silu", lambda x: x * np.minimum(np.maximum(x + 3, 0), 6) / 6),
        ("exponential", np.exp),
        ("squareplus", lambda x: (x + np.sqrt(x**2 + 4)) / 2),
        ("sparse_plus", lambda x: np.select([x <= -1, x < 1], [0 * x, (x + 1) ** 2 / 4], x)),
        ("sparse_sigmoid", lambda x: np.select([x <= -1, x < 1], [0 * x, (x + 1) / 2], 1.0)),
        ("relu2", lambda x: np.maximum(x, 0) ** 2),
    ],
)
def test_definitions(name, function):
    np.testing.assert_allclose(values(name), function(GRID), rtol=1e-9, atol=1e-12)


def test_of_several_functions_with_one_name_torchs_is_meant():
    # Keras has the slope 0.2, and JAX approximates GELU by tanh.
    assert make_activation("leaky_relu").negative_slope == 0.01
    assert make_activation("gelu").approximate == "none"
    assert make_activation("gelu_tanh").approximate == "tanh"


def misspelled(name):
    """Return words that differ from a name by one mistake."""
    for i in range(0, len(name), 2):
        yield name[:i] + name[i + 1 :]
        yield name[:i] + name[i] + name[i:]
        yield name[:i] + "x" + name[i + 1 :]
        yield name[:i] + name[i : i + 2][::-1] + name[i + 2 :]


def test_a_suggestion_for_a_misspelled_name_is_the_meant_function():
    names = [*ACTIVATION_FUNCTIONS, *OF_SCIKIT_LEARN, "linear", "swish", "hard_silu"]
    meant, suggested = {name: as_function(name)(GRID) for name in names if name != "softmax"}, 0
    for name, expected in meant.items():
        for word in misspelled(name):
            try:
                as_function(word)
            except InvalidParameterError as error:
                if found := re.search("did you mean '([^']*)'", str(error)):
                    suggested += 1
                    np.testing.assert_array_equal(as_function(found[1])(GRID), expected, err_msg=f"{word} for {name}")
    assert suggested > 200


def test_networks_with_every_name_can_be_saved():
    X = torch.ones(2, 3)
    with torch.random.fork_rng():
        modules = [MLP(3, 2, 4, activation=name).eval() for name in ACTIVATION_FUNCTIONS]
    for module in modules:
        torch.testing.assert_close(pickle.loads(pickle.dumps(module))(X), module(X))


def test_an_integer_is_a_single_hidden_layer():
    with torch.random.fork_rng():
        assert str(MLP(3, 2, 4)) == str(MLP(3, 2, (4,))) == str(MLP(3, 2, np.int64(4)))


def test_the_module_classes_are_torchs():
    assert all(inspect.isclass(kind) and kind.__module__.startswith("torch.nn") for kind in ACTIVATIONS.values())
