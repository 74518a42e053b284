"""The results of a comparison: frames, scores, tests, summaries."""

from initsk.comparison.results._records import TABLES, grid_columns
from initsk.comparison.results._statistics import mean_interval, of_splits, scores_of, tuned

__all__ = [
    "TABLES",
    "grid_columns",
    "mean_interval",
    "of_splits",
    "scores_of",
    "tuned",
]
