"""torch's optimizers by name."""

from typing import Any

import torch

from initsk.exceptions import InvalidParameterError
from initsk.utils.spelling import meant_name
from initsk.utils.validation import unknown_name

#: Optimizers that have no name here: they cannot train a dense weight and a bias.
_OTHER_OPTIMIZERS = {"sparseadam": "it takes sparse gradients only", "muon": "it takes matrices only, and no biases"}
_PREFIXES = ("torch.", "optim.", "tf.", "keras.", "optimizers.")
#: torch's optimizers by their names in lower case.
OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    name.lower(): kind
    for name, kind in sorted(vars(torch.optim).items(), key=lambda item: item[0].lower())
    if isinstance(kind, type)
    and issubclass(kind, torch.optim.Optimizer)
    and kind is not torch.optim.Optimizer
    and name.lower() not in _OTHER_OPTIMIZERS
}


def get_optimizer(optimizer: Any, allowed: str = "a torch.optim class") -> type[torch.optim.Optimizer]:
    """Return the torch optimizer class that a name or a class stands for.

    Parameters
    ----------
    optimizer : str or torch.optim class
        A name is that of torch in any case, with or without ``torch.optim.`` or ``keras.optimizers.``;
        the settings are torch's defaults.
    allowed : str, default="a torch.optim class"
        What error messages name beside the names.

    Examples
    --------
    >>> get_optimizer("sgd").__name__, get_optimizer("RMSprop").__name__
    ('SGD', 'RMSprop')
    """
    if isinstance(optimizer, type) and issubclass(optimizer, torch.optim.Optimizer):
        return optimizer
    if isinstance(optimizer, torch.optim.Optimizer):
        name = type(optimizer).__name__
        raise InvalidParameterError(
            f"an instance has the parameters of another network. Allowed: the class {name}, a name such as"
            f" {name.lower()!r}, or {allowed}"
        )
    key = None
    if isinstance(optimizer, str):
        key = optimizer.strip().lower()
        for prefix in _PREFIXES:
            key = key.removeprefix(prefix)
    if key in OPTIMIZERS:
        return OPTIMIZERS[key]
    if key in _OTHER_OPTIMIZERS:
        names = ", ".join(map(repr, OPTIMIZERS))
        why = f"optimizer {optimizer!r} cannot train dense weights and biases: {_OTHER_OPTIMIZERS[key]}"
        raise InvalidParameterError(f"{why}. Allowed: {names}, or {allowed}")
    meant = None if key is None else meant_name(key, {name: name for name in OPTIMIZERS})
    raise InvalidParameterError(f"{unknown_name('optimizer', optimizer, OPTIMIZERS, meant)}, or {allowed}")


def check_optimizer(optimizer: Any) -> None:
    """Raise InvalidParameterError if a value is no optimizer in a form that `diagnose` takes, or None.

    Examples
    --------
    >>> check_optimizer("adam")
    """
    if isinstance(optimizer, str):
        get_optimizer(optimizer, "an optimizer of torch, its class, or a function of parameters that returns one")
    elif not (optimizer is None or isinstance(optimizer, torch.optim.Optimizer) or callable(optimizer)):
        raise InvalidParameterError(
            f"optimizer={optimizer!r} is not allowed (a name, an optimizer of torch, its class, or a function of"
            " parameters that returns one)"
        )
