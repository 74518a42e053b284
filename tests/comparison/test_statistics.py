"""Tests and intervals agree with known answers and other libraries, and have the false alarm rate of their level."""

import baycomp
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from sklearn.datasets import load_iris
from statsmodels.stats.multitest import multipletests

from initsk import ComparisonResult, MLPClassifier, compare_initializers
from initsk.comparison.results import TABLES
from initsk.exceptions import InvalidParameterError
from initsk.initializers import HeNormal


def result_of(scores, split=None, val_ratio=1 / 3, history=None, timing=None, baseline=np.nan, bounds=(None, None)):
    """Make a result of scores by initializer; a row for each repeat, or for each split if there are several."""
    rows = []
    for label, values in scores.items():
        for i, score in enumerate(values):
            status = "ok" if np.isfinite(score) else "failed"
            rows.append((label, i if split is None else 0, 0 if split is None else i, score, status))
    runs = pd.DataFrame(rows, columns=["initializer", "repeat", "fold", "score", "status"])
    runs["split"] = 0 if split is None else runs["fold"]
    runs["initializer"] = pd.Categorical(runs["initializer"], categories=list(scores))
    runs["val_ratio"], runs["seed"], runs["reason"] = val_ratio, 0, ""
    runs["baseline_score"] = baseline
    empty = pd.DataFrame()
    frames = dict.fromkeys(TABLES, empty) | {"runs": runs}
    if history is not None:
        frames |= {"history": history, "timing": timing}
    return ComparisonResult(frames, {"score_bounds": {"score": list(bounds)}})


THREE = {"a": [0.9, 0.91, 0.92, 0.93], "b": [0.9, 0.92, 0.91, 0.92], "c": [0.1, 0.11, 0.12, 0.14]}


def holm(*p_values):
    return multipletests(p_values, method="holm")[1]


def test_repeats_are_compared_by_the_paired_t_test_with_holms_method_over_all_pairs():
    result = result_of(THREE)
    raw = [stats.ttest_rel(THREE[x], THREE[y]).pvalue for x, y in ("ab", "ac", "bc")]
    pairs = result.pairwise()
    assert list(zip(pairs["first"], pairs["second"], strict=True)) == [("a", "b"), ("a", "c"), ("b", "c")]
    np.testing.assert_allclose(pairs["p_value"], holm(*raw))
    summary = result.summary().set_index("initializer")
    np.testing.assert_allclose(summary.loc[["b", "c"], "p_value"], holm(*raw)[:2])
    assert summary["significant"].to_dict() == {"a": False, "b": False, "c": True}
    assert summary["rank"].tolist() == [1, 2, 3]


def test_holms_method_agrees_with_statsmodels():
    rng = np.random.default_rng(0)
    scores = {name: rng.normal(0.02 * i, 0.05, 8) for i, name in enumerate("abcdef")}
    pairs = result_of(scores).pairwise()
    raw = [stats.ttest_rel(scores[x], scores[y]).pvalue for x, y in zip(pairs["first"], pairs["second"], strict=True)]
    np.testing.assert_allclose(pairs["p_value"], holm(*raw), rtol=1e-12)


def test_means_and_students_intervals():
    summary = result_of(THREE).summary().set_index("initializer")
    for label, scores in THREE.items():
        low, high = stats.t.interval(0.95, 3, np.mean(scores), stats.sem(scores))
        assert summary.loc[label, ["mean_score", "std_score", "low", "high"]].tolist() == pytest.approx(
            [np.mean(scores), np.std(scores, ddof=1), low, high]
        )
    differences = np.subtract(THREE["c"], THREE["a"])
    assert summary.loc["c", "difference_to_best"] == pytest.approx(differences.mean())
    assert summary.loc["c", "effect_size"] == pytest.approx(differences.mean() / differences.std(ddof=1))


def test_folds_are_compared_by_the_corrected_resampled_t_test():
    # Nadeau and Bengio 2003: of n differences with mean m and variance s2, t = m / sqrt((1 / n + n2 / n1) s2).
    a, b = [0.80, 0.84, 0.82, 0.79, 0.83], [0.78, 0.83, 0.79, 0.78, 0.80]
    d = np.subtract(a, b)
    t = d.mean() / np.sqrt((1 / 5 + 1 / 4) * d.var(ddof=1))
    pairs = result_of({"a": a, "b": b}, split=True, val_ratio=1 / 4).pairwise()
    assert pairs["p_value"][0] == pytest.approx(2 * stats.t.sf(t, 4))
    assert pairs["p_value"][0] > stats.ttest_rel(a, b).pvalue
    half = stats.t.ppf(0.975, 4) * d.mean() / t
    assert pairs.loc[0, ["low", "high"]].tolist() == pytest.approx([d.mean() - half, d.mean() + half])


