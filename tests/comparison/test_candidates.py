"""The grid: every initializer at every setting."""

import pytest
from sklearn.datasets import load_iris

from initsk import MLPClassifier, compare_initializers
from initsk.exceptions import InvalidParameterError
from initsk.initializers import HeNormal

X, Y = load_iris(return_X_y=True)


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


def test_a_setting_with_the_name_of_a_column_is_refused_before_any_run(tmp_path):
    store = tmp_path / "runs.sqlite"
    with pytest.raises(InvalidParameterError, match=r"initializer cannot vary .* compare the values of initializer"):
        compare_initializers(
            MLPClassifier((8,), max_epochs=1), X, Y, parameter="lr", initializers=[0.1, 0.01],
            grid={"initializer": ["zeros", "he_normal"]}, store=store,
        )  # fmt: skip
    assert not store.exists()


def test_each_initializer_is_shown_at_its_best_learning_rate():
    result = compare_initializers(
        MLPClassifier((16,), max_epochs=5, optimizer="sgd"), X, Y, grid={"lr": [0.01, 0.1, 1.0]},
        initializers=["he_normal", "zeros"], n_repeats=2, activations=False,
    )  # fmt: skip
    by_setting = result.summary(by="setting").set_index(["initializer", "lr"])["mean_score"]
    tuned = result.summary().set_index("initializer")
    assert tuned.loc["he_normal", "lr"] == by_setting["he_normal"].idxmax()
