"""Estimators of every kind, and the parameter that is compared in them."""

import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from initsk import MLPClassifier, compare_initializers
from initsk.exceptions import InvalidParameterError

X, Y = load_iris(return_X_y=True)


def test_a_search_as_the_estimator():
    search = GridSearchCV(MLPClassifier((8,), max_epochs=2, n_threads=1), {"lr": [0.001, 0.05]}, cv=2)
    result = compare_initializers(search, X, Y, initializers=["zeros", "he_normal"], n_repeats=2)
    assert result.settings["parameter"] == "estimator__initializer"
    assert result.summary()["initializer"].tolist() == ["he_normal", "zeros"]


def test_any_estimator_with_any_parameter():
    result = compare_initializers(
        LogisticRegression(max_iter=1000), X, Y, parameter="C", initializers=[1e-3, 1.0], cv=5, n_repeats=2
    )
    assert result.initializers == ["0.001", "1.0"]
    assert result.summary()["initializer"].tolist() == ["1.0", "0.001"]
    assert result.history.empty
    seeded = compare_initializers(SGDClassifier(), X, Y, parameter="alpha", initializers=[1e-4], n_repeats=2)
    for run in seeded.runs.itertuples():
        assert run.status == "ok"


def test_an_ambiguous_parameter_raises():
    with pytest.raises(InvalidParameterError, match=r"no parameter of Pipeline is.*parameter="):
        compare_initializers(make_pipeline(StandardScaler(), LogisticRegression()), X, Y)
    pipe = make_pipeline(StandardScaler(), MLPClassifier((8,), max_epochs=1))
    result = compare_initializers(
        pipe, X, Y, parameter="mlpclassifier__output_initializer", initializers=["zeros"], n_repeats=1
    )
    assert result.runs["status"].tolist() == ["ok"]
