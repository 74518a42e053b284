"""Names, synonyms, and the way from a name or callable to an initializer."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import torch

from initsk.exceptions import InvalidParameterError
from initsk.initializers._base import Initializer
from initsk.initializers._free import RandomNormal, Zeros
from initsk.initializers._orthogonal import Orthogonal
from initsk.initializers._site import Site
from initsk.initializers._torch_default import TorchDefault
from initsk.initializers._variance_scaling import GlorotNormal, HeNormal, LeCunNormal, VarianceScaling
from initsk.utils._validation import unknown_name

InitializerLike = str | Initializer | type[Initializer] | Callable[..., Any]

_CLASSES: dict[str, type[Initializer]] = {
    "zeros": Zeros,
    "random_normal": RandomNormal,
    "glorot_normal": GlorotNormal,
    "he_normal": HeNormal,
    "lecun_normal": LeCunNormal,
    "orthogonal": Orthogonal,
    "variance_scaling": VarianceScaling,
    "torch_default": TorchDefault,
}
_SYNONYMS = {
    "zero": "zeros",
    "normal": "random_normal",
    "xavier_normal": "glorot_normal",
    "xavier": "glorot_normal",
    "glorot": "glorot_normal",
    "kaiming_normal": "he_normal",
    "kaiming": "he_normal",
    "he": "he_normal",
    "lecun": "lecun_normal",
}
_NAME_OF = {cls: name for name, cls in _CLASSES.items()}


class FromCallable(Initializer):
    """Let a function fill the tensor, as those of ``torch.nn.init`` do.

    Parameters
    ----------
    function : callable
        Called as ``function(tensor)``; it fills the tensor in place or returns the values.
        torch's global random state is seeded from the stream around the call and put back.

    Examples
    --------
    >>> import torch
    >>> from initsk import get_initializer
    >>> get_initializer(torch.nn.init.ones_).sample((1, 2)).tolist()
    [[1.0, 1.0]]
    """

    family = "callable"
    law = "the function's own"

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

    def _draw(self, site: Site, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        tensor = torch.zeros(site.shape, dtype=dtype)
        seed = int(torch.randint(2**62, (), generator=generator))
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.random.default_generator.manual_seed(seed)
            returned = self.function(tensor)
        values = tensor if returned is None else torch.as_tensor(returned)
        if tuple(values.shape) != site.shape:
            raise InvalidParameterError(
                f"{self.function!r} returned shape {tuple(values.shape)} for a tensor of shape {site.shape}"
            )
        return values.detach()


def get_initializer(initializer: InitializerLike) -> Initializer:
    """Turn a name, a synonym, a class, a callable or an initializer into an initializer.

    Parameters
    ----------
    initializer : str, Initializer, Initializer class or callable
        Names are matched without regard to case, spaces and hyphens.

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
    """
    value: object = initializer
    if isinstance(value, type) and issubclass(value, Initializer):
        value = value()
    if isinstance(value, Initializer):
        return value.check()
    if isinstance(initializer, str):
        key = re.sub(r"[\s-]+", "_", initializer.strip().lower())
        key = _SYNONYMS.get(key, key)
        if key in _CLASSES:
            return _CLASSES[key]()
        raise InvalidParameterError(unknown_name("initializer", initializer, [*_CLASSES, *_SYNONYMS]))
    if callable(initializer):
        return FromCallable(initializer)
    raise InvalidParameterError(
        f"unknown initializer {initializer!r}: a name, an Initializer, or a callable that fills a tensor"
    )


def set_initializer_params(estimator: Any, params: dict[str, Any]) -> dict[str, Any]:
    """Make ``initializer__std=0.1`` work also where `initializer` is a name: the name becomes its object.

    Parameters
    ----------
    estimator : object
        Has the attributes `initializer` and `bias_initializer`.
    params : dict
        Arguments of ``set_params``.

    Returns
    -------
    dict
        The arguments, with an object wherever one is needed.
    """
    params = dict(params)
    for name in ("initializer", "bias_initializer"):
        given = params.get(name, getattr(estimator, name))
        if isinstance(given, str | type) and any(key.startswith(f"{name}__") for key in params):
            params[name] = get_initializer(given)
    return params


def initializer_name(initializer: InitializerLike) -> str:
    """Return a short label: the registered name, the function's name, or the repr where parameters differ.

    Examples
    --------
    >>> initializer_name("xavier"), initializer_name(Orthogonal(gain=1.4))
    ('glorot_normal', 'Orthogonal(gain=1.4)')
    """
    value = get_initializer(initializer)
    if isinstance(value, FromCallable):
        return value.label
    name = _NAME_OF.get(type(value))
    return name if name is not None and value == type(value)() else repr(value)


def list_initializers() -> pd.DataFrame:
    """List the initializers that have a name.

    Returns
    -------
    DataFrame
        Columns name, synonyms, family, law and reference, all of strings.

    Examples
    --------
    >>> from initsk import list_initializers
    >>> list_initializers().set_index("name").loc["he_normal", "law"]
    'W ~ N(0, 2 / fan_in)'
    """
    rows = []
    for name, cls in _CLASSES.items():
        synonyms = ", ".join(key for key, target in _SYNONYMS.items() if target == name)
        rows.append((name, synonyms, cls.family, cls.law, cls.reference))
    return pd.DataFrame(rows, columns=["name", "synonyms", "family", "law", "reference"])
