"""torch's losses by name."""

from typing import Any

from torch import nn
from torch.nn.modules import loss

from initsk.exceptions import InvalidParameterError
from initsk.utils.spelling import meant_name
from initsk.utils.validation import unknown_name

_PREFIXES = ("torch.nn.", "nn.")
#: torch's losses by their names.
CRITERIA: dict[str, type[nn.Module]] = {name: getattr(loss, name) for name in loss.__all__}


def get_criterion(criterion: Any) -> Any:
    """Return the class of torch's losses that a name stands for; anything but text is returned unchanged.

    Parameters
    ----------
    criterion : str or object
        A name is that of torch in any case, with or without ``torch.nn.``.

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
        raise InvalidParameterError(f"{message}, or a class such as torch.nn.CrossEntropyLoss")
    return CRITERIA[by_key[key]]
