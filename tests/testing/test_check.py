"""The public checks, on everything that has a name, and on initializers that break a law each."""

import numpy as np
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
    Initializer,
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
from initsk.testing import check_initializer, checks, parametrize_with_checks
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
# Those that follow gradients are checked with a few steps only, in VARIANTS.
NAMED = list_initializers().query("not needs_gradient")["name"].tolist()
FRAMEWORKS = [name for framework in ("torch", "keras", "jax", "timm") for name in list_initializers(framework)["name"]]


EVERY = dict.fromkeys(get_initializer(item) for item in [*NAMED, *FRAMEWORKS, *VARIANTS])


def test_nothing_with_a_name_is_left_out():
    assert {type(get_initializer(name)) for name in list_initializers()["name"]} <= {type(value) for value in EVERY}


@parametrize_with_checks(EVERY)
def test_laws(initializer, check):
    check(initializer)


class WrongVariance(Right):
    def expected_moments(self, spec):
        return ExpectedMoments(1.05)


class WrongMean(Right):
    def expected_moments(self, spec):
        return ExpectedMoments(1.0, mean=0.05)


class BeyondItsBound(Right):
    def expected_moments(self, spec):
        return ExpectedMoments(1.0, bound=3.0)


class Skewed(Right):
    def draw_values(self, spec, generator, dtype):
        parts = torch.empty(spec.shape, dtype=dtype.to_real()).exponential_(generator=generator).sub_(1)
        return parts.to(dtype)


class NotOrthogonal(Right):
    def expected_moments(self, spec):
        return ExpectedMoments(1.0, singular_value=1.0)


class WrongFans(Initializer):
    def draw_values(self, spec, generator, dtype):
        return torch.randn(spec.shape, generator=generator, dtype=dtype) * spec.weight_shape[1] ** -0.5

    def expected_moments(self, spec):
        return ExpectedMoments(1 / spec.fan_in)


class Forgetful(Right):
    def __init__(self, size=1.0):
        self.size = size + 1


class FromGlobalState(Right):
    def draw_values(self, spec, generator, dtype):
        return torch.randn(spec.shape, dtype=dtype)


class DrawsInHalf(Right):
    def draw(self, spec, generator, dtype=torch.float32):
        return self.draw_values(spec, generator, dtype)


class MovesFrozen(Right):
    def refine(self, network):
        for parameter in network.module.parameters():
            parameter.data.add_(1)


class MovesBuffers(Right):
    def refine(self, network):
        for buffer in network.module.buffers():
            buffer.data.add_(1)


class ForgetsItsSize(Right):
    def __repr__(self, N_CHAR_MAX=700):
        return "ForgetsItsSize()"


class SharesItsParts(Scaled):
    def __sklearn_clone__(self):
        return type(self)(self.base, self.factor)


class Counts(Right):
    def draw_values(self, spec, generator, dtype):
        self.drawn = spec.shape
        return super().draw_values(spec, generator, dtype)


class CrashesOnVectors(Right):
    def draw_values(self, spec, generator, dtype):
        return super().draw_values(spec, generator, dtype) / spec.shape[1] * spec.shape[1]


class OnlySmall(Right):
    def unsupported_reason(self, spec):
        return None if spec.shape == (6, 6) else "is for six by six"

    def draw_values(self, spec, generator, dtype):
        return torch.full(spec.shape, 7.0, dtype=dtype)

    def choose(self, spec):
        return super().choose(spec) if spec.shape == (6, 6) else None


class LeavesAHook(Right):
    def refine(self, network):
        network.module.register_forward_hook(lambda *_: None)
        network.forward()


class HidesFunction(Right):
    def to_json(self):
        return '{"initializer": "Right", "parameters": {"size": 2.0}}'


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (WrongVariance, "check_mean_and_variance"),
        (WrongMean, "check_mean_and_variance"),
        (BeyondItsBound, "check_bounds_and_symmetry"),
        (Skewed, "check_bounds_and_symmetry"),
        (NotOrthogonal, "check_singular_values"),
        (WrongFans, "check_fans"),
        (Forgetful, "check_is_a_value"),
        (FromGlobalState, "check_same_seed_same_values"),
        (DrawsInHalf, "check_types"),
        (MovesFrozen, "check_module_rules"),
        (MovesBuffers, "check_module_rules"),
        (ForgetsItsSize, "check_repr"),
        (SharesItsParts, "check_is_a_value"),
        (Counts, "check_same_seed_same_values"),
        (CrashesOnVectors, "check_same_seed_same_values"),
        (OnlySmall, "check_mean_and_variance"),
        (LeavesAHook, "check_failure_is_clean"),
        (HidesFunction, "check_json"),
    ],
)
def test_each_law_is_really_checked(broken, check):
    law = next(known for known in checks() if known.__name__ == check)
    law(Right())
    with torch.random.fork_rng(), pytest.raises(AssertionError, match=broken.__name__):
        law({ForgetsItsSize: lambda: broken(2.0), SharesItsParts: lambda: broken(Zeros())}.get(broken, broken)())


class Seeds(Right):
    def draw_values(self, spec, generator, dtype):
        torch.manual_seed(0)
        return super().draw_values(spec, generator, dtype)


class SeedsNumpy(Right):
    def draw_values(self, spec, generator, dtype):
        np.random.seed(0)  # noqa: NPY002 - the mistake that the law must notice
        return super().draw_values(spec, generator, dtype)


class SetsThreads(Right):
    def draw_values(self, spec, generator, dtype):
        torch.set_num_threads(1)
        return super().draw_values(spec, generator, dtype)


@pytest.mark.parametrize(
    ("broken", "moved"),
    [
        (FromGlobalState, "torch's random state"),
        (Seeds, "torch's random state"),
        (SeedsNumpy, "numpy's random state"),
        (SetsThreads, "torch's number of threads"),
    ],
)
def test_global_state_is_checked_whatever_ran_before(broken, moved):
    law = next(known for known in checks() if known.__name__ == "check_global_state")
    law(Right())
    for _ in range(2):
        with pytest.raises(AssertionError, match=f"it moved {moved}"):
            law(broken())


def test_all_laws_by_one_call():
    check_initializer(Right())
    check_initializer("zeros")
    check_initializer(Zeros)
    with pytest.raises(AssertionError, match="WrongVariance"):
        check_initializer(WrongVariance())
