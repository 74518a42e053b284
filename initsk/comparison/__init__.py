"""Comparison of initializers on paired runs."""

from initsk.comparison.execution._compare import ARTICLE_INITIALIZERS, compare_initializers
from initsk.comparison.results._interrupted import ComparisonInterrupted
from initsk.comparison.results._result import ComparisonResult
from initsk.comparison.storage._recover import recover_store

__all__ = ["ARTICLE_INITIALIZERS", "ComparisonInterrupted", "ComparisonResult", "compare_initializers", "recover_store"]
