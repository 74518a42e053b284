"""Intervals stay inside the bounds of a score and agree with the tests; equivalence is rarely claimed by mistake."""

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, fbeta_score, make_scorer, mean_squared_error
from sklearn.model_selection import GridSearchCV

from initsk import ComparisonResult, compare_initializers
from initsk.comparison.design._bounds import score_bounds
from initsk.comparison.results import mean_interval
from tests.comparison.test_statistics import THREE, result_of
from tests.helpers import params


@pytest.mark.parametrize(
    ("bounds", "scores"),
    [
        ((0, 1), [0.97, 1.0, 0.99]),
        ((0, 1), [1.0, 1.0, 0.99]),
        ((0, 1), [0.0, 0.3]),
        ((-1, 1), [-0.9, 0.99]),
        ((None, 1), [0.98, 1.0]),
        ((None, 0), [-0.001, -2.0, 0.0]),
    ],
)
def test_the_interval_of_a_bounded_score_stays_inside(bounds, scores):
    low, high = result_of({"a": scores}, bounds=bounds).summary().loc[0, ["low", "high"]]
    inside = [-np.inf if bounds[0] is None else bounds[0], np.inf if bounds[1] is None else bounds[1]]
    assert inside[0] < low < np.mean(scores) < high < inside[1]
    assert np.isfinite([low, high]).all()


def test_far_from_its_bounds_the_interval_is_students():
    scores = np.array([0.5, 0.5001, 0.5003])
    assert mean_interval(scores, bounds=(0, 1)) == pytest.approx(mean_interval(scores), abs=1e-6)
    losses = -1000 + scores
    assert mean_interval(losses, bounds=(-np.inf, 0)) == pytest.approx(mean_interval(losses), abs=1e-6)


def test_scores_that_do_not_vary_have_no_interval():
    summary = result_of({"a": [1.0, 1.0, 1.0], "b": [0.5, 0.6, 0.7]}, bounds=(0, 1)).summary()
    assert summary[["low", "high"]].isna().all(axis=1).tolist() == [True, False]


def test_scores_outside_of_the_stated_bounds_get_students_interval():
    scores = np.array([1.5, 1.2, 0.9])
    assert mean_interval(scores, bounds=(0, 1)) == mean_interval(scores)


@pytest.mark.parametrize("n", params([2, 3, 5, 10], slow={3, 5}))
@pytest.mark.parametrize("distribution", [stats.beta(191, 3.9), stats.beta(31.5, 3.5), stats.binom(50, 0.98)])
def test_intervals_of_bounded_scores_cover_the_mean(n, distribution):
    # Means of 0.98, 0.9 and 0.98; the last is an accuracy on 50 samples, of which a third of the scores is exactly 1.
    # 2,000 intervals of at least 93 % miss more than 174 with a probability of 0.1 %.
    size = 50 if isinstance(distribution.dist, stats.rv_discrete) else 1
    scores = distribution.rvs((2000, n), random_state=np.random.default_rng(n)) / size
    intervals = np.array([mean_interval(values, bounds=(0, 1)) for values in scores if np.ptp(values)])
    mean = distribution.mean() / size
    covered = (intervals[:, 0] <= mean) & (mean <= intervals[:, 1])
    assert covered.mean() >= 1 - stats.binom.isf(0.001, len(covered), 0.07) / len(covered)
    assert (intervals > 0).all()
    assert (intervals < 1).all()


X, Y = load_iris(return_X_y=True)


@pytest.mark.parametrize(
    ("estimator", "scoring", "bounds"),
    [
        (LogisticRegression(), None, (0, 1)),
        (Ridge(), None, (-np.inf, 1)),
        (LogisticRegression(), "neg_log_loss", (-np.inf, 0)),
        (LogisticRegression(), "matthews_corrcoef", (-1, 1)),
        (Ridge(), "neg_root_mean_squared_error", (-np.inf, 0)),
        (Ridge(), make_scorer(mean_squared_error), (0, np.inf)),
        (LogisticRegression(), make_scorer(fbeta_score, beta=2, average="macro"), (0, 1)),
        (LogisticRegression(), make_scorer(accuracy_score, normalize=False), (-np.inf, np.inf)),
        (LogisticRegression(), lambda model, X, y: float(model.score(X, y)), (-np.inf, np.inf)),
    ],
)
def test_the_bounds_of_a_score_are_those_of_scikit_learns_metric(estimator, scoring, bounds, tmp_path):
    parameter = "C" if hasattr(estimator, "C") else "alpha"
    result = compare_initializers(
        estimator, X, Y, parameter=parameter, initializers=[0.1, 1.0], n_repeats=1, scoring=scoring
    )
    assert result.bounds() == bounds
    result.save(tmp_path)
    assert ComparisonResult.load(tmp_path).bounds() == bounds


