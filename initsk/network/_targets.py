"""Targets in the type and shape that torch's losses need."""

from typing import Any

import torch
from torch import nn

from initsk.exceptions import ModuleError
from initsk.network._criteria import loss_function

#: torch's losses that need the scores of classes along the second axis.
OF_CLASSES = (nn.CrossEntropyLoss, nn.NLLLoss)
#: torch's losses of numbers between 0 and 1.
OF_RATES = (nn.BCEWithLogitsLoss, nn.BCELoss)
#: torch's losses of any numbers.
OF_NUMBERS = (nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss)


def comparable_target(criterion: Any, scores: Any, target: Any) -> Any:
    """Return a target in the type that torch's criterion needs; the target itself for other criteria.

    A criterion that compares numbers gets the type of the scores, and their shape if only axes of length 1 differ:
    torch would compare every value with every other. A criterion of classes gets labels of any type as integers of 64
    bits, in the shape of the scores without the axis of the classes; floats of the shape of the scores are shares.

    Raises
    ------
    ModuleError
        If labels are no whole numbers.

    Examples
    --------
    >>> comparable_target(nn.BCEWithLogitsLoss(), torch.zeros(3, 1), torch.tensor([0, 1, 1])).shape
    torch.Size([3, 1])
    >>> comparable_target(nn.CrossEntropyLoss(), torch.zeros(3, 2), torch.tensor([0.0, 1.0, 1.0]))
    tensor([0, 1, 1])
    """
    if not isinstance(scores, torch.Tensor) or not isinstance(target, torch.Tensor) or target.is_complex():
        return target
    if isinstance(criterion, OF_CLASSES):
        target, shape = labels_or_shares(scores, target), scores.shape[:1] + scores.shape[2:]
        is_label = not target.is_floating_point() and scores.dim() > 1
        return target.reshape(shape) if is_label and _squeezed(shape) == _squeezed(target.shape) else target
    if not isinstance(criterion, (*OF_RATES, *OF_NUMBERS)):
        return target
    target = target.to(scores.dtype)
    return target.reshape(scores.shape) if scores.squeeze().shape == target.squeeze().shape else target


def takes_classes(criterion: Any) -> bool:
    """Return whether a criterion, or the name of one, is a loss of torch that takes classes.

    Examples
    --------
    >>> takes_classes("CrossEntropyLoss"), takes_classes(nn.MSELoss()), takes_classes(None)
    (True, False, False)
    """
    return isinstance(loss_function(criterion), OF_CLASSES)


def labels_or_shares(scores: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return labels of any type as integers of 64 bits; floats of the shape of the scores are shares of the classes.

    Raises
    ------
    ModuleError
        If labels are no whole numbers.
    """
    if target.is_floating_point():
        if target.shape == scores.shape:
            return target
        wrong = target[(target != target.round()) | target.isinf()]
        if len(wrong):
            raise ModuleError(
                f"y has the label {float(wrong[0]):.6g} (allowed: whole numbers 0, 1, ..., or a share of each class in"
                f" the shape of the output, {tuple(scores.shape)})"
            )
    return target.long()


def _squeezed(shape: torch.Size) -> list[int]:
    return [size for size in shape if size != 1]
