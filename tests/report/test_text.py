"""Texts of results: large scores have four significant digits, and answers name what failed."""

import pandas as pd
import pytest
from sklearn.datasets import load_iris

from initsk import ComparisonResult, MLPClassifier, compare_initializers
from initsk.language import get_language


@pytest.fixture(scope="module")
def large():
    scores = {"zeros": -15222841.0804, "he_normal": -23456.789}
    rows = [
        {"initializer": name, "repeat": repeat, "score": score - repeat}
        for name, score in scores.items()
        for repeat in range(3)
    ]
    return ComparisonResult.from_frame(pd.DataFrame(rows))


def test_large_scores_have_four_significant_digits(large):
    for text in (str(large), large.to_html(), large.to_markdown()):
        assert "-1.522e+07" in text
        assert "-23,458" in text
        assert "-15222841.08" not in text
        assert "-23456." not in text
    assert "-1,522e+07" in large.to_markdown(language="id")


def test_scores_below_a_thousand_keep_four_digits_after_the_point():
    number = get_language("en").number
    assert [number(value) for value in (0.97804, -12.5, 999.5, 1000.4, -1e6)] == [
        "0.9780", "-12.5000", "999.5000", "1,000", "-1e+06",
    ]  # fmt: skip


def broken(tensor):
    raise RuntimeError("kaboom")


def compared(initializers):
    clf = MLPClassifier((4,), max_epochs=1)
    return compare_initializers(clf, *load_iris(return_X_y=True), initializers=initializers, n_repeats=2)


def test_answers_name_what_failed_with_the_first_reason():
    result = compared(["zeros", broken, "he_normal"])
    for text in (result.answer(), " ".join(str(result).split()), result.to_markdown().replace("\\", "")):
        assert "broken failed in 2 of 2 runs: InvalidParameterError: broken failed on a tensor" in text
        assert "(RuntimeError: kaboom)." in text
    assert "broken gagal pada 2 dari 2 run: " in result.answer(language="id")


@pytest.mark.filterwarnings("ignore:no run gave a score")
def test_without_any_score_the_answer_has_the_first_reason_and_the_next_step():
    result = compared([broken])
    for text in (result.answer(), " ".join(str(result).split())):
        assert text.startswith("No run gave a score. broken failed in 2 of 2 runs: ")
        assert "(RuntimeError: kaboom). To see the whole error, fit the estimator with one initializer;" in text


def test_answers_give_the_reasons_of_three_initializers_at_most():
    runs = pd.DataFrame([{"initializer": name, "repeat": 0, "score": float("nan")} for name in "abcde"])
    ok = pd.DataFrame({"initializer": ["f"], "repeat": [0], "score": [0.5]})
    answer = ComparisonResult.from_frame(pd.concat([runs, ok])).answer()
    assert answer.count(" failed in 1 of 1 run: ") == 3
    assert answer.endswith("2 more have runs without a score.")
