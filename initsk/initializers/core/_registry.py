"""Registry of initializers: from names, classes and functions to initializers, and back to names."""

import re
from collections.abc import Callable
from functools import partial
from inspect import Parameter
from numbers import Real
from typing import Any

import pandas as pd
import torch
from typing_extensions import TypeAliasType

from initsk.exceptions import InvalidParameterError
from initsk.initializers.core._base import Initializer
from initsk.initializers.core._from_framework import FUNCTIONS, SYNONYMS, UNRESOLVED, FromFramework
from initsk.initializers.core._values import subclasses, value_repr
from initsk.network import ParameterSpec
from initsk.utils.random import isolated_numpy_random, isolated_torch_random
from initsk.utils.validation import one_of, unknown_name
from initsk.utils.words import counted


class FromCallable(Initializer):
    """Fill the tensor with a function, such as those of ``torch.nn.init``.

    Parameters
    ----------
    function : callable
        Called as ``function(tensor)``; it fills the tensor in place or returns the values. torch's and numpy's global
        random states are seeded for the call and restored afterwards. The tensor is one group, gate or projection; of
        a transposed convolution it has the shape ``(out, in, *kernel)``.

    Raises
    ------
    InvalidParameterError
        When used, if the function raises, leaves the tensor unfilled, or gives another shape.

    Notes
    -----
    Formula: that of the function. The functions of ``torch.nn.init`` count the fans of the tensor in torch's way.

    Examples
    --------
    >>> import torch
    >>> from initsk import get_initializer
    >>> get_initializer(torch.nn.init.ones_).sample((1, 2)).tolist()
    [[1.0, 1.0]]
    """

    family = "callable"
    formula = "the function's own"

    function: Callable[..., Any]

    @property
    def label(self) -> str:
        """The function's name, with the arguments of a partial; without a memory address."""
        function = self.function
        if isinstance(function, partial):
            arguments = [
                *map(value_repr, function.args),
                *(f"{key}={value_repr(value)}" for key, value in function.keywords.items()),
            ]
            return f"{FromCallable(function.func).label}({', '.join(arguments)})"
        return str(getattr(function, "__name__", type(function).__name__))

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        return f"FromCallable({self.label})"

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        """Return the values that the function writes or returns."""
        # NaN marks values that the function does not fill.
        tensor = torch.full(spec.shape, float("nan"), dtype=dtype)
        seed = int(torch.randint(2**62, (), generator=generator))
        try:
            with isolated_torch_random(seed), isolated_numpy_random(seed), torch.no_grad():
                returned = self.function(tensor)
            values = tensor if returned is None else torch.as_tensor(returned).detach()
        except Exception as error:  # a user's function may raise anything
            at = f" at {spec.name}" if spec.name else ""
            raise InvalidParameterError(
                f"{self.label} failed on a tensor of shape {spec.shape}{at} ({type(error).__name__}: {error})"
            ) from error
        if returned is None and values.isnan().any():
            n_left, at = int(values.isnan().sum()), f" at {spec.name}" if spec.name else ""
            raise InvalidParameterError(
                f"{self.label} left {n_left} of {counted(values.numel(), 'value')} NaN, as they were before the call"
                f" (allowed: a function that fills the tensor){at}"
            )
        # A base has to have the shape before its values are changed.
        self._check_shape(values, spec.shape, spec)
        return values


INITIALIZER_PARAMS = ("initializer", "bias_initializer", "output_initializer")
InitializerLike = TypeAliasType("InitializerLike", str | Initializer | type[Initializer] | Callable[..., Any])

#: Where the names live in their frameworks.
_FULL_PATHS = {
    "torch.nn.init.": "torch.", "keras.initializers.": "keras.", "tf.keras.initializers.": "keras.",
    "jax.nn.initializers.": "jax.", "timm.layers.": "timm.",
}  # fmt: skip
_COLUMNS = ["name", "synonyms", "family", "formula", "needs_data", "needs_gradient", "reference"]
_FAMILIES = [
    "constant", "biases", "free", "variance scaling", "orthogonal", "sparse", "structured", "architecture-aware",
    "data-dependent", "gradient-based", "composed", "framework default",
]  # fmt: skip


