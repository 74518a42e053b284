"""The base class of the multilayer perceptrons for classification and regression."""

import inspect
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data
from skorch.dataset import Dataset
from skorch.helper import predefined_split

from initsk.estimators._continued import Settings
from initsk.estimators._fitted_state import TrainedState, all_or_nothing, keep_fitted
from initsk.estimators._mlp_net import MAX_VALUES_IN_DOUBLE, held_out, make_net, outputs_in_double
from initsk.estimators._parameters import CONSTRAINTS, check_together, try_parts
from initsk.estimators._training_data import TrainingData, TrainSplit, check_weight
from initsk.estimators._unknown_parameters import OTHER_ATTRIBUTES, describe_unknown
from initsk.exceptions import DivergenceWarning, InvalidParameterError
from initsk.initializers import InitializerLike, set_initializer_params
from initsk.network import ActivationOption, is_sparse
from initsk.utils.columns import describe_not_numeric, describe_unusable, has_dates
from initsk.utils.global_state import one_at_a_time
from initsk.utils.labels import describe_absent
from initsk.utils.precision import matrix_types, widened
from initsk.utils.random import RandomState
from initsk.utils.torch_settings import outside_of_contexts, torch_threads
from initsk.utils.validation import Constraint, check_parameters, refuse


@dataclass(repr=False, eq=False)
class BaseMLP(BaseEstimator):
    """Check data and parameters, and train a skorch net with them.

    Subclasses define the class of the net and the encoding of y.

    Parameters
    ----------
    hidden_layer_sizes : int or tuple of int, default=(100,)
        Width of each hidden layer; an integer for a single one, empty for a linear model.
    activation : str, torch.nn.Module class, module, callable, or a list of these, default="relu"
        Activation function after each hidden layer: its name in torch, scikit-learn, Keras or JAX (``"leaky_relu"``,
        ``"LeakyReLU"``, ``"logistic"``), a module or its class, or a function of one tensor. A list has one for each
        hidden layer.
    initializer : str, Initializer or callable, default="he_normal"
        Initializer of the weights; see `list_initializers`. An initializer that needs data gets a random
        batch of 512 of the samples that `fit` gets.
    bias_initializer : str, Initializer, callable or None, default=None
        Initializer of the biases; None leaves them to `initializer`: most set zeros, torch's default draws them.
    output_initializer : str, Initializer, callable or None, default=None
        Initializer of the output layer's weights; None treats it like the other layers.
    normalization : {"batch_norm", "layer_norm"} or None, default=None
        Normalization layer between each hidden layer and its activation function.
    dropout : float, default=0.0
        Probability, below 1, of setting an activation to zero in training.
    optimizer : str or torch.optim class, default="adam"
        Optimizer: the name of one of torch's in any case (``"adam"``, ``"AdamW"``, ``"sgd"``, ``"lbfgs"``), or a class.
    optimizer_params : dict or None, default=None
        Further arguments of the optimizer, such as ``{"momentum": 0.9}``.
    lr : float, default=0.001
        Learning rate, above 0.
    batch_size : int, default=32
        Samples per step; all samples if there are fewer.
    max_epochs : int, default=20
        Passes over the data, at least 1.
    early_stopping : bool, default=False
        Whether to hold out part of the data, to end training when the loss on the held-out data has not improved for
        `patience` epochs, and to restore the weights of the best epoch.
    validation_fraction : float, default=0.1
        Fraction of the data that early stopping holds out, between 0 and 1; unused if `fit` gets `X_val`.
    patience : int, default=5
        Epochs without improvement that early stopping allows.
    tol : float, default=0.0001
        Smallest relative decrease of the loss that counts as an improvement, at least 0.
    warm_start : bool, default=False
        Whether `fit` continues from the current weights instead of initializing new ones. Layers, initializers and
        `device` must then be the same as before, and `random_state` is that of the first fit. All other changes take
        effect: a changed `optimizer` or `optimizer_params` starts the optimizer anew, and changed `callbacks`, early
        stopping or `verbose` start all callbacks anew.
    random_state : int, RandomState, Generator or None, default=None
        Seed of weights, validation split, batch order and dropout. None draws it from numpy's global generator, as in
        scikit-learn, not from torch's.
    device : str, default="cpu"
        torch device of the training, such as "cuda" or "mps"; "auto" is the accelerator of the machine, or the CPU if
        there is none. The data are moved to it once if they fit, otherwise batch by batch.
    n_threads : int or None, default=None
        Number of torch threads in fit and prediction, at most 1024; the same number gives the same model. None keeps
        torch's setting. Any other value applies only during the call.
    input_scale : float or None, default=None
        Factor by which each batch of X is multiplied. ``1 / 255`` scales 8-bit images without a copy of all images.
        Numbers that are too large for single precision are multiplied in double precision.
    callbacks : list of skorch callbacks or None, default=None
        Called during training, as in skorch. A callback ends the training by raising KeyboardInterrupt. Measures on
        held-out data, such as ``valid_loss``, exist with `early_stopping`, or if `fit` gets `X_val`.
    verbose : int or bool, default=0
        1 or True prints a line for each epoch, as skorch does; 0 or False prints nothing.
    """

    _net_class: ClassVar[Any]
    _checks_of_y: ClassVar[dict[str, Any]] = {}
    _constraints: ClassVar[dict[str, Constraint]] = CONSTRAINTS
    _other_attributes: ClassVar[dict[str, str]] = OTHER_ATTRIBUTES

    hidden_layer_sizes: int | tuple[int, ...] = (100,)
    activation: ActivationOption = "relu"
    _: KW_ONLY
    initializer: InitializerLike = "he_normal"
    bias_initializer: InitializerLike | None = None
    output_initializer: InitializerLike | None = None
    normalization: str | None = None
    dropout: float = 0.0
    optimizer: str | type[torch.optim.Optimizer] = "adam"
    optimizer_params: dict[str, Any] | None = None
    lr: float = 1e-3
    batch_size: int = 32
    max_epochs: int = 20
    early_stopping: bool = False
    validation_fraction: float = 0.1
    patience: int = 5
    tol: float = 1e-4
    warm_start: bool = False
    random_state: RandomState = None
    device: str = "cpu"
    n_threads: int | None = None
    input_scale: float | None = None
    callbacks: list[Any] | None = None
    verbose: int | bool = 0

    @all_or_nothing
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None) -> Self:
        """Train the network, from newly initialized weights unless `warm_start` is True.

        If the call fails, the estimator is as it was before, also after a warm start: it has the same network, history
        and fitted attributes. Only callbacks keep what they have seen. As in skorch, an interrupt (Ctrl-C) during the
        training keeps the network with its last step.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers of any type; after `input_scale`, they must be within the range of single precision.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels of any kind for a classifier, or zeros and ones with a column per label (multilabel); numbers for a
            regressor.
        sample_weight : array-like of shape (n_samples,), optional
            Factors of the samples' losses, at least 0; training ignores a sample of weight 0.
        X_val, y_val : array-like, optional
            Held-out data. `history_` has their loss and score after each epoch, and early stopping uses this loss.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            If parameters, weights or held-out data are not allowed; the message names all such parameters.
        ValueError
            If scikit-learn's checks refuse the data.

        Warns
        -----
        DivergenceWarning
            If a loss was not finite; the training ends at once.
        """
        settings = self._checked(self.warm_start)
        first = settings is None
        data = self._check_data(X, y, sample_weight, first)
        if (X_val is None) != (y_val is None):
            raise InvalidParameterError("X_val and y_val go together; only one of them was given")
        split = None if X_val is None else predefined_split(self.as_dataset(X_val, y_val, "y_val"))
        if first:
            self._build(data)
        if split is None and self.early_stopping:
            split = held_out(self, self.net_.seed_).of(data)
        return self._train(data, split, self.max_epochs, settings)

    @all_or_nothing
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
        """Check the data, and return them as a skorch data set for `net_`.

        Parameters
        ----------
        X, y : array-like
            As in `fit`.
        name : str, default="y"
            Name of y in error messages.

        Returns
        -------
        skorch.dataset.Dataset
        """
        X, y = self._check_samples(X, y, name=name, **self._checks_of_y)
        return Dataset(X, self._encode(y, name))

    def set_params(self, **params: Any) -> Self:
        """Set parameters, including nested ones of an initializer given by name or as an object.

        Parameters
        ----------
        **params
            As in scikit-learn, ``initializer="random_normal", initializer__std=0.1``.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            If a name is unknown. For a name of scikit-learn's perceptrons, the message has the parameter that is meant.
        """
        known = self.get_params(deep=False)
        unknown = [name for name in params if name.partition("__")[0] not in known]
        if unknown:
            noun = "parameter" if len(unknown) == 1 else "parameters"
            raise InvalidParameterError(f"Invalid {noun} for {type(self).__name__}: {describe_unknown(unknown, known)}")
        super().set_params(**set_initializer_params(self, params))
        return self

    def check_parameters(self) -> None:
        """Check the parameters without data.

        Raises
        ------
        InvalidParameterError
            If a parameter is not allowed; the message names all such parameters.
        """
        try_parts(type(self).__name__, self._checked_values())

    def __getattr__(self, name: str) -> Any:
        """Raise AttributeError; for a fitted attribute of scikit-learn's, the message has what is here instead."""
        others = self._other_attributes
        hint = f" (here: {others[name]})" if name in others else ""
        # The property below ends here before the fit.
        hint = " before it is fitted" if name == "history_" else hint
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{hint}", name=name, obj=self)

    @property
    def history_(self) -> pd.DataFrame:
        """History of the training, a row per epoch: losses, scores on held-out data, seconds (``dur``)."""
        rows = [{name: value for name, value in epoch.items() if name != "batches"} for epoch in self.net_.history]
        return pd.DataFrame(rows)

    def _set_target(self, y: np.ndarray, weight: np.ndarray | None, known: bool = False) -> None:
        """Store what is learned of the targets before the training; `known` says that the classes are known already."""
        raise NotImplementedError

    def _encode(self, y: np.ndarray, name: str = "y") -> np.ndarray:
        """Return the targets that the net learns."""
        raise NotImplementedError

    def _target_arguments(self) -> dict[str, Any]:
        """Return the net's arguments that depend on the target."""
        raise NotImplementedError

    @one_at_a_time
    def _check_data(self, X: Any, y: Any, sample_weight: Any, first: bool, known_target: bool = False) -> TrainingData:
        X, y = self._check_samples(X, y, first, **self._checks_of_y)
        weight = check_weight(self._weight(y, sample_weight), X)
        if first:
            self._set_target(y, weight, known_target)
        return TrainingData(X, self._encode(y), weight)

    def _weight(self, y: np.ndarray, sample_weight: Any) -> Any:
        """Return the weights of the samples, not yet checked."""
        return sample_weight

    @one_at_a_time
    def _check_samples(
        self, X: Any, y: Any = "no_validation", first: bool = False, name: str = "y", **checks: Any
    ) -> Any:
        sparse = [part for part, given in (("X", X), (name, y)) if is_sparse(given)]
        refuse(type(self).__name__, [f"{part} is a sparse tensor (allowed: {part}.to_dense())" for part in sparse])
        if has_dates(X):
            raise InvalidParameterError(describe_not_numeric(X))
        X = widened(X)
        types = matrix_types(X, self.input_scale)
        try:
            # The cast makes numbers that are too large infinite, which scikit-learn refuses.
            with np.errstate(over="ignore", invalid="ignore"):
                return validate_data(self, X, y, reset=first, dtype=types, order="C", **checks)
        except (TypeError, ValueError) as error:
            reason = describe_unusable(X) or describe_absent(name, y)
            if reason is None:
                raise
            raise InvalidParameterError(reason) from error

    def _checked_values(self) -> dict[str, Any]:
        parameters = self.get_params(deep=False)
        check_parameters(type(self).__name__, parameters, self._constraints)
        check_together(type(self).__name__, parameters)
        return parameters

    def _checked(self, continues: bool) -> Settings | None:
        """Check the parameters; return the settings for training the network further, or None for a new network."""
        if not continues or not hasattr(self, "net_"):
            self.check_parameters()
            return None
        self._checked_values()
        settings = Settings(self)
        self._settings_of_net.check_same_network(type(self).__name__, settings)
        return settings

    @one_at_a_time
    def _build(self, data: TrainingData) -> None:
        net = make_net(self, self._net_class, data.X.shape[1], self._target_arguments())
        with self._settings(), net.data_for_initializer(data.dataset()):
            net.initialize()
        self.net_ = net
        self._settings_of_net = Settings(self)
        self.initialization_record_ = net.initialization_record_

    def _train_one_epoch(self, X: Any, y: Any, sample_weight: Any, known_target: bool = False) -> Self:
        """Train for an epoch; the subclasses' `partial_fit` calls it."""
        settings = self._checked(continues=True)
        first = settings is None
        if self.early_stopping:
            raise InvalidParameterError("early_stopping=True is not allowed in partial_fit, which holds out no data")
        data = self._check_data(X, y, sample_weight, first, known_target)
        if first:
            self._build(data)
        return self._train(data, None, 1, settings, stacklevel=6)

    @one_at_a_time
    def _train(
        self, data: TrainingData, split: TrainSplit | None, epochs: int, settings: Settings | None, stacklevel: int = 5
    ) -> Self:
        net = self.net_
        own = net.train_split
        try:
            with nullcontext() if settings is None else TrainedState(net):
                net.set_params(lr=self.lr, batch_size=self.batch_size, train_split=split)
                if settings is not None:
                    self._settings_of_net.apply(net, settings, self)
                    self._settings_of_net = settings
                with self._settings():
                    net.train(data.X, data.skorch_y, epochs)
                if net.diverged_:
                    warnings.warn("training diverged: the loss is not finite", DivergenceWarning, stacklevel=stacklevel)
        except KeyboardInterrupt as interrupt:
            keep_fitted(interrupt)
            raise
        finally:
            # A given split holds data, which a fitted estimator does not need.
            net.set_params(train_split=own)
            self.diverged_ = net.diverged_
        return self

    @contextmanager
    def _settings(self) -> Iterator[None]:
        """Run the block with the estimator's threads, in float32, and as outside of the caller's contexts of torch."""
        with torch_threads(self.n_threads), outside_of_contexts(dtype=torch.float32):
            yield

    @one_at_a_time
    def _outputs(self, X: Any) -> torch.Tensor:
        """Return the network's raw outputs; few samples in double precision, so that they are the same in any batch."""
        check_is_fitted(self, "net_")
        X = self._check_samples(X)
        with self._settings():
            if X.size <= MAX_VALUES_IN_DOUBLE and self.net_.device == "cpu":
                return outputs_in_double(self.net_.module_, X)
            outputs: torch.Tensor = self.net_.forward(X)
        return outputs


def document_parameters(cls: type) -> type:
    """Replace ``{parameters}`` in a class's docstring by the documentation of the parameters of `BaseMLP`."""
    if cls.__doc__ is not None:
        _, _, shared = inspect.cleandoc(BaseMLP.__doc__ or "").partition("Parameters\n----------\n")
        cls.__doc__ = inspect.cleandoc(cls.__doc__).replace("{parameters}", shared)
    return cls
