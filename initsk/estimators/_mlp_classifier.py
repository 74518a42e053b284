"""The multilayer perceptron as a scikit-learn classifier."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_is_fitted

from initsk.estimators._fitted_state import all_or_nothing
from initsk.estimators._label_targets import label_target
from initsk.estimators._mlp_base import BaseMLP, document_parameters
from initsk.estimators._mlp_net import MLPNetClassifier, targets_only
from initsk.estimators._parameters import CONSTRAINTS
from initsk.estimators._training_data import TrainingData
from initsk.estimators._unknown_parameters import CLASSIFIER_ATTRIBUTES, explain_unknown_parameters
from initsk.exceptions import InvalidParameterError
from initsk.utils.labels import check_given, check_labels, check_present
from initsk.utils.precision import widened
from initsk.utils.validation import Constraint, real
from initsk.utils.words import reason_of


def _class_weight(value: Any) -> str | None:
    """Allow the class weights of scikit-learn's `compute_sample_weight` for one target."""
    fine = value is None or (isinstance(value, str) and value == "balanced")
    fine = fine or (isinstance(value, dict) and not any(map(real(minimum=0), value.values())))
    return None if fine else "'balanced', a dict of a finite weight >= 0 for each label, or None"


@explain_unknown_parameters
@document_parameters
@dataclass(repr=False, eq=False, kw_only=True)
class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multilayer perceptron classifier whose weight initializer is a hyperparameter.

    Parameters
    ----------
    {parameters}
    class_weight : dict, "balanced" or None, default=None
        Factor of the loss for the samples of each label; "balanced" gives every class the same total weight.

    Attributes
    ----------
    net_ : NeuralNetClassifier
        A skorch net, with ``module_``, ``history`` and ``optimizer_``.
    classes_ : ndarray of shape (n_classes,)
        Labels seen in `fit`; of several labels per sample the numbers of the columns, as in scikit-learn.
    n_outputs_ : int
        Number of outputs of the network: a score for each of `classes_`.
    class_prior_ : ndarray of shape (n_classes,)
        Share of the training samples that have each label, by sample weight.
    initialization_record_ : InitializationRecord
        Which parameters the initializers filled.
    history_ : DataFrame
        A row per epoch: losses, scores on held-out data, seconds.
    diverged_ : bool
        Whether the training ended because a loss was not finite.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names seen in `fit`, if X had any.

    Notes
    -----
    Training treats numbers below float32's normal range (1.2e-38) as zero. Without `normalization` and `dropout`, and
    with the common activation functions and optimizers, `fit` computes gradients without autograd's graph and updates
    all parameters in one step of the optimizer. With a hook on the module, or a callback for single batches, `fit` runs
    skorch's own steps; the results are the same up to rounding.

    If the network's outputs are not finite, as after a divergence, `predict_proba` returns `class_prior_`.

    With several labels per sample (multilabel), y has zeros and ones, a column per label. The loss is then
    ``BCEWithLogitsLoss``, `predict_proba` returns the probability of each label, `predict` returns 1 for probabilities
    above 0.5, and `score` is the share of samples whose labels are all right.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from initsk import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MLPClassifier((16,), initializer="he_normal", lr=0.01, max_epochs=30, random_state=0)
    >>> clf.fit(X, y).score(X, y) > 0.9
    True
    """

    _net_class = MLPNetClassifier
    _constraints: ClassVar[dict[str, Constraint]] = CONSTRAINTS | {"class_weight": _class_weight}
    _other_attributes: ClassVar[dict[str, str]] = CLASSIFIER_ATTRIBUTES

    class_weight: dict[Any, float] | str | None = None

    @all_or_nothing
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train for one epoch on these data; the first call builds the network. A call that fails changes nothing.

        Parameters of the estimator may change between the calls as for `warm_start`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels, as in `fit`.
        classes : array-like of shape (n_classes,), optional
            All labels that any call will have; required in the first call. For several labels per sample, the numbers
            of the columns.
        sample_weight : array-like of shape (n_samples,), optional
            As in `fit`.

        Returns
        -------
        self
        """
        if isinstance(self.class_weight, str):
            raise InvalidParameterError(
                f"class_weight={self.class_weight!r} is not allowed in partial_fit, which does not see all samples"
                " (a dict, or None)"
            )
        self._set_classes(classes)
        return self._train_one_epoch(X, y, sample_weight, known_target=True)

    def _set_classes(self, classes: Any) -> None:
        """Set `classes_` at the first call of `partial_fit`; later ones may give the same classes or none."""
        known = getattr(self, "classes_", None)
        if classes is None:
            if known is None:
                raise InvalidParameterError("classes must be passed on the first call to partial_fit.")
            return
        check_labels("classes", classes)
        try:
            # scikit-learn casts missing values before it refuses them.
            with np.errstate(invalid="ignore"):
                given = unique_labels(classes)
        except ValueError as error:
            reason = reason_of(error).rstrip(".")
            raise InvalidParameterError(
                f"classes={classes!r} is not allowed ({reason}; allowed: an array of all labels)"
            ) from error
        if known is not None and not np.array_equal(known, given):
            allowed = f"those of the first call, {known.tolist()!r}, or None"
            raise InvalidParameterError(f"classes={classes!r} is not allowed in partial_fit ({allowed})")
        self.classes_ = given

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
        return self._of_outputs(self._labels.probabilities, X, self.class_prior_)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Predict the logarithms of class probabilities, without rounding small probabilities to 0.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        check_is_fitted(self, "net_")
        with np.errstate(divide="ignore"):
            prior = np.log(self.class_prior_)
        return self._of_outputs(self._labels.log_probabilities, X, prior)

    def predict(self, X: Any) -> np.ndarray:
        """Predict labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
        """
        # Before the fitted attributes are read, so that an estimator that is not fitted raises NotFittedError.
        probabilities = self.predict_proba(X)
        return self._labels.predicted(probabilities, self.classes_)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of the labels that are predicted right.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            True labels, as in `fit`.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the samples.

        Returns
        -------
        float
        """
        check_given(self, y)
        X, y = widened(X), widened(y)
        check_labels("y", y)
        check_present("y", y)
        return float(super().score(X, y, sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _of_outputs(self, function: Any, X: Any, prior: np.ndarray) -> np.ndarray:
        """Return a function of the network's outputs; rows with NaN are replaced by `prior`."""
        with self._settings():
            rows: np.ndarray = function(self._outputs(X)).float().numpy()
        rows[np.isnan(rows).any(axis=1)] = prior
        return rows

    def _check_samples(
        self, X: Any, y: Any = "no_validation", first: bool = False, name: str = "y", **checks: Any
    ) -> Any:
        if y is None or isinstance(y, str):
            return super()._check_samples(X, y, first, name, **checks)
        y = widened(y)
        check_labels(name, y)
        X, y = super()._check_samples(X, y, first, name, **checks, multi_output=_has_columns(y))
        return X, y.toarray() if issparse(y) else y

    def _set_target(self, y: np.ndarray, weight: np.ndarray | None, known: bool = False) -> None:
        self._labels = label_target(y)
        if not known:
            self.classes_ = self._labels.classes(y)
        self.n_outputs_ = len(self.classes_)

    def _encode(self, y: np.ndarray, name: str = "y") -> np.ndarray:
        return self._labels.encode(y, self.classes_, name)

    def _target_arguments(self) -> dict[str, Any]:
        return {
            "module__n_outputs": self.n_outputs_,
            "criterion": self._labels.criterion,
            "classes": list(range(self.n_outputs_)),
            "callbacks__valid_acc__target_extractor": targets_only,
            **self._labels.net_arguments,
        }

    def _weight(self, y: np.ndarray, sample_weight: Any) -> Any:
        check_classification_targets(y)
        return label_target(y).weight(y, self.class_weight, sample_weight)

    def _build(self, data: TrainingData) -> None:
        super()._build(data)
        self.class_prior_ = self._labels.prior(data, self.n_outputs_)


def _has_columns(y: Any) -> bool:
    """Return whether y has several columns; scikit-learn flattens a single one."""
    shape = y.shape if hasattr(y, "shape") else np.asarray(y).shape
    return len(shape) == 2 and shape[1] > 1
