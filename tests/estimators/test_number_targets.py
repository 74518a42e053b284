"""The targets of a regressor: standardized inside, predictions in their own unit."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import StandardScaler

from initsk import MLPRegressor, diagnose, inspect_activations
from initsk.exceptions import InvalidParameterError
from tests.estimators.support import small

RNG = np.random.default_rng(0)
X = RNG.normal(size=(100, 4))
Y = X[:, :2] @ np.diag([1.0, -2.0]) + 0.1 * RNG.normal(size=(100, 2))


@pytest.fixture(scope="module")
def diabetes():
    samples, y = load_diabetes(return_X_y=True)
    return StandardScaler().fit_transform(samples), y


def test_a_raw_target_is_learned_with_the_default_settings(diabetes):
    assert cross_val_score(MLPRegressor(random_state=0), *diabetes, cv=2).mean() > 0.3


@pytest.mark.parametrize("columns", [0, slice(2)], ids=["one target", "two targets"])
def test_the_unit_of_the_target_makes_no_difference(columns):
    y = Y[:, columns]
    scale, shift = (1e4, 1e6) if y.ndim == 1 else (np.array([1e4, 1e-4]), np.array([1e6, 3.0]))
    weight = RNG.uniform(0.5, 2, 100)
    plain = small(MLPRegressor).fit(X, y, sample_weight=weight)
    moved = small(MLPRegressor).fit(X, y * scale + shift, sample_weight=weight)
    np.testing.assert_allclose((moved.predict(X) - shift) / scale, plain.predict(X), rtol=1e-4, atol=1e-5)
    assert moved.predict(X).shape == y.shape
    assert moved.history_["train_loss"].tolist() == pytest.approx(plain.history_["train_loss"].tolist(), rel=1e-5)


def test_mean_and_standard_deviation_are_weighted():
    weight = RNG.uniform(0, 2, 100)
    reg = small(MLPRegressor).fit(X, Y, sample_weight=weight)
    mean = np.average(Y, axis=0, weights=weight)
    np.testing.assert_allclose(reg.target_mean_, mean)
    np.testing.assert_allclose(reg.target_scale_**2, np.average((Y - mean) ** 2, axis=0, weights=weight))


def test_without_standardization_the_network_learns_the_raw_target():
    reg = small(MLPRegressor, standardize_target=False, initializer="zeros", lr=1e-30, max_epochs=1).fit(X, Y + 100)
    assert reg.history_["train_loss"][0] == pytest.approx(np.square(Y + 100).mean(), rel=1e-5)
    np.testing.assert_allclose(reg.predict(X), 0, atol=1e-20)
    standardized = small(MLPRegressor, initializer="zeros", lr=1e-30, max_epochs=1).fit(X, Y + 100)
    assert standardized.history_["train_loss"][0] == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(standardized.predict(X), np.broadcast_to((Y + 100).mean(axis=0), (100, 2)))


def test_a_constant_target_is_predicted():
    reg = small(MLPRegressor, max_epochs=30, lr=0.01).fit(X, np.full(100, 1e6))
    assert reg.target_scale_.tolist() == [1.0]
    np.testing.assert_allclose(reg.predict(X), 1e6, atol=1)


def test_partial_fit_and_warm_starts_keep_the_first_statistics():
    first = small(MLPRegressor).partial_fit(X[:50], Y[:50])
    first.partial_fit(X[50:], Y[50:] + 100)
    np.testing.assert_allclose(first.target_mean_, Y[:50].mean(axis=0))
    warm = small(MLPRegressor, warm_start=True).fit(X, Y).fit(X, Y + 100)
    np.testing.assert_allclose(warm.target_mean_, Y.mean(axis=0))
    with pytest.raises(InvalidParameterError, match="standardize_target=False is not allowed, since"):
        warm.set_params(standardize_target=False).fit(X, Y)


def test_the_parameter_is_checked():
    with pytest.raises(InvalidParameterError, match="standardize_target='yes'"):
        small(MLPRegressor, standardize_target="yes").fit(X, Y)


def test_diagnosis_and_gradients_have_the_loss_of_the_fit(diabetes):
    reg = MLPRegressor((16,), lr=0.01, random_state=0)
    diagnosis = diagnose(reg, *diabetes, max_samples=442, trial_steps=8)
    assert diagnosis.baseline_loss == pytest.approx(1, rel=0.2)
    assert "unscaled targets" not in diagnosis.findings()["kind"].tolist()
    samples, y = diabetes[0][:50], diabetes[1][:50]
    given = inspect_activations(reg, samples, y, gradients=True).to_frame("gradients")["rms"]
    by_hand = inspect_activations(
        small(MLPRegressor, hidden_layer_sizes=(16,)).initialize(samples, y).net_.module_,
        torch.tensor(samples, dtype=torch.float32),
        torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32)[:, None],
        gradients=True,
    ).to_frame("gradients")["rms"]
    np.testing.assert_allclose(given, by_hand, rtol=1e-4)


def test_a_raw_target_is_found_without_standardization(diabetes):
    diagnosis = diagnose(MLPRegressor((16,), standardize_target=False, random_state=0), *diabetes, trial_steps=8)
    assert not diagnosis.will_train
    found = diagnosis.findings().set_index("kind").loc["unscaled targets"]
    # The standard deviation is larger than mean / standard deviation.
    assert found["value"] == pytest.approx(diabetes[1].std(), rel=0.05)
    assert found["threshold"] == 10
    assert found["decides"]
