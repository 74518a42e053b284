"""`table_preparation`: which column becomes what kind of numbers."""

import decimal
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline

from initsk import MLPClassifier
from initsk.datasets import table_preparation
from initsk.exceptions import DataFormatWarning, InvalidParameterError

NUMBERS = [1.0, None, 3.0, 8.0]


def prepared(frame, other=None):
    """Return a frame, or another one, as the preparation that was fitted on the frame gives it, by column."""
    fitted = table_preparation(frame).fit(frame)
    names = [name.partition("__")[2] for name in fitted.get_feature_names_out()]
    return dict(zip(names, fitted.transform(frame if other is None else other).T.tolist(), strict=True))


@pytest.mark.parametrize(
    "column",
    [
        NUMBERS,
        pd.array([1, None, 3, 8], dtype="Int64"),
        pd.Series([decimal.Decimal(1), None, decimal.Decimal(3), decimal.Decimal(8)], dtype=object),
        np.array([1, np.nan, 3, 8]) * 1e-300,
        np.array([1, np.nan, 3, 8]) * 1e300,
    ],
    ids=["floats", "nullable", "decimals", "tiny", "huge"],
)
def test_numbers_get_the_median_and_an_indicator_and_are_standardized(column):
    # The median of 1, 3 and 8 is 3; then the mean is 15 / 4.
    filled = np.array([1.0, 3.0, 3.0, 8.0])
    found = prepared(pd.DataFrame({"a": column}))
    assert list(found) == ["a", "missingindicator_a"]
    assert found["a"] == pytest.approx((filled - filled.mean()) / filled.std())
    indicator = np.array([0, 1, 0, 0])
    assert found["missingindicator_a"] == pytest.approx((indicator - 0.25) / indicator.std())


@pytest.mark.parametrize(
    "values", [pd.array([True, None, False, True], dtype="boolean"), pd.Series([True, None, False, True], dtype=object)]
)
def test_booleans_become_0_and_1(values):
    assert prepared(pd.DataFrame({"a": values}))["a"] == [1, 1, 0, 1]
    assert prepared(pd.DataFrame({"a": [True, False]})) == {"a": [1, 0]}


@pytest.mark.parametrize(
    "values",
    [
        ["x", None, "y", "x"],
        pd.array(["x", None, "y", "x"], dtype="string"),
        pd.Series(["x", None, "y", "x"], dtype="category"),
        pd.Series(["x", None, "y", "x"], dtype=object),
    ],
    ids=["text", "string", "category", "object"],
)
def test_text_and_categories_are_one_hot_and_a_missing_value_is_a_category(values):
    frame = pd.DataFrame({"a": pd.concat([pd.Series(values)] * 2, ignore_index=True)})
    found = prepared(frame)
    assert found == {"a_x": [1, 0, 0, 1] * 2, "a_y": [0, 0, 1, 0] * 2, "a_nan": [0, 1, 0, 0] * 2}
    assert prepared(frame, pd.DataFrame({"a": ["new"]})) == {"a_x": [0], "a_y": [0], "a_nan": [0]}


def test_rare_categories_share_a_column():
    frame = pd.DataFrame({"a": ["x"] * 3 + ["y"] * 3 + ["once", "also"]})
    found = prepared(frame, pd.DataFrame({"a": ["x", "once", "also", "new"]}))
    assert found == {"a_x": [1, 0, 0, 0], "a_y": [0] * 4, "a_infrequent_sklearn": [0, 1, 1, 1]}
    many = pd.DataFrame({"a": [f"c{i}" for i in range(60)] * 3})
    with pytest.warns(DataFormatWarning, match="more than 50 categories, of which the rarest share one: column 'a'"):
        assert table_preparation(many).fit_transform(many).shape == (180, 50)


def test_numbers_mixed_with_text_are_categories():
    frame = pd.DataFrame({"a": pd.Series([1, "x", 1, "x"], dtype=object)})
    assert prepared(frame) == {"a_1": [1, 0, 1, 0], "a_x": [0, 1, 0, 1]}


def test_columns_that_cannot_help_are_left_out_with_a_warning():
    frame = pd.DataFrame({"a": [1.0, 2.0, 4.0], "name": ["p", "q", "r"], "nothing": [None] * 3})
    with pytest.warns(DataFormatWarning, match="differs in every row: column 'name'; no values: column 'nothing'"):
        preparation = table_preparation(frame)
    assert preparation.fit(frame).get_feature_names_out().tolist() == ["numbers__a"]
    # Its repr, which reports show, names them.
    assert "('left_out', 'drop', ['name', 'nothing'])" in " ".join(repr(preparation).split())


