"""The baseline of a comparison is scikit-learn's dummy model, and is kept with the runs."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import make_scorer
from sklearn.model_selection import KFold, cross_val_score

from initsk import ComparisonResult, compare_initializers

# 30 samples of class "b" and 10 of class "a".
Y = np.array(["a", "b", "b", "b"] * 10)
X = np.random.default_rng(0).normal(size=(40, 3)) + 3 * (Y == "b")[:, np.newaxis]
VALUES = {"parameter": "C", "initializers": [0.1, 1.0]}


def compare(**arguments):
    return compare_initializers(LogisticRegression(), X, Y, n_repeats=2, **VALUES, **arguments)


def test_a_classifiers_baseline_predicts_the_most_frequent_class_and_the_class_shares():
    result = compare(cv=5, scoring=["accuracy", "balanced_accuracy", "neg_log_loss"])
    assert result.baseline_score() == pytest.approx(0.75)
    assert result.baseline_score("balanced_accuracy") == 0.5
    assert result.baseline_score("neg_log_loss") == pytest.approx(0.75 * np.log(0.75) + 0.25 * np.log(0.25))


def test_a_regressors_baseline_predicts_the_mean_of_the_training_part_of_each_fold():
    data, cv = load_diabetes(return_X_y=True), KFold(3)
    arguments = {"parameter": "alpha", "initializers": [0.1, 1.0], "n_repeats": 1, "cv": cv}
    result = compare_initializers(Ridge(), *data, **arguments)
    expected = cross_val_score(DummyRegressor(), *data, cv=cv)
    for _, runs in result.runs.groupby("initializer", observed=True):
        np.testing.assert_allclose(runs["baseline_score"], expected)
    assert result.baseline_score() == pytest.approx(expected.mean())


def needs_coefficients(model, X, y):
    return float(model.coef_.sum())


def test_a_scorer_that_needs_another_model_has_no_baseline_and_loses_no_run():
    result = compare(scoring=needs_coefficients)
    assert np.isnan(result.baseline_score())
    assert (result.runs["status"] == "ok").all()


def always_infinite(y, predicted):
    return np.inf if len(set(predicted)) == 1 else 1.0


def test_a_baseline_that_is_not_finite_is_missing():
    assert np.isnan(compare(scoring=make_scorer(always_infinite)).baseline_score())


def test_a_run_that_fails_keeps_the_baseline_of_its_round():
    arguments = {"parameter": "C", "initializers": [-1.0, 1.0], "n_repeats": 1}
    runs = compare_initializers(LogisticRegression(), X, Y, **arguments).runs
    assert runs["status"].tolist() == ["failed", "ok"]
    assert runs["baseline_score"].nunique(dropna=False) == 1


def test_stores_and_files_keep_the_baseline(tmp_path):
    result = compare(store=tmp_path / "runs.sqlite", scoring=["accuracy", "balanced_accuracy"])
    result.save(tmp_path / "saved")
    for again in (ComparisonResult.from_store(tmp_path / "runs.sqlite"), ComparisonResult.load(tmp_path / "saved")):
        assert again.baseline_score() == result.baseline_score() == 0.7
        assert again.baseline_score("balanced_accuracy") == 0.5
