"""Large scores have four significant digits wherever they are shown."""

import pandas as pd
import pytest

from initsk import ComparisonResult
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