@pytest.mark.parametrize("missing", ["_score_func", "_sign", "_kwargs"])
def test_a_scorer_that_does_not_name_its_metric_has_no_bounds(missing):
    scorer = make_scorer(accuracy_score)
    delattr(scorer, missing)
    assert score_bounds({"score": scorer}, LogisticRegression()) == {"score": [None, None]}


def test_several_scorers_have_bounds_of_their_own():
    scoring = {"loss": "neg_log_loss", "share": make_scorer(accuracy_score)}
    result = compare_initializers(
        LogisticRegression(), X, Y, parameter="C", initializers=[0.1, 1.0], n_repeats=2, scoring=scoring
    )
    assert result.bounds() == result.bounds("loss") == (-np.inf, 0)
    assert result.bounds("share") == (0, 1)
    assert result.margin("share") == 0.01
    # 1 % of the baseline's loss: three classes of nearly equal size.
    assert result.margin() == pytest.approx(0.01 * np.log(3), rel=0.01)


def test_a_search_has_the_bounds_of_its_scorers():
    grid = {"C": [0.1, 1.0]}
    for scoring, refit, bounds in (
        (None, True, (0, 1)),
        ("neg_log_loss", True, (-np.inf, 0)),
        (["neg_log_loss", "accuracy"], "accuracy", (0, 1)),
    ):
        search = GridSearchCV(LogisticRegression(max_iter=1000), grid, scoring=scoring, refit=refit, cv=2).fit(X, Y)
        result = ComparisonResult.from_search(search, parameter="C")
        assert result.bounds() == bounds
    assert result.bounds("neg_log_loss") == (-np.inf, 0)


def random_results(n):
    """Yield results of two to five initializers and two to ten repeats or folds, some of them clearly better."""
    rng = np.random.default_rng(0)
    for _ in range(n):
        k, repeats = rng.integers(2, 6), rng.integers(2, 11)
        common = rng.normal(0, 0.05, repeats)
        shifts = rng.choice([0, 0.01, 0.1], k)
        scores = {f"i{i}": 0.5 + shifts[i] + common + rng.normal(0, 0.02, repeats) for i in range(k)}
        yield result_of(scores, split=rng.choice([None, True]), bounds=(0, 1))


@pytest.mark.parametrize("alpha", [0.05, 0.3])
def test_an_adjusted_interval_excludes_zero_exactly_if_the_adjusted_p_value_is_below_alpha(alpha):
    seen = set()
    for result in random_results(10):
        pairs = result.pairwise(alpha=alpha)
        summary = result.summary(alpha=alpha).iloc[1:]
        for frame, low, high in ((pairs, "low", "high"), (summary, "difference_low", "difference_high")):
            excludes_zero = (frame[low] > 0) | (frame[high] < 0)
            assert (excludes_zero == (frame["p_value"] < alpha)).all()
            assert (excludes_zero == frame["significant"]).all()
            seen |= set(excludes_zero)
    assert seen == {True, False}


def test_the_same_holds_for_the_permutation_test():
    rng = np.random.default_rng(0)
    seen = set()
    for repeats in (3, 6, 8, 14):
        for _ in range(5):
            scores = {name: rng.normal(shift, 1, repeats) for name, shift in (("a", 0), ("b", 0.5), ("c", 2.5))}
            pairs = result_of(scores).pairwise(test="permutation", alpha=0.1)
            excludes_zero = pairs["low"] > 0
            assert (excludes_zero == (pairs["p_value"] < 0.1)).all()
            seen |= set(excludes_zero)
    assert seen == {True, False}


@pytest.mark.parametrize("n", [2, 5, 8])
def test_permutation_p_values_agree_with_scipy(n):
    # Also with differences of which some cancel exactly.
    for values in (np.random.default_rng(n).normal(0.4, 1, n), np.resize([0.3, -0.1, -0.2], n)):
        options = {"permutation_type": "samples", "n_resamples": 9999}
        expected = stats.permutation_test((values,), np.mean, **options).pvalue
        pairs = result_of({"a": values, "b": np.zeros(n)}).pairwise(test="permutation")
        assert pairs["p_value"][0] == pytest.approx(expected)


def test_the_interval_of_a_single_pair_is_students():
    a, b = np.array([0.9, 0.85, 0.93, 0.88]), np.array([0.8, 0.84, 0.85, 0.86])
    pair = result_of({"a": a, "b": b}).pairwise().iloc[0]
    expected = stats.ttest_rel(a, b).confidence_interval()
    assert (pair["low"], pair["high"]) == pytest.approx((expected.low, expected.high))


