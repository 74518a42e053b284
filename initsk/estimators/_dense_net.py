"""The nets inside of the MLPs: skorch's loop, cut short where nobody listens to single batches."""

import copy
import traceback
from math import isfinite
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback, EpochScoring, LRScheduler
from skorch.utils import to_numpy

from initsk.estimators._dense_step import DenseStep, supports
from initsk.estimators._flat import can_be_flat, flattened
from initsk.estimators._net import NeuralNetClassifier, NeuralNetRegressor
from initsk.estimators._precision import SMALL
from initsk.estimators._with_initializer import DivergedError, WithInitializer
from initsk.utils._random import make_generator

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
            and not any(_listens(callback) for _, callback in self.callbacks_)
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


def _listens(callback: Callback) -> bool:
    """Say whether a callback does something at training batches; one may know it of itself."""
    if not getattr(callback, "listens_to_batches", True):
        return False
    if isinstance(callback, EpochScoring) and not callback.on_train:
        return False
    if type(callback) is LRScheduler and callback.step_every == "epoch":
        return False
    return any(getattr(type(callback), event) is not getattr(Callback, event) for event in _BATCH_EVENTS)
