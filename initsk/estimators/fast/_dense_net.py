"""One training step of a plain MLP without autograd's cost per operation."""

import copy
import traceback
from math import isfinite
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback, EpochScoring, LRScheduler
from skorch.utils import to_numpy
from torch import nn

from initsk.estimators._nets import DivergedError, NeuralNetClassifier, NeuralNetRegressor, WithInitializer
from initsk.estimators.fast._batches import SMALL
from initsk.estimators.fast._derivatives import (
    IGNORED,
    RULES,
    cross_entropy,
    find_kernel,
    has_cross_entropy,
    has_derivative,
    squared_error,
)
from initsk.estimators.fast._flat import can_be_flat, flattened
from initsk.network import MLP, any_module_has_hooks, has_hooks, may_have_gradient_hooks
from initsk.utils.random import make_generator


class DenseStep:
    """The loss of an `MLP` and its gradient, by the operations that autograd would do, without its graph.

    Parameters
    ----------
    module : MLP
        One that `supports` takes.
    criterion : CrossEntropyLoss or MSELoss
        The loss.
    values, gradients : list of tensor
        Weight and bias of each linear layer in turn, and where their gradients go.
    """

    def __init__(
        self, module: MLP, criterion: nn.Module, values: list[torch.Tensor], gradients: list[torch.Tensor]
    ) -> None:
        self.scaled = module.scaled
        self.activations = [part for part in module.children() if type(part) in RULES]
        self.rules = [RULES[type(part)] for part in self.activations]
        self.kernels = [find_kernel(rule.kernel) for rule in self.rules]
        self.weights, self.biases = values[::2], values[1::2]
        self.dtype = values[0].dtype
        # A view, made once and not at every step.
        self.transposed = [weight.t() for weight in self.weights]
        self.gradients = list(zip(gradients[::2], gradients[1::2], strict=True))
        self.loss = cross_entropy if isinstance(criterion, nn.CrossEntropyLoss) else squared_error

    def compute(self, X: torch.Tensor, y: Any) -> torch.Tensor:
        """Return the mean loss of a batch, and write the gradients."""
        target, weight = y if isinstance(y, tuple) else (y, None)
        X = self.scaled(X)
        if X.dtype != self.dtype:
            X = X.to(self.dtype)
        inputs, saved, scores = self._forward(X)
        loss, gradient = self.loss(scores, target, weight)
        self._backward(inputs, saved, gradient)
        return loss

    def _forward(self, X: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor], torch.Tensor]:
        """Return the input of every linear layer, what the derivatives need, and the scores."""
        inputs, saved = [X], []
        for bias, weight, activation, rule in zip(
            self.biases, self.transposed, self.activations, self.rules, strict=False
        ):
            z = torch.addmm(bias, X, weight)
            X = rule.forward(activation, z)
            inputs.append(X)
            saved.append(X if rule.from_output else z)
        return inputs, saved, torch.addmm(self.biases[-1], X, self.transposed[-1])

    def _backward(self, inputs: list[torch.Tensor], saved: list[torch.Tensor], gradient: torch.Tensor) -> None:
        for depth in reversed(range(len(self.weights))):
            of_weight, of_bias = self.gradients[depth]
            torch.mm(gradient.t(), inputs[depth], out=of_weight)
            torch.sum(gradient, 0, out=of_bias)
            if depth:
                behind = torch.mm(gradient, self.weights[depth])
                before = depth - 1
                gradient = self.rules[before].backward(
                    self.kernels[before], self.activations[before], behind, saved[before]
                )


def supports(module: nn.Module, criterion: nn.Module) -> bool:
    """Return whether a step computes what autograd would: known activations, plain parameters and loss, no hooks."""
    parts = list(module.modules())
    return (
        type(module) is MLP
        and _is_plain(criterion)
        and not any_module_has_hooks()
        and all(type(part) is nn.Linear or has_derivative(type(part)) for part in parts[1:])
        and not any(has_hooks(part) or "forward" in vars(part) for part in (*parts, criterion))
        and all(p.requires_grad and not may_have_gradient_hooks(p) for p in module.parameters())
        and all(layer.bias is not None for layer in parts if isinstance(layer, nn.Linear))
    )


