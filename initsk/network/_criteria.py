"""torch's losses by name."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.modules import loss
from typing_extensions import TypeAliasType

from initsk.exceptions import InvalidParameterError
from initsk.utils.spelling import meant_name
from initsk.utils.validation import unknown_name
from initsk.utils.words import reason_of

#: A function of output and targets that returns the mean loss.
LossFunction = TypeAliasType("LossFunction", Callable[[Any, Any], torch.Tensor])
#: A loss function, or the name of one of torch's losses.
Criterion = TypeAliasType("Criterion", LossFunction | str)

_PREFIXES = ("torch.nn.", "nn.")
_FUNCTION = "a function loss(output, y) such as torch.nn.MSELoss()"
#: torch's losses by their names.
CRITERIA: dict[str, type[nn.Module]] = {name: getattr(loss, name) for name in loss.__all__}


def get_criterion(criterion: Any, allowed: str = "a class such as torch.nn.CrossEntropyLoss") -> Any:
    """Return the class of torch's losses that a name stands for; anything but text is returned unchanged.

    Parameters
    ----------
    criterion : str or object
        A name is that of torch in any case, with or without ``torch.nn.``.
    allowed : str, default="a class such as torch.nn.CrossEntropyLoss"
        What error messages name beside the names.

    Raises
    ------
    InvalidParameterError
        If torch has no loss of this name.

    Examples
    --------
    >>> get_criterion("crossentropyloss").__name__, get_criterion("torch.nn.MSELoss").__name__
    ('CrossEntropyLoss', 'MSELoss')
    """
    if not isinstance(criterion, str):
        return criterion
    key = criterion.strip().lower()
    for prefix in _PREFIXES:
        key = key.removeprefix(prefix)
    by_key = {name.lower(): name for name in CRITERIA}
    if key not in by_key:
        near = by_key.get(meant_name(key, by_key) or f"{key}loss")
        message = unknown_name("criterion", criterion, CRITERIA, near)
        raise InvalidParameterError(f"{message}, or {allowed}")
    return CRITERIA[by_key[key]]


def loss_function(criterion: Criterion) -> LossFunction:
    """Return the loss function that a criterion stands for: of a name, torch's loss with its defaults.

    Raises
    ------
    InvalidParameterError
        If torch has no loss of this name, or none that needs no arguments.

    Examples
    --------
    >>> loss_function("mseloss")
    MSELoss()
    """
    if not isinstance(criterion, str):
        return criterion
    kind = get_criterion(criterion, _FUNCTION)
    try:
        function: LossFunction = kind()
    except TypeError as error:
        raise InvalidParameterError(
            f"{kind.__name__} needs arguments ({reason_of(error)}): give an instance torch.nn.{kind.__name__}(...)"
        ) from error
    return function


def check_criterion(criterion: Any, *others: str) -> None:
    """Raise InvalidParameterError if a value is no criterion in a form that `loss_of` takes, or None.

    The message says that `others` are allowed too.

    Examples
    --------
    >>> check_criterion("CrossEntropyLoss")
    """
    if isinstance(criterion, str):
        loss_function(criterion)
    elif not (criterion is None or (callable(criterion) and not isinstance(criterion, type))):
        allowed = ", ".join(["the name of one of torch's losses", _FUNCTION, *others])
        raise InvalidParameterError(f"criterion={criterion!r} is not allowed ({allowed}, or None)")
