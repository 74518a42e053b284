"""torch's losses by name, and what a criterion may be."""

from collections.abc import Callable, Mapping
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
#: A criterion, or one for each named head of the output; the loss is their sum.
Criteria = TypeAliasType("Criteria", Criterion | Mapping[str, Criterion])

_PREFIXES = ("torch.nn.", "nn.")
_FUNCTION = "a function loss(output, y) such as torch.nn.MSELoss()"
_ALLOWED = f"the name of one of torch's losses, {_FUNCTION}, a dict of names or functions by name of the head"
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


def check_criterion(criterion: Any) -> None:
    """Raise InvalidParameterError if a value is no criterion, no dict of them by name of the head, and not None.

    Examples
    --------
    >>> check_criterion("CrossEntropyLoss")
    >>> check_criterion({"kind": "CrossEntropyLoss", "size": nn.L1Loss()})
    """
    if isinstance(criterion, Mapping):
        is_allowed = bool(criterion) and all(
            isinstance(name, str) and _is_criterion(part) for name, part in criterion.items()
        )
    else:
        is_allowed = criterion is None or _is_criterion(criterion)
    if not is_allowed:
        raise InvalidParameterError(f"criterion={criterion!r} is not allowed ({_ALLOWED}, or None)")


def _is_criterion(value: Any) -> bool:
    """Return whether a value is a criterion; raise InvalidParameterError for the name of none."""
    if isinstance(value, str):
        loss_function(value)
        return True
    return callable(value) and not isinstance(value, type)
