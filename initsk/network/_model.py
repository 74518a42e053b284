"""The torch module in an estimator or a pipeline."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from torch import nn

from initsk.exceptions import ModuleError
from initsk.network._batches import Batch, iterate_batches
from initsk.network._hints import describe_kind, next_step, with_next_step
from initsk.network._inner import explained, inner_holder, target_transformer, transformed, unfitted_inner
from initsk.network._inputs import IntegerCasts
from initsk.network._lazy import infer_shapes, lazy_again
from initsk.network._wrappers import refuse_quantized, unwrap
from initsk.utils.columns import describe_unusable
from initsk.utils.precision import widened
from initsk.utils.random import isolated_random
from initsk.utils.validation import check_known_labels

_ALLOWED = "allowed: a torch.nn.Module, an estimator with a module_ or net_, a fitted search or pipeline with one"


@dataclass(frozen=True)
class Model:
    """A torch module with its estimator's net, classes and preprocessing.

    Parameters
    ----------
    module : torch.nn.Module
        The module.
    net : skorch net or None
        The net, which has the loss and the optimizer.
    classes : ndarray or None
        Labels, if the estimator encodes them for its net.
    prepare : callable or None
        Transformation of X by the steps of a pipeline before the network.
    casts : IntegerCasts
        The integer arguments that the module needs as floats.
    encoder : callable or None
        Makes the targets that the net learns, if the estimator learns others than y, such as standardized ones.
    """

    module: nn.Module
    net: Any = None
    classes: np.ndarray | None = None
    prepare: Callable[[Any], Any] | None = None
    casts: IntegerCasts = field(default_factory=IntegerCasts)
    encoder: Callable[[Any], Any] | None = None

    def prepared(self, X: Any) -> Any:
        """Return X as the network receives it; no global random state changes."""
        if self.prepare is None:
            return X
        with isolated_random(None), explained(describe_unusable, X):
            return self.prepare(widened(X))

    def first_rows(self, X: Any) -> Batch | None:
        """Return the first two rows of X as a batch of the module's type; None without X."""
        if X is None:
            return None
        return next(iterate_batches(self.module, self.prepared(X), batch_size=2, casts=self.casts), None)

    def encode(self, y: Any) -> Any:
        """Return the targets that the net learns: standardized numbers, or labels as positions among the classes.

        Where the estimator does not encode them, and with a column per label, y is returned unchanged.

        Raises
        ------
        InvalidParameterError
            If y holds labels that the model does not have.
        """
        if self.encoder is not None and y is not None:
            return self.encoder(y)
        if self.classes is None or y is None or isinstance(y, torch.Tensor):
            return y
        labels = np.asarray(y)
        if labels.ndim == 2 and labels.shape[1] > 1:
            return y
        check_known_labels("y", labels.ravel(), self.classes, "the model")
        return np.searchsorted(self.classes, labels)


def get_model(model: Any, X: Any = None, y: Any = None) -> Model:
    """Return the torch module that `model` is or contains; an unfitted estimator is built on a clone.

    The clone has the weights from which `fit` would start, and the global random states stay as they are. Lazy modules
    get their shapes from X, and keep them; `borrowed` gives them back as they were.

    Raises
    ------
    ModuleError
        If there is no module, or its layers are hidden.
    """
    if isinstance(model, Model):
        return model
    if isinstance(model, nn.Module):
        return Model(_visible(model, X))
    if isinstance(model, type):
        raise ModuleError(f"{model.__name__} is a class (allowed: an instance); {next_step(model)}")
    if hasattr(model, "best_estimator_"):
        return get_model(model.best_estimator_, X, y)
    inner = _inner(model)
    if inner is not None:
        return _model_of_inner(model, inner, X, y)
    if hasattr(model, "refit") and hasattr(model, "estimator"):
        # A search that is not fitted is that of the estimator with its own parameters; its fit clones the estimator.
        return get_model(clone(model.estimator), X, y)
    if hasattr(model, "steps"):
        return _model_of_pipeline(model, X, y)
    net, module = _net_and_module(model)
    if isinstance(module, nn.Module):
        # A skorch net learns y as it is, whatever its classes are.
        classes = None if net is model else getattr(model, "classes_", None)
        classes = classes if isinstance(classes, np.ndarray) else None
        return Model(_visible(module, X), net, classes, encoder=getattr(model, "encode_target", None))
    if may_be_built(model):
        missing = [name for name, part in (("X", X), ("y", y)) if part is None]
        if missing and not hasattr(model, "module"):
            needed = "which is" if len(missing) == 1 else "which are"
            given = f"{type(model).__name__} is not fitted"
            raise ModuleError(f"{given}; give {' and '.join(missing)}, {needed} needed to build it")
        return get_model(initialized(clone(model), X, y))
    has_parameters = hasattr(model, "get_params")
    given = f"{type(model).__name__} has no network" if has_parameters else f"{describe_kind(model)} is not allowed"
    others = "; of an estimator that fits several others, one of them" if _holds_others(model) else ""
    raise ModuleError(with_next_step(f"{given} ({_ALLOWED}{others})", model))


