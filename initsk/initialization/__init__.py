"""Filling the parameters of any torch module."""

from initsk.initialization._initialize import choices_for, initialize
from initsk.initialization._record import InitializationRecord

__all__ = [
    "InitializationRecord",
    "choices_for",
    "initialize",
]
