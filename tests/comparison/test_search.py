"""Results of finished searches of scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - it makes HalvingGridSearchCV importable
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    RepeatedKFold,
    ShuffleSplit,
    StratifiedKFold,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from initsk import ComparisonResult, MLPClassifier
from initsk.exceptions import InvalidParameterError
from initsk.initializers import Orthogonal

X, Y = load_iris(return_X_y=True)
CLF = MLPClassifier((8,), max_epochs=2, lr=0.02, random_state=0)


def nan(tensor):
    raise ValueError('a "quoted", reason\nof two lines')


GRID = {"initializer": ["zeros", "he_normal", Orthogonal(2.0)], "lr": [0.001, 0.02]}


def test_statistics_of_a_grid_search():
    search = GridSearchCV(CLF, GRID, cv=5).fit(X, Y)
    result = ComparisonResult.from_search(search)
    assert result.initializers == ["zeros", "he_normal", "Orthogonal(gain=2.0)"]
    assert len(result.runs) == 30
    assert set(result.runs["val_ratio"]) == {1 / 4}
    means = result.summary(by="setting").set_index(["initializer", "lr"])["mean_score"]
    for params, mean in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True):
        label = params["initializer"] if isinstance(params["initializer"], str) else "Orthogonal(gain=2.0)"
        assert means[label, params["lr"]] == pytest.approx(mean)
    # With two initializers there is one pair, and nothing to adjust.
    search = GridSearchCV(CLF, {"initializer": ["zeros", "he_normal"]}, cv=5).fit(X, Y)
    pair = ComparisonResult.from_search(search).pairwise().iloc[0]
    scores = [[search.cv_results_[f"split{fold}_test_score"][row] for fold in range(5)] for row in range(2)]
    rows = dict(zip(["zeros", "he_normal"], np.array(scores), strict=True))
    d = rows[pair["first"]] - rows[pair["second"]]
    error = np.sqrt((1 / 5 + 1 / 4) * d.var(ddof=1))
    # The level is that of Holm's method: 5 % divided by the factor that adjusts the p-value.
    factor = pair["p_value"] / (2 * stats.t.sf(abs(d.mean() / error), 4))
    assert 1 <= factor <= 15
    low, high = stats.t.interval(1 - 0.05 / factor, 4, d.mean(), error)
    assert [pair["low"], pair["high"]] == pytest.approx([low, high])


@pytest.mark.parametrize(
    ("cv", "ratio"),
    [
        (None, 1 / 4),
        (3, 1 / 2),
        (StratifiedKFold(4), 1 / 3),
        (RepeatedKFold(n_splits=4, n_repeats=2, random_state=0), 1 / 3),
        (ShuffleSplit(3, test_size=0.2, random_state=0), 1 / 4),
        (ShuffleSplit(3, random_state=0), 1 / 9),
    ],
)
def test_the_ratio_of_validation_samples_follows_from_the_splitter(cv, ratio):
    search = GridSearchCV(CLF, {"initializer": ["zeros", "he_normal"]}, cv=cv).fit(X, Y)
    assert ComparisonResult.from_search(search).runs["val_ratio"].to_numpy() == pytest.approx(ratio)


def test_other_kinds_of_searches():
    pipe = make_pipeline(StandardScaler(), CLF)
    names = ["zeros", "he_normal", "orthogonal"]
    random = RandomizedSearchCV(pipe, {"mlpclassifier__initializer": names}, n_iter=3, cv=3, random_state=0)
    assert len(ComparisonResult.from_search(random.fit(X, Y)).runs) == 9
    halving = HalvingGridSearchCV(CLF, {"initializer": names}, cv=3, random_state=0).fit(X, Y)
    # Only the last iteration is used: its scores are all from the same number of samples.
    assert len(ComparisonResult.from_search(halving).initializers) < 3
    by_rate = ComparisonResult.from_search(GridSearchCV(CLF, {"lr": [0.001, 0.02]}, cv=3).fit(X, Y), parameter="lr")
    assert by_rate.initializers == ["0.001", "0.02"]
    lists = GridSearchCV(CLF, [{"initializer": ["zeros"]}, {"initializer": ["he_normal"], "lr": [0.1]}], cv=3).fit(X, Y)
    assert ComparisonResult.from_search(lists).runs["lr"].unique().tolist() == ["", "0.1"]


def test_a_search_that_varies_initializers_beside_the_compared_parameter():
    search = GridSearchCV(CLF, {"initializer": ["zeros", "he_normal"], "lr": [0.001, 0.02]}, cv=3).fit(X, Y)
    result = ComparisonResult.from_search(search, parameter="lr")
    assert result.initializers == ["0.001", "0.02"]
    assert result.runs["param_initializer"].unique().tolist() == ["zeros", "he_normal"]


def test_a_search_with_several_scorers():
    search = GridSearchCV(CLF, GRID, cv=3, scoring=["accuracy", "neg_log_loss"], refit="neg_log_loss").fit(X, Y)
    result = ComparisonResult.from_search(search)
    assert (result.bounds(), result.bounds("accuracy")) == ((-np.inf, 0), (0, 1))
    runs = result.runs
    assert (runs["score"] == runs["score_neg_log_loss"]).all()
    assert (runs["score_accuracy"] >= 0).all()


@pytest.mark.parametrize(("model", "prefix"), [(CLF, ""), (make_pipeline(StandardScaler(), CLF), "mlpclassifier__")])
def test_random_states_in_the_grid_are_repeats(model, prefix):
    grid = {"initializer": ["zeros", "he_normal"], "random_state": [7, 3], "lr": [0.001, 0.02]}
    search = GridSearchCV(model, {f"{prefix}{name}": values for name, values in grid.items()}, cv=3).fit(X, Y)
    result = ComparisonResult.from_search(search)
    runs = result.runs
    assert list(runs.columns[:5]) == ["initializer", f"{prefix}lr", "repeat", "fold", "seed"]
    assert runs.groupby("repeat")["seed"].unique().explode().to_dict() == {0: 7, 1: 3}
    # The mean of a setting is over its seeds.
    means = pd.DataFrame(search.cv_results_["params"]).assign(score=search.cv_results_["mean_test_score"])
    means = means.groupby([f"{prefix}initializer", f"{prefix}lr"])["score"].mean()
    found = result.summary(by="setting").set_index(["initializer", f"{prefix}lr"])["mean_score"]
    assert found[means.index].to_numpy() == pytest.approx(means.to_numpy())
    assert result.summary()["n_runs"].tolist() == [6, 6]


class Shuffled(ClassifierMixin, BaseEstimator):
    """Its parameter ends in random_state without being one of scikit-learn's."""

    def __init__(self, start="zeros", shuffle_random_state=0, random_state=None):
        self.start, self.shuffle_random_state, self.random_state = start, shuffle_random_state, random_state

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def test_only_parameters_that_scikit_learn_seeds_are_repeats():
    grid = {"start": ["zeros", "ones"], "shuffle_random_state": [0, 1], "random_state": [5, 6]}
    search = GridSearchCV(Shuffled(), grid, cv=3).fit(X, Y)
    runs = ComparisonResult.from_search(search, parameter="start").runs
    assert sorted(set(runs["shuffle_random_state"])) == [0, 1]
    assert (sorted(set(runs["repeat"])), sorted(set(runs["seed"]))) == ([0, 1], [5, 6])
    # Random states that are compared themselves are no repeats.
    by_state = ComparisonResult.from_search(search, parameter="random_state")
    assert (by_state.initializers, by_state.runs["repeat"].unique().tolist()) == (["5", "6"], [0])


