"""The initializer as a value."""

from typing import Any, ClassVar, Self

import torch
from sklearn.base import BaseEstimator

from initsk.initializers._site import Site
from initsk.utils._random import RandomState, make_generator, resolve_seed
from initsk.utils._validation import Constraint, check_parameters


class Initializer(BaseEstimator):
    """Base of all initializers: parameters, repr, equality, hash, clone and pickle.

    A subclass stores its parameters in ``__init__``, lists what they allow in
    ``_constraints`` and draws in ``_draw``. It must not keep any other state:
    two initializers are equal when their classes and parameters are.
    """

    _constraints: ClassVar[dict[str, Constraint]] = {}
    #: What `list_initializers` shows: family, law and reference.
    family: ClassVar[str] = ""
    law: ClassVar[str] = ""
    reference: ClassVar[str] = ""
    #: Whether the scheme sets the biases too, when nobody says otherwise; most leave them at zero.
    sets_biases: ClassVar[bool] = False

    def _draw(self, site: Site, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        raise NotImplementedError

    def check(self) -> Self:
        """Check the parameters.

        Raises
        ------
        InvalidParameterError
            If any is not allowed; the message names all of them.
        """
        check_parameters(type(self).__name__, self.get_params(deep=False), self._constraints)
        return self

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
        working = torch.float64 if dtype == torch.float64 else torch.float32
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
            Type of the tensor.
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
        if generator is None:
            generator = make_generator(resolve_seed(random_state))
        return self.draw(Site.from_shape(shape), generator, dtype).to(device)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Initializer) and type(self) is type(other) and self.get_params() == other.get_params()

    def __hash__(self) -> int:
        return hash((type(self), tuple(sorted((k, repr(v)) for k, v in self.get_params().items()))))

    def __str__(self) -> str:
        return repr(self)

    def __sklearn_clone__(self) -> Any:
        return type(self)(**self.get_params(deep=False))
