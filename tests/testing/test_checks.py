"""Each check fails for an initializer that lacks the property."""

import itertools

import numpy as np
import pytest
import torch

from initsk.exceptions import InvalidParameterError
from initsk.initializers import (
    ExpectedMoments,
    Initializer,
    Scaled,
    Zeros,
)
from initsk.testing import checks
from tests.helpers import Right


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
        (HidesFunction, "check_json"),
    ],
)
def test_each_check_finds_a_broken_class(broken, check):
    check_function = next(known for known in checks() if known.__name__ == check)
    check_function(Right())
    with torch.random.fork_rng(), pytest.raises(AssertionError, match=broken.__name__):
        check_function(
            {ForgetsItsSize: lambda: broken(2.0), SharesItsParts: lambda: broken(Zeros())}.get(broken, broken)()
        )


class Seeds(Right):
    def draw_values(self, spec, generator, dtype):
        torch.manual_seed(0)
        return super().draw_values(spec, generator, dtype)


class SeedsNumpy(Right):
    def draw_values(self, spec, generator, dtype):
        np.random.seed(0)  # noqa: NPY002 - the mistake that the check must find
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
def test_changes_of_global_state_are_found_in_every_run(broken, moved):
    check_function = next(known for known in checks() if known.__name__ == "check_global_state")
    check_function(Right())
    for _ in range(2):
        with pytest.raises(AssertionError, match=f"it moved {moved}"):
            check_function(broken())


def broken(methods):
    """Return an object of a new class that pickle can find."""
    made = type("Broken", (Right,), {**methods, "__module__": __name__})
    globals()["Broken"] = made
    return made()


def refining(change):
    return {"refine": lambda self, network: change(network)}


def drawing(change):
    """Return a `draw` that changes the values of `Right` by their type."""
    return {
        "draw": lambda self, spec, generator, dtype=torch.float32: change(Right().draw(spec, generator, dtype), dtype)
    }


def always_the_same(self, spec, generator, dtype):
    return torch.randn(spec.shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


def complex_of_twice_the_variance(self, spec, generator, dtype):
    values = Right().draw_values(spec, generator, dtype)
    return values * 2**0.5 if dtype.is_complex else values


def refuse(*_):
    raise InvalidParameterError("not for me")


def leave_gradients(network):
    for parameter in network.module.parameters():
        parameter.grad = torch.ones_like(parameter)


count = itertools.count()


def differ_each_time(network):
    with torch.no_grad():
        for name in network.specs:
            network.module.get_parameter(name).add_(next(count))


@pytest.mark.parametrize(
    ("check", "methods"),
    [
        ("check_is_a_value", {"__hash__": lambda self: id(self)}),
        ("check_is_a_value", {"__eq__": lambda self, other: True, "__hash__": lambda self: 0}),
        ("check_json", {"to_json": refuse}),
        ("check_same_seed_same_values", {"draw_values": always_the_same}),
        ("check_same_seed_same_values", {"sample": lambda self, shape, **seed: Right().sample(shape[::-1], **seed)}),
        (
            "check_types",
            drawing(lambda values, dtype: values.to(torch.complex64) if dtype == torch.complex128 else values),
        ),
        ("check_types", drawing(lambda values, dtype: values + (dtype == torch.float16))),
        ("check_types", drawing(lambda values, dtype: values / (dtype != torch.float64))),
        ("check_mean_and_variance", {"draw_values": complex_of_twice_the_variance}),
        ("check_module_rules", refining(lambda network: network.module.eval())),
        ("check_module_rules", refining(leave_gradients)),
        ("check_module_rules", refining(differ_each_time)),
        ("check_module_rules", {"check_specs": refuse}),
        ("check_global_state", refining(lambda network: torch.rand(1))),
    ],
)
def test_each_check_finds_a_broken_method(check, methods):
    check_function = next(known for known in checks() if known.__name__ == check)
    check_function(Right())
    with torch.random.fork_rng(), pytest.raises(AssertionError):
        check_function(broken(methods))
