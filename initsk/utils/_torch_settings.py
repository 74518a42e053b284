"""Settings of torch inside a block, put back afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from initsk.exceptions import InvalidParameterError
from initsk.utils._random import GLOBAL_STATE


def check_device(device: str) -> None:
    """Raise InvalidParameterError where torch has no such device.

    Examples
    --------
    >>> check_device("cpu")
    """
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidParameterError(f"not to be had here: {reason}") from error


@contextmanager
def torch_threads(n_threads: int | None) -> Iterator[None]:
    """Run the block on `n_threads` threads, one such block at a time; None leaves the setting alone."""
    if n_threads is None:
        yield
        return
    # torch hands the last setting of any thread to threads that are new to it.
    with GLOBAL_STATE:
        before = torch.get_num_threads()
        torch.set_num_threads(n_threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def flushes_subnormals() -> bool:
    """Say whether this thread takes subnormal numbers for zero; torch has no question for it."""
    return bool(torch.full((1,), 1e-38).mul_(1e-2) == 0)


@contextmanager
def flushed_subnormals() -> Iterator[None]:
    """Take numbers below the normal range (1.2e-38 in float32) for zero inside the block.

    Moving averages of gradients that have stopped decay into that range, where
    processors calculate many times slower.
    """
    before = flushes_subnormals()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
