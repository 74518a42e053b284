"""A loaded estimator predicts the same, also in another process, and its file has no training data."""

import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from initsk import ActivationInspector, MLPClassifier, MLPRegressor
from initsk.initializers import LSUV, Orthogonal

PREDICT = """
import sys, numpy as np, {module}
X = np.load(sys.argv[2])
{load}
np.save(sys.argv[3], model.predict(X))
"""
SKOPS = "model = skops.io.load(sys.argv[1], trusted=skops.io.get_untrusted_types(file=sys.argv[1]))"


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X / 16, np.array(list("abcdefghij"))[y]


@pytest.fixture(scope="module")
def fitted(digits):
    X, y = digits
    settings = {"hidden_layer_sizes": (16, 8), "max_epochs": 2, "random_state": 0}
    numbers = np.unique(y, return_inverse=True)[1]
    weight = np.where(numbers == 3, 2.0, 1.0)
    return {
        "classifier": MLPClassifier(**settings, initializer=Orthogonal(1.2)).fit(X, y, sample_weight=weight),
        "stopped early": MLPClassifier(**settings, early_stopping=True, normalization="batch_norm").fit(X, y),
        "regressor": MLPRegressor(**settings, initializer=LSUV(), activation=["gelu", "tanh"]).fit(X, numbers),
        "pipeline": make_pipeline(StandardScaler(), MLPClassifier(**settings, dropout=0.1)).fit(X, y),
        "features": make_pipeline(ActivationInspector(MLPClassifier(**settings)), MLPClassifier(**settings)).fit(X, y),
    }


NAMES = pytest.mark.parametrize("name", ["classifier", "stopped early", "regressor", "pipeline", "features"])


@NAMES
def test_in_this_process(fitted, digits, name):
    model = fitted[name]
    expected = model.predict(digits[0])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(digits[0]), expected)
    data = skops.io.dumps(model)
    again = skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))
    np.testing.assert_array_equal(again.predict(digits[0]), expected)


@pytest.mark.parametrize("library", ["pickle", pytest.param("skops", marks=pytest.mark.slow)])
def test_in_another_process(fitted, digits, tmp_path, library):
    model = fitted["stopped early"]
    if library == "pickle":
        joblib.dump(model, tmp_path / "model")
    else:
        skops.io.dump(model, tmp_path / "model")
    np.save(tmp_path / "X.npy", digits[0])
    modules = {"pickle": "joblib", "skops": "skops.io"}
    loads = {"pickle": "model = joblib.load(sys.argv[1])", "skops": SKOPS}
    code = PREDICT.format(module=modules[library], load=loads[library])
    paths = [str(tmp_path / part) for part in ("model", "X.npy", "predicted.npy")]
    subprocess.run([sys.executable, "-c", code, *paths], check=True)
    np.testing.assert_array_equal(np.load(paths[2]), model.predict(digits[0]))


@NAMES
def test_the_data_are_not_saved(fitted, digits, name):
    """The bytes do not contain a sample, and are fewer than half of those of the data."""
    data = pickle.dumps(fitted[name])
    sample = digits[0][7].astype(np.float32)
    assert sample.tobytes() not in data
    assert len(data) < digits[0].astype(np.float32).nbytes / 2


def test_training_continues_after_loading(fitted, digits):
    model = fitted["classifier"]
    data = skops.io.dumps(model)
    trusted = skops.io.get_untrusted_types(data=data)
    again, other = skops.io.loads(data, trusted=trusted), pickle.loads(pickle.dumps(model))
    X, y = digits
    np.testing.assert_array_equal(again.partial_fit(X, y).predict_proba(X), other.partial_fit(X, y).predict_proba(X))
