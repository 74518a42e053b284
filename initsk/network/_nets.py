"""The loss that a skorch net makes of its module's output."""

from typing import Any

import torch
from sklearn.base import is_classifier
from torch import nn

from initsk.exceptions import ModuleError
from initsk.utils.torch_settings import in_double
from initsk.utils.words import counted

#: Of a sum of probabilities from 1, in half precision.
MAX_DEVIATION = 0.05


def has_own_loss(net: Any) -> bool:
    """Return whether the class of a net, or the net itself, overrides skorch's ``get_loss``.

    Examples
    --------
    >>> import skorch
    >>> has_own_loss(skorch.NeuralNetClassifier(torch.nn.ReLU)), has_own_loss(None)
    (False, False)
    """
    return hasattr(net, "get_loss") and not _is_of_skorch(net.get_loss)


def loss_of_net(net: Any, output: Any, target: Any, X: Any = None) -> torch.Tensor:
    """Return the loss by which an initialized net trains, for an output of its module or of a copy."""
    output = _as_inferred(net, output)
    if not has_own_loss(net):
        target = _as_column(output, target)
    loss: torch.Tensor = net.get_loss(output, target, X=X, training=False)
    return loss


def check_class_scores(net: Any, output: Any, target: Any) -> None:
    """Raise ModuleError for an output that a classifier's net cannot learn from; values that are not finite pass.

    Cross-entropy needs a score for each class, and skorch's default criterion, NLLLoss, needs probabilities.

    Raises
    ------
    ModuleError
        If there is one score for each sample, a label has no score, or NLLLoss does not get probabilities.
    """
    scores, criterion = output[0] if isinstance(output, tuple) and output else output, getattr(net, "criterion_", None)
    if not isinstance(criterion, nn.CrossEntropyLoss | nn.NLLLoss) or not is_classifier(net):
        return
    if not isinstance(scores, torch.Tensor) or not isinstance(target, torch.Tensor):
        return
    name, scores = type(criterion).__name__, scores.detach()
    # Floats are shares of the classes, and a single class has a single score.
    has_labels = target.dim() and not target.is_floating_point() and bool((target != 0).any())
    if has_labels and scores.shape in (target.shape, (*target.shape, 1)):
        raise ModuleError(
            f"{name} needs a score for each class, and the module gives one score for each sample (allowed: an output"
            " for each class; or for two classes, skorch.NeuralNetBinaryClassifier, whose criterion is"
            " BCEWithLogitsLoss, and initsk.estimators.with_initializer for its initializer)"
        )
    if scores.dim() > 1 and target.shape == scores[:, 0].shape and not target.is_floating_point():
        check_range(target, scores.shape[1], criterion.ignore_index)
    if isinstance(criterion, nn.NLLLoss) and scores.dim() > 1 and not _are_probabilities(scores):
        raise ModuleError(
            "the criterion NLLLoss of a classifier's net needs probabilities, and the module's outputs, from"
            f" {float(scores.min()):.3g} to {float(scores.max()):.3g}, are no probabilities that add up to 1 (allowed:"
            " criterion=torch.nn.CrossEntropyLoss for logits and log-probabilities, or a softmax as the last layer)"
        )


def check_range(target: torch.Tensor, n_scores: int, ignored: int) -> None:
    """Raise ModuleError for labels without a score."""
    labels = target[target != ignored]
    if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < n_scores:
        given = f"{int(labels.min())} to {int(labels.max())}"
        scores = counted(n_scores, "score")
        hint = "; sklearn.preprocessing.LabelEncoder makes such labels, and MLPClassifier takes any"
        if n_scores == 1:
            hint = "; if y has numbers to predict, use y.astype(float) or criterion=torch.nn.MSELoss()"
        raise ModuleError(f"y has labels {given}, but the module gives {scores} (labels count from 0){hint}")


def _are_probabilities(scores: torch.Tensor) -> bool:
    """Return whether the scores of classes, along the second axis, are at least 0 and add up to 1."""
    total = in_double(scores).sum(1)
    finite = total.isfinite()
    near = (total - 1).abs() <= MAX_DEVIATION
    return bool((near & (scores >= 0).all(1))[finite].all())


def _is_of_skorch(method: Any) -> bool:
    """Return whether a method of a net is that of skorch, or of this package's nets."""
    return getattr(method, "__module__", "").partition(".")[0] in ("skorch", "initsk")


def _as_inferred(net: Any, output: Any) -> Any:
    """Return what skorch makes of an output, such as a column of scores of a binary classifier as a vector."""
    if not _is_of_skorch(getattr(net, "infer", None)):
        return output
    # A net whose module returns this output.
    other = object.__new__(type(net))
    vars(other).update(vars(net) | {"module_": lambda inputs: output})
    return other.infer(torch.empty(0))


def _as_column(output: Any, target: Any) -> Any:
    """Return real targets as a column if the output is a column."""
    if not isinstance(target, torch.Tensor) or target.ndim != 1 or not target.is_floating_point():
        return target
    return target[:, None] if getattr(output, "shape", ()) == (len(target), 1) else target