def test_repeats_on_the_same_split_are_averaged():
    folds = {"a": [0.80, 0.84, 0.82], "b": [0.78, 0.83, 0.79]}
    once = result_of(folds, split=True).pairwise()
    twice = result_of(folds, split=True)
    again = twice.runs.assign(repeat=1, score=twice.runs["score"] + 0.01)
    frames = twice.frames | {"runs": pd.concat([twice.runs.assign(score=twice.runs["score"] - 0.01), again])}
    pd.testing.assert_frame_equal(ComparisonResult(frames).pairwise(), once)


@pytest.mark.parametrize("rope", [0.0, 0.01, 0.02])
def test_posterior_probabilities_agree_with_baycomp(rope):
    a, b = np.array([0.80, 0.84, 0.82, 0.79, 0.83]), np.array([0.78, 0.83, 0.79, 0.78, 0.80])
    pairs = result_of({"a": a, "b": b}, split=True, val_ratio=1 / 4).pairwise(rope=rope)
    expected = baycomp.two_on_single(b, a, rope)
    names = ["p_worse", "p_equivalent", "p_better"] if rope else ["p_worse", "p_better"]
    assert pairs.loc[0, names].tolist() == pytest.approx(expected, abs=1e-12)


def test_the_permutation_test_is_exact():
    result = result_of({"a": [0.9, 0.8, 0.7, 0.95], "b": [0.8, 0.75, 0.6, 0.9]})
    # All four differences are positive: 2 of 16 changes of sign are as extreme.
    assert result.pairwise(test="permutation")["p_value"][0] == pytest.approx(2 / 16)
    assert result.summary(test="permutation")["p_value"][1] == pytest.approx(2 / 16)


def test_equal_differences_are_not_tested():
    # The same difference in both repeats: the t-test would divide by a spread of zero.
    result = result_of({"a": [1.0, 0.5], "b": [1 - 1 / 4, 0.5 - 1 / 4], "c": [1.0, 0.5]})
    summary = result.summary().set_index("initializer")
    assert np.isnan(summary.loc["b", "p_value"])
    assert summary.loc["b", "significant"] is pd.NA
    assert summary.loc["c", "p_value"] == 1
    assert result.pairwise(rope=0.1).loc[0, ["p_worse", "p_equivalent", "p_better"]].tolist() == [0, 1, 0]


def test_one_repeat_has_no_test():
    summary = result_of({"a": [0.9], "b": [0.1]}).summary()
    assert summary[["low", "high", "p_value", "effect_size", "n_needed"]].isna().all(axis=None)
    assert summary["significant"].tolist() == [False, pd.NA]


def test_runs_without_a_score_are_counted_and_not_ranked():
    summary = result_of({"a": [0.9, 0.8, 0.85], "b": [0.7, np.nan, 0.6], "c": [np.nan] * 3}).summary()
    assert summary["initializer"].tolist() == ["a", "b", "c"]
    assert summary["n_runs"].tolist() == [3, 2, 0]
    assert summary["n_failed"].tolist() == [0, 1, 3]
    assert summary["difference_to_best"][1] == pytest.approx(-0.225)
    assert np.isnan(summary["mean_score"][2])


@pytest.mark.slow
def test_number_needed_gives_the_stated_power():
    # An effect of 0.5: Cohen's table gives 34 pairs for a power of 80 % at 5 %. False alarms of this test: 1e-6.
    rng = np.random.default_rng(0)
    base = stats.norm.ppf((np.arange(12) + 0.5) / 12)
    differences = base / base.std(ddof=1) + 0.5
    result = result_of({"a": differences, "b": np.zeros(12)})
    needed = int(result.pairwise()["n_needed"][0])
    assert needed == 34
    seen = [stats.ttest_1samp(rng.normal(0.5, 1, needed), 0).pvalue < 0.05 for _ in range(4000)]
    assert np.mean(seen) + 5 * np.sqrt(0.16 / 4000) >= 0.8
    fewer = [stats.ttest_1samp(rng.normal(0.5, 1, needed - 6), 0).pvalue < 0.05 for _ in range(4000)]
    assert np.mean(fewer) < 0.8


def test_larger_effects_need_fewer_pairs():
    base = stats.norm.ppf((np.arange(12) + 0.5) / 12)
    base /= base.std(ddof=1)
    # With twelve pairs, none of these differences is significant.
    needed = [
        result_of({"a": base + d, "b": np.zeros(12)}).pairwise()["n_needed"][0] for d in np.linspace(0.2, 0.62, 15)
    ]
    assert (np.diff(needed) <= 0).all()
    three = {"a": [0.9, 0.91, 0.905], "b": [0.8, 0.86, 0.83], "c": [0.79, 0.84, 0.88]}
    pairs = result_of(three).pairwise().dropna(subset="n_needed").sort_values("effect_size")
    assert pairs["n_needed"].is_monotonic_decreasing