@pytest.mark.parametrize("numbers", [[1, 2, 3, 4], [7, 5, 6, 4]])
def test_a_column_that_numbers_the_rows_is_kept_with_a_warning(numbers):
    with pytest.warns(DataFormatWarning, match=r"count the rows.*: column 'id'; leave them out \(--drop"):
        assert list(prepared(pd.DataFrame({"id": numbers}))) == ["id"]


@pytest.mark.parametrize(
    ("write", "first"),
    [
        ("{:.2f} EUR".format, "row 1: '0.00 EUR'"), ("$ {}".format, r"row 1: '\$ 0'"), ("{}%".format, "row 1: '0%'"),
        ("1.{:03d},50".format, "row 1: '1.000,50'"), (lambda i: str(i) if i != 4 else "?", r"row 5: '\?'"),
        (lambda i: str(i) if i != 4 else "unknown", "row 5: 'unknown'"),
    ],
)  # fmt: skip
def test_numbers_with_signs_or_units_are_text_with_a_warning(write, first):
    column = [write(i) for i in range(20)] * 2
    with pytest.warns(DataFormatWarning, match=f"text that seems to be numbers.*: column 'price' .{first}.; write"):
        table_preparation(pd.DataFrame({"price": column}))


@pytest.mark.parametrize("write", ["item {}".format, "{}-{}".format, "{} rooms and more".format])
def test_codes_with_numbers_are_categories_without_a_warning(write):
    with warnings.catch_warnings(action="error"):
        table_preparation(pd.DataFrame({"code": [write(i, i + 1) for i in range(20)] * 2}))
    with warnings.catch_warnings(action="error"):
        table_preparation(pd.DataFrame({"few": ["1st", "2nd", "10th"] * 4}))


def test_a_table_without_oddities_has_no_warning():
    with warnings.catch_warnings(action="error"):
        table_preparation(pd.DataFrame({"a": [1, 2, 4], "b": ["x", "y", "x"], "c": [True, False, True]}))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"day": pd.date_range("2024-01-31", periods=2)}, "dates: column 'day' .row 1: '2024-01-31"),
        ({"day": [None, "31.1.2024 12:30"]}, "dates: column 'day' .row 2: '31.1.2024 12:30'.; leave them out"),
        ({"day": pd.period_range("2024-01", periods=2, freq="M")}, "dates: column 'day'"),
        ({"a": [1.0, np.inf]}, "infinite values: column 'a' .row 2."),
        ({"a": [[1], [2]]}, "no numbers or text: column 'a'"),
        ({"a": ["x", "y"]}, "no column to train on; columns that are left out .text that differs in every row"),
        ({}, "no column to train on; it has no columns"),
    ],
)
def test_columns_that_are_refused_are_named(columns, words):
    with pytest.raises(InvalidParameterError, match=words):
        table_preparation(pd.DataFrame(columns))


def test_something_else_than_a_frame_is_refused():
    with pytest.raises(InvalidParameterError, match="X is not a DataFrame but ndarray"):
        table_preparation(np.zeros((2, 2)))


def test_a_pipeline_trains_on_the_table_itself():
    frame = pd.DataFrame({"color": ["red", "blue"] * 20, "size": [1.0, None] * 20})
    model = make_pipeline(table_preparation(frame), MLPClassifier((8,), max_epochs=30, lr=0.05, random_state=0))
    assert model.fit(frame, frame["color"]).score(frame, frame["color"]) == 1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["5%", "7.5 %", "5%"], r"seems to be numbers.*column 'a' \(row 1: '5%'\)"),
        (["$1,000", "$2,500", "$1,000"], r"seems to be numbers.*column 'a' \(row 1: '\$1,000'\)"),
        (["soon", "2024-01-31", "31.1.2024", "soon"], r"seems to be dates.*column 'a' \(row 2: '2024-01-31'\)"),
    ],
)
def test_amounts_and_dates_of_several_forms_are_warned_of(values, words):
    X = pd.DataFrame({"a": values, "b": range(0, 2 * len(values), 2)})
    with pytest.warns(DataFormatWarning, match=words):
        table_preparation(X)


def test_words_and_sizes_are_no_amounts():
    table_preparation(pd.DataFrame({"a": ["3 doors", "5 doors", "3 doors"], "b": ["1-2", "3-4", "1-2"]}))
