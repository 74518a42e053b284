"""A page shows the baseline, a model that does not look at the features, and which initializers do not beat it."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, make_classification

from initsk import ComparisonResult, MLPClassifier, MLPRegressor, compare_initializers
from initsk.displays import LearningCurvesDisplay
from initsk.report import summarize

X, Y = make_classification(400, weights=[0.95], flip_y=0, class_sep=2.0, random_state=0)
Y = np.where(Y == 1, "rare", "common")


def compare(estimator, X=X, y=Y, **arguments):
    arguments = {"initializers": ["zeros", "he_normal"], "n_repeats": 3, "activations": False} | arguments
    return compare_initializers(estimator, X, y, **arguments)


def words_of(result, key="answer"):
    [section] = [section for section in summarize(result, brief=key != "run").sections if section.key == key]
    return " ".join(str(element) for element in section.elements)


def ranking(result):
    report = summarize(result, brief=True)
    [table] = [
        part for section in report.sections for part in section.elements if getattr(part, "key", "") == "ranking"
    ]
    return table


@pytest.fixture(scope="module")
def beaten():
    # With these weights, the network predicts the most frequent class for every sample.
    return compare(MLPClassifier((4,), max_epochs=1, lr=1e-6), initializers=["zeros", "ones"])


@pytest.fixture(scope="module")
def mixed():
    return compare(MLPClassifier((16,), max_epochs=30, lr=0.02, batch_size=32))


def test_the_headline_says_that_nothing_beats_the_baseline(beaten):
    assert beaten.baseline_score() == pytest.approx(0.95)
    answer = beaten.answer()
    assert "No initializer beats the baseline, which has a score of 0.9500" in words_of(beaten)
    assert answer.startswith("No initializer beats the baseline")
    assert "The most frequent class, 'common', has 95.0% of the samples." in words_of(beaten)
    assert "No higher mean score than the baseline: zeros and ones." in words_of(beaten)
    assert "common: 95.0%, rare: 5.0%" in words_of(beaten, "run")


def test_the_ranking_has_the_baseline_in_its_place(mixed):
    table = ranking(mixed)
    names = [row["initializer"] for row in table.rows]
    scores = [row["mean_score"] for row in table.rows]
    assert names[0] == "he_normal"
    assert "baseline: the most frequent class" in names
    assert scores == sorted(scores, reverse=True)
    assert len(table.colors) == len(table.rows)
    assert table.columns[0].cell(table.rows[names.index("baseline: the most frequent class")]) == "-"
    # The frames are about the initializers only.
    assert mixed.summary()["initializer"].tolist() == ["he_normal", "zeros"]


def test_only_those_that_do_not_beat_it_are_named(mixed):
    assert mixed.summary()["mean_score"][0] > mixed.baseline_score()
    assert "No initializer beats" not in words_of(mixed)
    assert "No higher mean score than the baseline: zeros." in words_of(mixed)


@pytest.mark.parametrize("scoring", ["neg_log_loss", ["neg_log_loss", "accuracy"]])
def test_where_probabilities_are_scored_the_baseline_predicts_the_shares_of_the_classes(scoring):
    result = compare(MLPClassifier((4,), max_epochs=1, lr=1e-9), scoring=scoring, n_repeats=2)
    # The loss of the shares 0.95 and 0.05.
    assert result.baseline_score() == pytest.approx(0.95 * np.log(0.95) + 0.05 * np.log(0.05), abs=1e-3)
    assert "baseline: the shares of the classes" in [row["initializer"] for row in ranking(result).rows]
    assert "The baseline predicts the shares of the classes for every sample." in words_of(result)


def test_the_note_on_the_baseline_names_its_test(mixed):
    # Differences of 0.1, 0 and 0.05: t = 1.7, and the two-sided 5 % level needs 4.3.
    scores = mixed.baseline_score() + np.array([0.1, 0, 0.05])
    runs = mixed.runs.assign(score=np.tile(scores, 2))
    note = words_of(ComparisonResult(mixed.frames | {"runs": runs}, mixed.settings))
    assert "A higher mean score than the baseline, but not significantly: zeros and he_normal." in note
    assert "a two-sided paired t-test at the 5 % level, not adjusted for the number of initializers" in note


def test_the_baseline_is_a_line_in_the_picture(mixed):
    display = LearningCurvesDisplay.from_frames(mixed.history, baseline=mixed.baseline_score()).plot()
    error, loss = display.axes_
    level = 1 - mixed.baseline_score()
    flat = [line for line in error.lines if set(line.get_ydata()) == {level}]
    assert len(flat) == 1
    assert len(loss.lines) == 2
    assert error.get_ylim()[0] < level < error.get_ylim()[1]
    assert len(LearningCurvesDisplay.from_frames(mixed.history).plot().axes_[0].lines) == 2


def test_the_baseline_of_a_regression_predicts_the_mean():
    X, y = load_diabetes(return_X_y=True)
    result = compare(MLPRegressor((4,), max_epochs=1, lr=1e-9), X, (y - y.mean()) / y.std(), initializers=["zeros"])
    assert "baseline: the mean target" in [row["initializer"] for row in ranking(result).rows]
    assert result.baseline_score() == pytest.approx(0, abs=0.02)


def test_results_without_data_have_no_baseline(mixed):
    result = ComparisonResult.from_frame(mixed.runs)
    assert np.isnan(result.baseline_score())
    assert "no baseline to compare with, because the result does not have the data" in words_of(result, "ranking")
    assert "baseline" not in words_of(result)
