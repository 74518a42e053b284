"""The multilayer perceptron as a scikit-learn regressor."""

from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import RegressorMixin

from initsk.estimators._fitted_state import all_or_nothing
from initsk.estimators._mlp_base import BaseMLP, document_parameters
from initsk.estimators._mlp_net import MLPNetRegressor
from initsk.estimators._training_data import TrainingData
from initsk.exceptions import InvalidParameterError
from initsk.utils.precision import describe_too_large
from initsk.utils.words import counted


@document_parameters
class MLPRegressor(RegressorMixin, BaseMLP):
    """Multilayer perceptron regressor (least squares) whose weight initializer is a hyperparameter.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    net_ : NeuralNetRegressor
        A skorch net, with ``module_``, ``history`` and ``optimizer_``.
    n_outputs_ : int
        Number of targets seen in `fit`.
    target_mean_ : ndarray of shape (n_outputs,)
        Mean of the training targets, by sample weight.
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
    Scale inputs and targets to the order of 1; ``TransformedTargetRegressor`` scales y. The notes of `MLPClassifier` on
    training apply to `MLPRegressor` too. If the network's outputs are not finite, as after a divergence, `predict`
    returns `target_mean_`.

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
    _checks_of_y: ClassVar[dict[str, bool]] = {"multi_output": True, "y_numeric": True}

    @all_or_nothing
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch on these data; the first call builds the network. A call that fails changes nothing.

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
            predicted = self._outputs(X).double().numpy()
        predicted = np.where(np.isfinite(predicted), predicted, self.target_mean_)
        return predicted.ravel() if self._is_flat else predicted

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _set_target(self, y: np.ndarray, known: bool = False) -> None:
        self._is_flat = y.ndim == 1
        self.n_outputs_ = 1 if self._is_flat else y.shape[1]

    def _encode(self, y: np.ndarray, name: str = "y") -> np.ndarray:
        too_large = describe_too_large(y, name)
        if too_large is not None:
            raise InvalidParameterError(f"{too_large}, as TransformedTargetRegressor does")
        target = y.reshape(len(y), -1).astype(np.float32)
        if target.shape[1] != self.n_outputs_:
            targets = counted(target.shape[1], "target")
            raise InvalidParameterError(
                f"{name} has {targets}, {type(self).__name__} was fitted with {self.n_outputs_}"
            )
        return target

    def _target_arguments(self) -> dict[str, Any]:
        return {"module__n_outputs": self.n_outputs_, "criterion": torch.nn.MSELoss}

    def _build(self, data: TrainingData) -> None:
        super()._build(data)
        self.target_mean_ = np.average(data.y.astype(np.float64), axis=0, weights=data.weight)
