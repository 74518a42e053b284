"""Sentences about a comparison."""

import pandas as pd
import pytest

from initsk.report import (
    describe_activations,
    describe_epochs_to_target,
    describe_missing_runs,
    describe_order,
    describe_ranking,
)


def summary(**columns):
    base = {"initializer": ["a", "b"], "mean_score": [0.9, 0.8], "low": [0.88, 0.7], "high": [0.92, 0.9]}
    base |= {
        "rank": [1, 2],
        "n": [5, 5],
        "n_runs": [5, 5],
        "n_paired": [5, 4],
        "epochs_to_target": [1.0, 3.0],
        "margin": [0.01] * 2,
    }
    base |= {"difference_to_best": [0, -0.1], "n_needed": [float("nan")] * 2, "effect_size": [float("nan"), -2.0]}
    return pd.DataFrame({**base, "conclusion": ["best", "significantly worse"], **columns})


UNDECIDED = {"conclusion": ["best", "undecided"]}


def test_ranking():
    assert (
        "a has the highest mean score, 0.9000 (95 % confidence interval 0.8800 to 0.9200, 5 runs)"
        in describe_ranking(summary())
    )
    assert "Significantly worse: b." in describe_ranking(summary())
    once = summary(low=[float("nan")] * 2, high=[float("nan")] * 2, n_runs=[1, 1], n=[1, 1])
    assert "With only one run of a, differences cannot be tested" in describe_ranking(once)
    equal = describe_ranking(summary(low=[float("nan"), 0.7]))
    assert equal == "a has the highest mean score, 0.9000 (the same in 5 runs). Significantly worse: b."
    assert describe_ranking(summary(n_runs=[0, 0])) == "No run gave a score."


def test_ranking_of_one_initializer():
    sentence = describe_ranking(summary()[:1])
    assert sentence == "a has a mean score of 0.9000 (95 % confidence interval 0.8800 to 0.9200, 5 runs)."
    once = {"low": [float("nan")] * 2, "n": [1, 1], "n_runs": [1, 1]}
    assert describe_ranking(summary(**once)[:1]) == "a has a score of 0.9000 (one run)."
    assert describe_epochs_to_target(summary()[:1], 0.88) == "The median run of a reaches a score of 0.8800 in epoch 1."


def test_missing_evidence_and_equivalence_have_different_sentences():
    undecided = describe_ranking(summary(**UNDECIDED))
    assert (
        "Undecided: b. The difference is neither significant at the 5 % level nor shown to be smaller than 0.01."
        in (undecided)
    )
    unknown = describe_ranking(summary(**UNDECIDED, margin=[float("nan")] * 2))
    assert unknown.endswith(
        "Undecided: b. The difference is not significant at the 5 % level. Equivalence is not tested, because the range"
        " of the score is not known; in Python, summary(margin=...) tests it."
    )
    equivalent = describe_ranking(summary(conclusion=["best", "equivalent"]))
    assert equivalent.endswith("Equivalent within a margin of 0.01: b.")
    better = describe_ranking(summary(conclusion=["best", "significantly better"]))
    assert better.endswith("Significantly better in the runs that both share: b.")


@pytest.mark.parametrize("n", [2, 3, 4])
def test_two_or_three_repeats_say_little(n):
    words = "intervals and tests say little."
    repeats = describe_ranking(summary(n=[n, n], n_runs=[n, n]))
    assert (f"With only {n} runs, {words}" in repeats) == (n <= 3)
    splits = describe_ranking(summary(n=[n, n], n_runs=[2 * n, 2 * n]))
    assert (f"With only {n} splits, {words}" in splits) == (n <= 3)
    assert f"{2 * n} runs on {n} splits)" in splits


def test_a_later_rank_without_a_significant_difference_is_explained():
    three = {"initializer": ["a", "b", "c"], "mean_score": [0.9, 0.85, 0.8], "rank": [1, 2, 3]}
    three |= {"conclusion": ["best", "significantly worse", "undecided"]}
    three |= {"difference_to_best": [0, -0.05, -0.1], "effect_size": [float("nan"), -5.0, -0.5]}
    assert describe_order(pd.DataFrame(three)) == (
        "b is significantly worse than a and c is not, although the mean score of c is lower: the paired differences"
        " of c vary more (standard deviation 0.2 against 0.01)."
    )
    fewer = pd.DataFrame(three | {"effect_size": [float("nan"), -5.0, -10.0]})
    assert describe_order(fewer).endswith("fewer runs of c can be paired with those of a.")
    in_order = pd.DataFrame(three | {"conclusion": ["best", "undecided", "significantly worse"]})
    assert describe_order(in_order) == describe_order(summary()) == describe_order(summary(**UNDECIDED)) == ""


