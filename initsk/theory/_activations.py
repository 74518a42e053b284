"""Activation functions as numpy functions, under torch's names."""

import copy
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import lru_cache, wraps
from types import BuiltinFunctionType
from typing import Any, TypeVar, cast

import numpy as np
from scipy import special

from initsk.exceptions import InvalidParameterError
from initsk.theory._activation_names import activation_name

Function = Callable[[np.ndarray], np.ndarray]
ActivationLike = str | Callable[..., Any]
_AnyFunction = TypeVar("_AnyFunction", bound=Callable[..., Any])

_SELU_SCALE, _SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
_RRELU_SLOPE = (1 / 8 + 1 / 3) / 2
_LARGEST_EXPONENT = np.log(np.finfo(float).max)


def _leaky(slope: float) -> Function:
    return lambda x: np.where(x > 0, x, slope * x)


def _elu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, x)


def _hardsigmoid(x: np.ndarray) -> np.ndarray:
    return np.clip(x / 6 + 0.5, 0, 1)


#: Activation functions with torch's default parameters, or with those of JAX where torch has no such function: PReLU
#: has its initial slope, RReLU its slope in evaluation.
ACTIVATION_FUNCTIONS: dict[str, Function] = {
    "celu": _elu,
    "elu": _elu,
    "erf": special.erf,
    "exponential": lambda x: np.exp(np.minimum(x, _LARGEST_EXPONENT)),
    "gelu": lambda x: x * special.ndtr(x),
    "gelu_tanh": lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "hardshrink": lambda x: np.where(np.abs(x) > 0.5, x, 0),
    "hardsigmoid": _hardsigmoid,
    "hardswish": lambda x: x * _hardsigmoid(x),
    "hardtanh": lambda x: np.clip(x, -1, 1),
    "identity": lambda x: x,
    "leaky_relu": _leaky(0.01),
    "log_sigmoid": lambda x: -_softplus(-x),
    "mish": lambda x: x * np.tanh(_softplus(x)),
    "prelu": _leaky(0.25),
    "quick_gelu": lambda x: x * special.expit(1.702 * x),
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "relu_squared": lambda x: np.square(np.maximum(x, 0)),
    "rrelu": _leaky(_RRELU_SLOPE),
    "selu": lambda x: _SELU_SCALE * np.where(x > 0, x, _SELU_ALPHA * np.expm1(np.minimum(x, 0))),
    "sigmoid": special.expit,
    "silu": lambda x: x * special.expit(x),
    "sin": np.sin,
    "softplus": _softplus,
    "softshrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "sparse_plus": lambda x: np.where(np.abs(x) < 1, np.square(x + 1) / 4, np.maximum(x, 0)),
    "sparse_sigmoid": lambda x: np.clip((x + 1) / 2, 0, 1),
    "squareplus": lambda x: (x + np.sqrt(np.square(x) + 4)) / 2,
    "tanh": np.tanh,
    "tanhshrink": lambda x: x - np.tanh(x),
}


@dataclass(frozen=True)
class OfMultiple:
    """An activation function of a multiple of its input, as in ``sin(30 x)``.

    Parameters
    ----------
    activation : str or callable
        See `as_function`.
    factor : float
        Factor of the input.

    Examples
    --------
    >>> OfMultiple("relu", 3.0)(np.array([-1.0, 2.0])).tolist()
    [0.0, 6.0]
    """

    activation: ActivationLike
    factor: float

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Apply the function to arrays."""
        return as_function(self.activation)(self.factor * np.asarray(x))

    @property
    def __name__(self) -> str:
        return f"{activation_label(self.activation)}({self.factor:g} x)"


@dataclass(frozen=True)
class Composed:
    """An activation function of the result of another one.

    Parameters
    ----------
    first, second : str or callable
        The functions in the order in which they are applied; see `as_function`.

    Examples
    --------
    >>> Composed("relu", np.negative)(np.array([-1.0, 2.0])).tolist()
    [-0.0, -2.0]
    """

    first: ActivationLike
    second: ActivationLike

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Apply the functions to arrays."""
        return as_function(self.second)(as_function(self.first)(np.asarray(x)))


def activation_label(activation: ActivationLike) -> str:
    """Return a short name for messages.

    Examples
    --------
    >>> activation_label("relu"), activation_label(OfMultiple(np.sin, 30.0))
    ('relu', 'sin(30 x)')
    """
    return activation if isinstance(activation, str) else getattr(activation, "__name__", type(activation).__name__)


