"""Differences that vary only by the rounding of floating-point numbers are not tested."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import BaseEstimator, ClassifierMixin

from initsk import ComparisonResult, compare_initializers
from initsk.comparison.results import against_baseline, mean_interval
from tests.comparison.test_statistics import result_of

SINGLE = np.array([0.9, 0.8, 0.7, 0.6], dtype="float32").tolist()  # as `.item()` of torch's tensors gives
CONSTANT = {
    "tenths": ([0.9, 0.8], [0.8, 0.7]),
    "counts": ([43 / 45, 40 / 45], [42 / 45, 39 / 45]),
    "losses": ([-1003.1, -2052.6, -1.3], [-1003.3, -2052.8, -1.5]),
    "float32": (SINGLE[:3], SINGLE[1:]),
}


@pytest.mark.parametrize(("a", "b"), CONSTANT.values(), ids=CONSTANT)
def test_differences_that_vary_by_rounding_only_are_not_tested(a, b):
    assert np.ptp(np.subtract(a, b)) > 0
    pairs = {"i": ["a", "b"] * len(a), "repeat": np.repeat(range(len(a)), 2), "score": np.ravel([a, b], "F")}
    result = ComparisonResult.from_frame(pd.DataFrame(pairs), initializer="i")
    for test in ("t", "permutation"):
        pair = result.pairwise(test=test, margin=1.0, rope=0.01).iloc[0]
        columns = ["low", "high", "effect_size", "p_value", "p_equivalence", "n_needed", "p_worse", "p_better"]
        assert pair[columns].isna().all()
        assert (pair["conclusion"], pair["significant"]) == ("not tested", pd.NA)
        assert result.summary(test=test)["conclusion"].tolist() == ["best", "not tested"]
    assert "Not tested: b." in result.answer()


@pytest.mark.parametrize("step", [1e-9, 1e-4])
def test_small_differences_that_are_no_rounding_are_tested(step):
    a, b = 0.9 + step * np.array([1, 2, 4]), np.full(3, 0.9)
    expected = stats.ttest_rel(a, b).pvalue
    assert result_of({"a": a, "b": b}).pairwise()["p_value"][0] == pytest.approx(expected, rel=1e-5)


def test_repeats_on_the_same_splits_are_averaged_without_a_difference_by_rounding():
    scores = {"a": [0.3, 0.2, 0.6, 0.1], "b": [0.2, 0.1, 0.5, 0.0]}
    runs = result_of(scores, split=True).runs
    runs = pd.concat([runs.assign(repeat=repeat, score=runs["score"] + repeat / 10) for repeat in range(3)])
    frame = runs[["initializer", "repeat", "fold", "split", "score"]]
    assert ComparisonResult.from_frame(frame).pairwise()["conclusion"].tolist() == ["not tested"]


@pytest.mark.parametrize("bounds", [(0, 1), (-np.inf, 1), (0, np.inf), (-np.inf, np.inf)])
def test_means_of_equal_scores_have_no_interval(bounds):
    scores = np.array([0.1 + 0.2, 0.3, 0.3])
    assert np.ptp(scores) > 0
    assert np.isnan(mean_interval(scores, bounds=bounds)).all()
    summary = result_of({"a": scores}, bounds=[None if np.isinf(end) else end for end in bounds]).summary()
    assert summary.loc[0, ["low", "high", "std_score"]].isna().tolist() == [True, True, False]
    assert summary["std_score"][0] == 0


def test_a_constant_difference_to_the_baseline_has_no_interval():
    runs = result_of({"a": [0.9, 0.8], "b": [0.8, 0.7]}).runs
    found = against_baseline(runs.assign(baseline_score=[0.8, 0.7, 0.8, 0.7]))
    assert found[["low", "high"]].isna().all(axis=None)
    assert found["beats"].tolist() == ["yes", "no"]


class Fixed(ClassifierMixin, BaseEstimator):
    """A classifier with a known score: some of 45 samples, less one for `level` 1."""

    def __init__(self, level=0, random_state=None):
        self.level, self.random_state = level, random_state

    def fit(self, X, y):
        self.count_ = 43 - self.random_state % 7 - self.level
        return self

    def score(self, X, y):
        return self.count_ / 45


def test_racing_does_not_stop_an_initializer_for_a_constant_difference():
    X, y = np.zeros((8, 1)), np.arange(8) % 2
    result = compare_initializers(
        Fixed(), X, y, parameter="level", initializers=[0, 1], n_repeats=6, racing=True, activations=False
    )
    scores = result.runs.pivot(index="repeat", columns="initializer", values="score").to_numpy()
    assert np.ptp(scores[:, 0] - scores[:, 1]) > 0
    assert result.settings["racing"]["stopped"] == {}
    assert result.summary()["conclusion"].tolist() == ["best", "not tested"]


@pytest.mark.slow
@pytest.mark.parametrize("n_repeats", [2, 3])
def test_identical_initializers_with_coarse_scores_rarely_differ(n_repeats):
    # Accuracies on 50 samples. Of 400 experiments with a false alarm rate of 5 %, more than 36 have a significant pair
    # with a probability of 0.05 %.
    rng, alarms = np.random.default_rng(0), 0
    for _ in range(400):
        scores = dict(zip("abcdef", rng.binomial(50, 0.9, (6, n_repeats)) / 50, strict=True))
        alarms += bool(result_of(scores).pairwise()["significant"].any())
    assert alarms <= stats.binom.isf(0.0005, 400, 0.05)
