"""Labels of any type: a classifier learns them, or raises one error of one line."""

import importlib
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st
from sklearn.exceptions import DataConversionWarning

from initsk import MLPClassifier, compare_initializers
from initsk.exceptions import InvalidParameterError
from tests.fuzz.support import bounded, fuzz, on_examples

N_SAMPLES = 12
X = np.random.default_rng(0).normal(size=(N_SAMPLES, 2))

SCALARS = st.one_of(
    st.integers(-3, 3), st.integers(), st.booleans(), st.floats(), st.sampled_from([0.0, 1.0]), st.text(max_size=3),
    st.binary(max_size=2), st.none(), st.decimals(), st.complex_numbers(), st.dates(), st.datetimes(), st.timedeltas(),
    st.sampled_from([pd.NA, pd.NaT, np.nan, pd.Period("2020"), pd.Interval(0, 1), (1,), [1], {"a": 1}, {1}, print]),
)  # fmt: skip


def columns(choices):
    """Return samples of a few labels, so that most classes have several samples."""
    few = st.lists(choices, min_size=1, max_size=3)
    return few.flatmap(lambda found: st.lists(st.sampled_from(found), min_size=N_SAMPLES, max_size=N_SAMPLES))


def as_objects(values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


def converted(kind):
    def convert(values):
        try:
            return np.array([0, 1] * 6).astype(kind) if kind else np.asarray(values)
        except ValueError:
            return values

    return convert


SEVERAL = columns(SCALARS)
LABELS = st.one_of(
    SEVERAL,
    SEVERAL.map(as_objects),
    SEVERAL.map(lambda values: pd.Series(as_objects(values))),
    columns(st.text(max_size=3)).map(lambda values: pd.Series(values, dtype="string")),
    columns(st.sampled_from("abc")).map(lambda values: pd.Series(values, dtype="category")),
    columns(st.one_of(st.integers(0, 2), st.none())).map(lambda values: pd.Series(values, dtype="Int64")),
    st.sampled_from("?bBhHiIqQefdgFDSUVMm").flatmap(lambda kind: SEVERAL.map(converted(kind))),
    columns(st.integers(0, 1)).map(lambda values: np.ma.array(values, mask=[value == 1 for value in values])),
)


@pytest.fixture(scope="module", autouse=True)
def loaded():
    """Load what a first comparison loads, which can take longer than a law may."""
    importlib.import_module("tests.warm")


@on_examples(30, 1000)
def test_a_classifier_learns_labels_or_says_what_is_wrong(examples):
    def law(y):
        with warnings.catch_warnings(), bounded(2**20):
            warnings.simplefilter("ignore", UserWarning)
            warnings.simplefilter("ignore", DataConversionWarning)
            try:
                clf = MLPClassifier((2,), max_epochs=1, random_state=0).fit(X, y)
            except (ValueError, TypeError) as error:
                message = str(error)
                clf = None
        if clf is None:
            assert message
            assert "\n" not in message
            return
        # A column is taken for a vector, as scikit-learn does.
        labels = np.ravel(y)
        assert set(clf.classes_.tolist()) == set(labels.tolist())
        assert set(clf.predict(X).tolist()) <= set(labels.tolist())
        # No class is lost: labels that differ are different classes.
        assert len(clf.classes_) == len(set(labels.tolist()))

    fuzz(law, LABELS, examples=examples)


@on_examples(6, 150)
def test_a_comparison_refuses_what_a_classifier_refuses(examples):
    def law(y):
        with warnings.catch_warnings(), bounded(2**20):
            warnings.simplefilter("ignore")
            try:
                result = compare_initializers(
                    MLPClassifier((2,), max_epochs=1), X, y, initializers=["he_normal"], n_repeats=1, activations=False
                )
            except InvalidParameterError as error:
                message = str(error)
                result = None
        if result is None:
            assert "\n" not in message
        else:
            assert result.runs["status"].tolist() == ["ok"]

    fuzz(law, LABELS, examples=examples)
