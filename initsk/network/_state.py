"""Hooks, modes and parameters of a module: finding, restoring and writing them."""

import copy
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized

from initsk.exceptions import ModuleError
from initsk.network._contents import gradients_apart, save_contents
from initsk.network._originals import ParametersRestored
from initsk.network._parts import parameters_of, parts_of
from initsk.network._sharded import write_local
from initsk.network._weight_hooks import POWER_ITERATIONS, hooked_tensors, write_through_hook
from initsk.network._wrappers import run_as_written
from initsk.utils.global_state import GLOBAL_STATE
from initsk.utils.random import isolated_random
from initsk.utils.words import reason_of

#: Where torch holds the hooks of a parameter's gradient, and the methods that register them.
_GRADIENT_HOOKS = {
    "_backward_hooks": "register_hook", "_post_accumulate_grad_hooks": "register_post_accumulate_grad_hook"
}  # fmt: skip


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
    """Return whether an attribute is a dictionary with integer keys: torch stores hooks under their handles' numbers.

    Parameters, buffers and modules have names as keys, and the state of an optimizer has tensors.
    """
    return any(map(_are_hooks, attributes.values()))


def may_have_gradient_hooks(parameter: torch.Tensor) -> bool:
    """Return whether hooks are registered for a parameter's gradient; True if torch does not show them.

    torch has no public function for this question.
    """
    return any(getattr(parameter, name, True) for name in _GRADIENT_HOOKS)


def copy_gradient_hooks(parameter: torch.Tensor, copied: torch.Tensor | None, memo: dict[int, Any]) -> None:
    """Register the hooks of a parameter's gradient with a copy; `memo` has what the hooks may refer to."""
    if not isinstance(copied, torch.Tensor) or copied is parameter:
        return
    for attribute, register in _GRADIENT_HOOKS.items():
        held = getattr(parameter, attribute, None) or {}
        # A copy of a tensor with the method of its own class may have them already.
        for hook in () if getattr(copied, attribute, None) else held.values():
            getattr(copied, register)(copy.deepcopy(hook, memo))


