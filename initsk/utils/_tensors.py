"""From arrays to tensors."""

from typing import Any

import numpy as np
import torch


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
