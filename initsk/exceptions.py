"""Errors and warnings of initsk; the errors are also ValueErrors."""

from sklearn.exceptions import ConvergenceWarning


class InitskError(Exception):
    """Base class of initsk's errors."""


class InvalidParameterError(InitskError, ValueError):
    """A parameter has a value that is not allowed."""


class DataFormatError(InitskError, ValueError):
    """A data file is damaged, or not of the expected format."""


class ModuleError(InitskError, ValueError):
    """A torch module cannot be initialized or inspected."""


class StoreError(InitskError, ValueError):
    """A store of finished runs is damaged, of another format, or of another experiment."""


class DivergenceWarning(ConvergenceWarning):
    """The training stopped because the loss was not finite."""


class UninitializedWarning(UserWarning):
    """An initialization has left weights that multiply a signal, because no rule says how to fill them."""
