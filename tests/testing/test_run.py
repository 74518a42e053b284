"""All checks on all named initializers, with one call and as parameters of a test."""

import sys

import pytest
import torch
from torch import nn

from initsk import get_initializer, list_initializers
from initsk.initializers import (
    LSUV,
    AutoInit,
    EdgeOfChaos,
    ExpectedMoments,
    GradInit,
    HeNormal,
    MetaInit,
    Orthogonal,
    PerParameter,
    RandomNormal,
    RandomUniform,
    Scaled,
    TruncatedNormal,
    VarianceScaling,
    WithinLayer,
    Zeros,
)
from initsk.testing import check_initializer, parametrize_with_checks
from tests.helpers import Right


def swish_like(x):
    return x / (1 + abs(x))


VARIANTS = [
    RandomNormal(0.5, mean=1.0),
    RandomUniform(1.0, 3.0),
    TruncatedNormal(0.5, bounds=1.0),
    TruncatedNormal(0.5, bounds=5.0, corrected=False),
    VarianceScaling(3.0, "fan_geo_avg", "uniform"),
    VarianceScaling(1.0, "fan_out", "truncated_normal"),
    VarianceScaling(2.0, "fan_avg", "orthogonal"),
    VarianceScaling(activation="gelu"),
    VarianceScaling(activation=swish_like),
    VarianceScaling(activation=nn.Softplus),
    HeNormal(mode="fan_out"),
    Orthogonal(gain=1.4),
    Scaled("he_uniform", -0.5),
    GradInit(n_steps=2),
    GradInit(algorithm="adam", n_steps=2, batch_size=None),
    MetaInit(n_steps=2),
    LSUV(RandomNormal(1.0), remove_mean=True),
    WithinLayer("kmeans"),
    AutoInit(distribution="uniform"),
    EdgeOfChaos("tanh", bias_variance=0.05, distribution="orthogonal"),
    PerParameter([("layers", Orthogonal(), nn.Linear), ("bias", RandomNormal(0.1), "*.bias")], "lecun_uniform"),
]
# VARIANTS has the initializers that need gradients, with few steps.
NAMED = list_initializers().query("not needs_gradient")["name"].tolist()
FRAMEWORKS = [name for framework in ("torch", "keras", "jax", "timm") for name in list_initializers(framework)["name"]]


EVERY = dict.fromkeys(get_initializer(item) for item in [*NAMED, *VARIANTS])
# One of each kind: constant, symmetric or cut distribution, structured, of a layer's own kind, data-dependent, learned,
# chosen for each parameter, bias, and one that wraps another.
QUICK = [
    get_initializer(item)
    for item in (
        "zeros", "he_normal", TruncatedNormal(0.5, bounds=1.0), RandomUniform(1.0, 3.0), "orthogonal", "sparse",
        "dirac", LSUV(RandomNormal(1.0), remove_mean=True), GradInit(n_steps=2), WithinLayer("kmeans"), "auto",
        "zero_last_in_branch", "forget_gate_bias", "bilinear_upsampling", Scaled("he_uniform", -0.5),
    )
]  # fmt: skip
OF_FRAMEWORKS = [value for value in dict.fromkeys(map(get_initializer, FRAMEWORKS)) if value not in EVERY]


def test_every_named_initializer_is_checked():
    assert {type(get_initializer(name)) for name in list_initializers()["name"]} <= {type(value) for value in EVERY}


@parametrize_with_checks(QUICK)
def test_checks(initializer, check):
    check(initializer)


@pytest.mark.slow
@parametrize_with_checks([value for value in EVERY if value not in QUICK])
def test_checks_of_other_initializers(initializer, check):
    check(initializer)


@pytest.mark.slow
@parametrize_with_checks(OF_FRAMEWORKS)
def test_checks_of_other_frameworks(initializer, check):
    check(initializer)


class WrongVariance(Right):
    def expected_moments(self, spec):
        return ExpectedMoments(1.05)


def test_one_call_runs_all_checks():
    check_initializer(Right())
    check_initializer("zeros")
    check_initializer(Zeros)
    with pytest.raises(AssertionError, match="WrongVariance"):
        check_initializer(WrongVariance())


class DrawsGlobally(Right):
    def refine(self, network):
        torch.rand(1)


def test_one_call_runs_the_last_check():
    with torch.random.fork_rng(), pytest.raises(AssertionError, match="it moved torch's random state"):
        check_initializer(DrawsGlobally())


def test_only_the_decorator_needs_pytest(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytest", None)
    with pytest.raises(
        ImportError, match=r"parametrize_with_checks needs pytest: pip install pytest .*check_initializer"
    ):
        parametrize_with_checks(["zeros"])
    check_initializer("zeros")