def as_function(activation: ActivationLike) -> Function:
    """Turn an activation into a function of numpy arrays.

    Parameters
    ----------
    activation : str or callable
        A name in torch, scikit-learn, Keras or JAX (``"leaky_relu"``, ``"LeakyReLU"``, ``"logistic"``), or a function
        of one array that works element by element: a function of numpy or torch, a torch module or a module class. If
        libraries have different functions of one name, the name stands for torch's.

    Returns
    -------
    callable
        Function from float64 array to float64 array.

    Raises
    ------
    InvalidParameterError
        If the name is unknown, or the object cannot be called on an array.

    Examples
    --------
    >>> as_function("relu")(np.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    if isinstance(activation, str):
        return ACTIVATION_FUNCTIONS[activation_name(activation, ACTIVATION_FUNCTIONS)]
    if not callable(activation):
        raise InvalidParameterError(f"unknown activation {activation!r} (allowed: a name, or a function of one array)")
    return _checked(activation, _without_state(activation))


def _without_state(activation: Callable[..., Any]) -> Callable[..., Any]:
    """Return a deterministic float64 copy of a torch module's forward; return other functions unchanged."""
    if not hasattr(activation, "named_parameters"):
        return activation
    import torch

    step = "built" if isinstance(activation, type) else "copied"
    try:
        module: Any = activation() if isinstance(activation, type) else copy.deepcopy(activation)
    except Exception as error:  # a user's module may raise anything
        raise InvalidParameterError(f"activation={activation!r} cannot be {step} ({error})") from error
    if isinstance(module, torch.nn.PReLU):
        # PReLU has a slope for each channel, and an array of numbers has no channels.
        return _leaky(float(module.weight.detach().mean()))
    # `forward` instead of a call: hooks must not see these values.
    forward: Callable[..., Any] = module.to("cpu", torch.float64).eval().forward
    return forward


def _checked(activation: Callable[..., Any], function: Callable[..., Any]) -> Function:
    """Return a numpy function that calls a user's function with an array or, if that fails, with a tensor."""
    probe = np.array([-1.0, 0.5])
    reasons = []
    for call in (_on_numpy, _on_torch):
        try:
            values = call(function, probe)
            # A single value must give the same result: this excludes softmax and nearly all random functions.
            if np.shape(values) == probe.shape and np.allclose(values[:1], call(function, probe[:1]), equal_nan=True):
                return lambda x: call(function, x)
            is_random = not np.array_equal(values, call(function, probe), equal_nan=True)
        except Exception as error:  # a user's function may raise anything
            reasons.append(f"{type(error).__name__}: {error}")
        else:
            reasons.insert(0, "it is random" if is_random else "it does not work element by element")
    raise InvalidParameterError(f"activation={activation!r} cannot be applied to an array ({reasons[0]})")


def _on_numpy(function: Callable[..., Any], x: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        values = function(x)
    if not isinstance(values, np.ndarray | float):
        raise TypeError(f"returned {type(values).__name__}")
    return np.asarray(values, dtype=np.float64)


def _on_torch(function: Callable[..., Any], x: np.ndarray) -> np.ndarray:
    import torch

    # A copy: functions that work in place would overwrite `x`.
    with torch.no_grad(), torch.device("cpu"):
        return np.asarray(function(torch.tensor(x)).numpy(), dtype=np.float64)


@dataclass(frozen=True)
class _Keyed:
    """An activation that is compared by its key."""

    key: Hashable
    activation: ActivationLike = field(compare=False)


def cached(function: _AnyFunction) -> _AnyFunction:
    """Decorate a function of an activation so that it computes once for names, torch's modules and ufuncs.

    The result for a user's own function is computed at each call, since the function may depend on anything.
    """

    @lru_cache(maxsize=512)
    def cached_call(keyed: _Keyed, *rest: Any) -> Any:
        return function(keyed.activation, *rest)

    @wraps(function)
    def wrapper(activation: ActivationLike, *rest: Any) -> Any:
        key = _key(activation)
        return function(activation, *rest) if key is None else cached_call(_Keyed(key, activation), *rest)

    return cast(_AnyFunction, wrapper)


def _key(activation: ActivationLike) -> Hashable | None:
    """Return what identifies an activation, or None for a user's own function."""
    if isinstance(activation, str | np.ufunc | BuiltinFunctionType):
        return activation
    if isinstance(activation, OfMultiple):
        inner = _key(activation.activation)
        return None if inner is None else (inner, activation.factor)
    if isinstance(activation, Composed):
        keys = _key(activation.first), _key(activation.second)
        return None if None in keys else keys
    kind = activation if isinstance(activation, type) else type(activation)
    if not kind.__module__.startswith("torch.nn.modules"):
        return None
    if isinstance(activation, type):
        return activation
    # The repr has the settings; the parameters have learned slopes.
    module: Any = activation
    return kind, repr(activation), tuple(p.detach().cpu().numpy().tobytes() for p in module.parameters())
