"""A function as an initializer."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from initsk.exceptions import InvalidParameterError
from initsk.initializers._base import Initializer
from initsk.initializers._site import Site
from initsk.utils._random import GLOBAL_STATE, isolated_numpy_random, isolated_torch_random


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
        # What is still NaN afterwards was not filled.
        tensor = torch.full(site.shape, float("nan"), dtype=dtype)
        seed = int(torch.randint(2**62, (), generator=generator))
        try:
            with GLOBAL_STATE, isolated_torch_random(seed), isolated_numpy_random(seed), torch.no_grad():
                returned = self.function(tensor)
            return tensor if returned is None else torch.as_tensor(returned).detach()
        except Exception as error:  # whatever a stranger's function raises
            at = f" at {site.name}" if site.name else ""
            raise InvalidParameterError(
                f"{self.label} failed on a tensor of shape {site.shape}{at} ({type(error).__name__}: {error})"
            ) from error