def _holds_others(model: Any) -> bool:
    return hasattr(model, "estimator") or hasattr(model, "estimators")


def _inner(model: Any) -> Any:
    """Return the only estimator with a network in an estimator that holds others, or the one that it would fit."""
    if not hasattr(model, "get_params") or hasattr(model, "steps"):
        return None
    if isinstance(_net_and_module(model)[1], nn.Module):
        return None
    found = inner_holder(model)
    return unfitted_inner(model) if found is None else found


def _model_of_inner(outer: Any, inner: Any, X: Any, y: Any) -> Model:
    """Return the network of an inner estimator, which may get other targets."""
    transformer = target_transformer(outer, X, y)
    if transformer is None:
        return get_model(inner, X, y)
    found = get_model(inner, X, transformed(transformer, y))
    return replace(found, encoder=partial(_encode_transformed, transformer, found))


def _encode_transformed(transformer: Any, found: Model, y: Any) -> Any:
    return found.encode(transformed(transformer, y))


def innermost(model: Any) -> Any:
    """Return the module or estimator in searches and at the ends of pipelines.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> innermost(make_pipeline(make_pipeline(nn.ReLU())))
    ReLU()
    """
    while not isinstance(model, nn.Module):
        if hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        elif hasattr(model, "refit") and hasattr(model, "estimator"):
            model = clone(model.estimator)
        elif hasattr(model, "steps"):
            model = model[-1]
        elif isinstance(model, BaseEstimator) and (inner := _inner(model)) is not None:
            model = inner
        else:
            break
    return model


def has_network(model: Any) -> bool:
    """Return whether a model is a module, or an estimator that has a single one already."""
    try:
        return _module_in(model) is not None
    except ModuleError:  # several networks
        return False


def _module_in(model: Any) -> nn.Module | None:
    """Return the module in a model as it is, or None if there is none yet."""
    found = innermost(model)
    module = found if isinstance(found, nn.Module) else _net_and_module(found)[1]
    return module if isinstance(module, nn.Module) else None


def _net_and_module(estimator: Any) -> tuple[Any, Any]:
    """Return the skorch net that an estimator is or holds, and its module, or None."""
    net = getattr(estimator, "net_", estimator)
    return net, getattr(net, "module_", None)


def may_be_built(estimator: Any) -> bool:
    """Return whether an estimator makes a network of its own."""
    return hasattr(estimator, "initialize") and hasattr(estimator, "get_params")


def is_unbuilt(model: Any) -> bool:
    """Return whether a model is, or holds, an estimator that has not made its network yet.

    Examples
    --------
    >>> from initsk import MLPClassifier
    >>> is_unbuilt(MLPClassifier()), is_unbuilt(nn.ReLU())
    (True, False)
    """
    holder = innermost(model)
    return may_be_built(holder) and not isinstance(holder, type) and not has_network(holder)


