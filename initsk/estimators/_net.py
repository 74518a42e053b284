"""skorch's classifier, with the initializer as a hyperparameter."""

from typing import Any

import skorch
from sklearn.base import BaseEstimator

from initsk.initializers import InitializerLike, set_initializer_params
from initsk.modules import initialize
from initsk.utils._random import RandomState, derive_seed, isolated_torch_random, resolve_seed
from initsk.utils._torch_settings import flushed_subnormals

_NESTED = ("initializer__", "bias_initializer__")


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
        What fills the weights; None leaves the module as it was built.
    bias_initializer : str, Initializer, callable or None, default=None
        What fills the biases; None means zeros (torch's default draws its own).
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
        random_state: RandomState = None,
        **kwargs: Any,
    ) -> None:
        self.initializer = initializer
        self.bias_initializer = bias_initializer
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
            self.initialization_record_ = initialize(
                self.module_,
                self.initializer,
                bias_initializer=self.bias_initializer,
                random_state=derive_seed(self.seed_, "weights"),
            )
        return self

    def fit_loop(self, X: Any, y: Any = None, epochs: int | None = None, **fit_params: Any) -> Any:
        """Train with dropout and batch order drawn from `random_state`; torch's settings and random state stay."""
        seed = derive_seed(self.seed_, "training", len(self.history))
        with isolated_torch_random(seed, self.device or "cpu"), flushed_subnormals():
            return super().fit_loop(X, y, epochs=epochs, **fit_params)
