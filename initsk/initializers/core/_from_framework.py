"""Initializers under the names and with the parameters of other frameworks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import torch

from initsk.exceptions import InvalidParameterError
from initsk.initializers.core._answers import Choice, ExpectedMoments
from initsk.initializers.core._base import Initializer
from initsk.initializers.core._values import as_python, value_repr
from initsk.network import ParameterSpec
from initsk.utils.validation import Constraint, check_parameters, refuse, unknown_name


@dataclass(frozen=True)
class FrameworkFunction:
    """A function of a framework: its parameters, and the initializer that draws as the function does.

    Parameters
    ----------
    make : callable
        Returns the initializer; called with all parameters as keywords.
    defaults, constraints : mapping of str
        Defaults and constraints of the parameters.
    ordered : tuple of str
        Two parameters, of which the first may not be above the second.
    """

    make: Callable[..., Initializer]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    constraints: Mapping[str, Constraint] = field(default_factory=dict)
    ordered: tuple[str, ...] = ()

    def check(self, owner: str, given: Mapping[str, Any]) -> None:
        """Raise InvalidParameterError if parameters are not allowed."""
        check_parameters(owner, given, self.constraints)
        if self.ordered:
            (low, first), (high, last) = ((name, given[name]) for name in self.ordered)
            refuse(owner, [f"{low}={first!r} is not allowed (at most {high}={last!r})"] if first > last else [])


#: The functions of other frameworks by their names with a prefix; `initsk.initializers._frameworks` fills the tables.
FUNCTIONS: dict[str, FrameworkFunction] = {}
#: Further names of the functions.
SYNONYMS: dict[str, str] = {}
#: Names that cannot be resolved: why, and what to write instead.
UNRESOLVED: dict[str, str] = {}


def _function(name: Any) -> FrameworkFunction | None:
    """Return the function with a name, or None for any other value."""
    return FUNCTIONS.get(name) if isinstance(name, str) else None


class FromFramework(Initializer):
    """Draw what a function of another framework draws when it is called with the same arguments.

    `get_initializer` returns it for a name with a prefix (``"torch.trunc_normal_"``).

    Parameters
    ----------
    function : str
        Name of the function with a prefix, as `list_initializers` shows it for the framework.
    **arguments
        Parameters of the function, under the framework's names and with its defaults, except for those that choose a
        type, a seed or axes.

    Raises
    ------
    InvalidParameterError
        If the function has no such parameter; when used, if the function is unknown or an argument is not allowed.

    Notes
    -----
    Formula: that of `equivalent`, an initializer without names of the framework. Both draw the same values. The
    tensor is the one that the framework stores (`AsStored`). torch, Keras, JAX and timm have different names and
    meanings for the same parameter: `std` and `stddev`, bounds in absolute numbers or in standard deviations.

    Examples
    --------
    >>> from initsk import get_initializer
    >>> initializer = get_initializer("torch.trunc_normal_").set_params(std=0.02)
    >>> initializer
    FromFramework('torch.trunc_normal_', std=0.02)
    >>> initializer.equivalent
    TruncatedNormal(std=0.02, bounds=(-100.0, 100.0), corrected=False)
    """

    family = "framework"
    formula = "that of the framework's function"
    draws_blocks = True

    def __init__(self, function: str, **arguments: Any) -> None:
        self.function = function
        known = _function(function)
        if known is not None:
            unknown = [name for name in arguments if name not in known.defaults]
            refuse(function, [unknown_name("parameter", name, known.defaults) for name in unknown])
            self.__dict__.update(known.defaults)
        self.__dict__.update(arguments)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the name of the function and its arguments."""
        return dict(self.__dict__)

    def set_params(self, **params: Any) -> Self:
        """Set arguments; another `function` begins with its own defaults."""
        if "function" not in params:
            return super().set_params(**params)
        new = type(self)(**params).__dict__
        self.__dict__.clear()
        self.__dict__.update(new)
        return self

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the function, with its defaults."""
        return {name: value for name, value in self.get_params(deep=False).items() if name != "function"}

    @property
    def equivalent(self) -> Initializer:
        """The initializer that draws the same values under the names of this package."""
        self.check()
        # numpy's numbers of low precision would give results of low precision.
        plain = {name: as_python(value) for name, value in self.arguments.items()}
        return FUNCTIONS[self.function].make(**plain)

    def check(self) -> Self:
        """Check the parameters and return the initializer."""
        known = _function(self.function)
        if known is None:
            raise InvalidParameterError(unknown_name("function", self.function, FUNCTIONS))
        known.check(self.function, self.arguments)
        return self

    def parts(self) -> list[Initializer]:
        """Return the equivalent initializer."""
        return [self.equivalent]

    @property
    def draw_never_fails(self) -> bool:
        """Whether the draw of the equivalent initializer never fails."""
        return self.equivalent.draw_never_fails

    def choose(self, spec: ParameterSpec) -> Choice | None:
        """Return the choice of the equivalent initializer."""
        return self.equivalent.choose(spec)

    def unsupported_reason(self, spec: ParameterSpec) -> str | None:
        """Return why the equivalent initializer cannot fill the spec, or None."""
        return self.equivalent.unsupported_reason(spec)

    def draw_values(self, spec: ParameterSpec, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        """Return the values of the equivalent initializer."""
        return self.equivalent.draw_blocks(spec, generator, dtype)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments | None:
        """Return the expected moments of the values for a spec."""
        return self.equivalent.expected_moments(spec)

    def stored_spec(self, spec: ParameterSpec) -> ParameterSpec:
        """Return the spec of the tensor that the framework stores."""
        return self.equivalent.stored_spec(spec)

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        known = _function(self.function)
        defaults = {} if known is None else known.defaults
        shown = {name: value_repr(value) for name, value in self.arguments.items()}
        changed = [f"{name}={text}" for name, text in shown.items() if text != value_repr(defaults.get(name, ...))]
        return f"FromFramework({', '.join([repr(self.function), *changed])})"
