"""A function as an initializer."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pandas as pd
import torch
from sklearn.base import clone

from initsk.exceptions import InvalidParameterError
from initsk.initializers._frameworks import FRAMEWORKS, FULL_PATHS, WITHOUT_LAW
from initsk.initializers.core._base import Initializer
from initsk.initializers.core._values import subclasses
from initsk.language import message
from initsk.network import ParameterSpec
from initsk.utils.random import GLOBAL_STATE, isolated_numpy_random, isolated_torch_random
from initsk.utils.validation import one_of, unknown_name


class FromCallable(Initializer):
    """Let a function fill the tensor, as those of ``torch.nn.init`` do.

    Parameters
    ----------
    function : callable
        Called as ``function(tensor)``; it fills the tensor in place or returns the values.
        torch's and numpy's global random states are seeded from the stream around the call and put back. It sees one
        group, gate or projection at a time, of a transposed convolution as ``(out, in, *kernel)``.

    Raises
    ------
    InvalidParameterError
        When used, if the function raises, leaves the tensor unfilled, or gives another shape.

    Notes
    -----
    Law: the function's own. Those of ``torch.nn.init`` are taken as they are, with torch's idea of the fans of what
    they see.

    Examples
    --------
    >>> import torch
    >>> from initsk import get_initializer
    >>> get_initializer(torch.nn.init.ones_).sample((1, 2)).tolist()
    [[1.0, 1.0]]
    """

    family = "callable"
    formula = "the function's own"

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    @property
    def label(self) -> str:
        """The function's name, with the arguments of a partial; without an address, which differs every time."""
        function = self.function
        if isinstance(function, partial):
            arguments = [*map(repr, function.args), *(f"{key}={value!r}" for key, value in function.keywords.items())]
            return f"{FromCallable(function.func).label}({', '.join(arguments)})"
        return str(getattr(function, "__name__", type(function).__name__))

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        return f"FromCallable({self.label})"

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        # What is still NaN afterwards was not filled.
        tensor = torch.full(spec.shape, float("nan"), dtype=dtype)
        seed = int(torch.randint(2**62, (), generator=generator))
        try:
            with GLOBAL_STATE, isolated_torch_random(seed), isolated_numpy_random(seed), torch.no_grad():
                returned = self.function(tensor)
            return tensor if returned is None else torch.as_tensor(returned).detach()
        except Exception as error:  # whatever a stranger's function raises
            at = f" at {spec.name}" if spec.name else ""
            raise InvalidParameterError(
                f"{self.label} failed on a tensor of shape {spec.shape}{at} ({type(error).__name__}: {error})"
            ) from error


INITIALIZER_PARAMS = ("initializer", "bias_initializer", "output_initializer")
InitializerLike = str | Initializer | type[Initializer] | Callable[..., Any]

FRAMEWORK_NAMES = tuple(FRAMEWORKS)
COLUMNS = ("name", "synonyms", "family", "formula", "needs_data", "needs_gradient", "reference")
_FAMILIES = (
    message("constant"),
    message("biases"),
    message("free"),
    message("variance scaling"),
    message("orthogonal"),
    message("sparse"),
    message("structured"),
    message("architecture-aware"),
    message("data-dependent"),
    message("gradient-based"),
    message("composed"),
    message("framework default"),
)


