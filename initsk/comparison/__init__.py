"""Comparison of initializers over paired seeds and splits."""

from initsk.comparison._data import Arrays as Arrays, hold_out as hold_out
from initsk.comparison._frames import TABLES as TABLES, grid_columns as grid_columns
from initsk.comparison._identity import versions as versions
from initsk.comparison._interrupted import ComparisonInterrupted
from initsk.comparison._result import ComparisonResult
from initsk.comparison._runner import ARTICLE_INITIALIZERS, compare_initializers
from initsk.comparison._scores import of_splits as of_splits, scores_of as scores_of, tuned as tuned
from initsk.comparison._statistics import mean_interval as mean_interval

__all__ = ["ARTICLE_INITIALIZERS", "ComparisonInterrupted", "ComparisonResult", "compare_initializers"]
