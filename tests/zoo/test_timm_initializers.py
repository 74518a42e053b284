"""Names of timm's initializers: with any parameter set, they draw what timm draws."""

import inspect

import pytest
import torch
from scipy import stats
from torch import nn

from initsk import get_initializer, initialize, list_initializers
from initsk.utils.random import isolated_torch_random
from tests.helpers import build
from tests.zoo.operators import define_missing_operators
from tests.zoo.table import isolated

FALSE_ALARMS = 1e-4  # rate for each Kolmogorov-Smirnov test; the seeds are fixed
SHAPE = (300, 400)
NARROW = {"mean": -1.0, "std": 0.5, "a": -1.2, "b": 0.5}
CASES = [
    *[
        (name, given)
        for name in ("trunc_normal_", "trunc_normal_tf_")
        for given in ({"std": 0.02}, {"std": 3.0}, {"mean": 1.5}, {"a": -0.5}, {"b": 0.5}, NARROW, {})
    ],
    ("variance_scaling_", {}),
    ("variance_scaling_", {"scale": 3.0}),
    *[("variance_scaling_", {"mode": mode}) for mode in ("fan_in", "fan_out", "fan_avg")],
    *[("variance_scaling_", {"distribution": law}) for law in ("normal", "truncated_normal", "uniform")],
    ("lecun_normal_", {}),
]


@pytest.fixture(scope="module")
def layers():
    with isolated():
        define_missing_operators()
        return pytest.importorskip("timm.layers")


def require_same(ours, theirs):
    ours, theirs = ours.detach().flatten().numpy(), theirs.detach().flatten().numpy()
    assert stats.ks_2samp(ours, theirs).pvalue > FALSE_ALARMS
    assert ours.std() == pytest.approx(theirs.std(), rel=5 / len(ours) ** 0.5)


@pytest.mark.parametrize(("name", "given"), CASES, ids=str)
def test_law(layers, name, given):
    theirs = torch.empty(SHAPE)
    with isolated_torch_random(1):
        getattr(layers, name)(theirs, **given)
    require_same(get_initializer(f"timm.{name}").set_params(**given).sample(SHAPE, random_state=0), theirs)


def test_fans_of_a_transposed_convolution(layers):
    ours, theirs = (build(lambda: nn.ConvTranspose2d(8, 40, 3)) for _ in range(2))
    initialize(ours, get_initializer("timm.variance_scaling_").set_params(mode="fan_out"), random_state=0)
    with isolated_torch_random(1):
        layers.variance_scaling_(theirs.weight, mode="fan_out")
    require_same(ours.weight, theirs.weight)


def test_every_parameter_is_there_and_is_tested(layers):
    tested = {(name, key) for name, given in CASES for key in given}
    for full in list_initializers("timm")["name"]:
        name = full.removeprefix("timm.")
        theirs = dict(inspect.signature(getattr(layers, name)).parameters)
        del theirs["tensor"]
        assert get_initializer(full).arguments == {key: value.default for key, value in theirs.items()}
        assert {(name, key) for key in theirs} <= tested
