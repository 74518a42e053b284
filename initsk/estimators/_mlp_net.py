"""The skorch nets inside the multilayer perceptrons: their arguments, their training and their predictions."""

import copy
import traceback
from math import isfinite
from typing import Any

import numpy as np
import torch
from sklearn.base import is_classifier
from skorch.callbacks import Callback
from skorch.utils import to_numpy
from torch import nn
from torch.func import functional_call

from initsk.estimators._continued import callback_arguments, optimizer_of
from initsk.estimators._nets import NeuralNetClassifier, NeuralNetRegressor, StopTraining, WithInitializer
from initsk.estimators._training_data import HeldOut
from initsk.estimators.fast._batches import TensorBatches
from initsk.estimators.fast._dense_step import DenseStep, needs_batch_events, supports
from initsk.estimators.fast._flat import can_be_flat, flattened
from initsk.exceptions import InitskError, InvalidParameterError
from initsk.network import MLP, layer_sizes
from initsk.utils.random import derive_seed, make_generator, resolve_seed
from initsk.utils.torch_settings import as_tensor, resolve_device
from initsk.utils.words import counted, reason_of

#: Up to this number of values of X, training on a single batch and predictions compute in double precision.
MAX_VALUES_IN_DOUBLE = 1_000_000


class MLPNet(WithInitializer):
    """Net of an `MLP`; its y are targets, or pairs of targets and sample weights.

    Training epochs run without autograd (`initsk.estimators.fast`) if the results are the same as with skorch's steps.
    """

    def check_data(self, X: Any, y: Any = None) -> None:
        """Skip skorch's check: the estimator has checked the data."""

    def initialized_instance(self, instance_or_cls: Any, kwargs: Any) -> Any:
        """Build a part as skorch does; layers that do not fit into memory are an error that names the parameter."""
        try:
            return super().initialized_instance(instance_or_cls, kwargs)
        except (RuntimeError, MemoryError) as error:
            sizes = f"hidden_layer_sizes={self.module__hidden_layer_sizes!r}"
            raise InvalidParameterError(f"{sizes}: torch cannot build the network ({reason_of(error)})") from error

    def train(self, X: Any, y: Any, epochs: int) -> None:
        """Train like skorch's ``partial_fit``, but let the user's interrupts reach the caller."""
        self.notify("on_train_begin", X=X, y=y)
        try:
            self.fit_loop(X, y, epochs=epochs)
        except KeyboardInterrupt as interrupt:
            if not isinstance(interrupt, StopTraining) and not _raised_by_callback(interrupt):
                raise
        self.notify("on_train_end", X=X, y=y)

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Return skorch's iterator; the seed and the number of epochs so far determine the order of the batches."""
        iterator = super().get_iterator(dataset, training=training)
        if training:
            self._check_size(iterator)
            iterator.generator = make_generator(self.seed_, "batches", len(self.history))
        return iterator

    def _check_size(self, iterator: Any) -> None:
        if iterator.n_samples < iterator.min_size:
            given = f"normalization={self.module__normalization!r} with {counted(iterator.n_samples, 'sample')}"
            raise InvalidParameterError(f"{given} to train on is not allowed (samples >= {iterator.min_size})")

    def infer(self, x: Any, **fit_params: Any) -> Any:
        """Run the module as skorch does; an activation function of the user that fails is an error that names it."""
        try:
            return super().infer(x, **fit_params)
        except (InitskError, MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # a user's function may raise anything
            given = f"activation={self.module__activation!r}"
            raise InvalidParameterError(f"{given}: a forward pass of the network fails ({reason_of(error)})") from error

    def get_loss(self, y_pred: torch.Tensor, y_true: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Return the mean loss; sample weights, if there are any, multiply the losses."""
        if not isinstance(y_true, tuple | list):
            return super().get_loss(y_pred, y_true, *args, **kwargs)
        target, weight = y_true
        single = copy.copy(self.criterion_)
        single.reduction = "none"
        losses = single(y_pred, target)
        return (losses * weight.to(losses.dtype).view(-1, *[1] * (losses.dim() - 1))).mean()

    def run_single_epoch(self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any) -> None:
        """Run an epoch: a training epoch without autograd if possible, any other epoch by skorch's steps."""
        if training and self._can_skip_autograd():
            self._train_epoch(iterator, prefix)
        else:
            super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)

    def _can_skip_autograd(self) -> bool:
        return (
            supports(self.module_, self.criterion_)
            and can_be_flat(self.optimizer_, list(self.module_.parameters()))
            and not any(needs_batch_events(callback) for _, callback in self.callbacks_)
        )

    def _train_epoch(self, iterator: TensorBatches, prefix: str) -> None:
        self.module_.train()
        self.criterion_.train()
        # With a single batch, neither the order of the samples nor their repetition may change the result.
        exact = len(iterator) == 1 and iterator.X.numel() <= MAX_VALUES_IN_DOUBLE
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


class MLPNetClassifier(MLPNet, NeuralNetClassifier):
    """The net of an `MLPClassifier`."""

    def predict(self, X: Any) -> np.ndarray:
        """Return the classes; with several labels per sample, zeros and ones."""
        if not isinstance(self.criterion_, nn.BCEWithLogitsLoss):
            return super().predict(X)
        return (self.predict_proba(X) > 0.5).astype(np.int64)


class MLPNetRegressor(MLPNet, NeuralNetRegressor):
    """The net of an `MLPRegressor`."""


def _raised_by_callback(error: BaseException) -> bool:
    """Return whether a method of a callback raised the error itself, not code that it calls."""
    # skorch's callbacks end the training by a KeyboardInterrupt, as Ctrl-C does, and only the frame that raises
    # distinguishes the two. A handler of the signal would change the state of the process.
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return isinstance(frame.f_locals.get("self"), Callback)


def targets_only(y: Any) -> np.ndarray:
    """Return the targets of the net's y, without the sample weights, for scores."""
    targets: np.ndarray = to_numpy(y[0] if isinstance(y, tuple | list) else y)
    return targets


@torch.no_grad()
def outputs_in_double(module: nn.Module, X: np.ndarray) -> torch.Tensor:
    """Return a module's outputs in evaluation mode, computed in double precision from its parameters.

    Examples
    --------
    >>> outputs_in_double(nn.Identity(), np.ones((1, 2), np.float32))
    tensor([[1., 1.]], dtype=torch.float64)
    """
    module.eval()
    tensors = dict(module.named_parameters()) | dict(module.named_buffers())
    doubles = {name: tensor.double() for name, tensor in tensors.items() if tensor.is_floating_point()}
    outputs: torch.Tensor = functional_call(module, doubles, (as_tensor(X).double(),))
    return outputs


#: Parameters of an estimator that its module and its net take under the same names.
_MODULE_PARAMETERS = ("activation", "normalization", "dropout", "input_scale")
_NET_PARAMETERS = (
    "initializer", "bias_initializer", "output_initializer", "lr", "batch_size", "max_epochs",
)  # fmt: skip


def held_out(estimator: Any, seed: int) -> HeldOut:
    """Return the split of early stopping."""
    # Each warm start holds out the same samples, or training would use those held out before.
    return HeldOut(estimator.validation_fraction, derive_seed(seed, "validation split"), is_classifier(estimator))


def make_net(estimator: Any, net_class: Any, n_features: int, target_arguments: dict[str, Any]) -> Any:
    """Return the estimator's net, not yet initialized; `target_arguments` are those that depend on the target."""
    optimizer, optimizer_params = optimizer_of(estimator)
    seed, device = resolve_seed(estimator.random_state), resolve_device(estimator.device)
    return net_class(
        MLP,
        module__n_features=n_features,
        module__hidden_layer_sizes=layer_sizes(estimator.hidden_layer_sizes),
        **{f"module__{name}": getattr(estimator, name) for name in _MODULE_PARAMETERS},
        **target_arguments,
        **{name: getattr(estimator, name) for name in _NET_PARAMETERS},
        random_state=seed,
        device=device,
        optimizer=optimizer,
        **{f"optimizer__{name}": value for name, value in optimizer_params.items()},
        iterator_train=TensorBatches,
        iterator_train__shuffle=True,
        iterator_train__device=device,
        # Batch normalization needs two samples in a batch.
        iterator_train__min_size=2 if estimator.normalization == "batch_norm" else 1,
        iterator_valid=TensorBatches,
        iterator_valid__batch_size=1024,
        iterator_valid__device=device,
        train_split=held_out(estimator, seed) if estimator.early_stopping else None,
        **callback_arguments(estimator),
    )
