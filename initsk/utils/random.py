"""Random streams: one per name, derived from one seed; the global state stays where it is."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral

import numpy as np
import torch

from initsk.exceptions import InvalidParameterError

#: Held by whoever changes something of torch's that all threads share, for as long as that takes.
GLOBAL_STATE = threading.RLock()
RandomState = int | np.random.RandomState | np.random.Generator | None


def check_random_state(random_state: RandomState) -> None:
    """Raise InvalidParameterError for what is no random state; it does not move.

    Examples
    --------
    >>> check_random_state(7)
    """
    number = isinstance(random_state, Integral) and not isinstance(random_state, bool) and random_state >= 0
    if not (number or random_state is None or isinstance(random_state, np.random.RandomState | np.random.Generator)):
        raise InvalidParameterError(
            f"random_state={random_state!r} is not allowed (an integer >= 0, a numpy RandomState or Generator, or None)"
        )


def resolve_seed(random_state: RandomState) -> int:
    """Turn scikit-learn's `random_state` into one integer seed.

    An integer stands for itself; a numpy generator is asked for one integer
    (and moves on); None takes fresh entropy from the system, so numpy's
    global state is neither read nor moved.

    Examples
    --------
    >>> resolve_seed(7)
    7
    """
    check_random_state(random_state)
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31 - 1))
    return int(np.random.SeedSequence().generate_state(1)[0]) if random_state is None else int(random_state)


def derive_seed(seed: int, *names: object) -> int:
    """Derive the seed of a named stream: equal inputs give equal seeds, on every machine.

    Examples
    --------
    >>> derive_seed(0, "hidden_1.weight") == derive_seed(0, "hidden_1.weight")
    True
    >>> derive_seed(0, "hidden_1.weight") == derive_seed(0, "hidden_2.weight")
    False
    """
    text = "\x1f".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def make_generator(seed: int, *names: object) -> torch.Generator:
    """Make a CPU generator for a named stream."""
    return torch.Generator(device="cpu").manual_seed(derive_seed(seed, *names))


@contextmanager
def isolated_numpy_random(seed: int) -> Iterator[None]:
    """Seed numpy's global state inside the block and put it back afterwards; one thread at a time."""
    with GLOBAL_STATE:
        before = np.random.get_state()  # noqa: NPY002 - what a stranger's function may use
        np.random.seed(seed % 2**32)  # noqa: NPY002 - what a stranger's function may use
        try:
            yield
        finally:
            np.random.set_state(before)  # noqa: NPY002 - what a stranger's function may use


@contextmanager
def isolated_torch_random(seed: int | None, device: str = "cpu") -> Iterator[None]:
    """Seed torch's global state inside the block and put it back afterwards; one thread at a time.

    Without a seed, the state inside is what it was.
    """
    cuda = torch.device(device).type == "cuda"
    with GLOBAL_STATE, torch.random.fork_rng(devices=[torch.device(device)] if cuda else []):
        if seed is not None:
            torch.random.default_generator.manual_seed(seed)
        if cuda and seed is not None:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
