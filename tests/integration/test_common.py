"""scikit-learn's own checks, for every estimator of the package, without an expected failure."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from initsk import ActivationInspector, MLPClassifier, MLPRegressor
from initsk.utils.random import isolated_numpy_random


@parametrize_with_checks(
    [
        MLPClassifier(),
        MLPRegressor((16,), activation="tanh", initializer="orthogonal", lr=0.01),
        ActivationInspector(MLPRegressor(max_epochs=2), when="initialized"),
    ]
)
def test_scikit_learns_checks(estimator, check):
    # Some of the checks draw from numpy's global state themselves.
    with isolated_numpy_random(0):
        check(estimator)


@pytest.mark.slow
@parametrize_with_checks([MLPRegressor(), ActivationInspector(MLPClassifier(max_epochs=2))])
def test_scikit_learns_checks_of_other_estimators(estimator, check):
    with isolated_numpy_random(0):
        check(estimator)
