"""The scores of a frame have the bounds that are given, or those of the scorer that their column is named after."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from initsk import ComparisonResult, compare_initializers
from initsk.exceptions import InvalidParameterError


def frame_of(name="score", a=(0.97, 1.0, 0.99), b=(0.5, 0.6, 0.4)):
    frame = pd.DataFrame({"initializer": ["a", "b"] * 3, "repeat": [0, 0, 1, 1, 2, 2]})
    return frame.assign(**{name: np.ravel([a, b], "F")})


@pytest.mark.parametrize(
    ("name", "bounds"),
    [
        ("accuracy", (0, 1)),
        ("roc_auc", (0, 1)),
        ("matthews_corrcoef", (-1, 1)),
        ("r2", (-np.inf, 1)),
        ("score", (-np.inf, np.inf)),
        ("adjusted_rand_score", (-np.inf, 1)),
    ],
)
def test_a_column_named_after_a_scorer_has_its_bounds(name, bounds):
    result = ComparisonResult.from_frame(frame_of(name), score=name)
    assert result.bounds() == bounds
    assert result.summary()["high"][0] <= bounds[1]


def test_the_bounds_are_those_of_a_comparison_by_this_scorer():
    data = load_iris(return_X_y=True)
    arguments = {"parameter": "C", "initializers": [0.1, 1.0], "n_repeats": 1, "cv": 3}
    compared = compare_initializers(LogisticRegression(), *data, scoring="neg_log_loss", **arguments)
    runs = compared.runs.rename(columns={"score": "neg_log_loss"})
    again = ComparisonResult.from_frame(runs, score="neg_log_loss")
    assert again.bounds() == compared.bounds() == (-np.inf, 0)
    columns = ["initializer", "mean_score", "low", "high", "p_value"]
    pd.testing.assert_frame_equal(again.summary()[columns], compared.summary()[columns])


def test_given_bounds_keep_intervals_inside_and_give_a_margin(tmp_path):
    without = ComparisonResult.from_frame(frame_of())
    assert without.summary()["high"][0] > 1
    assert np.isnan(without.margin())
    result = ComparisonResult.from_frame(frame_of(), bounds=(0, 1))
    assert result.summary()["high"][0] < 1
    assert result.margin() == 0.01
    result.save(tmp_path)
    assert ComparisonResult.load(tmp_path).bounds() == (0, 1)
    assert ComparisonResult.from_frame(frame_of(), bounds=(None, 1)).bounds() == (-np.inf, 1)
    assert ComparisonResult.from_frame(frame_of(), bounds=[0, np.inf]).bounds() == (0, np.inf)


def test_given_bounds_come_before_those_of_the_name_and_percentages_are_not_accuracies():
    percent = frame_of("accuracy", a=(97, 100, 99), b=(50, 60, 40))
    assert ComparisonResult.from_frame(percent, score="accuracy").bounds() == (-np.inf, np.inf)
    assert ComparisonResult.from_frame(percent, score="accuracy", bounds=(0, 100)).margin() == 1


@pytest.mark.parametrize(("name", "sign"), [("r2", 1), ("neg_root_mean_squared_error", -1), ("mine", 1)])
def test_without_a_margin_the_answer_says_how_to_test_equivalence(name, sign):
    result = ComparisonResult.from_frame(frame_of(name, a=(sign * 0.5, 0.8, 0.2), b=(0.51, 0.79, 0.21)), score=name)
    step = "Equivalence is not tested, because the range of the score is not known; in Python, summary(margin=...)"
    assert np.isnan(result.margin())
    for shown in (result.answer(), result.to_markdown()):
        assert step in " ".join(shown.split())
    given = result.summary(margin=5.0)
    assert given["conclusion"].tolist() == ["best", "equivalent"]


def test_several_scores_have_bounds_by_column():
    frame = frame_of("accuracy").assign(own=[-2, -1, 0, 1, 2, 1.5])
    result = ComparisonResult.from_frame(frame, score=["own", "accuracy"], bounds={"own": (-2, 2)})
    assert result.bounds() == result.bounds("own") == (-2, 2)
    assert result.bounds("accuracy") == (0, 1)


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ((0, 0.9), r"bounds=\(0, 0.9\): the column score has a score of 0.97 outside of them"),
        ((1, 0), r"bounds=\(1, 0\) is not allowed \(\(lowest, highest\), with None"),
        ((0, 1, 2), "is not allowed"),
        (1, "bounds=1 is not allowed"),
        ((0, np.nan), "is not allowed"),
        (("0", "1"), "is not allowed"),
        ({"scores": (0, 1)}, "bounds: unknown column 'scores'; did you mean 'score'"),
    ],
)
def test_bounds_that_are_not_allowed_raise(bounds, words):
    with pytest.raises(InvalidParameterError, match=words):
        ComparisonResult.from_frame(frame_of(), bounds=bounds)


def test_several_scores_need_bounds_by_column():
    frame = frame_of("accuracy").assign(own=1.0)
    with pytest.raises(InvalidParameterError, match="with several scores: a dict by column"):
        ComparisonResult.from_frame(frame, score=["own", "accuracy"], bounds=(0, 1))
