"""Random streams by name, derived from one seed; only a `random_state` of None draws from a global generator."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from numbers import Integral
from typing import Any

import numpy as np
import sklearn.utils
import torch
from typing_extensions import TypeAliasType

from initsk.exceptions import InvalidParameterError
from initsk.utils.global_state import GLOBAL_STATE

_SEEDS = 2**31 - 1
RandomState = TypeAliasType("RandomState", int | np.random.RandomState | np.random.Generator | None)


def check_random_state(random_state: RandomState) -> None:
    """Raise InvalidParameterError if a value is no random state; draw nothing from it.

    Examples
    --------
    >>> check_random_state(7)
    """
    number = isinstance(random_state, Integral) and not isinstance(random_state, bool) and random_state >= 0
    if not (number or random_state is None or isinstance(random_state, np.random.RandomState | np.random.Generator)):
        allowed = "an integer >= 0, a numpy RandomState or Generator, or None"
        raise InvalidParameterError(f"random_state={random_state!r} is not allowed ({allowed})")


def resolve_seed(random_state: RandomState) -> int:
    """Return one integer seed for scikit-learn's `random_state`.

    An integer is the seed itself. From a numpy generator one integer is drawn, and for None from numpy's global
    generator, as scikit-learn does.

    Examples
    --------
    >>> resolve_seed(7)
    7
    """
    check_random_state(random_state)
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(_SEEDS))
    if random_state is None or isinstance(random_state, np.random.RandomState):
        # Another thread may have seeded the global generator for a block.
        with GLOBAL_STATE.held():
            return int(sklearn.utils.check_random_state(random_state).randint(_SEEDS))
    return int(random_state)


def resolve_seed_like_torch(random_state: RandomState) -> int:
    """Return one integer seed for a function that fills tensors: for None, torch's default generator draws it.

    Examples
    --------
    >>> with isolated_torch_random(0):
    ...     first = resolve_seed_like_torch(None)
    >>> with isolated_torch_random(0):
    ...     first == resolve_seed_like_torch(None)
    True
    """
    if random_state is not None:
        return resolve_seed(random_state)
    with GLOBAL_STATE.held():
        return int(torch.randint(_SEEDS, (), dtype=torch.int64, device="cpu"))


@contextmanager
def generator_like_torch(random_state: RandomState) -> Iterator[torch.Generator]:
    """Yield a CPU generator with the seed of `resolve_seed_like_torch`.

    torch's default generator stays as it was if the block draws nothing or fails.
    """
    if random_state is not None:
        yield make_generator(resolve_seed(random_state))
        return
    with GLOBAL_STATE.held():
        before = torch.get_rng_state()
        generator = make_generator(resolve_seed_like_torch(None))
        start, finished = generator.get_state(), False
        try:
            yield generator
            finished = True
        finally:
            if not finished or torch.equal(generator.get_state(), start):
                torch.set_rng_state(before)


def derive_seed(seed: int, *names: object) -> int:
    """Return the seed of a named stream: equal inputs give equal seeds on every machine.

    Examples
    --------
    >>> derive_seed(0, "hidden_1.weight") == derive_seed(0, "hidden_1.weight")
    True
    >>> derive_seed(0, "hidden_1.weight") == derive_seed(0, "hidden_2.weight")
    False
    """
    text = "\x1f".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def random_states(estimator: Any) -> dict[str, Any]:
    """Return the random states among an estimator's parameters, at any depth.

    Examples
    --------
    >>> from sklearn.ensemble import BaggingClassifier
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> random_states(BaggingClassifier(DecisionTreeClassifier(random_state=3)))
    {'estimator__random_state': 3, 'random_state': None}
    """
    return {name: value for name, value in estimator.get_params().items() if is_random_state(name)}


def is_random_state(name: str) -> bool:
    """Return whether the name of a parameter, at any depth, is that of a random state, as in scikit-learn.

    Examples
    --------
    >>> is_random_state("net__random_state"), is_random_state("split_random_state")
    (True, False)
    """
    return name.rpartition("__")[2] == "random_state"


def make_generator(seed: int, *names: object) -> torch.Generator:
    """Return a CPU generator for a named stream."""
    return torch.Generator(device="cpu").manual_seed(derive_seed(seed, *names))


@contextmanager
def isolated_numpy_random(seed: int | None) -> Iterator[None]:
    """Seed numpy's global state inside the block and restore it afterwards; one thread at a time.

    Without a seed, the block begins with the current state.
    """
    # A user's function may use the global state.
    with GLOBAL_STATE.kept(np.random.get_state, np.random.set_state):
        if seed is not None:
            np.random.seed(seed % 2**32)  # noqa: NPY002
        yield


@contextmanager
def isolated_torch_random(seed: int | None, device: str = "cpu") -> Iterator[None]:
    """Seed torch's global state inside the block and restore it afterwards; one thread at a time.

    Without a seed, the block begins with the current state.
    """
    cuda = torch.device(device).type == "cuda"
    with (
        GLOBAL_STATE.held(), torch.random.fork_rng(devices=[torch.device(device)]) if cuda else nullcontext(),
        GLOBAL_STATE.kept(torch.random.get_rng_state, torch.random.set_rng_state),
    ):  # fmt: skip
        if seed is not None:
            torch.random.default_generator.manual_seed(seed)
        if cuda and seed is not None:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


@contextmanager
def isolated_random(seed: int | None, device: str = "cpu") -> Iterator[None]:
    """Seed the global states of torch, numpy and Python inside the block and restore them; one thread at a time.

    Without a seed, the block begins with the current states.
    """
    with (
        isolated_torch_random(seed, device), isolated_numpy_random(seed),
        GLOBAL_STATE.kept(random.getstate, random.setstate),
    ):  # fmt: skip
        if seed is not None:
            random.seed(seed)
        yield
