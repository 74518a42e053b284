"""The multilayer perceptron as a scikit-learn regressor."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted, column_or_1d

from initsk.estimators._fitted_state import all_or_nothing
from initsk.estimators._mlp_base import BaseMLP, document_parameters
from initsk.estimators._mlp_net import MLPNetRegressor
from initsk.estimators._number_targets import NumberTarget
from initsk.estimators._parameters import CONSTRAINTS
from initsk.estimators._unknown_parameters import REGRESSOR_ATTRIBUTES, explain_unknown_parameters
from initsk.utils.labels import check_given, check_numbers, check_present
from initsk.utils.precision import widened
from initsk.utils.validation import Constraint, boolean


@explain_unknown_parameters
@document_parameters
@dataclass(repr=False, eq=False, kw_only=True)
class MLPRegressor(RegressorMixin, BaseMLP):
    """Multilayer perceptron regressor (least squares) whose weight initializer is a hyperparameter.

    Parameters
    ----------
    {parameters}
    standardize_target : bool, default=True
        Whether the network learns targets with mean 0 and standard deviation 1. Predictions and scores are in the unit
        of y; the losses in `history_` are those of the standardized targets. Mean and standard deviation are those of
        the training samples, by sample weight; `partial_fit` takes those of its first call, and a warm start those of
        the first fit. A constant target is only centered.

    Attributes
    ----------
    net_ : NeuralNetRegressor
        A skorch net, with ``module_``, ``history`` and ``optimizer_``.
    n_outputs_ : int
        Number of targets seen in `fit`.
    target_mean_ : ndarray of shape (n_outputs,)
        Mean of the training targets, by sample weight.
    target_scale_ : ndarray of shape (n_outputs,)
        Standard deviation of the training targets, by sample weight; 1 for a constant target.
    initialization_record_ : InitializationRecord
        Which parameters the initializers filled.
    history_ : DataFrame
        A row per epoch: losses, seconds.
    diverged_ : bool
        Whether the training ended because a loss was not finite.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names seen in `fit`, if X had any.

    Notes
    -----
    Scale inputs to the order of 1. The notes of `MLPClassifier` on training apply to `MLPRegressor` too. If the
    network's outputs are not finite, as after a divergence, `predict` returns `target_mean_`.

    Examples
    --------
    >>> from sklearn.datasets import make_friedman1
    >>> from initsk import MLPRegressor
    >>> X, y = make_friedman1(500, random_state=0)
    >>> reg = MLPRegressor((64, 64), initializer="auto", lr=0.01, max_epochs=40, random_state=0)
    >>> reg.fit(X, y).score(X, y) > 0.9
    True
    """

    _net_class = MLPNetRegressor
    _checks_of_y: ClassVar[dict[str, Any]] = {"multi_output": True, "y_numeric": True}
    _constraints: ClassVar[dict[str, Constraint]] = CONSTRAINTS | {"standardize_target": boolean()}
    _other_attributes: ClassVar[dict[str, str]] = REGRESSOR_ATTRIBUTES

    standardize_target: bool = True

    @all_or_nothing
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch on these data; the first call builds the network. A call that fails changes nothing.

        Targets are standardized by mean and standard deviation of the first call's.

        Parameters of the estimator may change between the calls as for `warm_start`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), optional
            As in `fit`.

        Returns
        -------
        self
        """
        return self._train_one_epoch(X, y, sample_weight)

    def predict(self, X: Any) -> np.ndarray:
        """Predict targets.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs), float64
        """
        with self._settings():
            outputs = self._outputs(X).double().numpy()
        return self._target.decode(outputs)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the coefficient of determination, R², of the predictions.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True targets.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the samples.

        Returns
        -------
        float
        """
        check_given(self, y)
        X, y = widened(X), widened(y)
        check_numbers("y", y)
        check_present("y", y)
        return float(super().score(X, y, sample_weight))

    def encode_target(self, y: Any, name: str = "y") -> np.ndarray:
        """Return the targets that the network learns: standardized with `standardize_target`.

        Parameters
        ----------
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        name : str, default="y"
            Name of y in error messages.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs), float32
        """
        check_is_fitted(self, "net_")
        return self._target.encode(y, name)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _check_samples(
        self, X: Any, y: Any = "no_validation", first: bool = False, name: str = "y", **checks: Any
    ) -> Any:
        y = widened(y)
        if not isinstance(y, str) and y is not None:
            check_numbers(name, y)
            # scikit-learn makes NaN of None after its check of finite numbers.
            check_present(name, y)
        checked = super()._check_samples(X, y, first, name, **checks)
        if isinstance(checked, tuple) and checked[1].shape[1:] == (1,):
            return checked[0], column_or_1d(checked[1], warn=True)
        return checked

    def _set_target(self, y: np.ndarray, weight: np.ndarray | None, known: bool = False) -> None:
        self._target = NumberTarget.of(y, weight, standardize=self.standardize_target)
        self.n_outputs_ = self._target.n_outputs
        self.target_mean_, self.target_scale_ = self._target.scaler.mean_, self._target.scaler.scale_

    def _encode(self, y: np.ndarray, name: str = "y") -> np.ndarray:
        return self._target.encode(y, name)

    def _target_arguments(self) -> dict[str, Any]:
        return {"module__n_outputs": self.n_outputs_, "criterion": torch.nn.MSELoss}
