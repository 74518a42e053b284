"""Functions of users in a saved diagnosis."""

import pickle
from dataclasses import dataclass
from typing import Any, NoReturn

from initsk.exceptions import ModuleError


@dataclass(frozen=True)
class NotSaved:
    """In the place of a function that could not be saved; a call raises ModuleError.

    Parameters
    ----------
    name : str
        The option of `diagnose`.
    given : str
        The function, in words.
    """

    name: str
    given: str

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        raise ModuleError(
            f"{self.name}={self.given} was not saved with the diagnosis (allowed: a new diagnosis, or a function that"
            " pickle can save, such as one at the top level of a module)"
        )


def savable(name: str, value: Any) -> Any:
    """Return a value that pickle can save: itself, or `NotSaved`.

    Examples
    --------
    >>> savable("criterion", len) is len, savable("criterion", lambda output, y: 0.0).name
    (True, 'criterion')
    """
    try:
        pickle.dumps(value)
    except (pickle.PicklingError, AttributeError, TypeError, RuntimeError):
        return NotSaved(name, repr(value))
    return value
