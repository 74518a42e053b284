"""Comparison of initializers over paired seeds."""

from initsk.comparison._data import Data, hold_out
from initsk.comparison._result import TABLES, ComparisonResult
from initsk.comparison._runner import ARTICLE_INITIALIZERS, ComparisonInterrupted, compare_initializers

__all__ = [
    "ARTICLE_INITIALIZERS",
    "TABLES",
    "ComparisonInterrupted",
    "ComparisonResult",
    "Data",
    "compare_initializers",
    "hold_out",
]