def test_equivalence_is_shown_by_two_one_sided_tests():
    a, b = 0.9 + np.array([3, -2, 1, -3, 2, -1, 4, -2]) / 1000, np.full(8, 0.9)
    pair = result_of({"a": a, "b": b}, bounds=(0, 1)).pairwise().iloc[0]
    lower = stats.ttest_1samp(a - b, -0.01, alternative="greater").pvalue
    upper = stats.ttest_1samp(a - b, 0.01, alternative="less").pvalue
    assert pair["margin"] == 0.01
    assert pair["p_equivalence"] == pytest.approx(max(lower, upper))
    assert pair["conclusion"] == "equivalent"


def test_missing_evidence_is_undecided_and_not_equality():
    # Means of 0.98 and 0.77 over three repeats, p = 0.09.
    scores = {"a": [0.98, 0.98, 0.98], "b": [0.65, 0.83, 0.83]}
    summary = result_of(scores, bounds=(0, 1)).summary()
    assert 0.05 < summary["p_value"][1] < 0.1
    assert summary["conclusion"].tolist() == ["best", "undecided"]
    assert summary["n"].tolist() == [3, 3]


def test_each_conclusion_has_its_cause():
    scores = THREE | {"d": [np.nan] * 4, "e": np.subtract(THREE["a"], 0.25)}
    conclusions = result_of(scores).summary(margin=0.05).set_index("initializer")["conclusion"].to_dict()
    expected = {"a": "best", "b": "equivalent", "c": "significantly worse", "d": "not tested", "e": "not tested"}
    assert conclusions == expected
    assert set(result_of(scores).summary(margin=0.05)["margin"]) == {0.05}
    pairs = result_of(THREE).pairwise(margin=0.05)
    assert pairs["conclusion"].tolist() == ["equivalent", "significant", "significant"]


def test_without_a_margin_nothing_is_tested_for_equivalence():
    pairs = result_of(THREE).pairwise()
    assert pairs[["margin", "p_equivalence"]].isna().all(axis=None)
    assert pairs["conclusion"].tolist() == ["undecided", "significant", "significant"]


@pytest.mark.parametrize(
    ("bounds", "baseline", "margin"),
    [((0, 1), 0.9, 0.01), ((-1, 1), 0.0, 0.02), ((None, 1), -0.25, 0.0125), ((None, 0), -50.0, 0.5)],
)
def test_the_margin_is_one_per_cent_of_the_range_of_the_score(bounds, baseline, margin):
    assert result_of(THREE, bounds=bounds, baseline=baseline).margin() == pytest.approx(margin)


@pytest.mark.slow
@pytest.mark.parametrize(("k", "needed"), [(2, 6), (3, 7), (6, 10)])
def test_a_significant_permutation_test_needs_more_repeats_with_more_initializers(k, needed):
    def smallest_p_value(n):
        scores = {f"i{number}": np.arange(n) / 10 + number for number in range(k)}
        scores = {name: values + np.random.default_rng(0).normal(0, 0.01, n) for name, values in scores.items()}
        for number, values in enumerate(scores.values()):
            values += np.arange(n) ** 2 * 0.001 * number
        return result_of(scores).summary(test="permutation")["p_value"].min()

    pairs = k * (k - 1) / 2
    for n in (needed - 1, needed):
        assert smallest_p_value(n) == pytest.approx(pairs * 2 / 2**n)
        assert (smallest_p_value(n) < 0.05) == (n == needed)


@pytest.mark.parametrize("test", params(["t", "permutation"], slow=["permutation"]))
def test_pairs_that_differ_by_the_margin_are_rarely_called_equivalent(test):
    # The true difference is the margin: of 200 comparisons, more than 21 are called equivalent with a probability of
    # 0.05 % at a rate of 5 %, which the test has.
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        differences = rng.normal(0.01, 0.004, 7)
        pair = result_of({"a": 0.5 + differences, "b": np.full(7, 0.5)}, bounds=(0, 1)).pairwise(test=test)
        found.append(pair["p_equivalence"][0] < 0.05)
    assert sum(found) <= stats.binom.isf(0.0005, 200, 0.05)
    assert any(found)


@pytest.mark.slow
def test_among_many_pairs_beyond_the_margin_hardly_any_comparison_calls_one_equivalent():
    # Four initializers, each 0.01 or more from the others: by Holm's method, 5 % of comparisons at most have a mistake.
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        scores = {f"i{i}": 0.5 + 0.01 * i + rng.normal(0, 0.003, 6) for i in range(4)}
        found.append((result_of(scores, bounds=(0, 1)).pairwise()["p_equivalence"] < 0.05).any())
    assert sum(found) <= stats.binom.isf(0.0005, 200, 0.05)
