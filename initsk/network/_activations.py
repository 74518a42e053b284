"""Activation functions as torch modules, by name."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.modules import activation as torch_activations
from typing_extensions import TypeAliasType

from initsk.exceptions import InvalidParameterError
from initsk.theory import ACTIVATION_FUNCTIONS, activation_label, activation_name
from initsk.utils.random import isolated_torch_random
from initsk.utils.words import counted

# Modules that need arguments, or do not work element by element.
_EXCLUDED = {"MultiheadAttention", "Threshold", "GLU", "Softmax", "Softmax2d", "Softmin", "LogSoftmax"}


class ElementwiseFunction(nn.Module):
    """A function of one tensor as a module, for example ``torch.sin``.

    Parameters
    ----------
    function : callable
        Function of a tensor that works element by element.

    Examples
    --------
    >>> ElementwiseFunction(torch.square)(torch.tensor([1.0, -2.0]))
    tensor([1., 4.])
    """

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the function."""
        return self.function(x)

    def extra_repr(self) -> str:
        """Return the function's name."""
        return getattr(self.function, "__name__", repr(self.function))


def quick_gelu(x: torch.Tensor) -> torch.Tensor:
    """Return CLIP's approximation of GELU."""
    return x * torch.sigmoid(1.702 * x)


def relu_squared(x: torch.Tensor) -> torch.Tensor:
    """Return the square of ReLU."""
    return torch.relu(x).square()


def sparse_plus(x: torch.Tensor) -> torch.Tensor:
    """Return JAX's ``sparse_plus``: 0 up to -1, x from 1 on, and a parabola between them."""
    return torch.where(x.abs() < 1, (x + 1).square() / 4, torch.relu(x))


def sparse_sigmoid(x: torch.Tensor) -> torch.Tensor:
    """Return JAX's ``sparse_sigmoid``: a line from 0 at -1 to 1 at 1, and constant outside."""
    return ((x + 1) / 2).clamp(0, 1)


def squareplus(x: torch.Tensor) -> torch.Tensor:
    """Return JAX's ``squareplus`` with ``b=4``."""
    return (x + (x.square() + 4).sqrt()) / 2


_OTHER_NAMES = {"LeakyReLU": "leaky_relu", "LogSigmoid": "log_sigmoid"}
ACTIVATIONS: dict[str, type[nn.Module]] = {
    _OTHER_NAMES.get(name, name.lower()): getattr(torch_activations, name)
    for name in torch_activations.__all__
    if name not in _EXCLUDED
} | {"identity": nn.Identity}
_FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "erf": torch.erf, "exponential": torch.exp, "quick_gelu": quick_gelu, "relu_squared": relu_squared,
    "sin": torch.sin, "sparse_plus": sparse_plus, "sparse_sigmoid": sparse_sigmoid, "squareplus": squareplus,
}  # fmt: skip
ACTIVATION_TYPES = (*set(ACTIVATIONS.values()), ElementwiseFunction)
Activation = TypeAliasType("Activation", str | type[nn.Module] | Callable[[torch.Tensor], torch.Tensor])
ActivationOption = TypeAliasType("ActivationOption", Activation | Sequence[Activation])


def make_activation(activation: Activation) -> nn.Module:
    """Build an activation function from its name, class, module or function.

    Parameters
    ----------
    activation : str, module class, module or callable
        A name as in `initsk.theory.as_function`, a class that needs no arguments, a module (which is copied), or a
        function that works element by element on tensors.

    Returns
    -------
    Module

    Raises
    ------
    InvalidParameterError
        If the name is unknown, the class needs arguments, or the function does not return a tensor
        of its argument's shape.

    Examples
    --------
    >>> make_activation("leaky_relu")
    LeakyReLU(negative_slope=0.01)
    >>> make_activation(torch.sin)
    ElementwiseFunction(sin)
    """
    if isinstance(activation, str):
        return _of_name(activation_name(activation, ACTIVATION_FUNCTIONS))
    if isinstance(activation, nn.Module):
        return copy.deepcopy(activation)
    if isinstance(activation, type):
        return _build(activation)
    if not callable(activation):
        allowed = "the name of a torch.nn activation, a module class, a module or a function of one tensor"
        raise InvalidParameterError(f"unknown activation {activation!r} (allowed: {allowed})")
    _check_function(activation)
    return ElementwiseFunction(activation)


def _of_name(name: str) -> nn.Module:
    if name == "gelu_tanh":
        return nn.GELU(approximate="tanh")
    return ACTIVATIONS[name]() if name in ACTIVATIONS else ElementwiseFunction(_FUNCTIONS[name])


def _build(kind: type) -> nn.Module:
    if not issubclass(kind, nn.Module):
        problem = f"unknown activation {kind!r}: it is not a torch module"
        raise InvalidParameterError(f"{problem} (allowed: a class of torch modules)")
    try:
        return kind()
    except TypeError as error:
        raise InvalidParameterError(f"{kind.__name__} cannot be built without arguments ({error})") from error


def _check_function(function: Callable[[torch.Tensor], torch.Tensor]) -> None:
    probe = torch.linspace(-1, 1, 6).view(2, 3)
    try:
        with isolated_torch_random(None):
            values = function(probe.clone())
    except Exception as error:  # a user's function may raise anything
        raise InvalidParameterError(f"activation={function!r} cannot be applied to a tensor ({error})") from error
    if not isinstance(values, torch.Tensor) or values.shape != probe.shape:
        raise InvalidParameterError(f"activation={function!r} does not return a tensor of its argument's shape")


def activations_of_layers(activation: ActivationOption, n_layers: int) -> list[Activation]:
    """Return one activation per hidden layer.

    Raises
    ------
    InvalidParameterError
        If the length of a list is not the number of layers.

    Examples
    --------
    >>> activations_of_layers("relu", 2), activations_of_layers(["relu", "tanh"], 2)
    (['relu', 'relu'], ['relu', 'tanh'])
    """
    if isinstance(activation, str | nn.Module) or not isinstance(activation, Sequence):
        return [activation] * n_layers
    if len(activation) != n_layers:
        given = f"a list of {len(activation)} for {counted(n_layers, 'hidden layer')}"
        raise InvalidParameterError(f"{given} (allowed: one activation per hidden layer)")
    return list(activation)


def activation_value(module: nn.Module) -> str | Callable[..., Any]:
    """Return the name of an activation module with default parameters; otherwise the module or its function.

    Examples
    --------
    >>> activation_value(nn.ReLU(inplace=True)), activation_value(nn.LeakyReLU(0.2))
    ('relu', LeakyReLU(negative_slope=0.2))
    """
    if isinstance(module, ElementwiseFunction):
        named = (name for name, function in _FUNCTIONS.items() if function is module.function)
        return next(named, module.function)
    kind = type(module)
    name = next((name for name, known in ACTIVATIONS.items() if known is kind), None)
    if name is None:
        return module
    default = kind()
    constants = set(getattr(module, "__constants__", ())) - {"inplace"}
    same = all(getattr(module, constant) == getattr(default, constant) for constant in constants)
    # A learned slope is a parameter.
    return name if same and all(map(torch.equal, module.parameters(), default.parameters())) else module


def label_of(activation: Any) -> str:
    """Return the name of an activation function; that of its class for a torch module with other parameters.

    Examples
    --------
    >>> label_of(nn.GELU(approximate="tanh")), label_of("relu")
    ('gelu', 'relu')
    """
    kind = type(activation)
    return next((name for name, known in ACTIVATIONS.items() if known is kind), None) or activation_label(activation)
