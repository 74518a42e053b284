"""Settings of torch inside a block, put back afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from initsk.exceptions import InvalidParameterError
from initsk.utils.random import GLOBAL_STATE


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


def as_tensor(array: Any) -> torch.Tensor:
    """Share an array's memory with a tensor that is only read.

    torch warns of arrays that are not writable (pandas' own, or joblib's shared ones);
    since nobody writes to the tensor, neither a warning nor a copy is needed.

    Examples
    --------
    >>> as_tensor(np.broadcast_to(np.float32(1), (2, 1))).shape
    torch.Size([2, 1])
    """
    if isinstance(array, torch.Tensor):
        return array
    array = np.asarray(array)
    # What torch cannot share is copied: foreign byte orders and negative strides.
    array = array.astype(array.dtype.newbyteorder("="), copy=min(array.strides, default=0) < 0)
    return torch.from_numpy(array if array.flags.writeable else np.asarray(_Writeable(array)))


class _Writeable:
    """The same memory, said to be writeable; the filters of warnings, which all threads share, are left alone."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        interface = array.__array_interface__
        self.__array_interface__ = interface | {"data": (interface["data"][0], False)}


def working_type(dtype: torch.dtype) -> torch.dtype:
    """Return the type to compute in: float32 or its complex twin for what is smaller.

    Examples
    --------
    >>> working_type(torch.bfloat16), working_type(torch.float64), working_type(torch.complex32)
    (torch.float32, torch.float64, torch.complex64)
    """
    if dtype.is_complex:
        return dtype if dtype == torch.complex128 else torch.complex64
    return dtype if dtype == torch.float64 else torch.float32


def contents_of(tensor: torch.Tensor) -> Any:
    """Return a mark of what a tensor holds now, for `holds_still`.

    torch counts the writes to a tensor, in an attribute without a public name; inference tensors have no count.
    Without the count, the mark is a copy.
    """
    try:
        return tensor._version
    except (AttributeError, RuntimeError):
        return tensor.detach().clone()


def holds_still(tensor: torch.Tensor, contents: Any) -> bool:
    """Return whether a tensor has not been written to since `contents_of` was asked.

    Examples
    --------
    >>> tensor = torch.zeros(2)
    >>> contents = contents_of(tensor)
    >>> holds_still(tensor, contents)
    True
    >>> _ = tensor.add_(1)
    >>> holds_still(tensor, contents)
    False
    """
    if isinstance(contents, torch.Tensor):
        same_shape = contents.shape == tensor.shape
        return same_shape and bool(torch.allclose(contents, tensor, rtol=0, atol=0, equal_nan=True))
    return bool(contents == contents_of(tensor))
