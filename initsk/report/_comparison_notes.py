"""Notes beside the numbers of a comparison: why they differ from those that readers know, and what they leave out."""

import pandas as pd

from initsk.comparison import ComparisonResult
from initsk.comparison.results import grid_columns
from initsk.language import message, translate as _


def describe_search_means(result: ComparisonResult, summary: pd.DataFrame) -> str:
    """Return why the best mean score differs from that in ``cv_results_``; "" if it does not, or without a search.

    Parameters
    ----------
    result : ComparisonResult
    summary : DataFrame
        From its `summary`.
    """
    if "search" not in result.settings or not grid_columns(result.runs) or not summary["n_runs"].any():
        return ""
    best = summary.iloc[0]
    by_setting = result.summary(by="setting")
    highest = by_setting.loc[by_setting["initializer"] == best.initializer, "mean_score"].max()
    if abs(highest - best.mean_score) <= 1e-12 * abs(highest):
        return ""
    text = message(
        "{name} has a mean score of {own} here, and {highest} at its best setting in cv_results_. The search picked"
        " that setting by the scores that it reports. Here, the setting for each fold is picked in the other folds. The"
        " table of every setting has the means of cv_results_."
    )
    return _(text, name=best.initializer, own=float(best.mean_score), highest=float(highest))
