"""skorch's classifier, with the initializer as a hyperparameter."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import skorch
import torch
from sklearn.base import BaseEstimator
from torch.utils.data import default_collate

from initsk.initializers import INITIALIZER_PARAMS, InitializerLike, get_initializer, set_initializer_params
from initsk.modules import initialize
from initsk.utils._random import RandomState, derive_seed, isolated_torch_random, make_generator, resolve_seed
from initsk.utils._torch_settings import flushed_subnormals

_START_BATCH = 512
_NESTED = tuple(f"{name}__" for name in INITIALIZER_PARAMS)


class NeuralNetClassifier(skorch.NeuralNetClassifier):
    """skorch's NeuralNetClassifier for any torch module, plus an initializer.

    The initializer acts when the net is initialized, so an inspection before ``fit``
    sees the weights that training starts from.

    Parameters
    ----------
    module : torch.nn.Module class or instance
        The network.
    *args
        As in ``skorch.NeuralNetClassifier``.
    initializer : str, Initializer, callable or None, default="he_normal"
        What fills the weights; None leaves the module as it was built. One that looks at data
        gets a random batch of 512 samples of what `fit` is given.
    bias_initializer : str, Initializer, callable or None, default=None
        What fills the biases; None means zeros (torch's default draws its own).
    output_initializer : str, Initializer, callable or None, default=None
        What fills the weights of the last layer; None treats it like the others.
    random_state : int, RandomState, Generator or None, default=None
        Seed of weights, of batch order and of dropout.
    **kwargs
        As in ``skorch.NeuralNetClassifier``.

    Attributes
    ----------
    initialization_record_ : InitializationRecord
        What the initializer touched (absent with ``initializer=None``).

    Examples
    --------
    >>> import torch
    >>> from initsk import NeuralNetClassifier
    >>> net = NeuralNetClassifier(torch.nn.Linear, module__in_features=4, module__out_features=2,
    ...                           initializer="orthogonal", random_state=0).initialize()
    >>> net.initialization_record_.to_frame()["initializer"].tolist()
    ['Orthogonal()', 'Zeros()']
    """

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
        """
        with self.starting_from(X, y):
            return super().fit(X, y, **fit_params)

    def partial_fit(self, X: Any, y: Any = None, classes: Any = None, **fit_params: Any) -> Any:
        """Train further as in skorch; the first call initializes.

        Returns
        -------
        self
        """
        with self.starting_from(X, y):
            return super().partial_fit(X, y, classes=classes, **fit_params)

    @contextmanager
    def starting_from(self, X: Any, y: Any) -> Iterator[None]:
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
        with isolated_torch_random(derive_seed(self.seed_, "build"), self.device or "cpu"):
            return super().initialize()

    def initialize_module(self) -> Any:
        """Let skorch build the module, then initialize it."""
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
        return X, None if start[1] is None else y

    def fit_loop(self, X: Any, y: Any = None, epochs: int | None = None, **fit_params: Any) -> Any:
        """Train with dropout and batch order drawn from `random_state`; torch's settings and random state stay."""
        seed = derive_seed(self.seed_, "training", len(self.history))
        with isolated_torch_random(seed, self.device or "cpu"), flushed_subnormals():
            return super().fit_loop(X, y, epochs=epochs, **fit_params)
