"""What several laws need: how to fail, which shapes and networks fit, and whether moments are as promised."""

from collections.abc import Callable
from math import sqrt
from typing import Any

import torch
from torch import nn

from initsk.exceptions import InitskError
from initsk.initializers import Initializer, Promise, Site
from initsk.modules import InitializationRecord, initialize
from initsk.testing._modules import NETWORKS, batch

STANDARD_ERRORS = 6.0
_SHAPES = ((40, 40), (60, 30), (30, 60), (24, 12, 3, 3), (12, 12, 3), (6, 6), (5,))


def require(initializer: Initializer, law: bool, message: str) -> None:
    """Raise AssertionError with the initializer's repr if a law does not hold."""
    if not law:
        raise AssertionError(f"{initializer!r}: {message}")


def require_moments(initializer: Initializer, values: torch.Tensor, promise: Promise, where: str) -> None:
    """Compare mean and variance with what is promised; the sample's size says how close they must be."""
    away = (values - promise.mean).flatten()
    square = away.abs().square()
    n = len(away)
    allowed = STANDARD_ERRORS * max(float(square.std()), sqrt(2) * promise.variance) / sqrt(n) + 1e-12
    found = float(square.mean())
    wrong = f"variance {found:g} at {where}, not {promise.variance:g}"
    require(initializer, abs(found - promise.variance) <= allowed, wrong)
    off = abs(complex(away.mean().item()))
    allowed = STANDARD_ERRORS * sqrt(promise.variance / n) + 1e-12
    require(initializer, off <= allowed, f"mean off by {off:g} at {where}, where {allowed:g} is allowed")


def draws(initializer: Initializer, shape: tuple[int, ...]) -> bool:
    """Say whether the initializer takes a shape; it must take it, or say clearly that it does not."""
    try:
        initializer.sample(shape, random_state=0)
    except InitskError:
        return False
    except Exception as error:
        raise AssertionError(f"{initializer!r}: {shape} gave {type(error).__name__}: {error}") from error
    return True


def shapes(initializer: Initializer) -> list[tuple[int, ...]]:
    """List the shapes that the initializer takes; those that it refuses must be refused on purpose."""
    return [shape for shape in _SHAPES if draws(initializer, shape)]


def promise_for(initializer: Initializer, site: Site) -> Promise | None:
    """Return the promise for a site; None where there is none, or the site is refused."""
    try:
        return initializer.promise(site)
    except InitskError:
        return None


def build(factory: Callable[[], nn.Module]) -> nn.Module:
    """Build a module from a fixed seed, without moving the global random state."""
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(0)
        return factory()


def apply(initializer: Initializer, module: nn.Module, **arguments: Any) -> InitializationRecord:
    """Initialize a module from a fixed seed, with a batch for those who look at one."""
    X, y = batch()
    return initialize(module, initializer, X=X, y=y, random_state=0, **arguments)


def fitting(initializer: Initializer) -> list[nn.Module]:
    """Build those networks that the scheme is for; there must be one."""
    found = []
    refusals = []
    for network in NETWORKS:
        try:
            apply(initializer, build(network))
        except InitskError as error:
            refusals.append(str(error))
        else:
            found.append(build(network))
    require(initializer, bool(found), f"it refuses every network: {refusals}")
    return found


def state(module: nn.Module) -> dict[str, torch.Tensor]:
    """Copy parameters and buffers."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return {name: value.detach().clone() for name, value in tensors}