def get_initializer(initializer: InitializerLike) -> Initializer:
    """Turn a name, a synonym, a class, a callable or an initializer into an initializer.

    Parameters
    ----------
    initializer : str, Initializer, Initializer class or callable
        Names are matched without regard to case, spaces and hyphens; a class's name is one too
        (``"HeNormal"``). A name of another framework begins with its prefix
        (``"keras.he_normal"``) and means what is drawn there.

    Returns
    -------
    Initializer
        An initializer is returned as it is.

    Raises
    ------
    InvalidParameterError
        If the name is unknown (the message says which ones come nearest), the
        parameters are not allowed, or the object is none of the above.

    Examples
    --------
    >>> from initsk import get_initializer
    >>> get_initializer("kaiming_normal")
    HeNormal()
    >>> get_initializer("keras.he_normal")
    AsStored(base=VarianceScaling(scale=2.0, distribution='truncated_normal'), framework='keras')
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
    raise InvalidParameterError(
        f"unknown initializer {initializer!r}: a name, an Initializer, or a callable that fills a tensor"
    )


def _by_name(given: str) -> Initializer:
    for cls in named_classes():
        if given == cls.__name__:
            return cls()
    key = re.sub(r"[\s-]+", "_", given.strip().lower())
    for path, short in FULL_PATHS.items():
        if key.startswith(path):
            key = short + key.removeprefix(path)
    prefix, _, name = key.partition(".")
    if prefix in FRAMEWORKS:
        return _of_framework(prefix, name, given)
    names: dict[str, type[Initializer]] = {}
    for cls in named_classes():
        for known in (cls.name, *cls.synonyms):
            names.setdefault(known, cls)
    squeezed = {name.replace("_", ""): cls for name, cls in names.items()}
    found = names.get(key) or squeezed.get(key.replace("_", ""))
    if found is not None:
        return found()
    raise InvalidParameterError(unknown_name("initializer", given, names))


def _of_framework(prefix: str, name: str, given: str) -> Initializer:
    """Find a framework's name; Keras knows its classes' names too, torch its functions' without the underscore."""
    plain = name.replace("_", "").removesuffix("initializer")
    for candidate, value in FRAMEWORKS[prefix].items():
        if plain == candidate.replace("_", ""):
            return clone(value)
    for full, why in WITHOUT_LAW.items():
        if f"{prefix}.{plain}" == full.replace("_", ""):
            raise InvalidParameterError(f"{full} {why}")
    known = [f"{prefix}.{candidate}" for candidate in FRAMEWORKS[prefix]]
    raise InvalidParameterError(unknown_name(f"{prefix} initializer", given, known))


def named_classes() -> Iterator[type[Initializer]]:
    """Yield the classes that have a name, a user's own included; of one that was defined again, the last."""
    named = {(cls.__module__, cls.__qualname__): cls for cls in subclasses(Initializer) if "name" in vars(cls)}
    yield from named.values()


def set_initializer_params(
    owner: Any, params: dict[str, Any], names: tuple[str, ...] = INITIALIZER_PARAMS
) -> dict[str, Any]:
    """Make ``initializer__std=0.1`` work also where `initializer` is a name: the name becomes its object.

    Parameters
    ----------
    owner : object
        Has the parameters, an estimator or an initializer.
    params : dict
        Arguments of ``set_params``.
    names : tuple of str, default=("initializer", "bias_initializer", "output_initializer")
        The parameters that are initializers.

    Returns
    -------
    dict
        The arguments, with an object wherever one is needed.
    """
    params = dict(params)
    for name in names:
        given = params.get(name, getattr(owner, name))
        if isinstance(given, str | type) and any(key.startswith(f"{name}__") for key in params):
            params[name] = get_initializer(given)
    return params


def initializer_name(initializer: InitializerLike) -> str:
    """Return a short label: the registered name, the function's name, or the repr where parameters differ.

    Examples
    --------
    >>> from initsk.initializers import Orthogonal
    >>> initializer_name("xavier"), initializer_name(Orthogonal(gain=1.4))
    ('glorot_normal', 'Orthogonal(gain=1.4)')
    """
    value = get_initializer(initializer)
    if isinstance(value, FromCallable):
        return value.label
    cls = type(value)
    return cls.name if "name" in vars(cls) and value == cls() else repr(value)


def list_initializers(framework: str | None = None) -> pd.DataFrame:
    """List the initializers that have a name.

    Parameters
    ----------
    framework : {"torch", "keras", "jax", "timm"} or None, default=None
        List the names of another framework instead, with what each means here.

    Returns
    -------
    DataFrame
        Columns name, synonyms, family, formula, reference (of strings), and needs_data and
        needs_gradient (of bool): whether `initialize` must be given X, or X and y. For a framework: the
        columns name and initializer.

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
        wrong = one_of("framework", FRAMEWORKS)(framework)
        if wrong:
            raise InvalidParameterError(wrong)
        named = FRAMEWORKS[framework].items()
        return pd.DataFrame(
            [(f"{framework}.{name}", repr(value)) for name, value in named], columns=["name", "initializer"]
        )
    order = {family: number for number, family in enumerate(_FAMILIES)}
    classes = sorted(named_classes(), key=lambda cls: order.get(cls.family, len(order)))
    rows = [_row(cls) for cls in classes]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(cls: type[Initializer]) -> tuple[object, ...]:
    synonyms = ", ".join(cls.synonyms)
    try:
        value = cls()
        needs = value.needs_data, value.needs_gradient
    except TypeError:
        # A user's class whose arguments have no defaults: only what the class itself declares is known.
        needs = cls.needs_data is True, cls.needs_gradient is True
    return cls.name, synonyms, cls.family, cls.formula, *needs, cls.reference
