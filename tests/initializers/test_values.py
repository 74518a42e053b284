"""Initializers as values: equality, clones, nested parameters and JSON."""

import pickle
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from initsk import get_initializer
from initsk.exceptions import InvalidParameterError
from initsk.initializers import (
    LSUV,
    DepthScaledResidual,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Initializer,
    LeCunNormal,
    Orthogonal,
    PerParameter,
    RandomNormal,
    Scaled,
    VarianceScaling,
)


def test_repr_shows_numpy_numbers_as_numbers():
    shown = [repr(RandomNormal(std=std)) for std in np.logspace(-2, -1, 2)]
    assert shown == ["RandomNormal()", "RandomNormal(std=0.1)"]


def test_clones_share_nothing():
    original = LSUV(RandomNormal(0.1))
    clone(original).set_params(base__std=0.7)
    assert original.base.std == 0.1


@pytest.mark.parametrize(
    ("initializer", "nested", "expected"),
    [
        (LSUV(), {"base__gain": 2.0}, LSUV(Orthogonal(2.0))),
        (Scaled("he_normal"), {"base__mode": "fan_out", "factor": 0.5}, Scaled(HeNormal("fan_out"), 0.5)),
        (DepthScaledResidual(), {"base__std": 0.1}, DepthScaledResidual(RandomNormal(0.1))),
        (PerParameter(), {"remainder__mode": "fan_out"}, PerParameter(remainder=HeNormal("fan_out"))),
    ],
)
def test_nested_parameters_of_a_base_that_is_a_name(initializer, nested, expected):
    assert clone(initializer).set_params(**nested) == expected


def test_functions_and_modules_are_equal_by_content():
    sparse = partial(torch.nn.init.sparse_, sparsity=0.1)
    assert get_initializer(sparse) == get_initializer(partial(torch.nn.init.sparse_, sparsity=0.1))
    assert get_initializer(sparse) != get_initializer(partial(torch.nn.init.sparse_, sparsity=0.2))
    leaky = VarianceScaling(activation=torch.nn.LeakyReLU(0.2))
    assert pickle.loads(pickle.dumps(leaky)) == leaky == VarianceScaling(activation=torch.nn.LeakyReLU(0.2))
    assert leaky != VarianceScaling(activation=torch.nn.LeakyReLU(0.1))
    assert hash(PerParameter([("a", RandomNormal(1), "x")])) == hash(PerParameter([("a", RandomNormal(1.0), "x")]))


def test_a_subclass_is_not_equal():
    assert HeNormal() != HeUniform()
    assert GlorotNormal() != GlorotUniform()
    assert HeNormal() != LeCunNormal()


def test_json_of_numpys_numbers():
    assert Initializer.from_json(RandomNormal(np.float32(0.5)).to_json()) == RandomNormal(0.5)


@pytest.mark.parametrize("text", ["3", "[]", '"he_normal"', "null", "{"])
def test_json_of_something_else(text):
    with pytest.raises(InvalidParameterError):
        Initializer.from_json(text)


def test_lists_are_not_tuples():
    assert PerParameter([("a", "ones", "*")]) != PerParameter([["a", "ones", "*"]])


def test_modules_are_equal_by_state():
    assert VarianceScaling(activation=nn.PReLU(init=0.1)) != VarianceScaling(activation=nn.PReLU(init=0.2))


def test_partials_are_equal_by_content():
    assert get_initializer(partial(nn.init.normal_, std=0.1)) != get_initializer(partial(nn.init.normal_, std=0.2))


class _Written(Initializer):
    def __init__(self, a, *, b=2):
        self.a, self.b = a, b


class _Renamed(_Written):
    formula = "a"


class _Declared(Initializer):
    limits = {"a": 1}  # noqa: RUF012 - no annotation: no parameter
    gain: float = 2.0


def test_parameters_are_fields_or_arguments_of_a_written_init():
    assert repr(_Renamed(1, b=3)) == "_Renamed(a=1, b=3)"
    assert clone(_Declared(3.0)) == _Declared(gain=3.0) != _Declared()
    assert _Declared(3.0).get_params() == {"gain": 3.0}


def test_fields_that_an_inherited_init_does_not_take_are_an_error():
    with pytest.raises(TypeError, match=r"fields that _Written.__init__ does not take: c "):
        type("Extended", (_Written,), {"__annotations__": {"c": int}, "c": 3})
