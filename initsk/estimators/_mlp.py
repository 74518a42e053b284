"""The multilayer perceptron as a scikit-learn classifier."""

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data
from skorch.callbacks import Callback
from skorch.dataset import Dataset
from skorch.helper import predefined_split

from initsk.estimators._batches import TensorBatches
from initsk.estimators._dense_net import DenseNetClassifier
from initsk.estimators._optimizers import get_optimizer, optimizer_arguments
from initsk.initializers import InitializerLike, get_initializer, set_initializer_params
from initsk.modules import MLP, make_activation
from initsk.utils._random import RandomState, derive_seed, make_generator, resolve_seed
from initsk.utils._torch_settings import check_device, torch_threads
from initsk.utils._validation import (
    Constraint,
    check_known_labels,
    check_parameters,
    instance_of,
    integer,
    optional,
    real,
    resolved_by,
    sequence_of,
)


def _callback(item: Any) -> str | None:
    """Allow what skorch takes: a callback, its class, or a pair of a name and either."""
    if isinstance(item, tuple) and len(item) == 2:
        item = item[1]
    fine = isinstance(item, Callback) or (isinstance(item, type) and issubclass(item, Callback))
    return None if fine else "a skorch callback"


class MLPClassifier(ClassifierMixin, BaseEstimator):
    """Multilayer perceptron classifier whose weight initializer is a hyperparameter.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=(100,)
        Width of each hidden layer; empty for a linear model.
    activation : str or torch.nn.Module class, default="relu"
        Activation function after each hidden layer: a torch.nn activation's name.
    initializer : str, Initializer or callable, default="he_normal"
        What fills the weights; see `list_initializers`. One that looks at data gets a random
        batch of 512 samples of what `fit` is given.
    bias_initializer : str, Initializer, callable or None, default=None
        What fills the biases; None means zeros (torch's default draws its own).
    output_initializer : str, Initializer, callable or None, default=None
        What fills the weights of the output layer; None treats it like the others.
    optimizer : {"adam", "adamw", "rmsprop", "sgd"} or torch.optim class, default="adam"
        What follows the gradient.
    optimizer_params : dict or None, default=None
        Further arguments of the optimizer, ``{"momentum": 0.9}``.
    lr : float, default=0.001
        Learning rate, above 0.
    batch_size : int, default=32
        Samples per step.
    max_epochs : int, default=10
        Passes over the data, at least 1.
    random_state : int, RandomState, Generator or None, default=None
        Seed of weights, batch order and dropout.
    device : str, default="cpu"
        torch device of the training.
    n_threads : int or None, default=None
        Threads of torch during fit and prediction; the same number gives the same
        model. None takes torch's setting, which is as before afterwards either way.
    callbacks : list of skorch callbacks or None, default=None
        Called during training, as in skorch; one that raises KeyboardInterrupt ends it
        (``EarlyStopping``). Held-out measures such as ``valid_loss`` exist where `fit` is
        given `X_val`.
    verbose : int, default=0
        1 prints skorch's line per epoch.

    Attributes
    ----------
    net_ : NeuralNetClassifier
        A skorch net, with ``module_``, ``history`` and ``optimizer_``.
    classes_ : ndarray of shape (n_classes,)
        Labels seen in `fit`.
    initialization_record_ : InitializationRecord
        What the initializers touched.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names seen in `fit`, if X had any.

    Notes
    -----
    During training numbers below float32's normal range (1.2e-38) count as zero. With ReLU,
    tanh or sigmoid on the CPU, gradients are computed without autograd's graph; a hook on the
    module, or a callback that listens to single batches, brings skorch's own steps back, with
    the same results to rounding.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from initsk import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MLPClassifier((16,), initializer="he_normal", lr=0.01, max_epochs=30, random_state=0)
    >>> clf.fit(X, y).score(X, y) > 0.9
    True
    """

    _constraints: ClassVar[dict[str, Constraint]] = {
        "hidden_layer_sizes": sequence_of(integer(1), "a tuple of integers >= 1"),
        "activation": resolved_by(make_activation),
        "initializer": resolved_by(get_initializer),
        "bias_initializer": optional(resolved_by(get_initializer)),
        "output_initializer": optional(resolved_by(get_initializer)),
        "optimizer": resolved_by(get_optimizer),
        "optimizer_params": optional(instance_of(dict, "a dict of the optimizer's arguments")),
        "lr": real(above=0),
        "batch_size": integer(1),
        "max_epochs": integer(1),
        "device": resolved_by(check_device),
        "n_threads": optional(integer(1)),
        "callbacks": optional(sequence_of(_callback, "a list of skorch callbacks")),
        "verbose": integer(0),
    }

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (100,),
        activation: str | type[torch.nn.Module] = "relu",
        *,
        initializer: InitializerLike = "he_normal",
        bias_initializer: InitializerLike | None = None,
        output_initializer: InitializerLike | None = None,
        optimizer: str | type[torch.optim.Optimizer] = "adam",
        optimizer_params: dict[str, Any] | None = None,
        lr: float = 1e-3,
        batch_size: int = 32,
        max_epochs: int = 10,
        random_state: RandomState = None,
        device: str = "cpu",
        n_threads: int | None = None,
        callbacks: list[Any] | None = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.initializer = initializer
        self.bias_initializer = bias_initializer
        self.output_initializer = output_initializer
        self.optimizer = optimizer
        self.optimizer_params = optimizer_params
        self.lr = lr
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.random_state = random_state
        self.device = device
        self.n_threads = n_threads
        self.callbacks = callbacks
        self.verbose = verbose

    def fit(self, X: Any, y: Any, *, X_val: Any = None, y_val: Any = None) -> Self:
        """Train from fresh weights.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers of any type; trained in float32.
        y : array-like of shape (n_samples,)
            Labels of any kind.
        X_val, y_val : array-like, optional
            Held-out data; their loss and accuracy after each epoch go into
            ``net_.history`` as ``valid_loss`` and ``valid_acc``.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            If a parameter is not allowed; the message names every one.

        Warns
        -----
        ConvergenceWarning
            If the loss is not finite at the end.
        """
        X, encoded = self._initialize(X, y)
        held_out = None
        if X_val is not None:
            held_out = Dataset(self._validate(X_val), self._encode_known(y_val))
        net = self.net_
        net.set_params(train_split=None if held_out is None else predefined_split(held_out))
        with torch_threads(self.n_threads):
            net.train(X, encoded)
        net.set_params(train_split=None)
        if not np.isfinite(net.history[-1, "train_loss"]):
            warnings.warn("training diverged: the loss is not finite", ConvergenceWarning, stacklevel=2)
        return self

    def initialize(self, X: Any, y: Any) -> Self:
        """Build `net_` with its initial weights for these data, without training.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Gives the number of features.
        y : array-like of shape (n_samples,)
            Gives the labels.

        Returns
        -------
        self
        """
        self._initialize(X, y)
        return self

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
        check_parameters(type(self).__name__, self.get_params(deep=False), self._constraints)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        check_is_fitted(self, "net_")
        X = self._validate(X)
        with torch_threads(self.n_threads):
            probabilities: np.ndarray = self.net_.predict_proba(X)
        return probabilities

    def predict(self, X: Any) -> np.ndarray:
        """Predict labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        winners = self.predict_proba(X).argmax(axis=1)
        labels: np.ndarray = self.classes_[winners]
        return labels

    def _validate(self, X: Any, y: Any = "no_validation", reset: bool = False) -> Any:
        return validate_data(self, X, y, reset=reset, dtype=np.float32, order="C")

    def _encode_known(self, y: Any) -> np.ndarray:
        labels = column_or_1d(y)
        check_known_labels("y_val", labels, self.classes_)
        return np.searchsorted(self.classes_, labels).astype(np.int64)

    def _initialize(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        self.check_parameters()
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        X = self._validate(X, reset=True)
        y = column_or_1d(y, warn=True)
        if len(y) != len(X):
            raise ValueError(f"X and y differ in length: {len(X)} and {len(y)} samples")
        check_classification_targets(y)
        self.classes_, encoded = np.unique(y, return_inverse=True)
        self.net_ = self._make_net(X.shape[1])
        encoded = encoded.astype(np.int64)
        with self.net_.starting_from(X, encoded):
            self.net_.initialize()
        self.initialization_record_ = self.net_.initialization_record_
        return X, encoded

    def _make_net(self, n_features: int) -> DenseNetClassifier:
        seed = resolve_seed(self.random_state)
        optimizer = get_optimizer(self.optimizer)
        optimizer_params = optimizer_arguments(optimizer, self.optimizer_params)
        quiet = {} if self.verbose else {"callbacks__print_log": None}
        return DenseNetClassifier(
            MLP,
            module__n_features=n_features,
            module__n_outputs=len(self.classes_),
            module__hidden_layer_sizes=tuple(self.hidden_layer_sizes),
            module__activation=self.activation,
            initializer=self.initializer,
            bias_initializer=self.bias_initializer,
            output_initializer=self.output_initializer,
            random_state=seed,
            criterion=torch.nn.CrossEntropyLoss,
            optimizer=optimizer,
            **{f"optimizer__{name}": value for name, value in optimizer_params.items()},
            lr=self.lr,
            batch_size=self.batch_size,
            max_epochs=self.max_epochs,
            iterator_train=TensorBatches,
            iterator_train__shuffle=True,
            iterator_train__generator=make_generator(derive_seed(seed, "batches")),
            iterator_train__device=self.device,
            iterator_valid=TensorBatches,
            iterator_valid__batch_size=1024,
            iterator_valid__device=self.device,
            train_split=None,
            callbacks=self.callbacks,
            **quiet,
            verbose=self.verbose,
            device=self.device,
        )
