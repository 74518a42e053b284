"""Wrappers of torch's: for several devices, for the compiler, for averages of weights and for checkpoints."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from initsk.exceptions import ModuleError
from initsk.network._hints import describe_kind, with_next_step
from initsk.network._parts import parts_of
from initsk.utils.validation import check_names

_DECLARED_AS_NONE = [name for name, value in vars(nn.Module).items() if value is None]
_PUBLIC_WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel)


def wrapped_part(module: nn.Module) -> tuple[str, nn.Module] | None:
    """Return the name and the module that a wrapper of torch's holds; None for any other module.

    Examples
    --------
    >>> wrapped_part(nn.ReLU()) is None
    True
    >>> wrapped_part(nn.DataParallel(nn.ReLU()))
    ('module', ReLU())
    """
    kind: Any = type(module)
    if not _is_wrapper(kind):
        return None
    children = list(module.named_children())
    return children[0] if len(children) == 1 else None


def unwrap(module: Any) -> nn.Module:
    """Return a module without the wrappers around it.

    Raises
    ------
    ModuleError
        If it is not a module, is a scripted module, which hides its layers, has its parameters flattened, or is built
        in a way that torch itself cannot go through.

    Examples
    --------
    >>> unwrap(nn.DataParallel(nn.ReLU()))
    ReLU()
    """
    if isinstance(module, torch.jit.ScriptModule):
        raise ModuleError(f"{type(module).__name__} hides its layers (allowed: the module before torch.jit)")
    if not isinstance(module, nn.Module):
        message = f"{describe_kind(module)} is not allowed as module (allowed: a torch.nn.Module)"
        if hasattr(module, "fit") and not isinstance(module, type):
            message += "; of an estimator, give its module (module_ of a skorch net), or set its parameter initializer"
        raise ModuleError(with_next_step(message, module))
    _check_structure(module)
    parameters = dict(module.named_parameters())
    nested = [name for name, parameter in parameters.items() if parameter.is_nested]
    if nested:
        raise ModuleError(f"{nested[0]} is a nested tensor, without a shape (allowed: parameters with a shape)")
    check_names("parameter", parameters)
    check_names("layer", (name for name, _ in module.named_modules()))
    kinds = set(map(type, parts_of(module)))
    if any(kind.__name__ == "FullyShardedDataParallel" and _is_of_distributed(kind) for kind in kinds):
        raise ModuleError(
            "FullyShardedDataParallel flattens the parameters (allowed: the module before the wrapper, or fully_shard)"
        )
    found = wrapped_part(module)
    return module if found is None else unwrap(found[1])


def refuse_quantized(module: nn.Module) -> None:
    """Raise if layers of a module have packed integers of torch's quantization instead of weights.

    Raises
    ------
    ModuleError
        With the name of the first such layer.
    """
    for name, part in module.named_modules():
        kind = type(part)
        if kind.__module__.startswith("torch.") and "quantized" in kind.__module__.split("."):
            raise ModuleError(
                f"{name or 'module'} is quantized ({kind.__name__}) and has no real values (allowed: the float module)"
            )


def _contains_itself(module: nn.Module) -> bool:
    """Return whether a part contains a module that contains the part; without recursion."""
    open_parts, done = {module}, set[nn.Module]()
    path = [(module, module.children())]
    while path:
        part, children = path[-1]
        child = next((child for child in children if child not in done), None)
        if child is None:
            path.pop()
            open_parts.discard(part)
            done.add(part)
        elif child in open_parts:
            return True
        else:
            open_parts.add(child)
            path.append((child, child.children()))
    return False


def _check_structure(module: nn.Module) -> None:
    """Raise if torch itself cannot go through the parts of a module."""
    kind = type(module).__name__
    try:
        for _ in module.named_modules(remove_duplicate=False):
            pass
    except RecursionError as error:
        reason = "contains itself (allowed: another name of a module in a list)"
        if not _contains_itself(module):
            reason = "holds modules in too many modules (allowed: a module that torch can go through)"
        raise ModuleError(f"{kind} {reason}") from error
    except (AttributeError, TypeError) as error:
        raise ModuleError(
            f"torch cannot go through the parts of {kind}: {error} (allowed: modules whose __init__ calls that of"
            " torch.nn.Module, and that have a hash)"
        ) from error


def clean_names(module: nn.Module) -> dict[str, str]:
    """Return the name of each part without the names of wrappers, by its name in ``named_modules``.

    A wrapper has the name of the module that it wraps. Each name of a part that has several is there.

    Examples
    --------
    >>> clean_names(nn.Sequential(nn.DataParallel(nn.ReLU())))
    {'': '', '0': '0', '0.module': '0'}
    """
    clean: dict[str, str] = {}
    inside: set[str] = set()
    for name, part in module.named_modules(remove_duplicate=False):
        parent, _, short = name.rpartition(".")
        outer = clean.get(parent, "")
        clean[name] = outer if name in inside else _join(outer, short)
        found = wrapped_part(part)
        if found is not None:
            inside.add(_join(name, found[0]))
    return clean


def named_parameters(module: nn.Module, *, remove_duplicate: bool = True) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield parameters as ``named_parameters`` does, with names that are free of wrappers.

    Examples
    --------
    >>> [name for name, _ in named_parameters(nn.DataParallel(nn.Linear(1, 1)))]
    ['weight', 'bias']
    """
    seen: set[int] = set()
    clean = clean_names(module)
    for path, part in module.named_modules(remove_duplicate=remove_duplicate):
        # Not of the whole module: some wrappers change the names that their own named_parameters yields.
        for short, parameter in part.named_parameters(recurse=False):
            if not remove_duplicate or id(parameter) not in seen:
                seen.add(id(parameter))
                yield _join(clean[path], short), parameter


