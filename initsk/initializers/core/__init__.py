"""Machinery of the initializers: base classes, registry, values, random draws, calibration and learned factors."""

from initsk.initializers.core._minibatches import default_loss

__all__ = ["default_loss"]
