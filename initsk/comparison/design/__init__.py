"""The design of a comparison: candidates, data, splits and runs."""

from initsk.comparison.design._data import Arrays, hold_out

__all__ = ["Arrays", "hold_out"]
