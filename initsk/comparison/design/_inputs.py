"""A description of the inputs for reports: the raw columns, and the steps that prepare them."""

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from initsk.comparison.design._candidates import storable_lines
from initsk.utils.words import encodable

# Characters; scikit-learn shows 700 by default, too few for the preparation of a table.
_MAX_SHOWN = 6000


def describe_inputs(estimator: Any, X: Any) -> dict[str, Any]:
    """Return the names of the columns of a DataFrame, and the steps of a pipeline before its last one, as text.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from initsk import MLPClassifier
    >>> describe_inputs(make_pipeline(StandardScaler(), MLPClassifier()), pd.DataFrame({"a": [1], "b": [2]}))
    {'columns': ['a', 'b'], 'preparation': 'StandardScaler()'}
    """
    described: dict[str, Any] = {}
    if hasattr(X, "columns"):
        described["columns"] = [encodable(str(name)) for name in X.columns]
    if isinstance(estimator, Pipeline) and len(estimator) > 1:
        described["preparation"] = storable_lines(_shown(estimator[:-1]))
    return described


def _shown(before: Pipeline) -> str:
    step = before if len(before) > 1 else before[0]
    return step.__repr__(N_CHAR_MAX=_MAX_SHOWN) if isinstance(step, BaseEstimator) else repr(step)