def get_initializer(initializer: InitializerLike) -> Initializer:
    """Return the initializer that a name, a class, a callable or an initializer stands for.

    Parameters
    ----------
    initializer : str, Initializer, Initializer class or callable
        Case, spaces and hyphens of a name do not matter; the name of a class is allowed too (``"HeNormal"``). With the
        prefix of another framework (``"keras.he_normal"``), a name stands for an initializer that draws as that
        framework does, with the parameters of that framework's function (`FromFramework`).

    Returns
    -------
    Initializer
        An initializer is returned unchanged.

    Raises
    ------
    InvalidParameterError
        If the name is unknown (the message shows the closest names), the parameters are not allowed, or the object
        is none of the above.

    Examples
    --------
    >>> from initsk import get_initializer
    >>> get_initializer("kaiming_normal")
    HeNormal()
    >>> get_initializer("keras.he_normal")
    FromFramework('keras.he_normal')
    """
    value: object = initializer
    if isinstance(value, type) and issubclass(value, Initializer):
        value = value()
    if isinstance(value, Initializer):
        return value.check()
    if isinstance(initializer, str):
        return _by_name(initializer)
    if callable(initializer):
        return FromCallable(initializer)
    is_number = isinstance(initializer, Real) and not isinstance(initializer, bool)
    hint = f"for a constant: initsk.initializers.Constant({initializer!r}); " if is_number else ""
    raise InvalidParameterError(
        f"unknown initializer {initializer!r} ({hint}allowed: a name, an Initializer, or a callable that fills a"
        " tensor)"
    )


def class_of_label(label: str) -> type[Initializer] | None:
    """Return the class of the initializer that a label of a comparison names: a registered name, or a repr.

    Examples
    --------
    >>> class_of_label("Orthogonal(gain=1.4)").name, class_of_label("mine")
    ('orthogonal', None)
    """
    name = re.match(r"[\w.]+", label)
    if name is None or (label != name[0] and label[name.end()] != "("):
        return None
    try:
        return type(get_initializer(name[0]))
    except (InvalidParameterError, TypeError):
        return None


def _by_name(given: str) -> Initializer:
    classes = _named_classes()
    for cls in classes:
        if given == cls.__name__:
            return cls()
    key = re.sub(r"[\s-]+", "_", given.strip().lower())
    for path, short in _FULL_PATHS.items():
        if key.startswith(path):
            key = short + key.removeprefix(path)
    prefix, _, name = key.partition(".")
    if prefix in _frameworks():
        return _of_framework(prefix, name, given)
    names: dict[str, type[Initializer]] = {}
    for cls in classes:
        for known in (cls.name, *cls.synonyms):
            names.setdefault(known, cls)
    squeezed = {name.replace("_", ""): cls for name, cls in names.items()}
    found = names.get(key) or squeezed.get(key.replace("_", ""))
    if found is not None:
        return found()
    raise InvalidParameterError(unknown_name("initializer", given, names))


def _of_framework(prefix: str, name: str, given: str) -> Initializer:
    """Return the initializer of a framework's name; Keras' class names and torch's names without underscore count."""
    plain = f"{prefix}.{name.replace('_', '').removesuffix('initializer')}"
    known = _names_of(prefix)
    for candidate in known:
        if plain == candidate.replace("_", ""):
            return FromFramework(SYNONYMS.get(candidate, candidate))
    for full, why in UNRESOLVED.items():
        if plain == full.replace("_", ""):
            raise InvalidParameterError(f"{full} {why}")
    raise InvalidParameterError(unknown_name(f"{prefix} initializer", given, known))


def _frameworks() -> list[str]:
    return list(dict.fromkeys(name.partition(".")[0] for name in FUNCTIONS))


def _names_of(framework: str) -> list[str]:
    return [name for name in (*FUNCTIONS, *SYNONYMS) if name.startswith(f"{framework}.")]


def _named_classes() -> list[type[Initializer]]:
    """Return the classes with a name, including a user's own; of a class that was defined again, the last."""
    named = {(cls.__module__, cls.__qualname__): cls for cls in subclasses(Initializer) if "name" in vars(cls)}
    return list(named.values())