def initialized(estimator: Any, X: Any, y: Any) -> Any:
    """Return an estimator with the weights from which `fit` would start, without training it.

    The global random states, from which a skorch net draws, stay as they are. Of an estimator around another one, the
    inner one is returned.
    """
    with isolated_random(None, getattr(estimator, "device", None) or "cpu"):
        if hasattr(estimator, "refit") and hasattr(estimator, "estimator"):
            return initialized(estimator.estimator, X, y)
        if hasattr(estimator, "steps"):
            return _initialized_pipeline(estimator, X, y)
        if (inner := _inner(estimator)) is not None:
            transformer = target_transformer(estimator, X, y)
            return initialized(inner, X, y if transformer is None else transformed(transformer, y))
        if not may_be_built(estimator):
            raise ModuleError(with_next_step(f"{type(estimator).__name__} has no network ({_ALLOWED})", estimator))
        if not hasattr(estimator, "module"):
            return estimator.initialize(X, y)
        # A skorch net; initsk's nets have initializers that may use the data.
        takes_data = X is not None and hasattr(estimator, "data_for_initializer")
        with estimator.data_for_initializer(X, y) if takes_data else nullcontext():
            return estimator.initialize()


def _initialized_pipeline(pipeline: Any, X: Any, y: Any) -> Any:
    """Return a pipeline whose last step is initialized, after the steps before it are fitted."""
    before = pipeline[:-1]
    if len(before):
        with explained(describe_unusable, X):
            X = before.fit_transform(widened(X), y)
        # With a cache, a pipeline fits clones of its steps.
        pipeline.steps[:-1] = before.steps
    pipeline.steps[-1] = (pipeline.steps[-1][0], initialized(pipeline[-1], X, y))
    return pipeline


@contextmanager
def borrowed(model: Any, X: Any = None, y: Any = None) -> Iterator[Model]:
    """Give what `get_model` returns to a block; lazy modules have shapes only inside of it.

    Raises
    ------
    ModuleError
        As `get_model`.

    Examples
    --------
    >>> with borrowed(nn.LazyLinear(2), [[1.0, 2.0, 3.0]]) as found:
    ...     found.module
    Linear(in_features=3, out_features=2, bias=True)
    """
    module = _module_in(model)
    with nullcontext() if module is None else lazy_again(unwrap(module)):
        yield get_model(model, X, y)


def _model_of_pipeline(pipeline: Any, X: Any, y: Any) -> Model:
    """Return the network at the end of a pipeline; the steps before it are fitted on a clone if they are not."""
    before, last = pipeline[:-1], pipeline[-1]
    X = widened(X)
    # The network continues with the random states after the other steps, as in `fit`.
    with isolated_random(None):
        if len(before) and X is not None and not (has_network(last) and _is_fitted(before)):
            with explained(describe_unusable, X):
                before = clone(before).fit(X, y)
        prepare = before.transform if len(before) else None
        with explained(describe_unusable, X):
            prepared = X if X is None or prepare is None else prepare(X)
        found = get_model(last, prepared, y)
    if prepare is not None:
        inner = found.prepare
        found = replace(found, prepare=prepare if inner is None else lambda X: inner(prepare(X)))
    return found


def _is_fitted(estimator: Any) -> bool:
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True


def _visible(module: nn.Module, X: Any) -> nn.Module:
    """Return the module without its wrappers; raise ModuleError if its layers are hidden.

    Lazy modules get their shapes from X.
    """
    module = unwrap(module)
    refuse_quantized(module)
    for name, part in module.named_modules():
        kind, path = type(part).__name__, name or "module"
        if isinstance(part, torch.jit.ScriptModule):
            raise ModuleError(
                f"{path} is scripted ({kind}) and hides its layers (allowed: the module before torch.jit)"
            )
        for key, tensor in [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]:
            if tensor.is_meta:
                raise ModuleError(
                    f"{path}.{key} is on the meta device and has no values (allowed: initialize(..., device=...) first)"
                )
    infer_shapes(module, X)
    return module
