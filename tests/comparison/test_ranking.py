"""Identical scores are a conclusion, and the number of pairs needed does not contradict the pairs that there are."""

import numpy as np
import pandas as pd
import pytest

from initsk import ComparisonResult
from tests.comparison.test_inference import random_results
from tests.comparison.test_statistics import result_of


def test_equal_scores_in_all_runs_are_identical():
    result = result_of({"a": [0.9, 0.8], "b": [0.9, 0.8], "c": [0.1 + 0.7, 0.9 - 0.2], "d": [0.9, np.nan]})
    summary = result.summary(margin=0.05).set_index("initializer")
    assert summary["conclusion"].to_dict() == {
        "d": "best", "a": "not tested", "b": "not tested", "c": "not tested"
    }  # fmt: skip
    pairs = result.pairwise(margin=0.05).set_index(["first", "second"])
    pair = pairs.loc["a", "b"]
    assert (pair["conclusion"], pair["p_value"], pair["difference"]) == ("identical", 1, 0)
    assert pair[["n_needed", "effect_size", "low", "high", "p_equivalence"]].isna().all()
    assert pairs.loc[("d", "a"), "conclusion"] == "not tested"  # a single pair shows nothing


def test_the_answer_and_the_page_name_identical_initializers():
    frame = pd.DataFrame({"initializer": ["a", "b"] * 3, "repeat": [0, 0, 1, 1, 2, 2]})
    result = ComparisonResult.from_frame(frame.assign(score=[0.9, 0.9, 0.8, 0.8, 0.7, 0.7]))
    assert result.summary()["conclusion"].tolist() == ["best", "identical"]
    assert "The same score in all runs: b." in result.answer()
    page = result.to_markdown()
    assert "| identical |" in page
    assert "| undecided |" not in page
    assert "identical" in str(result)
    assert "Skor sama di semua run: b." in result.answer(language="id")


@pytest.mark.parametrize("test", ["t", "permutation"])
def test_more_pairs_are_needed_than_there_are(test):
    found = 0
    for result in random_results(12):
        if test == "t" or len(set(result.runs["split"])) == 1:
            pairs = result.pairwise(test=test).dropna(subset="n_needed")
            found += len(pairs)
            assert (pairs["n_needed"] > pairs["n"]).all()
    assert found


def test_the_answer_counts_the_pairs_of_the_undecided_initializer():
    result = result_of({"a": [0.9, 0.8, 0.93], "b": [0.7, 0.75, np.nan], "c": [np.nan, 0.6, 0.75]})
    summary = result.summary().set_index("initializer")
    assert summary["n_paired"].to_dict() == {"a": 3, "b": 2, "c": 2}
    assert "would detect it with 80 % power; this comparison has 2." in result.answer()


def test_the_answer_counts_splits_where_repeats_share_them():
    scores = {"a": [0.9, 0.8, 0.95], "b": [0.7, 0.85, 0.75]}
    once = result_of(scores, split=True, val_ratio=0.05)
    runs = [once.runs.assign(repeat=repeat) for repeat in range(2)]
    result = ComparisonResult(once.frames | {"runs": pd.concat(runs)})
    answer = result.answer()
    assert "6 runs on 3 splits" in answer
    assert " splits would detect it with 80 % power; this comparison has 3." in answer
    assert "With only 3 splits" in answer
