"""Save and restore the state of a module that is no parameter: buffers, attributes, containers and generators."""

import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from operator import is_
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

from initsk.network._originals import storage_of
from initsk.network._parts import parameters_of, parts_of
from initsk.utils.global_state import GLOBAL_STATE

_WITHOUT_CONTENT = {type(None), bool, int, float, str, type, FunctionType, torch.dtype, torch.device, torch.Size}
_CONTAINERS = dict | list | deque | set
_GENERATORS = torch.Generator | np.random.Generator | np.random.RandomState | random.Random


def save_contents(module: nn.Module, *, seed: int | None = None) -> Callable[[], None]:
    """Return a function that gives a module and its parts back what they hold now, except values of parameters.

    These are attributes, buffers, other tensors, arrays of numpy and random generators, also in dictionaries, lists,
    sets, queues and tuples, in modules that are no parts, and in objects whose class is from the package of a part.
    Lazy parts, whose buffers have no values yet, are left alone. With `seed`, the generators are seeded after that.
    """
    held = contents_of(module)
    containers = [(value, _copied(value)) for value in held if isinstance(value, _CONTAINERS)]
    tensors = [value for value in held if isinstance(value, torch.Tensor)]
    restores = [_saved(value) for value in held if isinstance(value, np.ndarray | _GENERATORS)]
    if tensors:
        # Copies of all parameters would need memory, and few forward passes write into one.
        others = {storage_of(parameter) for parameter in parameters_of(module)} - {None}
        restores += [_SavedTensor(tensor, values=storage_of(tensor) not in others).restore for tensor in tensors]

    if seed is not None:
        for generator in (value for value in held if isinstance(value, _GENERATORS)):
            _seed_generator(generator, seed)

    def restore_all() -> None:
        for container, earlier in containers:
            _restore_container(container, earlier)
        with torch.no_grad():
            for restore in restores:
                restore()

    return restore_all


def contents_of(module: nn.Module) -> list[Any]:
    """Return each thing that a module and its parts hold and that may change: containers, tensors, generators.

    Of modules and objects, these are the dictionaries of their attributes.
    """
    parts = parts_of(module)
    packages = {_package_of(part) for part in parts} - {"torch"}
    seen = set(map(id, parameters_of(module)))
    waiting: list[Any] = parts[::-1]
    found: list[Any] = []
    while waiting:
        value = waiting.pop()
        if type(value) in _WITHOUT_CONTENT or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, torch.Tensor | np.ndarray | _GENERATORS):
            found.append(value)
        elif isinstance(value, tuple | frozenset):
            waiting += value
        elif isinstance(value, _CONTAINERS):
            found.append(value)
            waiting += value.values() if isinstance(value, dict) else value
        elif _is_lazy(value) if isinstance(value, nn.Module) else not _has_attributes(value, packages):
            continue
        else:
            found.append(vars(value))
            waiting += vars(value).values()
    return found


def _is_lazy(module: nn.Module) -> bool:
    return any(map(nn.parameter.is_lazy, chain(module.parameters(recurse=False), module.buffers(recurse=False))))


def _has_attributes(value: Any, packages: set[str]) -> bool:
    """Return whether an object is one of the network's own; data sets, loggers and the like belong to others."""
    is_own = isinstance(value, SimpleNamespace | torch.optim.Optimizer) or _package_of(value) in packages
    return is_own and hasattr(value, "__dict__") and not isinstance(value, type)


def _package_of(value: Any) -> str:
    return type(value).__module__.partition(".")[0]


def _copied(container: Any) -> Any:
    """Return the content of a container as one of Python's own types: subclasses may have other constructors."""
    if not container:
        # Most containers are empty tables of hooks.
        return ()
    kind: Any = dict if isinstance(container, dict) else set if isinstance(container, set) else list
    return kind(container)


def _saved(value: Any) -> Callable[[], None]:
    """Return a function that gives an array or a generator its state of now back."""
    if isinstance(value, np.ndarray):
        return partial(_restore_array, value, value.copy())
    if isinstance(value, np.random.Generator):
        return partial(setattr, value.bit_generator, "state", value.bit_generator.state)
    if isinstance(value, random.Random):
        return partial(value.setstate, value.getstate())
    return partial(value.set_state, value.get_state())


def _seed_generator(generator: Any, seed: int) -> None:
    if isinstance(generator, torch.Generator):
        generator.manual_seed(seed)
    elif isinstance(generator, np.random.Generator):
        kind: Any = type(generator.bit_generator)
        generator.bit_generator.state = kind(seed).state
    else:
        generator.seed(seed % 2**32)


def _restore_container(container: Any, earlier: Any) -> None:
    if (container or earlier) and not _holds_the_same(container, earlier):
        container.clear()
        (container.extend if isinstance(container, list | deque) else container.update)(earlier)


def _holds_the_same(container: Any, earlier: Any) -> bool:
    """Return whether two containers hold the same objects in the same order."""
    if len(container) != len(earlier):
        return False
    if isinstance(container, dict) and earlier and not all(map(is_, container.values(), earlier.values())):
        return False
    # Keys are compared by identity too, since those of a dictionary may be tensors.
    return all(map(is_, container, earlier))


def _restore_array(array: np.ndarray, values: np.ndarray) -> None:
    if array.flags.writeable and array.shape == values.shape:
        array[...] = values


class _SavedTensor:
    """A tensor with its memory, its gradient and, if wanted, its values, as they are now."""

    def __init__(self, tensor: torch.Tensor, *, values: bool) -> None:
        self.tensor, self.held = tensor, tensor.data
        self.values = tensor.detach().clone() if values else None
        self.requires_grad, self.is_leaf = tensor.requires_grad, tensor.is_leaf
        self.gradient = tensor.grad if tensor.is_leaf else None

    def restore(self) -> None:
        """Give the tensor back what it had."""
        tensor = self.tensor
        # A write of something with a gradient gives the tensor a gradient too. That of a view belongs to its base.
        if self.is_leaf and not tensor.is_leaf and tensor._base is None:
            tensor.detach_()
        if self.values is not None and not _are_equal(self.held, self.values):
            self.held.copy_(self.values)
        if _place_of(tensor) != _place_of(self.held):
            tensor.data = self.held
        if self.is_leaf and tensor.is_leaf:
            tensor.requires_grad_(self.requires_grad)
            tensor.grad = self.gradient


def _are_equal(tensor: torch.Tensor, values: torch.Tensor) -> bool:
    """Return whether two tensors are known to hold equal values: a write would invalidate graphs of autograd."""
    is_plain = type(tensor) in (torch.Tensor, nn.Parameter) and tensor.layout is torch.strided
    return is_plain and not tensor.is_meta and not tensor.is_quantized and torch.equal(tensor, values)


def _place_of(tensor: torch.Tensor) -> Any:
    """Return where the values of a tensor lie in memory, and how."""
    shape = (tensor.dtype, tensor.device, tuple(tensor.shape))
    is_strided = tensor.layout is torch.strided and not tensor.is_nested
    return (*shape, tensor.stride(), tensor.storage_offset(), storage_of(tensor)) if is_strided else shape


@contextmanager
def gradients_apart(module: nn.Module) -> Iterator[None]:
    """Take the gradients of all parameters away inside the block, and put them back after it."""
    with GLOBAL_STATE.held():
        before = [(parameter, parameter.grad) for parameter in parameters_of(module)]

        def restore() -> None:
            for parameter, gradient in before:
                if parameter.grad is not gradient:
                    parameter.grad = gradient

        with GLOBAL_STATE.changed(restore):
            for parameter, gradient in before:
                if gradient is not None:
                    parameter.grad = None
            yield
