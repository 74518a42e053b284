"""Comparison of initializers on paired runs."""

from initsk.comparison.execution._compare import ARTICLE_INITIALIZERS, compare_initializers
from initsk.comparison.results._result import ComparisonInterrupted, ComparisonResult

__all__ = ["ARTICLE_INITIALIZERS", "ComparisonInterrupted", "ComparisonResult", "compare_initializers"]
