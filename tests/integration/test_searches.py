"""Searches of scikit-learn and Optuna, also on Dask, over initializers as hyperparameters."""

import subprocess
import sys
import warnings

import joblib
import numpy as np
import optuna
import pandas as pd
import pytest
import sklearn
import torch
from optuna.distributions import CategoricalDistribution, FloatDistribution
from sklearn.datasets import load_digits
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - it makes HalvingGridSearchCV importable
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, RandomizedSearchCV, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from initsk import MLPClassifier, MLPRegressor, NeuralNetClassifier
from initsk.initializers import HeNormal, LeCunNormal, Orthogonal, RandomNormal


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32)[:500], y[:500].astype(np.int64)


class TwoLayers(nn.Module):
    def __init__(self, width=8, dropout=0.0):
        super().__init__()
        self.first, self.drop, self.second = nn.Linear(64, width), nn.Dropout(dropout), nn.Linear(width, 10)

    def forward(self, X):
        return self.second(self.drop(torch.relu(self.first(X))))


def mlp(**arguments):
    settings = {"hidden_layer_sizes": (8,), "max_epochs": 3, "random_state": 0, "n_threads": 1}
    return MLPClassifier(**settings | arguments)


def net():
    return NeuralNetClassifier(
        TwoLayers, criterion=nn.CrossEntropyLoss, optimizer=torch.optim.SGD, max_epochs=2, random_state=0, verbose=0,
        train_split=None,
    )  # fmt: skip


MLP_GRID = [
    {"initializer": ["zeros", "he_normal", Orthogonal(gain=1.4)], "lr": [1e-3, 1e-2]},
    {"initializer": [RandomNormal()], "initializer__std": [0.01, 0.1], "optimizer": ["sgd"]},
]
NET_GRID = {
    "initializer": [HeNormal(), LeCunNormal()],
    "initializer__mode": ["fan_in", "fan_out"],
    "module__width": [4, 8],
    "optimizer__momentum": [0.0, 0.9],
    "lr": [0.1],
}


def scores(search):
    frame = pd.DataFrame(search.cv_results_)
    return frame[[name for name in frame if name.startswith("split")]].to_numpy()


@pytest.mark.slow
@pytest.mark.parametrize(("estimator", "grid"), [(mlp(), MLP_GRID), (net(), NET_GRID)], ids=["mlp", "net"])
def test_grid_search_in_one_process_and_in_two(digits, estimator, grid):
    searches = [
        GridSearchCV(estimator, grid, cv=2, n_jobs=n_jobs, error_score="raise").fit(*digits) for n_jobs in (1, 2)
    ]
    one_process, two_processes = map(scores, searches)
    np.testing.assert_array_equal(one_process, two_processes)
    assert len(np.unique(one_process)) > 4
    best = [search.best_estimator_.predict_proba(digits[0]) for search in searches]
    np.testing.assert_array_equal(*best)


def test_pandas_shows_the_names_of_initializers(digits):
    frame = pd.DataFrame(GridSearchCV(mlp(), MLP_GRID, cv=2).fit(*digits).cv_results_)
    shown = frame["param_initializer"].astype(str)
    assert shown.tolist() == [
        "zeros", "zeros", "he_normal", "he_normal", "Orthogonal(gain=1.4)", "Orthogonal(gain=1.4)",
        "RandomNormal()", "RandomNormal()",
    ]  # fmt: skip
    assert frame["param_initializer__std"].tolist()[-2:] == [0.01, 0.1]
    means = frame.assign(initializer=shown).groupby("initializer")["mean_test_score"].max()
    assert means["zeros"] < means["he_normal"]


def test_randomized_search(digits):
    space = {"initializer": [Orthogonal()], "initializer__gain": np.linspace(0.5, 2, 50), "lr": [1e-3, 1e-2]}
    searches = [
        RandomizedSearchCV(mlp(), space, n_iter=5, cv=2, random_state=0, n_jobs=n, error_score="raise").fit(*digits)
        for n in (1, 2)
    ]
    np.testing.assert_array_equal(*map(scores, searches))


