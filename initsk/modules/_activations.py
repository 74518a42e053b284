"""Activation functions by name."""

import re

import torch
from torch import nn
from torch.nn.modules import activation as torch_activations

from initsk.exceptions import InvalidParameterError
from initsk.utils._validation import unknown_name

# Those that need arguments, or work on more than one element at a time.
_LEFT_OUT = {"MultiheadAttention", "Threshold", "GLU", "Softmax", "Softmax2d", "Softmin", "LogSoftmax"}


def _snake(name: str) -> str:
    if name.isupper() or name in ("SiLU", "PReLU", "RReLU", "ReLU", "ReLU6", "LeakyReLU", "LogSigmoid"):
        return {"LeakyReLU": "leaky_relu", "LogSigmoid": "log_sigmoid"}.get(name, name.lower())
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


ACTIVATIONS: dict[str, type[nn.Module]] = {
    _snake(name): getattr(torch_activations, name) for name in torch_activations.__all__ if name not in _LEFT_OUT
} | {"identity": nn.Identity, "swish": nn.SiLU}
ACTIVATION_TYPES = tuple(set(ACTIVATIONS.values()))


def make_activation(activation: str | type[nn.Module]) -> nn.Module:
    """Build an activation function from its name or class.

    Parameters
    ----------
    activation : str or module class
        A name of torch's in snake case, or a class that can be built without arguments.

    Raises
    ------
    InvalidParameterError
        If the name is unknown, or the class is none or needs arguments.

    Examples
    --------
    >>> make_activation("leaky_relu")
    LeakyReLU(negative_slope=0.01)
    """
    if isinstance(activation, str):
        if activation not in ACTIVATIONS:
            raise InvalidParameterError(unknown_name("activation", activation, ACTIVATIONS))
        return ACTIVATIONS[activation]()
    if not (isinstance(activation, type) and issubclass(activation, nn.Module)):
        raise InvalidParameterError(
            f"unknown activation {activation!r}: the name of a torch.nn activation, or a module class"
        )
    try:
        return activation()
    except TypeError as error:
        raise InvalidParameterError(f"{activation.__name__} cannot be built without arguments ({error})") from error


def activation_value(module: nn.Module) -> str | nn.Module:
    """Return an activation module's name where its parameters are the defaults, otherwise the module.

    Examples
    --------
    >>> activation_value(nn.ReLU(inplace=True)), activation_value(nn.LeakyReLU(0.2))
    ('relu', LeakyReLU(negative_slope=0.2))
    """
    kind = type(module)
    name = next((name for name, known in ACTIVATIONS.items() if known is kind), None)
    if name is None:
        return module
    default = kind()
    constants = set(getattr(module, "__constants__", ())) - {"inplace"}
    same = all(getattr(module, constant) == getattr(default, constant) for constant in constants)
    # A slope that is learned is a parameter.
    same &= all(
        torch.equal(mine, theirs) for mine, theirs in zip(module.parameters(), default.parameters(), strict=True)
    )
    return name if same else module
