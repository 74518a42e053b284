"""The modes of torch in a thread, put back after an interrupt in the middle of torch's own code."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import overrides
from torch.overrides import TorchFunctionMode


@contextmanager
def modes_kept() -> Iterator[None]:
    """Give this thread the function modes and the gradient mode of now back, if the block raises.

    torch takes a mode from its stack while the mode handles a call, and an interrupt at that place loses the mode; an
    interrupt at the beginning of a ``with`` block leaves its mode on the stack.
    """
    before, gradients = _function_modes(), torch.is_grad_enabled()
    try:
        yield
    except BaseException:
        torch.set_grad_enabled(gradients)
        _set_function_modes(before)
        raise


def _function_modes() -> list[Any] | None:
    """Return the function modes of this thread, the innermost one last; None if torch does not tell."""
    stack = getattr(overrides, "_get_current_function_mode_stack", None)
    return None if stack is None else list(stack())


def _set_function_modes(modes: list[Any] | None) -> None:
    current = _function_modes()
    if modes is None or current is None or list(map(id, current)) == list(map(id, modes)):
        return
    for _ in current:
        # A mode takes the last one from the stack, whichever that is.
        TorchFunctionMode().__exit__(None, None, None)
    for mode in modes:
        TorchFunctionMode.__enter__(mode)
