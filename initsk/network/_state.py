"""Families of torch's layers, with the layers that users derive from a family's base class."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from initsk.network._model import run_as_written
from initsk.network._view import remember_buffers
from initsk.utils.random import isolated_torch_random


def with_common_base(*kinds: type[nn.Module]) -> tuple[type[nn.Module], ...]:
    """Return classes of modules, and the closest class that all of them derive from.

    torch's layers of one family share a base class without a public name, which other libraries derive from. It
    is found here by what it is for. If the only class that is shared is `torch.nn.Module`, the classes stand alone.

    Examples
    --------
    >>> issubclass(nn.Conv2d, with_common_base(nn.Conv1d, nn.Conv3d))
    True
    >>> with_common_base(nn.Linear, nn.Conv1d) == (nn.Linear, nn.Conv1d)
    True
    """
    shared = (base for base in kinds[0].__mro__ if all(issubclass(kind, base) for kind in kinds))
    closest = next(shared)
    return kinds if closest is nn.Module else (*kinds, closest)


BATCH_NORM_LAYERS = with_common_base(
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.SyncBatchNorm,
    nn.LazyBatchNorm1d,
    nn.LazyBatchNorm2d,
    nn.LazyBatchNorm3d,
)
BATCH_OR_INSTANCE_NORM_LAYERS = with_common_base(
    *BATCH_NORM_LAYERS,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
    nn.LazyInstanceNorm1d,
    nn.LazyInstanceNorm2d,
    nn.LazyInstanceNorm3d,
)
NORM_LAYERS = (*BATCH_OR_INSTANCE_NORM_LAYERS, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
CONVOLUTIONS = with_common_base(
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)
POOLINGS = (
    *with_common_base(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
    *with_common_base(nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    *with_common_base(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
    *with_common_base(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
)


def has_hooks(owner: nn.Module | torch.optim.Optimizer) -> bool:
    """Return whether hooks are registered with a module (not with its parts) or an optimizer.

    Examples
    --------
    >>> layer = nn.Linear(2, 2)
    >>> handle = layer.register_forward_hook(print)
    >>> has_hooks(layer)
    True
    >>> handle.remove()
    >>> has_hooks(layer)
    False
    """
    return _holds_hooks(vars(owner))


def any_module_has_hooks() -> bool:
    """Return whether hooks are registered for all modules, as by `register_module_forward_hook`."""
    return _holds_hooks(vars(sys.modules[nn.Module.__module__]))


def any_optimizer_has_hooks() -> bool:
    """Return whether hooks are registered for all optimizers, as by `register_optimizer_step_pre_hook`."""
    return _holds_hooks(vars(sys.modules[torch.optim.Optimizer.__module__]))


def _holds_hooks(attributes: Mapping[str, Any]) -> bool:
    """Return whether a dictionary with numbers as keys is there: torch keeps hooks by the numbers of their handles.

    Parameters, buffers and modules have names as keys, and the state of an optimizer has tensors.
    """
    return any(isinstance(held, dict) and isinstance(next(iter(held), None), int) for held in attributes.values())


def may_have_gradient_hooks(parameter: torch.Tensor) -> bool:
    """Return whether something listens to a parameter's gradient; True where torch does not tell.

    torch has no public function for this question.
    """
    return any(getattr(parameter, name, True) for name in ("_backward_hooks", "_post_accumulate_grad_hooks"))


@contextmanager
def preserve_state(module: nn.Module, *, training: bool, gradients: bool, seed: int | None) -> Iterator[None]:
    """Set the module's mode, torch's random state and the recording of gradients for the length of the block.

    Afterwards, on any exit, training flags, buffers, what requires a gradient and the random state are as before.
    Without a seed, the module draws what it would draw next.
    """
    modes = [(part, part.training) for part in module.modules()]
    needs = [(parameter, parameter.requires_grad) for parameter in module.parameters()]
    put_buffers_back = remember_buffers(module)
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    with ExitStack() as stack:
        stack.enter_context(isolated_torch_random(seed, str(device)))
        stack.enter_context(run_as_written(module))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.set_grad_enabled(gradients))
        try:
            module.train(training)
            for parameter, _ in needs if gradients else ():
                # Frozen parameters would hide the layers before them.
                parameter.requires_grad_(parameter.is_floating_point() or parameter.is_complex())
            yield
        finally:
            for part, was in modes:
                part.training = was
            for parameter, was in needs:
                parameter.requires_grad_(was)
            put_buffers_back()
