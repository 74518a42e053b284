"""The net inside of the MLPs: skorch's loop, cut short where nobody listens to single batches."""

import traceback
from functools import partial
from typing import Any

from skorch.callbacks import Callback, EpochScoring

from initsk.estimators._dense_step import DenseStep, supports
from initsk.estimators._net import NeuralNetClassifier

_BATCH_EVENTS = ("on_batch_begin", "on_batch_end", "on_grad_computed")


class DenseNetClassifier(NeuralNetClassifier):
    """NeuralNetClassifier of an `MLP`, with the same training at less cost per batch."""

    def train(self, X: Any, y: Any) -> None:
        """Train as skorch's ``partial_fit``, which would swallow an interrupt; here it reaches the caller."""
        self.notify("on_train_begin", X=X, y=y)
        try:
            self.fit_loop(X, y)
        except KeyboardInterrupt as interrupt:
            # skorch's way for a callback to say that it is enough.
            if not _raised_by_callback(interrupt):
                raise
        self.notify("on_train_end", X=X, y=y)

    def run_single_epoch(self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any) -> None:
        """Run an epoch: training without autograd and events, unless something asks for them."""
        if (
            training
            and supports(self.module_, self.criterion_)
            and not any(_listens(callback) for _, callback in self.callbacks_)
        ):
            self._train_epoch(iterator, prefix)
        else:
            super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)

    def _train_epoch(self, iterator: Any, prefix: str) -> None:
        step = DenseStep(self.module_)
        self._set_training(True)
        for X, y in iterator:
            loss = self.optimizer_.step(partial(step.compute, X, y))
            self.history.new_batch()
            self.history.record_batch(f"{prefix}_loss", loss.item())
            self.history.record_batch(f"{prefix}_batch_size", len(X))
        self.history.record(f"{prefix}_batch_count", len(iterator))


def _raised_by_callback(error: BaseException) -> bool:
    """Say whether a callback's own method raised `error`, and not something that it called."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return isinstance(frame.f_locals.get("self"), Callback)


def _listens(callback: Callback) -> bool:
    """Say whether a callback does something at training batches."""
    if isinstance(callback, EpochScoring) and not callback.on_train:
        return False
    return any(getattr(type(callback), event) is not getattr(Callback, event) for event in _BATCH_EVENTS)
