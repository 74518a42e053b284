"""The grid: every initializer at every setting."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris

from initsk import ComparisonResult, MLPClassifier, compare_initializers
from initsk.initializers import HeNormal

X, Y = load_iris(return_X_y=True)
# Two initializers at two rates, in two repeats.
FRAME = pd.DataFrame(
    {
        "initializer": ["zeros", "he"] * 4, "rate": [1, 1, 2, 2] * 2, "repeat": [0] * 4 + [1] * 4,
        "score": [0.1, 0.5, 0.2, 0.6, 0.3, 0.9, 0.4, 0.8],
    }
)  # fmt: skip


def test_every_initializer_runs_at_every_setting():
    grid = {"lr": [1e-4, 1e-2], "activation": ["relu", "tanh"]}
    result = compare_initializers(
        MLPClassifier((8,), max_epochs=2), X, Y, initializers=["zeros", HeNormal("fan_out")], grid=grid, n_repeats=2
    )
    assert len(result.runs) == 2 * 4 * 2
    assert result.runs.columns[:5].tolist() == ["initializer", "lr", "activation", "repeat", "fold"]
    assert result.runs["lr"].dtype == "float64"
    single = compare_initializers(
        MLPClassifier((8,), max_epochs=2, lr=1e-2, activation="tanh"), X, Y, initializers=["zeros"], n_repeats=2
    )
    same = result.runs.query("initializer == 'zeros' and lr == 0.01 and activation == 'tanh'")
    assert same["score"].tolist() == single.runs["score"].tolist()
    for name, frame in result.frames.items():
        assert not frame.duplicated().any(), name
    assert len(result.summary()) == 2
    assert len(result.summary(by="setting")) == 8


def test_a_parameter_of_the_initializer_in_the_grid():
    result = compare_initializers(
        MLPClassifier((8,), max_epochs=1), X, Y, initializers=["random_normal"], n_repeats=2,
        grid={"initializer__std": [0.01, 0.5]},
    )  # fmt: skip
    start = result.layers.query("phase == 'initialized' and layer == 'hidden_1' and position == 'pre_activation'")
    stds = start.groupby("initializer__std")["std"].mean()
    assert stds[0.5] / stds[0.01] == pytest.approx(50, rel=1e-4)


class Constant(ClassifierMixin, BaseEstimator):
    """Predicts one class; its parameters have the names of columns of results."""

    def __init__(self, start="zeros", rank=0, n=0, repeat=0, score_a=0, margin=0, experiment=0, outcome=0, alpha=0):
        self.start, self.rank, self.n, self.repeat, self.score_a = start, rank, n, repeat, score_a
        self.margin, self.experiment, self.outcome, self.alpha = margin, experiment, outcome, alpha

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[self.rank])


def test_a_setting_with_the_name_of_a_column_gets_a_prefix_and_both_are_there(tmp_path):
    names = ["rank", "n", "repeat", "score_a", "margin", "experiment", "outcome", "alpha"]
    grid = {name: [0, 2] if name == "rank" else [0] for name in names}
    result = compare_initializers(
        Constant(), X, Y, parameter="start", initializers=["zeros", "ones"], grid=grid, n_repeats=2,
        store=tmp_path / "runs.sqlite",
    )  # fmt: skip
    columns = [f"param_{name}" for name in names[:-1]] + ["alpha"]
    assert result.runs.columns[:11].tolist() == ["initializer", *columns, "repeat", "fold"]
    by_setting = result.summary(by="setting")
    assert (by_setting["rank"].tolist(), set(by_setting["param_rank"])) == ([1, 2, 3, 4], {0, 2})
    assert set(columns) < set(result.summary())
    assert ComparisonResult.from_store(tmp_path / "runs.sqlite").runs.equals(result.runs)
    joined = ComparisonResult.concat({"first": result, "second": result})
    assert joined.parts()["second"].runs.equals(result.runs)
    assert "param_rank" in result.to_html()


def test_no_column_of_a_summary_or_a_table_is_replaced_by_a_setting():
    plain = ComparisonResult.from_frame(FRAME, grid="rate")
    columns = {name: frame for frame in (*plain.frames.values(), plain.summary(), plain.pairwise()) for name in frame}
    used = ("initializer", "repeat", "fold", "split", "score", "rate", "first", "second", "difference")
    grid = [name for name in columns if name not in used]
    result = ComparisonResult.from_frame(FRAME.assign(**dict.fromkeys(grid, 7)), grid=["rate", *grid])
    assert [name for name in plain.summary() if name not in result.summary()] == []
    pd.testing.assert_frame_equal(result.summary()[list(plain.summary())], plain.summary())
    added = [name for name in result.summary() if name not in plain.summary()]
    assert added == [f"param_{name}" for name in grid]
    assert result.to_html()


def test_parameters_with_and_without_the_prefix_do_not_meet():
    frame = FRAME.assign(rank=[0, 1] * 4, param_rank=5)
    runs = ComparisonResult.from_frame(frame, grid=["rank", "param_rank", "rate"]).runs
    assert runs.columns[1:4].tolist() == ["param_param_rank", "param_rank", "rate"]
    assert set(runs["param_rank"]) == {5}


def test_each_initializer_is_shown_at_its_best_learning_rate():
    result = compare_initializers(
        MLPClassifier((16,), max_epochs=5, optimizer="sgd"), X, Y, grid={"lr": [0.01, 0.1, 1.0]},
        initializers=["he_normal", "zeros"], n_repeats=2, activations=False,
    )  # fmt: skip
    by_setting = result.summary(by="setting").set_index(["initializer", "lr"])["mean_score"]
    tuned = result.summary().set_index("initializer")
    assert tuned.loc["he_normal", "lr"] == by_setting["he_normal"].idxmax()