def _is_plain(criterion: nn.Module) -> bool:
    if type(criterion) is nn.MSELoss:
        return criterion.reduction == "mean"
    return (
        type(criterion) is nn.CrossEntropyLoss
        and criterion.weight is None
        and criterion.reduction == "mean"
        and criterion.label_smoothing == 0
        and criterion.ignore_index == IGNORED
        and has_cross_entropy()
    )


_BATCH_EVENTS = ("on_batch_begin", "on_batch_end", "on_grad_computed")


class DenseNet(WithInitializer):
    """Net of an `MLP` that learns from targets, or from pairs of targets and weights, with less cost per batch."""

    def check_data(self, X: Any, y: Any = None) -> None:
        """Leave the data to the estimator, which has checked them."""

    def train(self, X: Any, y: Any, epochs: int) -> None:
        """Train as skorch's ``partial_fit``, which would swallow an interrupt; here it reaches the caller."""
        self.notify("on_train_begin", X=X, y=y)
        try:
            self.fit_loop(X, y, epochs=epochs)
        except KeyboardInterrupt as interrupt:
            # skorch's way for a callback to say that it is enough.
            if not isinstance(interrupt, DivergedError) and not _raised_by_callback(interrupt):
                raise
        self.notify("on_train_end", X=X, y=y)

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Return skorch's iterator; the order of batches goes by the epochs so far."""
        iterator = super().get_iterator(dataset, training=training)
        if training:
            iterator.generator = make_generator(self.seed_, "batches", len(self.history))
        return iterator

    def get_loss(self, y_pred: torch.Tensor, y_true: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Return the mean loss, with each sample's weight where there are weights."""
        if not isinstance(y_true, tuple | list):
            return super().get_loss(y_pred, y_true, *args, **kwargs)
        target, weight = y_true
        single = copy.copy(self.criterion_)
        single.reduction = "none"
        losses = single(y_pred, target)
        return (losses * weight.to(losses.dtype).view(-1, *[1] * (losses.dim() - 1))).mean()

    def run_single_epoch(self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any) -> None:
        """Run an epoch: training without autograd and events, unless something asks for them."""
        if training and self._is_plain():
            self._train_epoch(iterator, prefix)
        else:
            super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)

    def _is_plain(self) -> bool:
        return (
            supports(self.module_, self.criterion_)
            and can_be_flat(self.optimizer_, list(self.module_.parameters()))
            and not any(_needs_batch_events(callback) for _, callback in self.callbacks_)
        )

    def _train_epoch(self, iterator: Any, prefix: str) -> None:
        self.module_.train()
        self.criterion_.train()
        # Where one batch takes all samples, neither their order nor their repetition is to change the result.
        exact = len(iterator) == 1 and iterator.X.numel() <= SMALL
        dtype = torch.float64 if exact else next(self.module_.parameters()).dtype
        batches = self.history.to_list()[-1]["batches"]
        with flattened(self.optimizer_, dtype) as flat, torch.inference_mode():
            step = DenseStep(self.module_, self.criterion_, flat.values, flat.gradients)
            for X, y in iterator:
                loss = step.compute(X, y).item()
                batches.append({f"{prefix}_loss": loss, f"{prefix}_batch_size": len(X)})
                if not isfinite(loss):
                    self.diverged_ = True
                    break
                flat.step()
        self.history.record(f"{prefix}_batch_count", len(batches))


class DenseNetClassifier(DenseNet, NeuralNetClassifier):
    """The net of an `MLPClassifier`."""


class DenseNetRegressor(DenseNet, NeuralNetRegressor):
    """The net of an `MLPRegressor`."""


def without_weight(y: Any) -> np.ndarray:
    """Return the targets, for scores."""
    labels: np.ndarray = to_numpy(y[0] if isinstance(y, tuple | list) else y)
    return labels


def _raised_by_callback(error: BaseException) -> bool:
    """Say whether a callback's own method raised `error`, and not something that it called."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return isinstance(frame.f_locals.get("self"), Callback)


def _needs_batch_events(callback: Callback) -> bool:
    """Say whether a callback does something at training batches; one may know it of itself."""
    if not getattr(callback, "listens_to_batches", True):
        return False
    if isinstance(callback, EpochScoring) and not callback.on_train:
        return False
    if type(callback) is LRScheduler and callback.step_every == "epoch":
        return False
    return any(getattr(type(callback), event) is not getattr(Callback, event) for event in _BATCH_EVENTS)
