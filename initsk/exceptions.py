"""Errors and warnings of initsk; the errors are also ValueErrors."""

from sklearn.exceptions import ConvergenceWarning

from initsk.text import visible, without_addresses


class InitskError(Exception):
    r"""Base class of initsk's errors.

    Names in a message may hold characters that a terminal obeys; the message shows them as escapes. Objects are shown
    without their addresses in memory.

    Examples
    --------
    >>> print(InitskError("unknown layer \x1b[2J"))
    unknown layer \x1b[2J
    """

    def __str__(self) -> str:
        return visible(without_addresses(super().__str__()), lines=True)


class InvalidParameterError(InitskError, ValueError):
    """A parameter has a value that is not allowed."""


class DataFormatError(InitskError, ValueError):
    """A data file is damaged, or not of the expected format."""


class DataFormatWarning(UserWarning):
    """A data file was read in a way that its user may not expect."""


class ModuleError(InitskError, ValueError):
    """A torch module cannot be initialized or inspected."""


class StoreError(InitskError, ValueError):
    """A store of finished runs is damaged, of another format, or of another experiment."""


class DivergenceWarning(ConvergenceWarning):
    """The training stopped because the loss was not finite."""


class UninitializedWarning(UserWarning):
    """An initialization has left weights that multiply a signal, because no rule says how to fill them."""
