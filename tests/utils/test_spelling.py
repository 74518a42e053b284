"""The name that a misspelled one stands for."""

import pytest

from initsk.utils.spelling import edit_distance, meant_name


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [("", "abc", 3), ("relu", "relu", 0), ("kitten", "sitting", 3), ("tnah", "tanh", 1), ("sigmod", "sigmoid", 1)],
)
def test_the_distance_counts_letters_in_both_directions(first, second, distance):
    assert edit_distance(first, second) == edit_distance(second, first) == distance


def test_a_name_is_meant_only_if_no_other_thing_has_a_name_as_close():
    assert meant_name("xelu", {"relu": 1, "selu": 2}) is None
    assert meant_name("xelu", {"relu": 1, "selu": 1}) in ("relu", "selu")
    assert meant_name("tabh", {"tanh": 1, "relu": 2}) == "tanh"
    # Two mistakes are another word, unless the word is long.
    assert meant_name("tabb", {"tanh": 1}) is None
    assert meant_name("hardsigmiodd", {"hardsigmoid": 1}) == "hardsigmoid"
