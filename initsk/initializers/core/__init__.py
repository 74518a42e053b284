"""Machinery of the initializers: base classes, registry, values, random draws, calibration and learned factors."""