def test_a_page_says_why_its_mean_differs_from_that_of_the_search():
    def result_of(scores, rates=(0.1, 0.2)):
        # A finished search with these scores: a row for each setting, a column for each fold.
        search = GridSearchCV(CLF, {})
        params = [{"initializer": "zeros", "lr": rate} for rate in rates]
        folds = {f"split{fold}_test_score": np.array(column) for fold, column in enumerate(zip(*scores, strict=True))}
        seconds = dict.fromkeys(("mean_fit_time", "mean_score_time"), np.zeros(len(rates)))
        search.cv_results_, search.n_splits_, search.multimetric_ = {"params": params, **folds, **seconds}, 2, False
        search.scorer_ = get_scorer("accuracy")
        return ComparisonResult.from_search(search)

    # In each fold, the setting that is best in the other fold is the worse one: 0.5 and 0.6.
    differing = result_of([[0.9, 0.5], [0.6, 0.8]])
    assert differing.summary()["mean_score"].item() == pytest.approx(0.55)
    words = "zeros has a mean score of 0.5500 here, and 0.7000 at its best setting in cv_results_."
    assert words in differing.to_html()
    assert "at its best setting in cv_results_" not in result_of([[0.9, 0.9], [0.6, 0.8]]).to_html()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning", "ignore:One or more of the test scores")
def test_failed_fits_of_a_search():
    search = GridSearchCV(CLF, {"initializer": [nan, "zeros"]}, cv=3, refit=False).fit(X, Y)
    result = ComparisonResult.from_search(search)
    assert result.runs["status"].tolist() == ["failed"] * 3 + ["ok"] * 3
    assert result.summary()["n_failed"].tolist() == [0, 3]


@pytest.mark.parametrize(
    ("search", "arguments", "words"),
    [
        (GridSearchCV(CLF, GRID), {}, "a fitted GridSearchCV"),
        (GridSearchCV(CLF, {"lr": [0.1]}, cv=2), {}, "none; searched: lr"),
        (GridSearchCV(CLF, GRID, cv=2), {"parameter": "rl"}, "did you mean 'lr'"),
        (GridSearchCV(CLF, GRID, cv=[(np.arange(99), np.arange(99, 150))]), {}, "a test needs at least two"),
        (
            GridSearchCV(CLF, GRID, cv=ShuffleSplit(2, test_size=10, random_state=0)),
            {},
            "is not a fraction; give val_ratio=",
        ),
        (GridSearchCV(CLF, GRID, cv=2), {"val_ratio": 0}, "val_ratio=0 is not allowed"),
    ],
)
def test_searches_that_cannot_be_read_raise(search, arguments, words):
    if words != "a fitted GridSearchCV":
        search = search.fit(X, Y)
    with pytest.raises(InvalidParameterError, match=words):
        ComparisonResult.from_search(search, **arguments)
