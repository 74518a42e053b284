"""Weights that hooks compute: by ``torch.nn.utils.weight_norm``, ``spectral_norm`` and ``prune``."""

from typing import Any

import torch
from torch import nn
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

# The number of power iterations that torch runs when the parametrization of spectral normalization is registered.
POWER_ITERATIONS = 15


def hooked_tensors(module: nn.Module) -> dict[str, tuple[str, ...]]:
    """Return the names of the parameters from which a module's hooks compute a tensor, by the tensor's name.

    Examples
    --------
    >>> from torch.nn.utils import prune
    >>> hooked_tensors(prune.identity(nn.Linear(2, 2), "weight"))
    {'weight': ('weight_orig',)}
    """
    found: dict[str, tuple[str, ...]] = {}
    for hook in _hooks_of(module):
        if isinstance(hook, WeightNorm):
            found[hook.name] = (f"{hook.name}_g", f"{hook.name}_v")
        elif isinstance(hook, SpectralNorm):
            found[hook.name] = (f"{hook.name}_orig",)
        else:
            masked = {name.removesuffix("_mask") for name, _ in module.named_buffers(recurse=False)}
            own = [name for name, _ in module.named_parameters(recurse=False)]
            found |= {name: (f"{name}_orig",) for name in sorted(masked) if f"{name}_orig" in own}
    return found


def write_through_hook(module: nn.Module, name: str, values: torch.Tensor) -> None:
    """Write the parameters of a hook so that it computes the values, and let it compute them.

    Spectral normalization divides the values by their largest singular value, and pruning masks them.
    """
    originals: list[Any] = [getattr(module, original) for original in hooked_tensors(module)[name]]
    originals[-1].copy_(values)
    for hook in _hooks_of(module):
        if isinstance(hook, WeightNorm) and hook.name == name:
            originals[0].copy_(torch.norm_except_dim(originals[1], 2, hook.dim))
        elif isinstance(hook, SpectralNorm) and hook.name == name:
            for _ in range(POWER_ITERATIONS):
                hook.compute_weight(module, do_power_iteration=True)
    compute_hooked(module)


def compute_hooked(module: nn.Module) -> None:
    """Let the hooks of a module (not of its parts) compute its tensors from its parameters, outside of any graph."""
    with torch.no_grad():
        for hook in _hooks_of(module):
            if isinstance(hook, SpectralNorm):
                setattr(module, hook.name, hook.compute_weight(module, do_power_iteration=False))
            else:
                hook(module, ())


def _hooks_of(module: nn.Module) -> list[WeightNorm | SpectralNorm | BasePruningMethod]:
    # torch stores hooks in dictionaries under their numbers.
    numbered = [item for held in vars(module).values() if isinstance(held, dict) for item in held.items()]
    known = (WeightNorm, SpectralNorm, BasePruningMethod)
    return [hook for number, hook in numbered if isinstance(number, int) and isinstance(hook, known)]
