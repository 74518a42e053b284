"""Errors about `draw_values` of a user's own initializer: it is missing, or returns no tensor."""

import difflib
from typing import Any

import torch

from initsk.exceptions import InvalidParameterError

_DRAW = "draw_values(self, spec, generator, dtype)"


def check_tensor(initializer: Any, values: Any) -> torch.Tensor:
    """Return drawn values, or raise InvalidParameterError if they are no tensor."""
    if isinstance(values, torch.Tensor):
        return values
    kind = type(values)
    given = "None" if values is None else f"{kind.__module__}.{kind.__name__}".removeprefix("builtins.")
    raise InvalidParameterError(
        f"draw_values of {initializer!r} returns {given} (allowed: a tensor of torch, such as"
        " torch.as_tensor(values, dtype=dtype))"
    )


def missing_draw(cls: type) -> str:
    """Return that a class does not define `draw_values`, with its method of a similar name if there is one.

    Examples
    --------
    >>> missing_draw(type("Mine", (), {"__module__": "mine", "drawvalues": None}))
    "does not define draw_values(self, spec, generator, dtype), which returns the values (is 'drawvalues' meant?)"
    """
    own = [name for kind in cls.__mro__ if kind.__module__.partition(".")[0] != "initsk" for name in vars(kind)]
    near = difflib.get_close_matches("draw_values", own, n=1, cutoff=0.75)
    hint = f" (is {near[0]!r} meant?)" if near else ""
    return f"does not define {_DRAW}, which returns the values{hint}"