def test_the_overlap_of_folds_can_make_detection_impossible():
    a, b = np.array([0.80, 0.84, 0.82, 0.79]), np.array([0.79, 0.85, 0.82, 0.79])
    pair = result_of({"a": a, "b": b - 1e-4}, split=True, val_ratio=1 / 3).pairwise()
    assert pair["n_needed"].tolist() == [np.inf]


def test_significant_differences_need_no_more_pairs():
    needed = result_of(THREE).summary().set_index("initializer")["n_needed"]
    assert needed.isna().to_dict() == {"a": True, "b": False, "c": True}


def curves(**scores):
    rows = [
        (label, repeat, 0, epoch, 0.0, 0.0, score)
        for label, repeats in scores.items()
        for repeat, epochs in enumerate(repeats)
        for epoch, score in enumerate(epochs, start=1)
    ]
    names = ["initializer", "repeat", "fold", "epoch", "train_loss", "val_loss", "val_score"]
    history = pd.DataFrame(rows, columns=names)
    history["initializer"] = pd.Categorical(history["initializer"], categories=list(scores))
    timing = history.groupby(["initializer", "repeat", "fold"], observed=True).size().reset_index()
    return history, timing.drop(columns=0).assign(seconds_per_epoch=2.0)


def test_the_median_run_gives_the_epochs_to_target():
    history, timing = curves(
        a=[[0.5, 0.8, 0.9], [0.9, 0.9, 0.9], [0.1, 0.9, 0.9]], b=[[0.1, 0.2, 0.9], [0, 0, 0], [0, 0, 0]]
    )
    scores = {"a": [0.9, 0.9, 0.9], "b": [0.9, 0.0, 0.0]}
    result = result_of(scores, history=history, timing=timing, baseline=0.1)
    summary = result.summary().set_index("initializer")
    # By default 98 % of the way from the baseline's 0.1 to the best mean score, 0.9.
    assert result.target() == pytest.approx(0.884)
    assert summary["epochs_to_target"].to_dict() == {"a": 2.0, "b": np.inf}
    assert summary["seconds_to_target"].to_dict() == {"a": 4.0, "b": np.inf}
    assert summary["area_under_curve"].to_dict() == pytest.approx(
        {"a": np.mean([[0.5, 0.8, 0.9], [0.9] * 3, [0.1, 0.9, 0.9]]), "b": 1.2 / 9}
    )
    sooner = result.summary(target=0.45).set_index("initializer")
    assert sooner.loc["a", "epochs_to_target"] == 1


def test_runs_without_a_score_have_no_epochs_to_target():
    history, timing = curves(a=[[0.9, 0.9]], b=[[0.9, 0.9], [0.1, 0.9]])
    summary = result_of({"a": [np.nan], "b": [0.9, np.nan]}, history=history, timing=timing, baseline=0.1).summary()
    summary = summary.set_index("initializer")
    assert summary.loc["a", ["epochs_to_target", "area_under_curve"]].isna().all()
    assert summary.loc["b", "epochs_to_target"] == 1


@pytest.mark.parametrize("scale", [1.0, 50.0])
def test_the_target_lies_between_the_baseline_and_the_best_also_for_negative_scores(scale):
    # Negative errors: the baseline's -4 and the best mean -2, in any unit, give -2.04.
    history, timing = curves(a=[[-3.0 * scale, -2.04 * scale, -2 * scale]], b=[[-3.0 * scale] * 3])
    scores = {"a": [-2.0 * scale], "b": [-3.0 * scale]}
    result = result_of(scores, history=history, timing=timing, baseline=-4 * scale)
    assert result.target() == pytest.approx(-2.04 * scale)
    summary = result.summary(target=result.target() - 1e-9).set_index("initializer")
    assert summary["epochs_to_target"].to_dict() == {"a": 2.0, "b": np.inf}


@pytest.mark.parametrize("baseline", [np.nan, 0.95])
def test_without_a_baseline_below_the_best_there_is_no_target(baseline):
    history, timing = curves(a=[[0.5, 0.9]], b=[[0.1, 0.2]])
    result = result_of({"a": [0.9], "b": [0.2]}, history=history, timing=timing, baseline=baseline)
    assert np.isnan(result.target())
    assert result.summary()[["epochs_to_target", "seconds_to_target"]].isna().all(axis=None)
    assert result.summary(target=0.9)["epochs_to_target"].tolist() == [2.0, np.inf]


