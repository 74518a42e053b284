"""Machinery that the initializers share: base class, registry, random draws, values."""

from initsk.initializers.core._minibatches import default_loss

__all__ = [
    "default_loss",
]
