"""Settings of torch inside a block, and types, memory and changes of tensors."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import numpy as np
import torch

from initsk.exceptions import InvalidParameterError
from initsk.utils.global_state import GLOBAL_STATE
from initsk.utils.precision import beyond_range
from initsk.utils.words import reason_of

#: torch draws normal values in groups of this size, and fewer values one by one.
NORMAL_GROUP = 2**4
# torch divides work on more values among threads. If all cores are busy, it waits longer than the work takes.
_ONE_THREAD = 2**15 - 1
_PRECISIONS = {torch.float32: "single precision", torch.float16: "half precision"}
# The work on more values takes longer than the wait.
_MANY = 2**21


def resolve_device(device: str | torch.device) -> str:
    """Return a torch device by its name; "auto" is the accelerator of this machine, or the CPU if there is none.

    Raises
    ------
    InvalidParameterError
        If torch cannot use the device, or no values can be read from it ("meta").

    Examples
    --------
    >>> resolve_device("cpu")
    'cpu'
    """
    if not isinstance(device, str | torch.device):
        raise InvalidParameterError("a torch device, such as 'cpu', 'cuda', 'mps' or 'auto'")
    if device == "auto":
        accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        device = "cpu" if accelerator is None else accelerator.type
    try:
        torch.empty(1, device=device).cpu()
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = reason_of(error)
        is_other_name = str(device).partition(":")[0].lower() in ("gpu", "nvidia")
        other = "; did you mean 'cuda'? 'auto' takes the accelerator that is there" if is_other_name else ""
        raise InvalidParameterError(f"not available here: {reason}{other}") from error
    return str(device)


@contextmanager
def torch_threads(n_threads: int | None) -> Iterator[None]:
    """Run the block with `n_threads` threads, one such block at a time; None keeps the current number."""
    if n_threads is None:
        yield
        return
    # New threads take the last setting of any thread.
    with GLOBAL_STATE.kept(torch.get_num_threads, torch.set_num_threads):
        torch.set_num_threads(n_threads)
        yield


@contextmanager
def outside_of_contexts(module: torch.nn.Module | None = None, dtype: torch.dtype | None = None) -> Iterator[None]:
    """Run the block as outside of the contexts of torch: with gradients, without autocast, on the CPU, in float32.

    A default device or type that the module has is kept, since its forward pass may rely on it. Without a module, the
    default type is kept, unless `dtype` is given.
    """
    tensors = [] if module is None else [*module.parameters(), *module.buffers()]
    device = tensors[0].device if tensors else torch.device("cpu")
    if module is not None and dtype is None and all(tensor.dtype != torch.get_default_dtype() for tensor in tensors):
        dtype = torch.float32
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in dict.fromkeys(("cpu", device.type)):
            if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if device.type == "cpu" and torch.empty(0).device.type != "cpu":
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(default_type(dtype))
        yield


@contextmanager
def default_type(dtype: torch.dtype | None) -> Iterator[None]:
    """Set torch's default type inside the block, one such block at a time; None keeps the current one.

    Examples
    --------
    >>> with default_type(torch.float64):
    ...     torch.ones(1).dtype
    torch.float64
    """
    if dtype is None:
        yield
        return
    # All threads share this setting.
    with GLOBAL_STATE.kept(torch.get_default_dtype, torch.set_default_dtype):
        torch.set_default_dtype(dtype)
        yield


def flushes_subnormals() -> bool:
    """Return whether this thread replaces subnormal numbers by zero, which torch has no function for."""
    return bool(torch.full((1,), 1e-38).mul_(1e-2) == 0)


@contextmanager
def flushed_subnormals() -> Iterator[None]:
    """Replace numbers below the normal range (1.2e-38 in float32) by zero inside the block.

    Moving averages of gradients that are zero decay into this range, in which processors are many times slower.
    """
    before = flushes_subnormals()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def as_tensor(array: Any) -> torch.Tensor:
    """Return a tensor that shares an array's memory; the caller must not write to it.

    torch warns about arrays that are not writable (pandas' own, joblib's shared ones). Since the tensor is only read,
    this function needs neither a warning nor a copy.

    Examples
    --------
    >>> as_tensor(np.broadcast_to(np.float32(1), (2, 1))).shape
    torch.Size([2, 1])
    """
    if isinstance(array, torch.Tensor):
        return array
    array = np.asarray(array)
    # torch cannot share arrays with foreign byte order or negative strides: these are copied.
    array = array.astype(array.dtype.newbyteorder("="), copy=min(array.strides, default=0) < 0)
    return torch.from_numpy(array if array.flags.writeable else np.asarray(_Writeable(array)))


class _Writeable:
    """An array's memory declared as writeable, which needs no change of the warning filters that all threads share."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        interface = array.__array_interface__
        self.__array_interface__ = interface | {"data": (interface["data"][0], False)}


@cache
def _has_double(device: torch.device) -> bool:
    try:
        return torch.zeros(1, dtype=torch.float64, device=device).dtype == torch.float64
    except (TypeError, RuntimeError):
        return False