def grid_result(scores, n_repeats):
    """Make a result of scores by initializer and learning rate."""
    rows = [
        (label, lr, repeat, 0, 0, 0.25, values[repeat], "ok")
        for (label, lr), values in scores.items()
        for repeat in range(n_repeats)
    ]
    names = ["initializer", "lr", "repeat", "fold", "split", "val_ratio", "score", "status"]
    runs = pd.DataFrame(rows, columns=names)
    runs["initializer"] = pd.Categorical(runs["initializer"], categories=list(dict.fromkeys(k[0] for k in scores)))
    empty = pd.DataFrame()
    return ComparisonResult(dict.fromkeys(TABLES, empty) | {"runs": runs})


def test_each_initializer_is_shown_at_the_setting_that_is_best_in_the_other_repeats():
    # Without the first or the last repeat, 0.1 is best for `a`; without the second one, 0.2 is.
    result = grid_result(
        {("a", 0.1): [0.5, 0.9, 0.6], ("a", 0.2): [0.6, 0.5, 0.7], ("b", 0.1): [0.1] * 3, ("b", 0.2): [0.3] * 3}, 3
    )
    chosen = result.tuned().runs.set_index(["initializer", "repeat"])
    assert chosen.loc["a", "lr"].tolist() == [0.1, 0.2, 0.1]
    summary = result.summary().set_index("initializer")
    assert summary.loc["a", "mean_score"] == pytest.approx((0.5 + 0.5 + 0.6) / 3)
    assert summary["lr"].to_dict() == {"a": 0.1, "b": 0.2}
    assert summary.loc["b", "mean_score"] == pytest.approx(0.3)
    by_setting = result.summary(by="setting")
    assert by_setting[["initializer", "lr"]].to_numpy().tolist() == [["a", 0.1], ["a", 0.2], ["b", 0.2], ["b", 0.1]]


def test_a_setting_with_a_failed_run_is_not_selected():
    result = grid_result({("a", 0.1): [0.9, np.nan, 0.9], ("a", 0.2): [0.5, 0.5, 0.5]}, 3)
    assert result.tuned().runs["lr"].tolist() == [0.2, 0.1, 0.2]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda r: r.summary(alpha=1), "alpha=1 is not allowed"),
        (lambda r: r.summary(test="perm"), "did you mean 'permutation'"),
        (lambda r: r.summary(by="lr"), "unknown row 'lr'"),
        (lambda r: r.summary(target="high"), "target='high'"),
        (lambda r: r.summary(score="f1"), r"unknown score 'f1' \(allowed: None, because there is a single score\)"),
        (lambda r: r.pairwise(rope=-1), "rope=-1 is not allowed"),
        (lambda r: r.summary(margin=0), "margin=0 is not allowed"),
    ],
)
def test_arguments_that_are_not_allowed_raise(call, words):
    with pytest.raises(InvalidParameterError, match=words):
        call(result_of(THREE))


def test_the_name_of_a_single_score_is_allowed():
    result = result_of(THREE)
    result.settings["scoring"] = "accuracy"
    pd.testing.assert_frame_equal(result.summary(score="accuracy"), result.summary())
    with pytest.raises(InvalidParameterError, match="unknown score 'acuracy'; did you mean 'accuracy'"):
        result.summary(score="acuracy")


def test_folds_have_no_permutation_test():
    with pytest.raises(InvalidParameterError, match="folds share samples"):
        result_of(THREE, split=True).summary(test="permutation")


class OtherSeeds(HeNormal):
    """He's distribution with other random numbers."""

    def draw_values(self, spec, generator, dtype):
        seed = int(torch.randint(2**62, (), generator=generator))
        return super().draw_values(spec, torch.Generator().manual_seed(seed), dtype)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "min_", "max_"),
    [
        # 400 experiments at 5 %: the number of false alarms is 8 to 34 (0.020 to 0.085) with a probability of 99.7 %.
        ({"n_repeats": 5}, 0.020, 0.085),
        # The correction for folds is conservative: there is no lower bound.
        ({"n_repeats": 1, "cv": 5}, 0.0, 0.085),
    ],
)
def test_an_initializer_differs_from_itself_in_five_per_cent_of_experiments(arguments, min_, max_):
    X, y = load_iris(return_X_y=True)
    clf = MLPClassifier((4,), max_epochs=1, lr=0.05)
    found = []
    for seed in range(400):
        result = compare_initializers(
            clf, X, y, initializers=["he_normal", OtherSeeds()], scoring="neg_log_loss", activations=False,
            random_state=seed, **arguments,
        )  # fmt: skip
        found.append(result.pairwise()["p_value"][0] < 0.05)
    assert min_ <= np.mean(found) <= max_
