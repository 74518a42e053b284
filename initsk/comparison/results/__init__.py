"""The results of a comparison: frames, scores, tests and rankings."""

from initsk.comparison.results._against_baseline import against_baseline
from initsk.comparison.results._compared import compared_parameter
from initsk.comparison.results._inference import mean_interval
from initsk.comparison.results._intake import check_complete
from initsk.comparison.results._records import TABLES, error_name, grid_columns, grid_names, missing_runs, score_names
from initsk.comparison.results._statistics import has_several_splits, paired_scores, tuned_runs

__all__ = [
    "TABLES",
    "against_baseline",
    "check_complete",
    "compared_parameter",
    "error_name",
    "grid_columns",
    "grid_names",
    "has_several_splits",
    "mean_interval",
    "missing_runs",
    "paired_scores",
    "score_names",
    "tuned_runs",
]
