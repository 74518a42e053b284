"""The warning that accuracy misleads, if a class has most of the samples."""

from math import isfinite

import numpy as np

from initsk.comparison import ComparisonResult
from initsk.comparison.results import score_names
from initsk.language import message, translate as _
from initsk.utils.labels import has_majority


def describe_imbalance(result: ComparisonResult) -> str:
    """Return why accuracy misleads for these classes; "" if it does not, or another score ranks."""
    classes = result.settings.get("classes", [])
    ranking = next(iter(score_names(result.runs)), result.settings.get("scoring"))
    if ranking != "accuracy" or not has_majority(np.array([share for name, share in classes])):
        return ""
    baseline = result.baseline_score()
    if not isfinite(baseline):
        return ""
    text = message(
        "{share:.1%} of the training samples have the class {name}, and a model that always predicts it has an accuracy"
        " of {score} on the held-out samples. Another score, such as balanced_accuracy, counts every class alike."
    )
    return _(text, share=classes[0][1], name=repr(classes[0][0]), score=baseline)
