"""From a model of any kind to its torch module, and what it says of loss, labels and optimizer."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from torch import nn

from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.modules import unwrap


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
