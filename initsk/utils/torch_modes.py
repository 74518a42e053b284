"""The modes of torch in a thread: noted, and put back after an interrupt in the middle of torch's own code."""

from typing import Any

import numpy as np
import torch
from torch import overrides
from torch.overrides import TorchFunctionMode


class ThreadModes:
    """The function modes and the gradient mode of this thread, and what it does with numpy's errors, as they are now.

    torch takes a mode from its stack while the mode handles a call, and an interrupt at that place loses the mode; an
    interrupt at the beginning of a ``with`` block leaves its mode on the stack.

    Examples
    --------
    >>> modes = ThreadModes()
    >>> _ = torch.set_grad_enabled(False)
    >>> modes.restore()
    >>> torch.is_grad_enabled()
    True
    """

    def __init__(self) -> None:
        self.functions, self.gradients = _function_modes(), torch.is_grad_enabled()
        self.numpy_errors = np.geterr()

    def restore(self) -> None:
        """Give the thread its modes back."""
        if torch.is_grad_enabled() is not self.gradients:
            torch.set_grad_enabled(self.gradients)
        np.seterr(**self.numpy_errors)
        current = _function_modes()
        if list(map(id, current)) == list(map(id, self.functions)):
            return
        for _ in current:
            # A mode takes the last one from the stack, whichever that is.
            TorchFunctionMode().__exit__(None, None, None)
        for mode in self.functions:
            TorchFunctionMode.__enter__(mode)


def _function_modes() -> list[Any]:
    """Return the function modes of this thread, the innermost one last; none if torch does not tell."""
    stack = getattr(overrides, "_get_current_function_mode_stack", list)
    return list(stack())
