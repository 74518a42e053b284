"""From what is wrapped around a module to the module."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from torch import nn

from initsk.exceptions import InvalidParameterError, ModuleError


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


@dataclass(frozen=True)
class Model:
    """A torch module and what was around it.

    Parameters
    ----------
    module : torch.nn.Module
    net : skorch net or None
        Knows the loss and the optimizer.
    classes : ndarray or None
        Labels, where the module gives a score for each.
    prepare : callable or None
        What a pipeline does to X before.
    """

    module: nn.Module
    net: Any = None
    classes: np.ndarray | None = None
    prepare: Callable[[Any], Any] | None = None

    def prepared(self, X: Any) -> Any:
        """Return what reaches the network of X."""
        return X if self.prepare is None else self.prepare(X)

    def encode(self, y: Any) -> Any:
        """Return labels as positions among the classes; whatever else y is, stays.

        Raises
        ------
        InvalidParameterError
            If y holds labels that the model does not know.
        """
        if self.classes is None or y is None or isinstance(y, torch.Tensor):
            return y
        labels = np.asarray(y)
        unknown = sorted(set(labels.ravel().tolist()) - set(self.classes.tolist()), key=str)
        if unknown:
            raise InvalidParameterError(f"y holds labels that the model does not know: {unknown[:10]}")
        return np.searchsorted(self.classes, labels)


def get_model(model: Any, X: Any = None, y: Any = None) -> Model:
    """Return the torch module that `model` is or carries; an unfitted estimator is built on a clone.

    Raises
    ------
    ModuleError
        If there is none, or one whose layers cannot be seen.
    """
    if isinstance(model, Model):
        return model
    if isinstance(model, nn.Module):
        return Model(_visible(model))
    if hasattr(model, "best_estimator_"):
        return get_model(model.best_estimator_, X, y)
    if hasattr(model, "steps"):
        return _of_pipeline(model, X, y)
    net = getattr(model, "net_", model)
    module = getattr(net, "module_", None)
    if isinstance(module, nn.Module):
        classes = getattr(model, "classes_", None)
        return Model(_visible(module), net, classes if isinstance(classes, np.ndarray) else None)
    if hasattr(model, "initialize") and hasattr(model, "get_params"):
        if y is None and not hasattr(model, "module"):
            raise ModuleError(f"{type(model).__name__} is not fitted; give y as well, so that it can be built")
        return get_model(initialized(clone(model), X, y))
    raise ModuleError(
        f"{model!r} is not allowed (a torch.nn.Module, or an estimator that carries one as module_ or net_)"
    )


def initialized(estimator: Any, X: Any, y: Any) -> Any:
    """Bring an estimator to its initial weights, without training."""
    if not hasattr(estimator, "module"):
        return estimator.initialize(X, y)
    # A skorch net; ours have initializers that may look at the data.
    with estimator.starting_from(X, y) if X is not None and hasattr(estimator, "starting_from") else nullcontext():
        return estimator.initialize()


def _of_pipeline(pipeline: Any, X: Any, y: Any) -> Model:
    """Take the network at the end of a pipeline; an unfitted one is fitted up to there, on a clone."""
    before, last = pipeline[:-1], pipeline[-1]
    if not hasattr(last, "net_") and not hasattr(last, "module_") and len(before):
        before = clone(before).fit(X, y)
    prepare = before.transform if len(before) else None
    found = get_model(last, X if X is None or prepare is None else prepare(X), y)
    return Model(found.module, found.net, found.classes, prepare)


def _visible(module: nn.Module) -> nn.Module:
    """Return the module without what is wrapped around it, or say why its layers cannot be seen."""
    module = unwrap(module)
    for name, part in module.named_modules():
        kind, where = type(part).__name__, name or "module"
        if isinstance(part, torch.jit.ScriptModule):
            raise ModuleError(f"{where} is scripted ({kind}) and hides what it computes (allowed: before torch.jit)")
        if "quantized" in type(part).__module__:
            raise ModuleError(f"{where} is quantized ({kind}): its values are no real numbers (allowed: before that)")
        for key, tensor in [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]:
            if torch.nn.parameter.is_lazy(tensor):
                raise ModuleError(f"{where} is lazy and has no shape yet; run one batch through the module first")
            if tensor.is_meta:
                raise ModuleError(f"{where}.{key} is on the meta device and has no values")
    return module


def compiled_part(module: nn.Module) -> tuple[str, nn.Module] | None:
    """Return the module inside of what ``torch.compile(module)`` returned, with its name there; None for others.

    Examples
    --------
    >>> compiled_part(nn.ReLU()) is None
    True
    >>> inner = nn.ReLU()
    >>> compiled_part(torch.compile(inner, backend="eager"))[1] is inner
    True
    """
    home = type(module).__module__
    if not home.startswith("torch.") or home.startswith("torch.nn.") or not isinstance(module, _wrapper()):
        return None
    ((name, inner),) = module.named_children()
    return name, inner


def is_compiled(module: nn.Module) -> bool:
    """Return whether a module runs compiled code: after ``torch.compile(module)`` or ``module.compile()``.

    The second sets an attribute of the module that `torch.nn.Module` declares as None.
    """
    own = (name for name, value in vars(module).items() if callable(value))
    return compiled_part(module) is not None or any(getattr(nn.Module, name, "") is None for name in own)


@contextmanager
def run_as_written(module: nn.Module) -> Iterator[None]:
    """Have compiled parts of a module run as they were written, inside the block."""
    if not any(is_compiled(part) for part in module.modules()):
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


@cache
def _wrapper() -> type[nn.Module]:
    """Return the class of compiled modules, which has no public name."""
    example: Any = torch.compile(nn.Identity(), backend="eager")
    return type(example)