def test_halving_by_epochs(digits):
    search = HalvingGridSearchCV(
        mlp(), {"initializer": ["zeros", "he_normal", "orthogonal", "lecun_normal"]}, resource="max_epochs",
        min_resources=2, max_resources=8, factor=2, cv=2, random_state=0, error_score="raise", n_jobs=2,
    ).fit(*digits)  # fmt: skip
    assert search.n_resources_ == [2, 4, 8]
    assert search.n_candidates_ == [4, 2, 1]
    assert len(search.best_estimator_.history_) == 8
    # Zeros learn nothing, and the first iteration drops them.
    frame = pd.DataFrame(search.cv_results_)
    assert "zeros" not in frame.loc[frame["iter"] > 0, "param_initializer"].tolist()


@pytest.fixture
def _filters_stay():
    """Restore the warning filters, which scikit-learn sets in threads that share them."""
    with warnings.catch_warnings():
        yield


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.filterwarnings("ignore:.*optuna.terminator:FutureWarning")
@pytest.mark.usefixtures("_filters_stay")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_optuna(digits, n_jobs):
    from optuna_integration import OptunaSearchCV

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = {
        "initializer": CategoricalDistribution(["orthogonal"]),
        "initializer__gain": FloatDistribution(0.5, 2.0),
        "lr": FloatDistribution(1e-4, 1e-1, log=True),
    }
    search = OptunaSearchCV(mlp(), space, cv=2, n_trials=4, random_state=0, error_score="raise", n_jobs=n_jobs)
    search.fit(*digits)
    assert len(search.trials_) == 4
    assert all(trial.state == optuna.trial.TrialState.COMPLETE for trial in search.trials_)
    assert search.best_estimator_.initializer == Orthogonal(search.best_params_["initializer__gain"])
    # Trials run in threads, with the same numbers as without other threads.
    trial = max(search.trials_, key=lambda t: t.value)
    expected = cross_validate(mlp().set_params(**trial.params), *digits, cv=2)["test_score"].mean()
    assert trial.value == pytest.approx(expected, abs=1e-12)


@pytest.mark.usefixtures("_filters_stay")
def test_threads_give_the_same_numbers(digits):
    """Dropout draws from torch's global random state, which all threads of a process share."""
    clf = mlp(dropout=0.3)
    grid = {"initializer": ["he_normal", "orthogonal", "zeros", "glorot_uniform"]}
    state = torch.get_rng_state()
    expected = scores(GridSearchCV(clf, grid, cv=2).fit(*digits))
    with joblib.parallel_config("threading", n_jobs=4):
        found = scores(GridSearchCV(clf, grid, cv=2).fit(*digits))
    np.testing.assert_array_equal(found, expected)
    assert torch.equal(torch.get_rng_state(), state)


def test_each_fit_has_its_number_of_threads(digits):
    class Threads(nn.Module):
        def forward(self, X):
            seen.append(torch.get_num_threads())
            return torch.relu(X)

    seen = []
    before = torch.get_num_threads()
    for n_threads in (1, 3):
        seen.clear()
        fitted = mlp(n_threads=n_threads, activation=Threads, max_epochs=1).fit(*digits)
        fitted.predict(digits[0])
        assert set(seen) == {n_threads}
    assert torch.get_num_threads() == before


def memory_and_threads(X, y):
    """Return whether a worker shares X with other processes and may write to it, its threads, and predictions."""
    shared = isinstance(X, np.memmap) or isinstance(X.base, np.memmap)
    fitted = mlp(n_threads=None, max_epochs=1).fit(X, y)
    return shared, X.flags.writeable, torch.get_num_threads(), fitted.predict_proba(X[:5])