@contextmanager
def preserve_training(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Restore the training mode of each module after the block."""
    with GLOBAL_STATE.held():
        modes = [(module, module.training) for module in modules]

        def restore() -> None:
            for module, was_training in modes:
                module.training = was_training

        with GLOBAL_STATE.changed(restore):
            yield


def set_training(module: nn.Module, training: bool) -> None:
    """Set training or evaluation mode.

    Raises
    ------
    ModuleError
        If the module refuses, as an exported one does.
    """
    try:
        module.train(training)
    except Exception as error:  # a user's method may raise anything
        raise ModuleError(
            f"{type(module).__name__} cannot be set into {'training' if training else 'evaluation'} mode:"
            f" {reason_of(error)} (allowed: a module whose mode can be set, such as the one before torch.export)"
        ) from error


@contextmanager
def preserve_mode(module: nn.Module, *, training: bool | None, seed: int | None) -> Iterator[None]:
    """Set the module's mode (None leaves it) and the random states of torch, numpy and Python inside the block.

    The seed is also that of random generators that the module holds. On any exit, the training flags, gradients of
    parameters, all that `save_contents` saves, and the random states are restored. Without a seed, the random states
    inside are those outside. No parameter has a gradient at the beginning of the block.
    """
    device = next((p.device for p in parameters_of(module)), torch.device("cpu"))
    # What is saved is saved while no other thread has changed it for its own block.
    with GLOBAL_STATE.held():
        restore = save_contents(module, seed=seed)
        with (
            isolated_random(seed, str(device)), preserve_training(parts_of(module)), gradients_apart(module),
            GLOBAL_STATE.changed(restore),
        ):  # fmt: skip
            if training is not None:
                set_training(module, training)
            yield


@contextmanager
def preserve_state(
    module: nn.Module, *, training: bool | None, gradients: bool, seed: int | None, parameters: bool = True
) -> Iterator[None]:
    """Set the module's mode, the random states and the recording of gradients inside the block.

    On any exit, what `preserve_mode` restores is restored, and so are `requires_grad` of every parameter and, with
    `parameters`, values of parameters that a forward pass has written. A `ForwardFollower` restores these itself: each
    mode makes every call of torch slower.
    """
    with GLOBAL_STATE.held():
        required = [(parameter, parameter.requires_grad) for parameter in parameters_of(module)]
        written = [*(parameter for parameter, _ in required if gradients), *module.buffers()]
        if any(tensor.is_inference() for tensor in written):
            raise ModuleError(
                f"{type(module).__name__} was made in torch.inference_mode, so its parameters cannot have gradients and"
                " its buffers cannot change (allowed: a module that was made outside of this mode)"
            )

        def restore() -> None:
            for parameter, was_required in required:
                if parameter.requires_grad != was_required:
                    parameter.requires_grad_(was_required)

        with (
            run_as_written(module),
            torch.inference_mode(False),
            torch.set_grad_enabled(gradients),
            preserve_mode(module, training=training, seed=seed),
            ParametersRestored(module) if parameters else nullcontext(),
            GLOBAL_STATE.changed(restore),
        ):
            for parameter, _ in required if gradients else ():
                # Frozen parameters would hide the layers before them.
                parameter.requires_grad_(parameter.is_floating_point() or parameter.is_complex())
            yield


@contextmanager
def without_hooks_of_users(module: nn.Module) -> Iterator[None]:
    """Remove the hooks of all parts inside the block, except torch's own, which compute parameters.

    Hooks of ``torch.distributed`` gather shards, and a reading has whole parameters.
    """
    before = [(held, held.copy()) for held in _tables_of_hooks(module)]
    try:
        for held, hooks in before:
            for number, hook in hooks.items():
                if not _is_of_torch(hook) or _home(hook).startswith("torch.distributed"):
                    del held[number]
        yield
    finally:
        for held, hooks in before:
            held.clear()
            held.update(hooks)


def has_hooks_of_users(module: nn.Module) -> bool:
    """Return whether a part has hooks that are not torch's own."""
    return any(not _is_of_torch(hook) for held in _tables_of_hooks(module) for hook in held.values())


@contextmanager
def hooks_of_users_wrapped(module: nn.Module, wrap: Callable[[Any], Any]) -> Iterator[None]:
    """Put ``wrap(hook)`` in the place of each hook that is not torch's own, inside the block."""
    replaced = []
    try:
        for held in _tables_of_hooks(module):
            for number, hook in list(held.items()):
                if not _is_of_torch(hook):
                    held[number] = wrapped = wrap(hook)
                    replaced.append((held, number, hook, wrapped))
        yield
    finally:
        for held, number, hook, wrapped in replaced:
            if held.get(number) is wrapped:
                held[number] = hook


_TABLES = (dict, OrderedDict)


def _tables_of_hooks(module: nn.Module) -> list[dict[int, Any]]:
    values = (value for part in parts_of(module) for value in vars(part).values())
    # Nearly all tables are empty.
    return [held for held in values if type(held) in _TABLES and held and _are_hooks(held)]


def _are_hooks(held: Any) -> bool:
    return isinstance(held, dict) and isinstance(next(iter(held), None), int)


def _is_of_torch(hook: Any) -> bool:
    return isinstance(hook, bool) or _home(hook).startswith("torch.")


def _home(hook: Any) -> str:
    """Return the name of the Python module of a hook; flags that belong to a hook have none."""
    return getattr(hook, "__module__", None) or "torch."


def set_tensor(module: nn.Module, name: str, values: torch.Tensor) -> None:
    """Write a parameter in place, or through its parametrization or the hook that computes it.

    Of a sharded parameter, each process writes its shard.
    """
    with torch.no_grad():
        if is_parametrized(module, name):
            # The inverse of an orthogonal parametrization draws the columns that a rectangular matrix lacks.
            with isolated_random(0, "cpu"):
                setattr(module, name, values)
            _update_spectral_norm(module, name)
        elif name in hooked_tensors(module):
            write_through_hook(module, name, values)
        else:
            write_local(getattr(module, name), values)
    # Autocast would continue to use its copy of the old values.
    torch.clear_autocast_cache()


def _update_spectral_norm(module: nn.Module, name: str) -> None:
    """Run the power iterations of spectral normalization on new values, as at its registration."""
    parametrizations: Any = module.parametrizations
    for part in parametrizations[name]:
        if isinstance(part, _spectral_norm()):
            with preserve_training([part]):
                part.training = True
                for _ in range(POWER_ITERATIONS):
                    getattr(module, name)


@cache
def _spectral_norm() -> type[nn.Module]:
    """Return the class of the parametrization that `spectral_norm` registers, which has no public name."""
    parametrized: Any = spectral_norm(nn.Linear(1, 1, device="meta"))
    return type(parametrized.parametrizations.weight[0])