def test_untested_difference_is_neither_significant_nor_not_significant():
    sentences = describe_ranking(summary(conclusion=["best", "not tested"]))
    assert "Not tested: b. A test needs at least two shared repeats" in sentences
    assert "worse" not in sentences
    assert "not significant" not in sentences


def test_power_of_a_difference_that_is_undecided():
    too_few = UNDECIDED | {"n_needed": [float("nan"), 40.0]}
    sentences = describe_ranking(summary(**too_few))
    words = "If the observed difference of 0.1000 to b is the true one, 40 paired runs would detect it with 80 % power"
    assert f"{words}; this comparison has 4." in sentences
    never = describe_ranking(summary(**too_few | {"n_needed": [float("nan"), float("inf")]}))
    assert "no number of runs would detect the observed differences" in never


def test_epochs_to_target():
    sentences = describe_epochs_to_target(summary(), 0.88)
    assert sentences == "The median run of a reaches a score of 0.8800 in epoch 1. Later or never: b (epoch 3)."
    never = summary(epochs_to_target=[2.0, float("inf")])
    assert describe_epochs_to_target(never, 0.88).endswith("in epoch 2. Later or never: b (never).")
    earlier = describe_epochs_to_target(summary(epochs_to_target=[2.0, 1.0]), 0.88)
    assert earlier.endswith("in epoch 2. None of the others reaches it later.")
    assert "does not reach" in describe_epochs_to_target(summary(epochs_to_target=[float("inf")] * 2), 0.88)
    assert describe_epochs_to_target(summary(epochs_to_target=[float("nan")] * 2), 0.88) == ""


def test_missing_runs():
    runs = pd.DataFrame({"initializer": ["a", "b", "b"], "status": ["ok", "failed", "diverged"]})
    runs["reason"] = ["", "ValueError: no", "the loss is not finite."]
    assert describe_missing_runs(runs[:1], {"n_planned": 1}) == ""
    sentences = describe_missing_runs(runs, {"n_planned": 4})
    assert "Not complete: this report shows the 3 of 4 runs that have finished." in sentences
    assert "b failed in 1 of 2 runs: ValueError: no." in sentences
    assert "b diverged in 1 of 2 runs: the loss is not finite." in sentences
    raced = describe_missing_runs(runs[:1], {"n_planned": 4, "racing": {"stopped": {"b": 1}, "runs_saved": 3}})
    assert raced == (
        "Racing stopped initializers that were significantly worse: b after 1 round. This saved 3 of 4 runs (75%)."
    )


def layers(rms, zero, dead, nonfinite=0):
    n = len(rms)
    return pd.DataFrame(
        {
            "initializer": "x",
            "phase": "trained",
            "position": "activation",
            "layer": [f"hidden_{i + 1}" for i in range(n)],
            "rms": rms,
            "zero_fraction": zero,
            "dead_fraction": dead,
            "nonfinite": nonfinite,
        }
    )


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (layers([0.0, 0.0], [1.0, 1.0], [1.0, 1.0]), "exactly zero"),
        (layers([1.0, 0.01], [0.5, 0.5], [0, 0]), "shrinks 100-fold, from 1 in hidden_1 to 0.01 in hidden_2"),
        (layers([1.0, 30.0], [0.5, 0.5], [0, 0]), "grows 30-fold"),
        (layers([1.0, 0.9], [0.5, 0.25], [0, 0.125]), "stays within a factor of 2"),
        (layers([1.0, 0.9], [0.5, 0.25], [0, 0.125]), "50% of the values in hidden_1 and 25% in hidden_2"),
        (layers([1.0, 0.9], [0.5, 0.25], [0, 0.125]), "12.5% are zero for every sample"),
        (layers([1.0], [0.5], [0]), "No unit is zero for every sample"),
        (layers([1.0], [0.5], [0], nonfinite=3), "3 activations are not finite"),
    ],
)
def test_activations(frame, sentence):
    assert sentence in describe_activations(frame)


@pytest.mark.parametrize(("n_runs", "words"), [(1, "1 of 1 run"), (2, "1 of 2 runs")])
@pytest.mark.parametrize("status", ["failed", "diverged"])
def test_a_single_run_without_score(n_runs, words, status):
    runs = pd.DataFrame({"initializer": "a", "status": [status, "ok"], "reason": ["why", ""]})[:n_runs]
    assert describe_missing_runs(runs, {}).startswith(f"a {status} in {words}: why.")
