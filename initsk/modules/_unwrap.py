"""From what is wrapped around a module to the module."""

from typing import Any

import torch
from torch import nn

from initsk.exceptions import ModuleError
from initsk.utils._compiled import compiled_part


def unwrap(module: Any) -> nn.Module:
    """Return the module that is wrapped for other devices or by the compiler, whose names are the same without.

    Raises
    ------
    ModuleError
        If it is no module, or one that hides its layers.

    Examples
    --------
    >>> unwrap(nn.DataParallel(nn.ReLU()))
    ReLU()
    """
    if isinstance(module, torch.jit.ScriptModule):
        raise ModuleError(f"{type(module).__name__} hides its layers (allowed: the module as it was before torch.jit)")
    if not isinstance(module, nn.Module):
        raise ModuleError(f"module={module!r} is not allowed (a torch.nn.Module)")
    if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return unwrap(module.module)
    compiled = compiled_part(module)
    return module if compiled is None else unwrap(compiled[1])