@contextmanager
def without_wrappers(module: nn.Module) -> Iterator[None]:
    """Put the wrapped modules in the places of the wrappers inside the block, and run no compiled code.

    The module then has the names, the trace and the forward pass of the network without wrappers.
    """
    wrappers = []
    for name, part in module.named_modules(remove_duplicate=False):
        if name and wrapped_part(part) is not None:
            parent = module.get_submodule(name.rpartition(".")[0])
            if wrapped_part(parent) is None:
                wrappers.append((parent, name.rpartition(".")[2], part))
    compiled = [(part, found) for part in parts_of(module) if (found := _compiled_code(part))]
    try:
        for part, code in compiled:
            vars(part).update(dict.fromkeys(code))
        for parent, short, wrapper in wrappers:
            parent.add_module(short, unwrap(wrapper))
        yield
    finally:
        for parent, short, wrapper in wrappers:
            parent.add_module(short, wrapper)
        for part, code in compiled:
            vars(part).update(code)


def _compiled_code(module: nn.Module) -> dict[str, Any]:
    """Return what ``module.compile()`` has set: attributes that `torch.nn.Module` declares as None."""
    attributes = vars(module)
    return {name: attributes[name] for name in _DECLARED_AS_NONE if callable(attributes.get(name))}


def is_compiled(module: nn.Module) -> bool:
    """Return whether a module runs compiled code: after ``torch.compile(module)`` or ``module.compile()``."""
    return _is_compiled_wrapper(type(module)) or bool(_compiled_code(module))


@contextmanager
def run_as_written(module: nn.Module) -> Iterator[None]:
    """Run the compiled parts of a module without their compiled code inside the block."""
    if not any(is_compiled(part) for part in parts_of(module)):
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def _join(name: str, short: str) -> str:
    return f"{name}.{short}" if name else short


# One network has many parts of few classes.
@lru_cache
def _is_wrapper(kind: Any) -> bool:
    return issubclass(kind, _PUBLIC_WRAPPERS) or _is_compiled_wrapper(kind) or _is_of_distributed(kind)


def _is_compiled_wrapper(kind: type[nn.Module]) -> bool:
    home = kind.__module__
    return home.startswith("torch.") and not home.startswith("torch.nn.") and issubclass(kind, _compiled_class())


@cache
def _compiled_class() -> type[nn.Module]:
    """Return the class of the modules that ``torch.compile`` returns, which has no public name."""
    example: Any = torch.compile(nn.Identity(), backend="eager")
    return type(example)


def _is_of_distributed(kind: type[nn.Module]) -> bool:
    """Return whether a class is one of ``torch.distributed``, such as that of a checkpointed part.

    The classes that ``fully_shard`` makes of a network's own classes have no ``__init__`` of their own.
    """
    kinds = (base for base in kind.__mro__ if issubclass(base, nn.Module) and "__init__" in vars(base))
    return any(base.__module__.startswith("torch.distributed.") for base in kinds)
