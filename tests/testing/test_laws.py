"""Initializers that break a law in one point alone, and the law that notices."""

import itertools

import pytest
import torch

from initsk.exceptions import InvalidParameterError
from initsk.testing import check_initializer, checks
from tests.helpers import Right


def broken(methods):
    """Make a class that pickle finds."""
    made = type("Broken", (Right,), {**methods, "__module__": __name__})
    globals()["Broken"] = made
    return made()


def refining(change):
    return {"refine": lambda self, network: change(network)}


def drawing(change):
    """Change what `draw` gives, by its type."""
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
def test_one_point_is_enough(check, methods):
    law = next(known for known in checks() if known.__name__ == check)
    law(Right())
    with torch.random.fork_rng(), pytest.raises(AssertionError):
        law(broken(methods))


def test_the_last_law_is_reached_by_one_call():
    with torch.random.fork_rng(), pytest.raises(AssertionError, match="it moved torch's random state"):
        check_initializer(broken(refining(lambda network: torch.rand(1))))
