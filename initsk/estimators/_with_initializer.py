"""What initsk adds to skorch's nets: an initializer, one random state, an end to training that diverges."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from typing import Any

import skorch
import torch
from sklearn.base import BaseEstimator
from torch.utils.data import default_collate

from initsk.exceptions import DivergenceWarning
from initsk.initializers import INITIALIZER_PARAMS, InitializerLike, get_initializer, set_initializer_params
from initsk.modules import initialize
from initsk.utils._random import (
    RandomState,
    derive_seed,
    isolated_numpy_random,
    isolated_torch_random,
    make_generator,
    resolve_seed,
)
from initsk.utils._torch_settings import flushed_subnormals

_START_BATCH = 512
_NESTED = tuple(f"{name}__" for name in INITIALIZER_PARAMS)


class DivergedError(KeyboardInterrupt):
    """Ends skorch's loop as a callback may end it, with a KeyboardInterrupt."""


class WithInitializer(skorch.NeuralNet):
    """Comes before one of skorch's nets in the bases of a class."""

    def __init__(
        self,
        module: Any,
        *args: Any,
        initializer: InitializerLike | None = "he_normal",
        bias_initializer: InitializerLike | None = None,
        output_initializer: InitializerLike | None = None,
        random_state: RandomState = None,
        **kwargs: Any,
    ) -> None:
        self.initializer = initializer
        self.bias_initializer = bias_initializer
        self.output_initializer = output_initializer
        self.random_state = random_state
        super().__init__(module, *args, **kwargs)

    def set_params(self, **kwargs: Any) -> Any:
        """Set parameters as in skorch; nested ones of an initializer too (``initializer__std``).

        Returns
        -------
        self
        """
        kwargs = set_initializer_params(self, kwargs)
        nested = {key: kwargs.pop(key) for key in list(kwargs) if key.startswith(_NESTED)}
        super().set_params(**kwargs)
        BaseEstimator.set_params(self, **nested)
        return self

    def fit(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Initialize and train as in skorch; initializers that look at data get a batch of X and y.

        Returns
        -------
        self

        Warns
        -----
        DivergenceWarning
            If the loss was not finite, which ends the training at once.
        """
        with self.starting_from(X, y):
            return super().fit(X, y, **fit_params)

    def partial_fit(self, X: Any, y: Any = None, classes: Any = None, **fit_params: Any) -> Any:
        """Train further as in skorch; the first call initializes.

        Returns
        -------
        self

        Warns
        -----
        DivergenceWarning
            If the loss was not finite, which ends the training at once.
        """
        with self.starting_from(X, y):
            super().partial_fit(X, y, classes=classes, **fit_params)
        if self.diverged_:
            warnings.warn("training diverged: the loss is not finite", DivergenceWarning, stacklevel=2)
        return self

    @contextmanager
    def starting_from(self, X: Any, y: Any = None) -> Iterator[None]:
        """Have data at hand for `initialize` inside of the block."""
        outer = self.__dict__.get("_start")
        self._start: tuple[Any, Any] | None = (X, y)
        try:
            yield
        finally:
            self._start = outer

    def initialize(self) -> Any:
        """Build the module and fill its parameters.

        Returns
        -------
        self
        """
        self.seed_ = resolve_seed(self.random_state)
        self.diverged_ = False
        return super().initialize()

    def initialize_module(self) -> Any:
        """Let skorch build the module, then initialize it."""
        with isolated_torch_random(derive_seed(self.seed_, "build"), self.device or "cpu"):
            super().initialize_module()
        if self.initializer is not None:
            X, y = self._start_batch(get_initializer(self.initializer).needs_data)
            self.initialization_record_ = initialize(
                self.module_,
                self.initializer,
                X=X,
                y=y,
                bias_initializer=self.bias_initializer,
                output_initializer=self.output_initializer,
                random_state=derive_seed(self.seed_, "weights"),
            )
        return self

    def initialize_criterion(self) -> Any:
        """Let skorch build the criterion, which may have parameters of its own."""
        with isolated_torch_random(derive_seed(self.seed_, "criterion"), self.device or "cpu"):
            return super().initialize_criterion()

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Return skorch's iterator; one for prediction does not ask torch's global state for a seed."""
        iterator = super().get_iterator(dataset, training=training)
        if not training and getattr(iterator, "generator", iterator) is None:
            iterator.generator = make_generator(self.seed_, "iterator")
        return iterator

    def _start_batch(self, needed: bool) -> tuple[Any, Any]:
        """Return a random batch of the data that `fit` was given; nothing where nobody asks."""
        start = self.__dict__.get("_start")
        if start is None or not needed:
            return None, None
        dataset = self.get_dataset(*start)
        order = torch.randperm(len(dataset), generator=make_generator(self.seed_, "start batch"))
        X, y = default_collate([dataset[int(index)] for index in order[:_START_BATCH]])
        return X, None if getattr(dataset, "y", y) is None else y

    def fit_loop(self, X: Any, y: Any = None, epochs: int | None = None, **fit_params: Any) -> Any:
        """Train with split, batch order and dropout drawn from `random_state`; torch's and numpy's settings stay."""
        self.diverged_ = False
        seed = derive_seed(self.seed_, "training", len(self.history))
        with isolated_torch_random(seed, self.device or "cpu"), isolated_numpy_random(seed), flushed_subnormals():
            return super().fit_loop(X, y, epochs=epochs, **fit_params)

    def run_single_epoch(self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any) -> None:
        """Run an epoch as skorch does, as long as the training loss is finite."""
        if training:
            iterator = self._while_finite(iterator, f"{prefix}_loss")
        super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)

    def _while_finite(self, iterator: Any, loss: str) -> Iterator[Any]:
        for batch in iterator:
            yield batch
            if not isfinite(self.history[-1, "batches", -1, loss]):
                self.diverged_ = True
                return

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Tell the callbacks; after the epoch in which training diverged, nothing follows but its end."""
        super().notify(method_name, **cb_kwargs)
        if method_name == "on_epoch_end" and self.diverged_:
            raise DivergedError