def measurable(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor on a device that has double precision: its own, or the CPU if it has none (Apple's MPS).

    Examples
    --------
    >>> measurable(torch.zeros(2)).device
    device(type='cpu')
    """
    return tensor if tensor.device.type in ("cpu", "cuda") or _has_double(tensor.device) else tensor.cpu()


def in_double(tensor: torch.Tensor) -> torch.Tensor:
    """Return the values of a measurable tensor in double precision.

    Examples
    --------
    >>> in_double(torch.zeros(2, dtype=torch.complex64)).dtype
    torch.complex128
    """
    return measurable(tensor).to(torch.complex128 if tensor.is_complex() else torch.float64)


def pieces(tensor: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Return flat views that together are the tensor, each small enough for the processor's cache and for one thread.

    One piece is returned of a tensor on another device than the CPU, with gaps in its memory, of a subclass of torch's,
    or so large that threads save time.

    Examples
    --------
    >>> [len(piece) for piece in pieces(torch.zeros(200, 200))]
    [32752, 7248]
    """
    size = tensor.numel()
    plain = type(tensor) is torch.Tensor and tensor.device.type == "cpu" and tensor.is_contiguous()
    if not plain or not _ONE_THREAD < size < _MANY:
        return (tensor,)
    # Normal values of the pieces are those of the whole tensor: full groups, and at least one group in the last piece.
    piece = _ONE_THREAD - _ONE_THREAD % NORMAL_GROUP
    whole = (size - NORMAL_GROUP) // piece
    return tensor.view(-1).split([*[piece] * whole, size - whole * piece])


def write_values(target: torch.Tensor, values: torch.Tensor) -> None:
    """Write values into a tensor of the same shape, on any device, without gradients.

    Examples
    --------
    >>> target = torch.zeros(2, 2)
    >>> write_values(target, torch.eye(2))
    >>> target.tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    whole = target.detach(), values.detach()
    parts, new = map(pieces, whole)
    equal = target.shape == values.shape and len(parts) == len(new) > 1
    for part, value in zip(parts, new, strict=True) if equal else [whole]:
        part.copy_(value)


def copy_of(tensor: torch.Tensor) -> torch.Tensor:
    """Return a copy of a tensor, without gradients.

    Examples
    --------
    >>> copy_of(torch.ones(2)).tolist()
    [1.0, 1.0]
    """
    if tensor.layout is not torch.strided:
        return tensor.detach().clone()
    copied = torch.empty_like(tensor)
    write_values(copied, tensor)
    return copied


def stored_values(tensor: torch.Tensor) -> torch.Tensor:
    """Return the values that a sparse tensor stores; of another tensor, the tensor.

    Examples
    --------
    >>> stored_values(torch.eye(2).to_sparse()).tolist()
    [1.0, 1.0]
    """
    if tensor.layout is torch.strided:
        return tensor
    # A COO tensor may hold several values for one place.
    return (tensor.detach().coalesce() if tensor.layout is torch.sparse_coo else tensor.detach()).values()


def check_fits(name: str, values: torch.Tensor, dtype: torch.dtype) -> None:
    """Raise InvalidParameterError for finite values that a less precise type of floats would make infinite.

    Examples
    --------
    >>> check_fits("X", torch.tensor([[0.0, 1e39]], dtype=torch.float64), torch.float32)
    Traceback (most recent call last):
    ...
    initsk.exceptions.InvalidParameterError: X has numbers beyond the range of single precision (3.4e+38): 1e+39 in
    column 2; divide by the largest value, or standardize
    """
    if values.is_meta or values.dtype == torch.bool or not (dtype.is_floating_point or dtype.is_complex):
        return
    largest = torch.finfo(dtype).max
    is_whole = not (values.is_floating_point() or values.is_complex())
    if (torch.iinfo if is_whole else torch.finfo)(values.dtype).max <= largest or not values.numel():
        return
    stored = stored_values(values.detach())
    stored = torch.view_as_real(stored.resolve_conj()) if stored.is_complex() else stored
    stored = stored.double() if is_whole else stored
    low, high = (float(bound) for bound in torch.aminmax(stored))
    if -largest <= low and high <= largest:  # false if they are NaN
        return
    places = ((stored.abs() > largest) & stored.isfinite()).nonzero()
    if len(places):
        column = f" in column {int(places[0, 1]) + 1}" if stored.dim() == 2 and values.dim() == 2 else ""
        precision = _PRECISIONS.get(dtype.to_real(), str(dtype).removeprefix("torch."))
        raise InvalidParameterError(
            beyond_range(name, f"{float(stored[tuple(places[0])]):.3g}{column}", precision, largest)
        )


def real_parts(values: torch.Tensor) -> torch.Tensor:
    """Return complex values as pairs of real values, and half precision as float32.

    Examples
    --------
    >>> real_parts(torch.tensor([1 + 2j]))
    tensor([[1., 2.]])
    """
    values = torch.view_as_real(values.resolve_conj()) if values.is_complex() else values
    return values.to(working_type(values.dtype))


def working_type(dtype: torch.dtype) -> torch.dtype:
    """Return the type for computations: at least float32 or complex64.

    Examples
    --------
    >>> working_type(torch.bfloat16), working_type(torch.float64), working_type(torch.complex32)
    (torch.float32, torch.float64, torch.complex64)
    """
    if dtype.is_complex:
        return dtype if dtype == torch.complex128 else torch.complex64
    return dtype if dtype == torch.float64 else torch.float32


def mark_of(tensor: torch.Tensor) -> Any:
    """Return a mark of a tensor's current values for `is_unchanged`.

    torch counts the writes to a tensor in an attribute without a public name; inference tensors have no count.
    Without the count, the mark is a copy.
    """
    try:
        return tensor._version
    except (AttributeError, RuntimeError):
        return tensor.detach().clone()


def is_unchanged(tensor: torch.Tensor, mark: Any) -> bool:
    """Return whether no operation has written to a tensor since `mark_of` returned the mark.

    Examples
    --------
    >>> tensor = torch.zeros(2)
    >>> mark = mark_of(tensor)
    >>> is_unchanged(tensor, mark)
    True
    >>> _ = tensor.add_(1)
    >>> is_unchanged(tensor, mark)
    False
    """
    if isinstance(mark, torch.Tensor):
        return mark.shape == tensor.shape and torch.allclose(mark, tensor, rtol=0, atol=0, equal_nan=True)
    return bool(mark == mark_of(tensor))
