"""Random generators that a loader, its samplers and its data set hold: their states, and putting them back."""

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch

# Objects in which a loader may hold a generator.
_PARTS = ("generator", "sampler", "batch_sampler", "dataset", "datapipe", "rng", "random_state")
_RANDOM = (torch.Generator, np.random.Generator, np.random.RandomState)


def preserve_generators(owner: Any) -> AbstractContextManager[None]:
    """Put the generators that an object holds back after the block."""
    return generators_restored(generators_of(owner))


@contextmanager
def generators_restored(generators: list[Any]) -> Iterator[None]:
    """Put generators back after the block."""
    before = [(found, generator_state(found)) for found in generators]
    try:
        yield
    finally:
        for found, state in before:
            set_generator_state(found, state)


def generators_of(stream: Any) -> list[Any]:
    """Return the generators in a stream and in its parts, each once."""
    found, seen, waiting = [], set(), [stream]
    while waiting:
        part = waiting.pop()
        if id(part) in seen or part is None:
            continue
        seen.add(id(part))
        if isinstance(part, _RANDOM):
            found.append(part)
        elif hasattr(part, "__dict__"):
            held = vars(part)
            waiting += [held[name] for name in _PARTS if name in held]
            waiting += [value for value in held.values() if isinstance(value, _RANDOM)]
    return found


def generator_state(generator: Any) -> Any:
    """Return a copy of the state of a generator of torch or numpy."""
    if isinstance(generator, torch.Generator):
        return generator.get_state()
    return copy.deepcopy(generator.bit_generator.state if isinstance(generator, np.random.Generator) else
                         generator.get_state())  # fmt: skip


def set_generator_state(generator: Any, state: Any) -> None:
    """Set the state that `generator_state` returned."""
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    else:
        generator.set_state(state)
