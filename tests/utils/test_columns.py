"""Columns that are not numeric: every entry point names them alike, with what to do."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import FitFailedWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from initsk import compare_initializers, diagnose, inspect_activations
from initsk.datasets import load_table, table_preparation
from initsk.estimators import MLPClassifier
from initsk.exceptions import InvalidParameterError

DAYS = pd.Series(pd.date_range("2024-01-31", periods=24))
Y = np.arange(24) % 2
DATES = {
    "times": DAYS, "times of a zone": DAYS.dt.tz_localize("UTC"), "text": DAYS.astype(str), "days": DAYS.dt.date,
    "periods": DAYS.dt.to_period("D"), "categories": DAYS.astype(str).astype("category"),
}  # fmt: skip


def model():
    return MLPClassifier((2,), max_epochs=1, random_state=0)


@pytest.mark.parametrize("kind", DATES)
@pytest.mark.parametrize("alone", [True, False])
def test_a_date_is_named_with_its_column_and_row(kind, alone):
    frame = pd.DataFrame({"day": DATES[kind]} if alone else {"a": np.arange(24.0), "day": DATES[kind]})
    frame.loc[0, "day"] = None
    words = r"features must be numeric; not numeric: day \(row 2: .*2024-02-01.*\); make numbers of a date"
    with pytest.raises(InvalidParameterError, match=words):
        model().fit(frame, Y)
    with pytest.raises(InvalidParameterError, match=words):
        compare_initializers(model(), frame, Y, initializers=["zeros", "he_normal"], n_repeats=2)
    with pytest.raises(InvalidParameterError, match=words):
        diagnose(model(), frame, Y)


def test_a_network_names_the_column_too():
    with torch.random.fork_rng():
        module = torch.nn.Linear(2, 2)
    frame = pd.DataFrame({"a": np.arange(24.0), "day": DAYS})
    for call in (inspect_activations, partial(diagnose, random_state=0)):
        with pytest.raises(InvalidParameterError, match=r"not numeric: day \(row 1: 2024-01-31"):
            call(module, frame, Y)


def test_text_that_is_no_date_gets_no_hint_at_dates():
    frame = pd.DataFrame({"a": np.arange(24.0), "kind": list("abcd" * 6)})
    with pytest.raises(InvalidParameterError, match=r"not numeric: kind \(row 1: 'a'\); make numbers of text"):
        model().fit(frame, Y)


def test_a_table_names_a_date_as_an_estimator_does(tmp_path):
    frame = pd.DataFrame({"a": np.arange(24.0), "day": DAYS})
    frame.assign(y=Y).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(InvalidParameterError) as of_frame:
        model().fit(frame, Y)
    with pytest.raises(ValueError, match="day") as of_file:
        load_table(tmp_path / "t.parquet", "y")
    assert str(of_file.value).endswith(str(of_frame.value))


def test_columns_of_text_have_the_next_step():
    frame = pd.DataFrame({"a": ["x", "y"] * 12})
    words = r"not numeric: a \(row 1: 'x'\); make numbers of text .*table_preparation\(X\) or .*\(sparse_output=False\)"
    with pytest.raises(InvalidParameterError, match=words):
        model().fit(frame, Y)
    with pytest.raises(InvalidParameterError, match=words):
        compare_initializers(model(), frame, Y, n_repeats=2)
    make_pipeline(OneHotEncoder(sparse_output=False), model()).fit(frame, Y)
    make_pipeline(table_preparation(frame), model()).fit(frame, Y)


def test_a_sparse_matrix_has_the_next_step():
    frame = pd.DataFrame({"a": ["x", "y"] * 12})
    pipeline = make_pipeline(OneHotEncoder(), model())
    words = r"X is a sparse matrix \(allowed: .*X\.toarray\(\); .*OneHotEncoder\(sparse_output=False\)"
    with pytest.raises(InvalidParameterError, match=words):
        pipeline.fit(frame, Y)
    with pytest.raises(InvalidParameterError, match=words):
        compare_initializers(model(), OneHotEncoder().fit_transform(frame), Y, n_repeats=2)
    with pytest.warns(FitFailedWarning, match=words):
        compare_initializers(pipeline, frame, Y, initializers=["zeros"], n_repeats=1)
