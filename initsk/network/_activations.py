"""Activation functions by name."""

import copy
import re
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.modules import activation as torch_activations

from initsk.exceptions import InvalidParameterError
from initsk.network._trace import ElementwiseFunction
from initsk.utils.validation import unknown_name

# Those that need arguments, or work on more than one element at a time.
_LEFT_OUT = {"MultiheadAttention", "Threshold", "GLU", "Softmax", "Softmax2d", "Softmin", "LogSoftmax"}


def _snake(name: str) -> str:
    if name.isupper() or name in ("SiLU", "PReLU", "RReLU", "ReLU", "ReLU6", "LeakyReLU", "LogSigmoid"):
        return {"LeakyReLU": "leaky_relu", "LogSigmoid": "log_sigmoid"}.get(name, name.lower())
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


ACTIVATIONS: dict[str, type[nn.Module]] = {
    _snake(name): getattr(torch_activations, name) for name in torch_activations.__all__ if name not in _LEFT_OUT
} | {"identity": nn.Identity, "swish": nn.SiLU}
ACTIVATION_TYPES = (*set(ACTIVATIONS.values()), ElementwiseFunction)
Activation = str | type[nn.Module] | Callable[[torch.Tensor], torch.Tensor]
ActivationOption = Activation | Sequence[Activation]


def make_activation(activation: Activation) -> nn.Module:
    """Build an activation function from its name, class, module or function.

    Parameters
    ----------
    activation : str, module class, module or callable
        A name of torch's in snake case, a class that can be built without arguments, a module, of which a copy
        is made, or a function that works element by element on tensors.

    Raises
    ------
    InvalidParameterError
        If the name is unknown, the class needs arguments, or the function does not return a tensor
        of the shape it is given.

    Examples
    --------
    >>> make_activation("leaky_relu")
    LeakyReLU(negative_slope=0.01)
    >>> make_activation(torch.sin)
    ElementwiseFunction(sin)
    """
    if isinstance(activation, str):
        if activation not in ACTIVATIONS:
            raise InvalidParameterError(unknown_name("activation", activation, ACTIVATIONS))
        return ACTIVATIONS[activation]()
    if isinstance(activation, nn.Module):
        return copy.deepcopy(activation)
    if isinstance(activation, type):
        return _built(activation)
    if not callable(activation):
        raise InvalidParameterError(
            f"unknown activation {activation!r}: the name of a torch.nn activation, a module class, a module or a"
            " function of one tensor"
        )
    _try_out(activation)
    return ElementwiseFunction(activation)


def _built(kind: type) -> nn.Module:
    if not issubclass(kind, nn.Module):
        raise InvalidParameterError(f"unknown activation {kind!r}: a class that is no torch module")
    try:
        return kind()
    except TypeError as error:
        raise InvalidParameterError(f"{kind.__name__} cannot be built without arguments ({error})") from error


def _try_out(function: Callable[[torch.Tensor], torch.Tensor]) -> None:
    probe = torch.linspace(-1, 1, 6).view(2, 3)
    try:
        with torch.random.fork_rng(devices=[]):
            values = function(probe.clone())
    except Exception as error:  # whatever a stranger's function raises
        raise InvalidParameterError(f"activation={function!r} cannot be applied to a tensor ({error})") from error
    if not isinstance(values, torch.Tensor) or values.shape != probe.shape:
        raise InvalidParameterError(f"activation={function!r} does not return a tensor of the shape it is given")


def activations_of_layers(activation: ActivationOption, n_layers: int) -> list[Activation]:
    """Return one activation per hidden layer.

    Raises
    ------
    InvalidParameterError
        If a list has another length.

    Examples
    --------
    >>> activations_of_layers("relu", 2), activations_of_layers(["relu", "tanh"], 2)
    (['relu', 'relu'], ['relu', 'tanh'])
    """
    if isinstance(activation, str | nn.Module) or not isinstance(activation, Sequence):
        return [activation] * n_layers
    if len(activation) != n_layers:
        raise InvalidParameterError(f"a list has one activation per hidden layer: {len(activation)} for {n_layers}")
    return list(activation)


def activation_value(module: nn.Module) -> str | Callable[..., Any]:
    """Return an activation module's name where its parameters are the defaults, otherwise the module or function.

    Examples
    --------
    >>> activation_value(nn.ReLU(inplace=True)), activation_value(nn.LeakyReLU(0.2))
    ('relu', LeakyReLU(negative_slope=0.2))
    """
    if isinstance(module, ElementwiseFunction):
        return module.function
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
