"""A function as an initializer."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from initsk.exceptions import InvalidParameterError
from initsk.initializers._base import Initializer
from initsk.initializers._site import Site


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
