"""The targets of a classifier: one label for each sample, or several (multilabel)."""

from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import type_of_target

from initsk.estimators._training_data import TrainingData, as_weight
from initsk.exceptions import InvalidParameterError
from initsk.utils.validation import check_known_labels
from initsk.utils.words import counted, reason_of


class OneLabel:
    """One label for each sample: scores of all classes, softmax and cross-entropy."""

    criterion: Any = torch.nn.CrossEntropyLoss
    net_arguments: ClassVar[dict[str, Any]] = {}

    def classes(self, y: np.ndarray) -> np.ndarray:
        """Return the labels in y."""
        found: np.ndarray = np.unique(y)
        return found

    def encode(self, y: np.ndarray, classes: np.ndarray, name: str) -> np.ndarray:
        """Return the positions of the labels among the classes."""
        if y.ndim > 1:
            allowed = "one label per sample, as in the first fit"
            raise InvalidParameterError(f"{name} has {counted(y.shape[1], 'column')} ({allowed})")
        check_known_labels(name, y, classes, "classes_")
        return np.searchsorted(classes, y).astype(np.int64)

    def weight(self, y: np.ndarray, class_weight: Any, sample_weight: Any) -> Any:
        """Return the weights of the samples, not yet checked."""
        if class_weight is None:
            return sample_weight
        try:
            by_class = compute_sample_weight(class_weight, y)
        except ValueError as error:
            allowed = "a label of y as each key"
            raise InvalidParameterError(
                f"class_weight={class_weight!r} is not allowed ({reason_of(error)}; allowed: {allowed})"
            ) from error
        return by_class if sample_weight is None else by_class * as_weight(sample_weight, len(y))

    def prior(self, data: TrainingData, n_classes: int) -> np.ndarray:
        """Return the share of each class."""
        counts = np.bincount(data.y, weights=data.weight, minlength=n_classes)
        shares: np.ndarray = counts / counts.sum()
        return shares

    def probabilities(self, scores: torch.Tensor) -> torch.Tensor:
        """Return the probabilities of the classes."""
        return torch.softmax(scores, 1)

    def log_probabilities(self, scores: torch.Tensor) -> torch.Tensor:
        """Return the logarithms of the probabilities, without rounding small ones to 0."""
        return torch.log_softmax(scores, 1)

    def predicted(self, probabilities: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Return the most probable labels."""
        labels: np.ndarray = classes[probabilities.argmax(axis=1)]
        return labels


class Multilabel:
    """Zeros and ones, a column per label: a score of each label, sigmoid and binary cross-entropy."""

    criterion: Any = torch.nn.BCEWithLogitsLoss
    net_arguments: ClassVar[dict[str, Any]] = {"predict_nonlinearity": torch.sigmoid}

    def classes(self, y: np.ndarray) -> np.ndarray:
        """Return the numbers of the columns, as scikit-learn does."""
        return np.arange(y.shape[1])

    def encode(self, y: np.ndarray, classes: np.ndarray, name: str) -> np.ndarray:
        """Return the zeros and ones as the loss needs them."""
        if y.ndim != 2 or y.shape[1] != len(classes):
            given = counted(y.shape[1] if y.ndim == 2 else 1, "column")
            raise InvalidParameterError(f"{name} has {given} (allowed: {len(classes)}, a column per label)")
        if not np.isin(y, (0, 1)).all():
            raise InvalidParameterError(f"{name} has values other than 0 and 1 (allowed: 0 and 1, a column per label)")
        return y.astype(np.float32)

    def weight(self, y: np.ndarray, class_weight: Any, sample_weight: Any) -> Any:
        """Return the weights of the samples, not yet checked."""
        if class_weight is not None:
            allowed = "None for several labels per sample; sample_weight weights samples"
            raise InvalidParameterError(f"class_weight={class_weight!r} is not allowed ({allowed})")
        return sample_weight

    def prior(self, data: TrainingData, n_classes: int) -> np.ndarray:
        """Return the share of the samples that have each label."""
        shares: np.ndarray = np.average(data.y.astype(np.float64), axis=0, weights=data.weight)
        return shares

    def probabilities(self, scores: torch.Tensor) -> torch.Tensor:
        """Return the probability of each label."""
        return torch.sigmoid(scores)

    def log_probabilities(self, scores: torch.Tensor) -> torch.Tensor:
        """Return the logarithms of the probabilities, without rounding small ones to 0."""
        return torch.nn.functional.logsigmoid(scores)

    def predicted(self, probabilities: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Return 1 for each label with a probability above 0.5, otherwise 0."""
        return (probabilities > 0.5).astype(np.int64)


def label_target(y: np.ndarray) -> OneLabel | Multilabel:
    """Return how y, an array, has labels.

    Raises
    ------
    InvalidParameterError
        If y has several columns that are not zeros and ones.

    Examples
    --------
    >>> [type(label_target(np.array(y))).__name__ for y in (["a", "b"], [[0, 1, 1], [1, 0, 1]])]
    ['OneLabel', 'Multilabel']
    """
    if y.ndim == 1:
        return OneLabel()
    if type_of_target(y, input_name="y") != "multilabel-indicator":
        allowed = (
            "one label per sample; or 0 and 1, a column per label, as sklearn.preprocessing.MultiLabelBinarizer makes"
            " them; for several targets with classes, sklearn.multioutput.MultiOutputClassifier"
        )
        raise InvalidParameterError(f"y of shape {y.shape} has values other than 0 and 1 (allowed: {allowed})")
    return Multilabel()
