"""What the multilayer perceptrons for classification and regression have in common."""

import warnings
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils.validation import check_is_fitted, validate_data
from skorch.dataset import Dataset
from skorch.helper import predefined_split

from initsk.estimators._inputs import CONSTRAINTS, Samples, Split, check_together, check_weight, split_validation
from initsk.estimators._make_net import make_net
from initsk.estimators.fast._batches import SMALL, outputs_in_double
from initsk.exceptions import DivergenceWarning, InvalidParameterError
from initsk.initializers import InitializerLike, set_initializer_params
from initsk.network import ActivationOption
from initsk.utils.random import RandomState, derive_seed
from initsk.utils.torch_settings import torch_threads
from initsk.utils.validation import Constraint, check_parameters


class BaseMLP(BaseEstimator):
    """Checks data and parameters, and hands them to a skorch net.

    Subclasses say which net, and turn y into what it learns from.
    """

    _net_class: ClassVar[Any]
    _checks_of_y: ClassVar[dict[str, bool]] = {}
    _constraints: ClassVar[dict[str, Constraint]] = CONSTRAINTS

    def __init__(
        self,
        hidden_layer_sizes: tuple[int, ...] = (100,),
        activation: ActivationOption = "relu",
        *,
        initializer: InitializerLike = "he_normal",
        bias_initializer: InitializerLike | None = None,
        output_initializer: InitializerLike | None = None,
        normalization: str | None = None,
        dropout: float = 0.0,
        optimizer: str | type[torch.optim.Optimizer] = "adam",
        optimizer_params: dict[str, Any] | None = None,
        lr: float = 1e-3,
        batch_size: int = 32,
        max_epochs: int = 20,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 5,
        tol: float = 1e-4,
        warm_start: bool = False,
        random_state: RandomState = None,
        device: str = "cpu",
        n_threads: int | None = None,
        input_scale: float | None = None,
        callbacks: list[Any] | None = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.initializer = initializer
        self.bias_initializer = bias_initializer
        self.output_initializer = output_initializer
        self.normalization = normalization
        self.dropout = dropout
        self.optimizer = optimizer
        self.optimizer_params = optimizer_params
        self.lr = lr
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.device = device
        self.n_threads = n_threads
        self.input_scale = input_scale
        self.callbacks = callbacks
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None) -> Self:
        """Train, from fresh weights unless `warm_start` says otherwise.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers of any type.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels of any kind for a classifier, numbers for a regressor, which alone takes several outputs.
        sample_weight : array-like of shape (n_samples,), optional
            Factors of the samples' losses, at least 0; a sample of weight 0 counts as if it were not there.
        X_val, y_val : array-like, optional
            Held-out data; their loss and score after each epoch are in `history_`, and early stopping
            goes by them.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            If a parameter is not allowed; the message names every one.
        ValueError
            If the data are not what is asked for, in scikit-learn's words.

        Warns
        -----
        DivergenceWarning
            If the loss was not finite, which ends the training at once.
        """
        self.check_parameters()
        first = not (self.warm_start and hasattr(self, "net_"))
        samples = self._check_data(X, y, sample_weight, first)
        split = self._check_held_out(X_val, y_val)
        if first:
            self._build(samples)
        if split is None and self.early_stopping:
            split = self._split_validation(samples)
        return self._train(samples, split, self.max_epochs)

    def initialize(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Build `net_` with its initial weights for these data, without training.

        Parameters
        ----------
        X, y, sample_weight : array-like
            As in `fit`.

        Returns
        -------
        self
        """
        self.check_parameters()
        self._build(self._check_data(X, y, sample_weight, first=True))
        return self

    def as_dataset(self, X: Any, y: Any, name: str = "y") -> Dataset:
        """Return data as a built `net_` takes them, for its losses and steps.

        Parameters
        ----------
        X, y : array-like
            As in `fit`.
        name : str, default="y"
            What messages call y.

        Returns
        -------
        skorch.dataset.Dataset
        """
        X, y = self._check_samples(X, y, **self._checks_of_y)
        return Dataset(X, self._encode(y, name))

    def set_params(self, **params: Any) -> Self:
        """Set parameters; nested ones of an initializer too, given by name or as an object.

        Parameters
        ----------
        **params
            As in scikit-learn, ``initializer="random_normal", initializer__std=0.1``.

        Returns
        -------
        self
        """
        super().set_params(**set_initializer_params(self, params))
        return self

    def check_parameters(self) -> None:
        """Check the parameters before any data are seen.

        Raises
        ------
        InvalidParameterError
            If any is not allowed; the message names every one.
        """
        parameters = self.get_params(deep=False)
        check_parameters(type(self).__name__, parameters, self._constraints)
        check_together(type(self).__name__, parameters)

    @property
    def history_(self) -> pd.DataFrame:
        """What skorch noted of each epoch, a row for each: losses, scores of held-out data, seconds (``dur``)."""
        if not hasattr(self, "net_"):
            raise AttributeError(f"{type(self).__name__} has no history_ before it is fitted")
        rows = [{name: value for name, value in epoch.items() if name != "batches"} for epoch in self.net_.history]
        return pd.DataFrame(rows)

    def _learn_target(self, y: np.ndarray) -> None:
        """Note what there is to predict."""
        raise NotImplementedError

    def _encode(self, y: np.ndarray, name: str = "y") -> np.ndarray:
        """Return what the net learns from."""
        raise NotImplementedError

    def _layout(self) -> dict[str, Any]:
        """Return the net's arguments that depend on the target."""
        raise NotImplementedError

    def _check_data(self, X: Any, y: Any, sample_weight: Any, first: bool, known_target: bool = False) -> Samples:
        X, y = self._check_samples(X, y, first=first, **self._checks_of_y)
        if first and not known_target:
            self._learn_target(y)
        return Samples(X, self._encode(y), check_weight(self._weight(y, sample_weight), X))

    def _weight(self, y: np.ndarray, sample_weight: Any) -> Any:
        """Return the samples' weights as they are given."""
        return sample_weight

    def _check_samples(self, X: Any, y: Any = "no_validation", first: bool = False, **checks: Any) -> Any:
        types = [np.float32] if self.input_scale is None else [np.float32, np.uint8]
        return validate_data(self, X, y, reset=first, dtype=types, order="C", **checks)

    def _check_held_out(self, X_val: Any, y_val: Any) -> Split | None:
        if (X_val is None) != (y_val is None):
            raise InvalidParameterError("X_val and y_val go together; only one of them was given")
        return None if X_val is None else predefined_split(self.as_dataset(X_val, y_val, "y_val"))

    def _split_validation(self, samples: Samples) -> Split:
        # The same samples at every warm start, or those held out before would be trained on.
        seed = derive_seed(self.net_.seed_, "validation split")
        return split_validation(samples, self.validation_fraction, seed, stratify=is_classifier(self))

    def _build(self, samples: Samples) -> None:
        net = make_net(self, self._net_class, samples.X.shape[1], self._layout())
        with net.starting_from(samples.counted()):
            net.initialize()
        self.net_ = net
        self.initialization_record_ = net.initialization_record_

    def _train_on(self, X: Any, y: Any, sample_weight: Any, known_target: bool = False) -> Self:
        """Train for an epoch, as `partial_fit`."""
        self.check_parameters()
        if self.early_stopping:
            raise InvalidParameterError("early_stopping=True is not allowed in partial_fit, which holds nothing out")
        first = not hasattr(self, "net_")
        samples = self._check_data(X, y, sample_weight, first, known_target)
        if first:
            self._build(samples)
        return self._train(samples, None, epochs=1)

    def _train(self, samples: Samples, split: Split | None, epochs: int) -> Self:
        net = self.net_
        net.set_params(lr=self.lr, batch_size=self.batch_size, train_split=split)
        try:
            with torch_threads(self.n_threads):
                net.train(samples.X, samples.target, epochs)
        finally:
            # It holds data, or the numbers of rows.
            net.set_params(train_split=None)
        self.diverged_ = net.diverged_
        if self.diverged_:
            warnings.warn("training diverged: the loss is not finite", DivergenceWarning, stacklevel=3)
        return self

    def _outputs(self, X: Any) -> torch.Tensor:
        """Return the network's raw outputs; those of few samples in double precision, the same in any batch."""
        check_is_fitted(self, "net_")
        X = self._check_samples(X)
        with torch_threads(self.n_threads):
            if X.size <= SMALL and self.net_.device == "cpu":
                return outputs_in_double(self.net_.module_, X)
            outputs: torch.Tensor = self.net_.forward(X)
        return outputs
