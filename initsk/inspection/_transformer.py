"""Activations as features for the next step of a pipeline."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from initsk.inspection._capture import watching
from initsk.inspection._model import get_module, iterate_batches
from initsk.utils._random import RandomState, check_random_state, derive_seed, resolve_seed
from initsk.utils._validation import check_parameters, each_of, integer, one_of, resolved_by


class ActivationInspector(TransformerMixin, BaseEstimator):
    """Transform samples into the activations of a network's layers.

    Parameters
    ----------
    estimator : estimator
        `MLPClassifier` or anything with ``fit`` and a torch module in ``net_`` or ``module_``; with
        `prefit` a bare torch module too.
    layers : str, list of str or None, default=None
        Layers by name (``"hidden_3"``); None takes all but the last. A layer's values are those
        after its activation function, where one follows.
    when : {"fitted", "initialized"}, default="fitted"
        After training, or at the initial weights.
    prefit : bool, default=False
        Take `estimator` as it is, already fitted, instead of fitting a clone.
    batch_size : int, default=1024
        Samples per forward pass.
    random_state : int, RandomState, Generator or None, default=None
        Seed that every ``random_state`` of the clone derives from; None leaves them as they are.

    Attributes
    ----------
    estimator_ : estimator
        The network that transforms.
    layers_ : list of str
        Names of the layers taken, in the order of the columns.
    n_features_in_ : int
        Number of features seen in `fit`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from initsk import ActivationInspector, MLPClassifier
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> inspector = ActivationInspector(MLPClassifier((4, 2), max_epochs=2, random_state=0), layers="hidden_2")
    >>> inspector.set_output(transform="pandas").fit(X, y).transform(X).columns.tolist()
    ['hidden_2_0', 'hidden_2_1']
    """

    def __init__(
        self,
        estimator: Any,
        layers: str | Sequence[str] | None = None,
        *,
        when: str = "fitted",
        prefit: bool = False,
        batch_size: int = 1024,
        random_state: RandomState = None,
    ) -> None:
        self.estimator = estimator
        self.layers = layers
        self.when = when
        self.prefit = prefit
        self.batch_size = batch_size
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit or build a clone of the estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,)
            Labels.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            If a parameter is not allowed, or a layer's name is unknown.
        """
        check_parameters(
            type(self).__name__,
            self.get_params(deep=False),
            {
                "when": one_of("when", ("fitted", "initialized")),
                "batch_size": integer(1),
                "random_state": resolved_by(check_random_state),
            },
        )
        checked = validate_data(self, X, dtype=np.float32)
        if self.prefit:
            if not isinstance(self.estimator, torch.nn.Module):
                check_is_fitted(self.estimator)
            self.estimator_ = self.estimator
        elif self.when == "fitted":
            self.estimator_ = self._seeded_clone().fit(X, y)
        else:
            self.estimator_ = self._seeded_clone().initialize(X, y)
        self.__dict__.pop("layers_", None)
        widths = {layer: values.shape[1] for layer, values in self._collect(checked[:2]).items()}
        self.layers_ = self._choose(list(widths))
        self._names = [f"{layer}_{unit}" for layer in self.layers_ for unit in range(widths[layer])]
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the activations.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_units), float32
        """
        check_is_fitted(self, "layers_")
        X = validate_data(self, X, dtype=np.float32, reset=False)
        found = self._collect(X)
        return np.concatenate([found[layer] for layer in self.layers_], axis=1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return ``layer_unit`` for every column.

        Parameters
        ----------
        input_features : ignored
            For the interface.

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self, "layers_")
        return np.asarray(self._names, dtype=object)

    def _seeded_clone(self) -> Any:
        estimator = clone(self.estimator)
        if self.random_state is not None:
            seed = resolve_seed(self.random_state)
            names = [name for name in estimator.get_params() if name.split("__")[-1] == "random_state"]
            estimator.set_params(**{name: derive_seed(seed, name) % 2**31 for name in names})
        return estimator

    def _choose(self, known: list[str]) -> list[str]:
        if self.layers is None:
            return known[:-1] or known
        wanted = [self.layers] if isinstance(self.layers, str) else self.layers
        check_parameters(type(self).__name__, {"layers": wanted}, {"layers": each_of("layer", known)})
        return list(wanted)

    def _collect(self, X: np.ndarray) -> dict[str, np.ndarray]:
        """Run X and keep each layer's last site: its activation where it has one, else its output."""
        module = get_module(self.estimator_)
        batch_found: dict[str, torch.Tensor] = {}
        kept: dict[str, list[np.ndarray]] = {}
        wanted = getattr(self, "layers_", None)

        def observe(layer: str, site: str, values: torch.Tensor) -> None:
            batch_found[layer] = values.clone()

        with watching(module, observe) as run:
            for batch in iterate_batches(module, X, self.batch_size):
                batch_found.clear()
                run(batch)
                for layer, values in batch_found.items():
                    if wanted is None or layer in wanted:
                        per_sample = values.reshape(len(batch), -1)
                        kept.setdefault(layer, []).append(per_sample.float().cpu().numpy())
        return {layer: np.concatenate(parts) for layer, parts in kept.items()}
