"""Nets of skorch with an initializer and a random state; their training ends if it diverges."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from math import isfinite
from typing import Any

import skorch
import torch
from sklearn.base import BaseEstimator
from skorch.utils import to_tensor
from torch import nn
from torch.utils.data import default_collate

from initsk import network
from initsk.estimators._net_data import as_type, module_input, net_targets
from initsk.estimators._starting_state import StartingState
from initsk.estimators._unknown_parameters import check_net_parameters
from initsk.exceptions import DivergenceWarning
from initsk.initialization import initialize
from initsk.initializers import INITIALIZER_PARAMS, InitializerLike, get_initializer, set_initializer_params
from initsk.network import get_criterion, get_optimizer
from initsk.utils import random
from initsk.utils.global_state import one_at_a_time
from initsk.utils.precision import describe_not_finite
from initsk.utils.torch_settings import flushed_subnormals, outside_of_contexts

_INITIALIZER_BATCH_SIZE = 512
_NESTED = tuple(f"{name}__" for name in INITIALIZER_PARAMS)


class StopTraining(KeyboardInterrupt):
    """End the training regularly; skorch catches any KeyboardInterrupt for this."""


class WithInitializer(skorch.NeuralNet):
    """Mixin that adds an initializer and a random state to one of skorch's nets; it is the first base class."""

    def __init__(
        self,
        module: Any,
        *args: Any,
        initializer: InitializerLike | None = "he_normal",
        bias_initializer: InitializerLike | None = None,
        output_initializer: InitializerLike | None = None,
        random_state: random.RandomState = None,
        **kwargs: Any,
    ) -> None:
        self.initializer = initializer
        self.bias_initializer = bias_initializer
        self.output_initializer = output_initializer
        self.random_state = random_state
        check_net_parameters(type(self), kwargs, only_own=type(self) in (NeuralNetClassifier, NeuralNetRegressor))
        super().__init__(module, *args, **kwargs)

    def set_params(self, **kwargs: Any) -> Any:
        """Set parameters as in skorch, including nested ones of an initializer (``initializer__std``).

        Returns
        -------
        self
        """
        check_net_parameters(type(self), kwargs)
        kwargs = set_initializer_params(self, kwargs)
        nested = {key: kwargs.pop(key) for key in list(kwargs) if key.startswith(_NESTED)}
        super().set_params(**kwargs)
        BaseEstimator.set_params(self, **nested)
        return self

    @one_at_a_time
    def fit(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Initialize and train as in skorch; an initializer that needs data gets a batch of X and y.

        Returns
        -------
        self

        Warns
        -----
        DivergenceWarning
            If a loss was not finite; the training ends at once.
        """
        y = net_targets(self, y)
        with outside_of_contexts(), self.data_for_initializer(X, y):
            return super().fit(X, y, **fit_params)

    @one_at_a_time
    def partial_fit(self, X: Any, y: Any = None, classes: Any = None, **fit_params: Any) -> Any:
        """Train further as in skorch; the first call initializes.

        Returns
        -------
        self

        Warns
        -----
        DivergenceWarning
            If a loss was not finite; the training ends at once.
        """
        y = net_targets(self, y)
        with outside_of_contexts(), self.data_for_initializer(X, y):
            super().partial_fit(X, y, classes=classes, **fit_params)
        what = "training diverged: the loss" if self.diverged_ else "the loss of the held-out samples"
        if self.diverged_ or (self.history and not isfinite(self.history[-1].get("valid_loss", 0.0))):
            reason = describe_not_finite(X)
            warnings.warn(f"{what} is not finite{f': {reason}' if reason else ''}", DivergenceWarning, stacklevel=3)
        return self

    @contextmanager
    def data_for_initializer(self, X: Any, y: Any = None) -> Iterator[None]:
        """Inside the block, let `initialize` take a batch of these data for an initializer that needs data."""
        outer = self.__dict__.get("_data")
        self._data: tuple[Any, Any] | None = (X, y)
        try:
            yield
        finally:
            self._data = outer

    @one_at_a_time
    def initialize(self) -> Any:
        """Build the module and fill its parameters.

        Returns
        -------
        self
        """
        self.seed_ = random.resolve_seed(self.random_state)
        self.diverged_ = False
        self._given_module()  # raises if torch cannot go through its parts
        with outside_of_contexts():
            return super().initialize()

    def initialize_module(self) -> Any:
        """Build the module as skorch does, then initialize its parameters.

        A module that was given as an instance starts each time from the state that it had the first time.
        """
        with random.isolated_torch_random(random.derive_seed(self.seed_, "build"), self.device or "cpu"):
            super().initialize_module()
        self._casts: frozenset[str] | None = None
        if self.initializer is None:
            return self
        needs_data = get_initializer(self.initializer).needs_data or network.lazy_parameters(self.module_)
        X, y = self._initializer_batch() if needs_data else (None, None)
        others = {name: getattr(self, name) for name in ("bias_initializer", "output_initializer")}
        others["random_state"] = random.derive_seed(self.seed_, "weights")
        start = self._prepare_start(X)
        self.initialization_record_ = initialize(self.module_, self.initializer, X=X, y=y, **others)
        if start is not None:
            start.keep({row["name"] for row in self.initialization_record_.rows if not row["touched"]})
        self._start = start
        return self

    def _prepare_start(self, X: Any) -> StartingState | None:
        """Restore or take the starting state of a module that was given as an instance; None for other modules."""
        module = network.unwrap(self.module_)
        if module is not self._given_module():
            return None
        start = self.__dict__.get("_start")
        if start is not None and start.module is module:
            start.restore(module)
            return start
        network.infer_shapes(module, X, seed=random.derive_seed(self.seed_, "shapes"))
        return StartingState(module)

    def _given_module(self) -> nn.Module | None:
        return network.unwrap(self.module) if isinstance(self.module, nn.Module) else None

    @one_at_a_time
    def __sklearn_clone__(self) -> Any:
        """Return a net with the same parameters; a copied module has the state from before its first training."""
        # Another thread may have changed a module that was given as an instance, for an inspection.
        copied = super().__sklearn_clone__()
        start = self.__dict__.get("_start")
        if start is not None and start.module is self._given_module():
            start.restore(copied._given_module())
        return copied

    def initialize_criterion(self) -> Any:
        """Build the criterion as skorch does; `random_state` also seeds its parameters, if it has any.

        A name is that of one of torch's losses.
        """
        seed = random.derive_seed(self.seed_, "criterion")
        with random.isolated_torch_random(seed, self.device or "cpu"), self._resolved("criterion", get_criterion):
            return super().initialize_criterion()

    def initialize_optimizer(self, *args: Any, **kwargs: Any) -> Any:
        """Build the optimizer as skorch does; a name is that of one of torch's optimizers."""
        with self._resolved("optimizer", get_optimizer):
            return super().initialize_optimizer(*args, **kwargs)

    @contextmanager
    def _resolved(self, name: str, resolve: Callable[[Any], Any]) -> Iterator[None]:
        """Inside the block, have what the name in a parameter stands for; `get_params` returns the name again."""
        given = getattr(self, name)
        if not isinstance(given, str):
            yield
            return
        self.__dict__[name] = resolve(given)
        try:
            yield
        finally:
            self.__dict__[name] = given

    def get_dataset(self, X: Any, y: Any = None) -> Any:
        """Return skorch's data set; a frame of numbers is a matrix, unless the module takes its columns by name."""
        return super().get_dataset(module_input(self, X), y)

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Return skorch's iterator; for prediction with a generator of its own instead of torch's global one."""
        iterator = super().get_iterator(dataset, training=training)
        if not training and getattr(iterator, "generator", iterator) is None:
            iterator.generator = random.make_generator(self.seed_, "iterator")
        return iterator

    def _initializer_batch(self) -> tuple[Any, Any]:
        """Return a random batch of the data of `data_for_initializer`; outside its block there is none."""
        data = self.__dict__.get("_data")
        if data is None:
            return None, None
        dataset = self.get_dataset(*data)
        order = torch.randperm(len(dataset), generator=random.make_generator(self.seed_, "start batch"))
        X, y = default_collate([dataset[int(index)] for index in order[:_INITIALIZER_BATCH_SIZE]])
        return X, None if getattr(dataset, "y", y) is None else y

    def forward(self, X: Any, training: bool = False, device: str = "cpu") -> Any:
        """Return the outputs as skorch does, outside of the caller's contexts of torch."""
        with self._as_trained():
            return super().forward(X, training=training, device=device)

    @one_at_a_time
    def evaluation_step(self, batch: Any, training: bool = False) -> Any:
        """Return the outputs for a batch as skorch does, outside of the caller's contexts of torch.

        Another thread that inspects the module is waited for.
        """
        with self._as_trained():
            return super().evaluation_step(batch, training=training)

    def predict_proba(self, X: Any) -> Any:
        """Return the outputs as skorch does, outside of the caller's contexts of torch."""
        with self._as_trained():
            return super().predict_proba(X)

    def _as_trained(self) -> AbstractContextManager[None]:
        return outside_of_contexts(getattr(self, "module_", None))

    def infer(self, x: Any, **fit_params: Any) -> Any:
        """Run the module as skorch does, on numbers of the module's own type."""
        module = self.module_
        # The package's own networks scale double precision before they cast it.
        if isinstance(module, nn.Module) and not isinstance(module, network.MLP):
            x = self._of_modules_type(module, x)
            with network.errors_name_layer(module, (x,), fit_params):
                return super().infer(x, **fit_params)
        return super().infer(x, **fit_params)

    def _of_modules_type(self, module: nn.Module, x: Any) -> Any:
        """Return floats in the precision of the parameters; integers are floats where the module needs them."""
        types = {parameter.dtype for parameter in module.parameters() if parameter.is_floating_point()}
        if len(types) != 1:
            return x
        dtype, tensors = types.pop(), to_tensor(x, device=self.device)
        if self.__dict__.get("_casts") is None:
            self._casts = network.integers_to_cast(module, tensors)
        casts = self._casts or ()
        return network.map_arrays(
            lambda name, values: values.to(dtype) if name in casts else as_type(values, dtype), tensors
        )

    def get_loss(self, y_pred: Any, y_true: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the loss as skorch does; targets that are numbers have the type of the outputs.

        Outputs that a classifier cannot learn from, such as logits with NLLLoss, are an error.
        """
        y_true = network.comparable_target(getattr(self, "criterion_", None), y_pred, y_true)
        network.check_class_scores(self, y_pred, y_true)
        if isinstance(y_pred, torch.Tensor) and y_pred.is_floating_point():
            y_true = as_type(y_true, y_pred.dtype)
        compute = partial(super().get_loss, y_pred, y_true, *args, **kwargs)
        # An own `get_loss` may average or weight what this one returns.
        if network.has_own_loss(self):
            return compute()
        return network.checked_loss(compute, getattr(self, "criterion_", None), y_pred, y_true)

    def fit_loop(self, X: Any, y: Any = None, epochs: int | None = None, **fit_params: Any) -> Any:
        """Train; split, batch order and dropout come from `random_state`, not from a global random state."""
        self.diverged_ = False
        seed, device = random.derive_seed(self.seed_, "training", len(self.history)), self.device or "cpu"
        with (
            self._as_trained(), random.isolated_torch_random(seed, device), random.isolated_numpy_random(seed),
            flushed_subnormals(),
        ):  # fmt: skip
            return super().fit_loop(X, y, epochs=epochs, **fit_params)

    def run_single_epoch(self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any) -> None:
        """Run an epoch as skorch does; a training epoch ends after the first loss that is not finite."""
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
        """Call the callbacks; end the training after the epoch in which it diverged."""
        super().notify(method_name, **cb_kwargs)
        if method_name == "on_epoch_end" and self.diverged_:
            raise StopTraining


class NeuralNetClassifier(WithInitializer, skorch.NeuralNetClassifier):
    """skorch's NeuralNetClassifier for any torch module, plus an initializer.

    The net fills the weights in ``initialize``, so an inspection before ``fit`` measures the weights at the start of
    training.

    Parameters
    ----------
    module : torch.nn.Module class or instance
        The network. As in skorch, it returns probabilities, or logits with ``criterion=torch.nn.CrossEntropyLoss``;
        logits without this criterion are an error.
        With an initializer, each `fit` of an instance starts from the state that the instance had at the first one;
        without an initializer the training continues, as in skorch.
    *args
        As in ``skorch.NeuralNetClassifier``. `criterion` and `optimizer` may also be the names of torch's classes in
        any case: ``criterion="CrossEntropyLoss", optimizer="adam"``.
    initializer : str, Initializer, callable or None, default="he_normal"
        Initializer of the weights; None leaves the module as it was built. An initializer that needs data gets a
        random batch of 512 of the samples that `fit` gets.
    bias_initializer : str, Initializer, callable or None, default=None
        Initializer of the biases; None leaves them to `initializer`: most set zeros, torch's default draws them.
    output_initializer : str, Initializer, callable or None, default=None
        Initializer of the last layer's weights; None treats it like the other layers.
    random_state : int, RandomState, Generator or None, default=None
        Seed of weights, validation split, batch order and dropout. None draws it from numpy's global generator, as in
        scikit-learn, not from torch's.
    **kwargs
        As in ``skorch.NeuralNetClassifier``.

    Attributes
    ----------
    initialization_record_ : InitializationRecord
        Which parameters the initializer filled (absent with ``initializer=None``).
    diverged_ : bool
        Whether the last training ended because a loss was not finite.

    Examples
    --------
    >>> import torch
    >>> from initsk import NeuralNetClassifier
    >>> net = NeuralNetClassifier(torch.nn.Linear, module__in_features=4, module__out_features=2,
    ...                           initializer="orthogonal", random_state=0).initialize()
    >>> net.initialization_record_.to_frame()["initializer"].tolist()
    ['Orthogonal()', 'Zeros()']
    """


class NeuralNetRegressor(WithInitializer, skorch.NeuralNetRegressor):
    """skorch's NeuralNetRegressor for any torch module, plus an initializer.

    Parameters
    ----------
    module : torch.nn.Module class or instance
        The network; an instance is used as in `NeuralNetClassifier`.
    *args
        As in ``skorch.NeuralNetRegressor``; y has the shape of the module's output, up to axes of length 1.
    initializer, bias_initializer, output_initializer, random_state
        As in `NeuralNetClassifier`.
    **kwargs
        As in ``skorch.NeuralNetRegressor``.

    Attributes
    ----------
    initialization_record_ : InitializationRecord
        Which parameters the initializer filled (absent with ``initializer=None``).
    diverged_ : bool
        Whether the last training ended because a loss was not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from initsk import NeuralNetRegressor
    >>> X = np.linspace(-1, 1, 200, dtype=np.float32).reshape(-1, 1)
    >>> net = NeuralNetRegressor(torch.nn.Linear, module__in_features=1, module__out_features=1,
    ...                          initializer="zeros", lr=0.5, max_epochs=20, random_state=0, verbose=0)
    >>> round(float(net.fit(X, 3 * X).predict(np.ones((1, 1), np.float32))[0, 0]), 1)
    3.0
    """
