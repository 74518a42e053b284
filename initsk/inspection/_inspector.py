"""A transformer that returns activations as features for the next step of a pipeline."""

from collections.abc import Collection, Generator, Iterator
from contextlib import closing
from dataclasses import KW_ONLY, dataclass
from itertools import chain
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from initsk.exceptions import ModuleError
from initsk.inspection._settings import CONSTRAINTS
from initsk.inspection.capture._capture import Capture
from initsk.inspection.capture._layer_choice import LayerCatalogue, Layers
from initsk.inspection.capture._place import Place
from initsk.network import Batch, Model, borrowed, initialized, iterate_batches, preserve_state
from initsk.utils.global_state import one_at_a_time
from initsk.utils.random import RandomState, derive_seed, random_states, resolve_seed
from initsk.utils.torch_settings import outside_of_contexts
from initsk.utils.validation import boolean, check_parameters, one_of
from initsk.utils.words import counted


@dataclass(repr=False, eq=False)
class ActivationInspector(TransformerMixin, BaseEstimator):
    """Transform samples into the activations of a network's layers.

    Parameters
    ----------
    estimator : estimator
        `MLPClassifier` or any estimator with ``fit`` and a torch module in ``net_`` or ``module_``, also as the last
        step of a pipeline or in a search; with `prefit` also a torch module.
    layers : str, class, int, callable, list of these, or None, default=None
        Layers by name (``"hidden_3"``), pattern (``"hidden_*"``), class of module (``torch.nn.Conv2d``), index
        (``-1`` is the last), or a function of name and module that returns whether to take the layer. None takes all
        but the last. The values are those after the layer's activation function if there is one.
    when : {"fitted", "initialized"}, default="fitted"
        Whether to take the activations after training or at the initial weights.
    prefit : bool, default=False
        Whether `estimator` is already fitted. If so, the inspector uses it; otherwise it fits a clone.
    batch_size : int, default=1024
        Samples per forward pass.
    random_state : int, RandomState, Generator or None, default=None
        Seed from which every ``random_state`` of the clone is derived; None does not change them.

    Attributes
    ----------
    estimator_ : estimator
        The estimator whose activations `transform` returns.
    layers_ : list of str
        Names of the layers, in the order of the columns.
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

    estimator: Any
    layers: Layers = None
    _: KW_ONLY
    when: str = "fitted"
    prefit: bool = False
    batch_size: int = 1024
    random_state: RandomState = None

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit or initialize a clone of the estimator, and choose the layers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,), optional
            Labels or targets.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameterError
            If a parameter is not allowed, or a layer is unknown.
        """
        allowed = {"when": one_of("when", ("fitted", "initialized")), "prefit": boolean()}
        allowed |= {name: CONSTRAINTS[name] for name in ("batch_size", "random_state")}
        check_parameters(type(self).__name__, self.get_params(deep=False), allowed)
        checked = self._checked(X, reset=True)
        if self.prefit:
            if not isinstance(self.estimator, torch.nn.Module):
                check_is_fitted(self.estimator)
            self.estimator_ = self.estimator
        elif self.when == "fitted":
            self.estimator_ = self._seeded_clone().fit(X, y)
        else:
            self.estimator_ = initialized(self._seeded_clone(), X, y)
        self.layers_, widths = self._choose(checked[:2])
        self._names = [f"{layer}_{unit}" for layer in self.layers_ for unit in range(widths[layer])]
        return self

    @one_at_a_time
    def transform(self, X: Any) -> np.ndarray:
        """Return the activations.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_units), float32

        Raises
        ------
        ModuleError
            If the number of values for each sample is not the same as in `fit`.
        """
        check_is_fitted(self, "layers_")
        X = self._checked(X, reset=False)
        with borrowed(self.estimator_, X[:2]) as model, outside_of_contexts(model.module):
            return self._transform(model, X)

    def _transform(self, model: Model, X: np.ndarray) -> np.ndarray:
        features = np.empty((len(X), len(self._names)), np.float32)
        start = 0
        with closing(self._collect(model, X, self.layers_)) as batches:
            for found in batches:
                rows = torch.cat([found[layer] for layer in self.layers_], dim=1)
                if rows.shape[1] != features.shape[1]:
                    given = counted(rows.shape[1], "feature")
                    raise ModuleError(
                        f"{', '.join(self.layers_)}: {given} of a sample, {features.shape[1]} in `fit`"
                        " (allowed: layers with the same number of values for every sample)"
                    )
                features[start : start + len(rows)] = rows.numpy()
                start += len(rows)
        return features

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns: layer and unit, as in ``hidden_2_0``.

        Parameters
        ----------
        input_features : ignored
            Part of scikit-learn's interface.

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self, "layers_")
        return np.asarray(self._names, dtype=object)

    @one_at_a_time
    def _checked(self, X: Any, *, reset: bool) -> np.ndarray:
        """Return X after scikit-learn's checks, which change the warning filters that all threads share."""
        checked: np.ndarray = validate_data(self, X, allow_nd=True, reset=reset)
        return checked

    def _seeded_clone(self) -> Any:
        estimator = clone(self.estimator)
        if self.random_state is not None:
            seed = resolve_seed(self.random_state)
            estimator.set_params(**{name: derive_seed(seed, name) % 2**31 for name in random_states(estimator)})
        return estimator

    @one_at_a_time
    def _choose(self, X: np.ndarray) -> tuple[list[str], dict[str, int]]:
        """Return the chosen layers and their numbers of features."""
        with borrowed(self.estimator_, X) as model, outside_of_contexts(model.module):
            with preserve_state(model.module, training=False, gradients=False, seed=0):
                capture = Capture(model.module, training=False, gradients=False)
                catalogue = LayerCatalogue(capture.first_plan(next(self._batches(model, X))))
            chosen = catalogue.choose(type(self).__name__, self.layers)
            if self.layers is None:
                chosen = chosen[:-1] or chosen
            with closing(self._collect(model, X, chosen)) as batches:
                found = next(batches)
        return chosen, {layer: values.shape[1] for layer, values in found.items()}

    def _batches(self, model: Model, X: np.ndarray) -> Iterator[Batch]:
        yield from iterate_batches(model.module, model.prepared(X), batch_size=self.batch_size, casts=model.casts)

    def _collect(
        self, model: Model, X: np.ndarray, layers: Collection[str]
    ) -> Generator[dict[str, torch.Tensor], None, None]:
        """Yield for each batch the values of each layer: of its activation function if it has one, else its output."""
        module = model.module
        batches = self._batches(model, X)
        # Before the capture: the first batch may run the module to find the type of its integers.
        first = next(batches)
        found: dict[str, torch.Tensor] = {}
        n_samples = 0

        def keep(place: Place, tensor: torch.Tensor, again: bool) -> None:
            if place.layer in layers:
                rows = place.axes.per_sample(tensor, n_samples, place.layer)
                found[place.layer] = rows.to("cpu", torch.float32, copy=True)

        capture = Capture(module, training=False, gradients=False)
        with preserve_state(module, training=False, gradients=False, seed=0, parameters=False), capture.following():
            for batch in chain([first], batches):
                found.clear()
                n_samples = batch.n_samples
                capture.run(batch, keep)
                yield found