def set_initializer_params(
    owner: Any, params: dict[str, Any], names: tuple[str, ...] = INITIALIZER_PARAMS
) -> dict[str, Any]:
    """Prepare arguments of ``set_params`` so that ``initializer__std=0.1`` also works if `initializer` is a name.

    Parameters
    ----------
    owner : object
        The estimator or initializer with the parameters.
    params : dict
        The arguments.
    names : tuple of str, default=("initializer", "bias_initializer", "output_initializer")
        The parameters that are initializers.

    Returns
    -------
    dict
        The arguments, with the initializer in place of its name where a nested parameter needs it.
    """
    params = dict(params)
    for name in names:
        given = params.get(name, getattr(owner, name))
        if isinstance(given, str | type) and any(key.startswith(f"{name}__") for key in params):
            params[name] = get_initializer(given)
    return params


def initializer_name(initializer: InitializerLike) -> str:
    """Return a short label: the registered name, a function's name, or the repr if parameters are not the defaults.

    A general formula whose parameters are those of a named initializer has its name.

    Examples
    --------
    >>> from initsk.initializers import Orthogonal, VarianceScaling
    >>> initializer_name("xavier"), initializer_name(Orthogonal(gain=1.4)), initializer_name(VarianceScaling(2.0))
    ('glorot_normal', 'Orthogonal(gain=1.4)', 'he_normal')
    """
    value = get_initializer(initializer)
    if isinstance(value, FromCallable):
        return value.label
    if isinstance(value, FromFramework) and value == FromFramework(value.function):
        return value.function
    special = value.special_case()
    return next((type(part).name for part in (value, special) if _is_default(part)), repr(special))


def _is_default(value: Initializer) -> bool:
    """Return whether an object is what the name of its class stands for."""
    required = Parameter.empty in type(value)._get_defaults().values()
    return "name" in vars(type(value)) and not required and value == type(value)()


def list_initializers(framework: str | None = None) -> pd.DataFrame:
    """List the initializers that have a name.

    Parameters
    ----------
    framework : {"torch", "keras", "jax", "timm"} or None, default=None
        List the names of another framework instead, with the initializer that each stands for.

    Returns
    -------
    DataFrame
        Columns name, synonyms, family, formula, reference (of strings), and needs_data and
        needs_gradient (of bool): whether `initialize` needs X, or X and y. For a framework: the
        columns name, parameters (with the framework's defaults), and the initializer that draws the same.

    Raises
    ------
    InvalidParameterError
        If the framework is unknown.

    Examples
    --------
    >>> from initsk import list_initializers
    >>> list_initializers().set_index("name").loc["he_normal", "formula"]
    'W ~ N(0, 2 / fan_in)'
    >>> list_initializers("timm")["name"].tolist()
    ['timm.trunc_normal_', 'timm.trunc_normal_tf_', 'timm.variance_scaling_', 'timm.lecun_normal_']
    """
    if framework is not None:
        wrong = one_of("framework", _frameworks())(framework)
        if wrong:
            raise InvalidParameterError(wrong)
        rows = [_row_of_framework(name) for name in _names_of(framework)]
        return pd.DataFrame(rows, columns=["name", "parameters", "initializer"])
    order = dict(zip(_FAMILIES, range(len(_FAMILIES)), strict=True))
    classes = sorted(_named_classes(), key=lambda cls: (order.get(cls.family, len(order)), cls.name))
    return pd.DataFrame([_row(cls) for cls in classes], columns=_COLUMNS)


def _row_of_framework(name: str) -> tuple[str, str, str]:
    value = FromFramework(SYNONYMS.get(name, name))
    arguments = ", ".join(f"{key}={default!r}" for key, default in value.arguments.items())
    return name, arguments, repr(value.equivalent)


def _row(cls: type[Initializer]) -> tuple[object, ...]:
    try:
        value = cls()
        needs = value.needs_data, value.needs_gradient
    except TypeError:
        # A user's class whose arguments have no defaults: only what the class itself declares is known.
        needs = cls.needs_data is True, cls.needs_gradient is True
    return cls.name, ", ".join(cls.synonyms), cls.family, cls.formula, *needs, cls.reference
