"""The initializer as a value."""

from collections.abc import Hashable
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator

from initsk.exceptions import InvalidParameterError
from initsk.initializers._json import decode, encode
from initsk.initializers._site import Site
from initsk.utils._random import RandomState, make_generator, resolve_seed
from initsk.utils._validation import Constraint, check_parameters

if TYPE_CHECKING:
    from initsk.initializers._network import Network


@dataclass(frozen=True)
class Promise:
    """What an initializer promises of the values that it draws for a site.

    Parameters
    ----------
    variance : float
        Mean square deviation from `mean`; of the magnitude for complex values.
    mean : float, default=0.0
        Mean of the values.
    bound : float, default=inf
        Largest distance from `mean`.
    symmetric : bool, default=True
        Whether the distribution is its own mirror image about `mean`.
    singular_value : float or None, default=None
        The value that every singular value of ``(out, in * kernel)`` has.
    """

    variance: float
    mean: float = 0.0
    bound: float = float("inf")
    symmetric: bool = True
    singular_value: float | None = None


class Choice(NamedTuple):
    """Which initializer fills a site, and by what rule."""

    initializer: "Initializer"
    why: str


class Initializer(BaseEstimator):
    """Base of all initializers: parameters, repr, equality, hash, clone, JSON and pickle.

    A subclass stores its parameters in ``__init__`` and lists what they allow in
    ``_constraints``. It draws in ``_draw``, or leaves the draw to others by ``choose``; it may
    work on the network once the values are in place in ``refine``. It must not keep any other
    state: two initializers are equal when their classes and parameters are.
    """

    _constraints: ClassVar[dict[str, Constraint]] = {}
    #: What `list_initializers` shows, and `get_initializer` knows: names, family, law and reference.
    name: ClassVar[str] = ""
    synonyms: ClassVar[tuple[str, ...]] = ()
    family: ClassVar[str] = ""
    law: ClassVar[str] = ""
    reference: ClassVar[str] = ""
    #: Whether the scheme sets the biases too, when nobody says otherwise; most leave them at zero.
    sets_biases: ClassVar[bool] = False
    _needs_data: ClassVar[bool] = False
    _needs_gradient: ClassVar[bool] = False
    _reads_architecture: ClassVar[bool] = False
    _draws_surely: ClassVar[bool] = False

    @property
    def needs_data(self) -> bool:
        """Whether a batch X must be given."""
        return self._needs_data or any(part.needs_data for part in self.parts())

    @property
    def needs_gradient(self) -> bool:
        """Whether a batch with y must be given, to compute gradients of the loss."""
        return self._needs_gradient or any(part.needs_gradient for part in self.parts())

    @property
    def reads_architecture(self) -> bool:
        """Whether it looks at what follows each layer, or at residual branches."""
        return self._reads_architecture or any(part.reads_architecture for part in self.parts())

    @property
    def draws_surely(self) -> bool:
        """Whether `_draw` cannot fail where `refuses` says nothing, so that large networks are filled in place."""
        return self._draws_surely

    def parts(self) -> list["Initializer"]:
        """List the initializers among the parameters."""
        return [value for value in self.get_params(deep=False).values() if isinstance(value, Initializer)]

    @property
    def refines(self) -> bool:
        """Whether `refine` does anything."""
        return type(self).refine is not Initializer.refine or any(part.refines for part in self.parts())

    def check_sites(self, sites: list[Site]) -> None:
        """Raise if the network as a whole is not one that the scheme is for.

        Raises
        ------
        InvalidParameterError
            For example if a pattern of `PerParameter` matches nothing.
        """
        for part in self.parts():
            part.check_sites(sites)

    def choose(self, site: Site) -> Choice | None:
        """Say which initializer fills `site`; None leaves it to the defaults.

        The defaults: biases become zero, normalisation layers and unknown layers are left.
        """
        if not site.is_known or (site.role == "bias" and not self.sets_biases):
            return None
        return Choice(self, f"{site.role} initializer")

    def refuses(self, site: Site) -> str | None:
        """Say what the initializer needs and `site` does not have; None where it can be filled."""
        return None

    def laid_out(self, site: Site) -> Site:
        """Return the site that is drawn: `site` itself, or that of the whole tensor of which it is a block."""
        return site

    def promise(self, site: Site) -> Promise | None:
        """Say what the values for `site` will be like; None where that depends on more than the site."""
        choice = self.choose(site)
        return None if choice is None or choice.initializer is self else choice.initializer.promise(site)

    def refine(self, network: "Network") -> None:
        """Work on the network after its values are in place; most have nothing left to do."""
        for part in self.parts():
            part.refine(network)

    def _draw(self, site: Site, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        choice = self.choose(site)
        if choice is None or choice.initializer is self:
            raise NotImplementedError(f"{type(self).__name__} neither draws nor chooses")
        return choice.initializer._draw(site, generator, dtype)

    def check(self) -> Self:
        """Check the parameters.

        Raises
        ------
        InvalidParameterError
            If any is not allowed; the message names all of them.
        """
        check_parameters(type(self).__name__, self.get_params(deep=False), self._constraints)
        return self

    def check_site(self, site: Site) -> None:
        """Raise what `refuses` says.

        Raises
        ------
        InvalidParameterError
            If the initializer cannot fill the site.
        """
        reason = self.refuses(site)
        if reason is not None:
            where = f"; at {site.name}" if site.name else ""
            raise InvalidParameterError(f"{type(self).__name__} {reason}{where}")

    def draw(self, site: Site, generator: torch.Generator, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Draw a CPU tensor for `site`; computed in float32 or better, then cast to `dtype`.

        Parameters
        ----------
        site : Site
            Shape, fans and role of the tensor.
        generator : torch.Generator
            CPU generator that the values come from.
        dtype : torch.dtype, default=torch.float32
            Type of the result.

        Returns
        -------
        torch.Tensor of shape ``site.shape``
        """
        self.check_site(site)
        working = torch.promote_types(dtype, torch.float32)
        return self._draw(site, generator, working).to(dtype)

    def sample(
        self,
        shape: tuple[int, ...],
        *,
        random_state: RandomState = None,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> torch.Tensor:
        """Draw one weight tensor.

        Parameters
        ----------
        shape : tuple of int
            ``(out, in)`` or ``(out, in, *kernel)``, as torch stores weights.
        random_state : int, RandomState, Generator or None, default=None
            Seed of the draw; the same integer gives the same tensor on any device.
        generator : torch.Generator, optional
            CPU generator to draw from instead of `random_state`.
        dtype : torch.dtype, default=torch.float32
            Type of the tensor; real or complex.
        device : str or torch.device, default="cpu"
            Where the tensor goes after it was drawn on the CPU.

        Returns
        -------
        torch.Tensor of the given shape

        Raises
        ------
        InvalidParameterError
            If a parameter of the initializer is not allowed, or the shape has no
            fans and the law needs them.
        """
        self.check()
        if not (dtype.is_floating_point or dtype.is_complex):
            raise InvalidParameterError(f"dtype={dtype} is not allowed (a real or complex floating-point type)")
        if generator is None:
            generator = make_generator(resolve_seed(random_state))
        return self.draw(Site.from_shape(shape), generator, dtype).to(device)

    def to_json(self) -> str:
        """Write the class's name and the parameters as JSON.

        Raises
        ------
        InvalidParameterError
            If a parameter is a function, which JSON cannot hold.
        """
        return encode(self)

    @staticmethod
    def from_json(text: str) -> Any:
        """Read an initializer that `to_json` wrote.

        Examples
        --------
        >>> from initsk.initializers import HeNormal, Initializer
        >>> Initializer.from_json(HeNormal(mode="fan_out").to_json())
        HeNormal(mode='fan_out')
        """
        return decode(text, Initializer)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Initializer) and type(self) is type(other) and self._values() == other._values()

    def __hash__(self) -> int:
        values = self._values().items()
        return hash((type(self), *((name, v if isinstance(v, Hashable) else repr(v)) for name, v in values)))

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        defaults = signature(type(self).__init__).parameters
        values = self._values()
        shown = {key: (_show(values[key]), _show(defaults[key].default)) for key in defaults if key in values}
        changed = [f"{key}={value}" for key, (value, default) in shown.items() if value != default]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __str__(self) -> str:
        return repr(self)

    def __sklearn_clone__(self) -> Any:
        return type(self)(**self.get_params(deep=False))

    def _values(self) -> dict[str, Any]:
        values: dict[str, Any] = self.get_params(deep=False)
        return values


def _show(value: Any) -> str:
    """Write a parameter as Python has it: numpy's numbers as numbers, functions without their address."""
    if isinstance(value, np.generic):
        value = value.item()
    if callable(value) and not isinstance(value, Initializer) and not hasattr(value, "parameters"):
        return str(getattr(value, "__name__", type(value).__name__))
    if isinstance(value, list):
        return f"[{', '.join(map(_show, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(_show, value))}{',' if len(value) == 1 else ''})"
    return repr(value)
