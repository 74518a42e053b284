"""The network inside an estimator that holds other estimators."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from initsk import MLPClassifier, MLPRegressor, compare_initializers, diagnose, inspect_activations
from initsk.exceptions import InvalidParameterError, ModuleError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 5))
LABELS = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
BINARY = LABELS > 0
NUMBERS = 1000 + 50 * X[:, 0]
CLASSIFIER = MLPClassifier((4,), max_epochs=1, random_state=0)
REGRESSOR = MLPRegressor((4,), max_epochs=1, standardize_target=False, random_state=0)


class Wrapper(ClassifierMixin, BaseEstimator):
    """A user's estimator with a fitted `module_`."""

    def __init__(self, initializer="he_normal"):
        self.initializer = initializer

    def fit(self, X, y):
        self.fitted = clone(CLASSIFIER).set_params(initializer=self.initializer).fit(X, y)
        self.module_, self.classes_ = self.fitted.net_.module_, self.fitted.classes_
        return self

    def predict(self, X):
        return self.fitted.predict(X)


ONE = {
    "transformed target": (TransformedTargetRegressor(REGRESSOR, transformer=StandardScaler()), NUMBERS),
    "pipelines": (
        make_pipeline(StandardScaler(), TransformedTargetRegressor(make_pipeline(StandardScaler(), REGRESSOR))),
        NUMBERS,
    ),
    "calibrated": (CalibratedClassifierCV(CLASSIFIER, cv=2, ensemble=False), BINARY),
    "frozen": (FrozenEstimator(clone(CLASSIFIER).fit(X, BINARY)), BINARY),
    "fixed threshold": (FixedThresholdClassifier(CLASSIFIER), BINARY),
    "tuned threshold": (TunedThresholdClassifierCV(CLASSIFIER, cv=2), BINARY),
    "stacking": (StackingClassifier([("net", CLASSIFIER), ("linear", LogisticRegression())], cv=2), BINARY),
    "wrapper": (Wrapper(), BINARY),
}
SEVERAL = {
    "calibrated": (CalibratedClassifierCV(CLASSIFIER, cv=2), BINARY, 2, "calibrated_classifiers_[0].estimator"),
    "one versus rest": (OneVsRestClassifier(CLASSIFIER), LABELS, 3, "estimators_[2]"),
    "bagging": (BaggingClassifier(CLASSIFIER, n_estimators=2, random_state=0), BINARY, 2, "estimators_[1]"),
    "several outputs": (MultiOutputRegressor(REGRESSOR), X[:, :2], 2, "estimators_[1]"),
}


def fitted(estimator, y):
    return (estimator if isinstance(estimator, FrozenEstimator) else clone(estimator)).fit(X, y)


@pytest.mark.parametrize("case", ONE)
def test_the_only_network_of_a_fitted_estimator_is_found(case):
    estimator, y = ONE[case]
    frame = inspect_activations(fitted(estimator, y), X).to_frame()
    assert frame["units"].tolist() == [4, 4, 1 if y is NUMBERS else 2]


@pytest.mark.parametrize("case", SEVERAL)
def test_several_networks_are_counted_and_named(case):
    estimator, y, n_networks, name = SEVERAL[case]
    with pytest.raises(ModuleError, match=f"{type(estimator).__name__} has {n_networks} networks") as caught:
        inspect_activations(fitted(estimator, y), X)
    assert name in str(caught.value)


@pytest.mark.parametrize("is_fitted", [True, False], ids=["fitted", "not fitted"])
def test_a_diagnosis_has_the_targets_of_the_network(is_fitted):
    estimator, y = ONE["transformed target"]
    diagnosis = diagnose(fitted(estimator, y) if is_fitted else clone(estimator), X, y, trial_steps=4)
    # The transformer standardizes the targets.
    assert diagnosis.baseline_loss == pytest.approx(1, rel=0.3)
    assert "unscaled targets" not in diagnosis.findings()["kind"].tolist()


def test_an_estimator_that_is_not_fitted_has_the_initial_weights_of_its_own():
    estimator, y = ONE["fixed threshold"]
    inside = inspect_activations(clone(CLASSIFIER), X, y).to_frame()
    assert inspect_activations(clone(estimator), X, y).to_frame().equals(inside)


@pytest.mark.parametrize("case", ["transformed target", "wrapper"])
def test_a_comparison_has_the_layers_after_training(case):
    estimator, y = ONE[case]
    result = compare_initializers(estimator, X, y, initializers=["he_normal", "zeros"], n_repeats=1)
    assert result.runs["status"].eq("ok").all()
    layers = result.layers
    assert set(layers["phase"]) == {"trained"}
    assert set(layers["initializer"]) == {"he_normal", "zeros"}
    assert "## Activations of the hidden layers" in result.to_markdown()


def test_a_comparison_without_a_single_network_has_no_layers():
    estimator, y, *_ = SEVERAL["bagging"]
    result = compare_initializers(estimator, X, y, initializers=["he_normal"], n_repeats=1)
    assert result.runs["status"].tolist() == ["ok"]
    assert result.layers.empty


def test_a_fitted_inner_estimator_is_built_anew_as_in_fit():
    own = clone(REGRESSOR).set_params(standardize_target=False, random_state=0)
    fitted = clone(own).fit(X, NUMBERS)
    scores = [
        diagnose(TransformedTargetRegressor(inner, transformer=StandardScaler()), X, NUMBERS, trial_steps=2).score
        for inner in (own, fitted)
    ]
    assert scores[0] == scores[1]


def test_the_error_names_targets_of_another_scale():
    fitted = clone(REGRESSOR).set_params(standardize_target=True).fit(X, NUMBERS * 1e12)
    with pytest.raises(InvalidParameterError, match="fitted to targets of another scale"):
        diagnose(fitted, X, NUMBERS, trial_steps=2)