def test_workers_share_the_data_and_the_cores():
    rng = np.random.default_rng(0)
    # joblib maps arrays of more than a megabyte into shared memory.
    X, y = rng.normal(size=(4000, 100)).astype(np.float32), rng.integers(0, 3, size=4000)
    with joblib.parallel_config("loky", n_jobs=2):
        found = joblib.Parallel()(joblib.delayed(memory_and_threads)(X, y) for _ in range(2))
    for shared, writeable, threads, predicted in found:
        assert shared
        assert not writeable
        assert threads <= max(joblib.cpu_count() // 2, 1)
        np.testing.assert_allclose(predicted, mlp(max_epochs=1).fit(X, y).predict_proba(X[:5]), rtol=1e-4)


DASK = """
import warnings
import joblib, numpy as np
from dask.distributed import Client, LocalCluster
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from initsk import MLPClassifier
from initsk.initializers import Orthogonal

if __name__ == "__main__":
    X, y = load_digits(return_X_y=True)
    X, y = (X / 16).astype(np.float32)[:500], y[:500]
    clf = MLPClassifier((8,), max_epochs=3, random_state=0, n_threads=1, dropout=0.2)
    grid = {"initializer": ["zeros", "he_normal", Orthogonal(gain=1.4)], "lr": [1e-3, 1e-2]}
    local = GridSearchCV(clf, grid, cv=2, error_score="raise").fit(X, y)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
        with joblib.parallel_config("dask"):
            spread = GridSearchCV(clf, grid, cv=2, error_score="raise").fit(X, y)
    for name in local.cv_results_:
        if name.startswith(("split", "mean_test")):
            np.testing.assert_array_equal(local.cv_results_[name], spread.cv_results_[name])
    np.testing.assert_array_equal(local.predict_proba(X), spread.predict_proba(X))
    print("the same", len(local.cv_results_["params"]))
"""


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_numbers(tmp_path):
    script = tmp_path / "search.py"
    script.write_text(DASK)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["the", "same", "6"]


def test_metadata_are_routed(digits):
    X, y = digits
    weight = np.where(y == 3, 5.0, 1.0)
    direct = mlp(max_epochs=20).fit(StandardScaler().fit_transform(X), y, sample_weight=weight)
    with sklearn.config_context(enable_metadata_routing=True):
        clf = mlp(max_epochs=20).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        pipe = Pipeline([("scale", StandardScaler().set_fit_request(sample_weight=False)), ("mlp", clf)])
        pipe.fit(X, y, sample_weight=weight)
        np.testing.assert_allclose(pipe[-1].class_prior_, direct.class_prior_)
        np.testing.assert_array_equal(pipe.predict(X), direct.predict(StandardScaler().fit_transform(X)))
        search = GridSearchCV(clf, {"initializer": ["zeros", "he_normal"]}, cv=2, error_score="raise")
        search.fit(X, y, sample_weight=weight)
        assert search.best_params_ == {"initializer": "he_normal"}
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError):
            GridSearchCV(mlp(), {"lr": [1e-3]}, cv=2).fit(X, y, sample_weight=weight)
        partial = mlp().set_partial_fit_request(sample_weight=True, classes=True)
        assert partial.get_metadata_routing().partial_fit.requests["sample_weight"] is True


def test_regressors(digits):
    X, y = digits
    grid = {"initializer": ["zeros", "he_normal", "lsuv"], "lr": [1e-2]}
    searches = [
        GridSearchCV(MLPRegressor((8,), max_epochs=5, random_state=0, n_threads=1), grid, cv=2, n_jobs=n).fit(X, y)
        for n in (1, 2)
    ]
    np.testing.assert_array_equal(*map(scores, searches))
    assert searches[0].best_params_["initializer"] != "zeros"


def test_a_search_survives_divergence(digits):
    grid = {"lr": [1e-2, 1e30], "optimizer": ["sgd"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = GridSearchCV(mlp(), grid, cv=2, error_score="raise").fit(*digits)
    assert np.isfinite(scores(search)).all()
    assert search.best_params_["lr"] == 1e-2
