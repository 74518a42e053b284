"""The state that a given module had before its first training, for a training that starts anew."""

from collections.abc import Collection
from typing import Any

import torch
from torch import nn

_DECLARED = frozenset(vars(nn.Module()))


class StartingState:
    """Buffers, attributes and `requires_grad` of a module, and the parameters that no initializer fills.

    Parameters that an initializer fills are not copied, since it fills them again.

    Parameters
    ----------
    module : torch.nn.Module
        The module before its first initialization.

    Examples
    --------
    >>> layer = nn.BatchNorm1d(1)
    >>> start = StartingState(layer)
    >>> layer.momentum, layer.running_mean = 0.5, torch.ones(1)
    >>> start.restore(layer)
    >>> layer.momentum, layer.running_mean.tolist()
    (0.1, [0.0])
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.trained = {name: parameter.requires_grad for name, parameter in module.named_parameters()}
        self.parameters: dict[str, torch.Tensor] = {}
        self.buffers = {name: buffer.detach().clone() for name, buffer in module.named_buffers()}
        # An attribute may be a parameter or a buffer under a second name.
        self.registered = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
        self.attributes = {name: self._copied(_attributes(part)) for name, part in module.named_modules()}

    def keep(self, names: Collection[str]) -> None:
        """Copy the parameters with these names, unless they were copied before."""
        for name, parameter in self.module.named_parameters():
            if name in names and name not in self.parameters:
                self.parameters[name] = parameter.detach().clone()

    def restore(self, module: nn.Module) -> None:
        """Give the state to the module or to a copy of it."""
        parameters = dict(module.named_parameters())
        for name, trained in self.trained.items():
            if name in parameters:
                parameters[name].requires_grad_(trained)
        for name, part in module.named_modules():
            if name in self.attributes:
                self._restore_attributes(part, self.attributes[name], own=module is self.module)
        with torch.no_grad():
            for name, values in self.parameters.items():
                parameters[name].copy_(values)
            for name, values in self.buffers.items():
                owner, _, short = name.rpartition(".")
                _restore_buffer(module.get_submodule(owner), short, values)

    def _restore_attributes(self, part: nn.Module, attributes: dict[str, Any], *, own: bool) -> None:
        """Restore attributes; a copy of the module has its own objects, so that only plain values are restored."""
        for name in _attributes(part).keys() - attributes.keys():
            del vars(part)[name]
        for name, held in attributes.items():
            if own or self._is_plain(held):
                vars(part)[name] = self._copied(held)

    def _copied(self, held: Any, around: tuple[int, ...] = ()) -> Any:
        """Copy containers and the tensors that no module registers; any other object stays."""
        if isinstance(held, torch.Tensor):
            return held.detach().clone() if self._is_plain(held) else held
        if type(held) not in (dict, list, tuple, set) or id(held) in around:
            # A container may hold itself.
            return held
        around = (*around, id(held))
        if isinstance(held, dict):
            return {key: self._copied(value, around) for key, value in held.items()}
        return type(held)(self._copied(value, around) for value in held)

    def _is_plain(self, held: Any, around: tuple[int, ...] = ()) -> bool:
        """Return whether a value consists of numbers, texts and tensors that no module registers."""
        if type(held) in (dict, list, tuple, set):
            parts = held.values() if isinstance(held, dict) else held
            return id(held) not in around and all(self._is_plain(part, (*around, id(held))) for part in parts)
        if isinstance(held, torch.Tensor):
            return id(held) not in self.registered
        return held is None or isinstance(held, bool | int | float | complex | str | torch.dtype | torch.device)


def _attributes(part: nn.Module) -> dict[str, Any]:
    """Return the attributes that a class of modules adds to those of `torch.nn.Module`."""
    return {name: held for name, held in vars(part).items() if name not in _DECLARED and not hasattr(nn.Module, name)}


def _restore_buffer(owner: nn.Module, name: str, values: torch.Tensor) -> None:
    buffer = getattr(owner, name, None)
    if isinstance(buffer, torch.Tensor) and buffer.shape == values.shape and buffer.dtype == values.dtype:
        # A buffer that a forward pass has computed may be part of a graph.
        buffer.detach().copy_(values)
    else:
        setattr(owner, name, values.clone())
