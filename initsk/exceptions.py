"""Errors and warnings of initsk; each is also the one that a caller would catch."""

from sklearn.exceptions import ConvergenceWarning


class InitskError(Exception):
    """Base of every error that initsk raises on purpose."""


class InvalidParameterError(InitskError, ValueError):
    """A parameter has a value outside of what is allowed."""


class DataFormatError(InitskError, ValueError):
    """A data file is not what its name or header expected."""


class ModuleError(InitskError, ValueError):
    """A torch module cannot be initialized or inspected as asked."""


class StoreError(InitskError, ValueError):
    """A file of finished runs is not one, is damaged, or holds another experiment."""


class DivergenceWarning(ConvergenceWarning):
    """Training ended because the loss was not finite."""
