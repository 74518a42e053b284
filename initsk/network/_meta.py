"""Values for tensors on the meta device: memory, and what each layer defines itself."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from inspect import Parameter, signature
from itertools import chain
from typing import Any

import torch
from torch import nn

from initsk.exceptions import ModuleError
from initsk.network._parts import named_parts
from initsk.network._wrappers import clean_names
from initsk.utils.random import derive_seed, isolated_torch_random
from initsk.utils.torch_settings import is_unchanged, mark_of

_VARIADIC = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def meta_tensors(module: nn.Module) -> list[str]:
    """Return the names of the parameters, buffers and other tensors that are on the meta device.

    Examples
    --------
    >>> meta_tensors(nn.Linear(2, 2, device="meta"))
    ['weight', 'bias']
    """
    return [name for name, _, _, tensor in _own_tensors(module) if tensor.is_meta]


@dataclass
class _Made:
    """A tensor that was made for one on the meta device."""

    part: nn.Module
    attribute: str
    tensor: torch.Tensor
    mark: Any

    @property
    def is_defined(self) -> bool:
        """Whether values were written to the tensor, or another tensor has taken its place."""
        current = getattr(self.part, self.attribute)
        if current is not self.tensor:
            return not current.is_meta
        if self.tensor.is_floating_point() or self.tensor.is_complex():
            return not bool(self.tensor.isnan().any())
        return not is_unchanged(self.tensor, self.mark)


class MadeTensors:
    """The tensors of a module that are made for those on the meta device; they are NaN until they are defined.

    Parameters
    ----------
    module : torch.nn.Module
        The module; its tensors on the meta device are replaced.
    device : str or torch.device
        The device of the new tensors.
    """

    def __init__(self, module: nn.Module, device: str | torch.device) -> None:
        self.module, self.device = module, device
        self.made: dict[str, _Made] = {}
        new: dict[int, torch.Tensor] = {}
        for name, part, attribute, tensor in list(_own_tensors(module)):
            if tensor.is_meta:
                values = new.setdefault(id(tensor), _made_for(tensor, device))
                setattr(part, attribute, values)
                self.made[name] = _Made(part, attribute, values, mark_of(values))

    def undefined(self, filled: Collection[str]) -> list[str]:
        """Return the names of the tensors without values, except those that will be filled."""
        ready = {id(self.made[name].tensor) for name in filled if name in self.made}
        return [name for name, made in self.made.items() if id(made.tensor) not in ready and not made.is_defined]

    def define(self, filled: Collection[str], seed: int) -> None:
        """Let layers define their own tensors, except those that will be filled.

        A layer defines its tensors in ``reset_parameters()``, or a module around it in ``init_weights()``. Position
        ids are counted.
        """
        for method in ("reset_parameters", "init_weights"):
            for name, part in self._owners(self.undefined(filled), method).items():
                with torch.no_grad(), isolated_torch_random(derive_seed(seed, "reset", name), str(self.device)):
                    getattr(part, method)()
        for name in self.undefined(filled):
            made = self.made[name]
            if made.attribute == "position_ids":
                with torch.no_grad():
                    made.tensor.copy_(torch.arange(made.tensor.shape[-1]))

    def check(self, filled: Collection[str]) -> None:
        """Raise if a tensor has no values and will not be filled.

        Raises
        ------
        ModuleError
            With the names of the tensors.
        """
        left = self.undefined(filled)
        if left:
            kinds = ", ".join(dict.fromkeys(type(self.made[name].part).__name__ for name in left))
            raise ModuleError(
                f"tensors on the meta device without known values: {', '.join(left)} (allowed: an initializer"
                f" that fills them, a method reset_parameters() of {kinds} that writes them, or a module with values)"
            )

    def _owners(self, names: list[str], method: str) -> dict[str, nn.Module]:
        """Return the modules that define tensors in a method: their owners, or the closest modules around them."""
        parts = dict(self.module.named_modules())
        owners = {id(self.made[name].part) for name in names}
        found: dict[str, nn.Module] = {}
        for name in [name for name, part in parts.items() if id(part) in owners]:
            reach = [name] if method == "reset_parameters" else _around(name)
            closest = next((outer for outer in reach if _takes_nothing(getattr(parts[outer], method, None))), None)
            if closest is not None:
                found[closest] = parts[closest]
        return found


def _around(name: str) -> Iterator[str]:
    """Yield the names of a module and of the modules around it, from the inside to the outside."""
    while name:
        yield name
        name = name.rpartition(".")[0]
    yield ""


def _takes_nothing(method: Callable[..., Any] | None) -> bool:
    if not callable(method):
        return False
    needed = [p for p in signature(method).parameters.values() if p.default is p.empty and p.kind not in _VARIADIC]
    return not needed


def _made_for(tensor: torch.Tensor, device: str | torch.device) -> torch.Tensor:
    values = torch.empty_like(tensor, device=device, requires_grad=False)
    if values.is_floating_point() or values.is_complex():
        values.fill_(float("nan"))
    if isinstance(tensor, nn.Parameter):
        values = nn.Parameter(values, requires_grad=tensor.requires_grad)
        vars(values).update(vars(tensor))
    return values


def _own_tensors(module: nn.Module) -> Iterator[tuple[str, nn.Module, str, torch.Tensor]]:
    """Yield the name, the module, the attribute and the tensor of parameters, buffers and other attributes."""
    clean = clean_names(module)
    for path, part in named_parts(module):
        others = ((key, held) for key, held in vars(part).items() if isinstance(held, torch.Tensor))
        own = chain(part.named_parameters(recurse=False), part.named_buffers(recurse=False), others)
        for attribute, tensor in own:
            yield f"{clean[path]}.{attribute}".lstrip("."), part, attribute, tensor
