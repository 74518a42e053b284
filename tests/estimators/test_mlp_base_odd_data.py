"""Numbers beyond single precision, and labels of odd types."""

from decimal import Decimal
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import DataConversionWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from initsk import MLPClassifier, MLPRegressor, NeuralNetRegressor, compare_initializers, diagnose
from initsk.exceptions import InvalidParameterError

X, Y = load_iris(return_X_y=True)


@pytest.mark.parametrize("exponent", [39, 200])
@pytest.mark.parametrize("params", [{}, {"dropout": 0.2}], ids=["without autograd", "with autograd"])
def test_input_scale_scales_in_double_precision(exponent, params):
    plain = MLPClassifier((8,), max_epochs=3, random_state=0, **params).fit(X, Y)
    scaled = MLPClassifier((8,), max_epochs=3, random_state=0, input_scale=10.0**-exponent, **params)
    scaled.fit(X * 10.0**exponent, Y)
    np.testing.assert_allclose(scaled.predict_proba(X * 10.0**exponent), plain.predict_proba(X), rtol=1e-4)


def test_a_comparison_scales_in_double_precision():
    scores = [
        compare_initializers(
            MLPClassifier((4,), max_epochs=2, input_scale=scale), X * factor, Y, initializers=["he_normal"], n_repeats=2
        ).runs["score"].tolist()
        for factor, scale in ((1.0, 1.0), (1e39, 1e-39))
    ]  # fmt: skip
    assert scores[0] == scores[1]


def test_a_scaler_in_a_pipeline_comes_first():
    model = make_pipeline(StandardScaler(), MLPClassifier((8,), lr=0.01, max_epochs=50, random_state=0))
    assert model.fit(X * 1e39, Y).score(X * 1e39, Y) > 0.9


def test_numbers_that_are_too_large_are_named():
    large = pd.DataFrame(X.copy(), columns=list("abcd"))
    large.loc[4, "c"] = 1e39
    words = r"beyond the range of single precision \(3\.4e\+38\): column 'c' \(row 5\); divide by"
    with pytest.raises(InvalidParameterError, match=words):
        MLPClassifier((4,)).fit(large, Y)
    clf = MLPClassifier((4,), max_epochs=1, random_state=0).fit(large * 1e-10, Y)
    with pytest.raises(InvalidParameterError, match=words):
        clf.predict(large)
    with pytest.raises(InvalidParameterError, match=words):
        compare_initializers(MLPClassifier((4,)), large, Y)
    with pytest.raises(InvalidParameterError, match=r"y has numbers beyond .* row 1; .* as TransformedTargetRegressor"):
        MLPRegressor((4,)).fit(X, np.full(len(X), -1e39))


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_values_that_are_not_finite_are_not_called_large(value):
    bad = X.copy()
    bad[0, 0] = value
    with pytest.raises(ValueError, match=r"infinity|NaN") as caught:
        MLPClassifier((4,)).fit(bad, Y)
    assert "single precision" not in str(caught.value)


ODD = {
    "dict": ([{"a": 1}], "type dict"),
    "bytes": ([b"a"], "type bytes_"),
    "decimal": ([Decimal(1)], "type Decimal"),
    "period": ([pd.Period("2020")], "type Period"),
    "complex": ([1j], "type complex128"),
    "objects": (np.array([1], object), r"type int \(row 1, in an array of Python objects\)"),
    "missing": (["a", None], "missing value; the first is in row|missing values; the first is in row 2"),
    "a decimal that signals": ([Decimal("sNaN")], "150 missing values"),
    "masked": (np.ma.array([1], mask=[True]), "150 missing values"),
    "a time without a unit": (np.array([1]).view("M8"), "type datetime64"),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_labels_are_one_sentence(case):
    values, words = ODD[case]
    y = np.ma.concatenate([values] * 150) if case == "masked" else np.resize(values, 150)
    y = y if isinstance(values, np.ndarray) else y.tolist()
    for learn in (MLPClassifier((4,)).fit, lambda X, y: compare_initializers(MLPClassifier((4,)), X, y)):
        with pytest.raises(InvalidParameterError, match=words) as caught:
            learn(X, y)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("model", [MLPClassifier(), MLPRegressor()])
@pytest.mark.parametrize(("value", "step"), [(np.nan, r"data\.dropna\(subset=\["), (np.inf, "leave out these samples")])
def test_a_target_that_is_absent_is_named_with_its_row_and_the_next_step(model, value, step):
    y = np.where(np.arange(len(X)) == 6, value, np.arange(len(X)) % 2)
    for learn in (model.fit, partial(diagnose, model), partial(compare_initializers, model)):
        with pytest.raises(InvalidParameterError, match=f"y has 1 .* value; the first is in row 7; .*{step}"):
            learn(X, y)
    with pytest.raises(InvalidParameterError, match=f"y_val has 1 .* value; the first is in row 7; .*{step}"):
        model.fit(X, np.arange(len(X)) % 2.0, X_val=X, y_val=y)


@pytest.mark.parametrize(
    ("model", "y", "odd"),
    [
        (MLPClassifier((4,)), Y, [None, np.nan, np.inf, 1j, {}]),
        (MLPClassifier((4,)), np.array(["a", "b", "c"])[Y], [None, np.nan, {}]),
        (MLPRegressor((4,)), X[:, 0], [None, np.nan, np.inf, 1j, "1"]),
    ],
    ids=["numbers of classes", "names of classes", "numbers"],
)
def test_score_answers_what_no_target_can_be_as_fit_does(model, y, odd):
    fitted = clone(model).set_params(max_epochs=1, random_state=0).fit(X, y)
    odd_targets = [None]
    for value in odd:
        objects = pd.Series(y, dtype=object)
        objects[6] = value
        odd_targets += [objects, objects.to_numpy(), objects.tolist()]
        if isinstance(value, float | complex) and y.dtype.kind != "U":
            odd_targets.append(np.where(np.arange(len(y)) == 6, value, y))
    for given in odd_targets:
        with pytest.raises(ValueError, match="y") as of_fit:
            model.fit(X, given)
        with pytest.raises(InvalidParameterError) as of_score:
            fitted.score(X, given)
        assert str(of_score.value) == str(of_fit.value).strip()


def test_nan_among_text_is_missing_and_no_class_in_any_container():
    y = pd.Series(["a", "b"] * 75, dtype=object)
    y[3] = np.nan
    for given in (y, y.to_numpy(), y.tolist()):
        for learn in (MLPClassifier((4,)).fit, partial(compare_initializers, MLPClassifier((4,)))):
            with pytest.raises(InvalidParameterError, match=r"y has 1 missing value; the first is in row 4; .*dropna"):
                learn(X, given)


@pytest.mark.filterwarnings("ignore:The number of unique classes")
@pytest.mark.parametrize("convert", [np.asarray, lambda days: days.strftime("%d.%m.%Y").to_numpy(object)])
def test_dates_as_targets_of_a_module_or_a_comparison_are_an_error_with_the_next_step(convert):
    y = convert(pd.date_range("2024-01-31", periods=len(X)))
    with torch.random.fork_rng():
        module = torch.nn.Linear(4, 1)
    for learn in (partial(diagnose, module), partial(compare_initializers, MLPClassifier((4,)))):
        with pytest.raises(InvalidParameterError, match="make numbers of a date, such as"):
            learn(X, y)


def test_nan_in_a_list_of_text_is_missing_and_no_class():
    with pytest.raises(InvalidParameterError, match="y has 2 missing values; the first is in row 2"):
        MLPClassifier((4,)).fit(X[:4], ["a", float("nan"), "b", float("nan")])


def test_columns_with_nan_are_told_from_those_with_infinity():
    bad = X[:20].copy()
    bad[3, 1], bad[5, 2] = np.nan, np.inf
    with pytest.raises(InvalidParameterError, match=r"NaN: column 2 \(row 4\); .*; infinity: column 3 \(row 6\); "):
        MLPClassifier((4,)).fit(bad, [0, 1] * 10)


@pytest.mark.parametrize("columns", [(), (1,)])
def test_none_among_numbers_is_missing_and_the_fitted_model_stays(columns):
    model = MLPRegressor((4,), max_epochs=2, random_state=0).fit(X, np.arange(150.0))
    before = model.predict(X)
    y = np.array([1.0, None] * 75, object).reshape(-1, *columns)
    for learn in (model.fit, model.partial_fit, partial(diagnose, model)):
        with pytest.raises(InvalidParameterError, match=r"y has 75 missing values; the first is in row 2; .*dropna"):
            learn(X, y)
    np.testing.assert_array_equal(model.predict(X), before)


@pytest.mark.parametrize("call", [lambda X, y: MLPClassifier().fit(X, y), lambda X, y: diagnose(MLPClassifier(), X, y)])
def test_missing_values_are_an_error_of_one_line_with_column_and_row(call):
    X, y = load_iris(return_X_y=True, as_frame=True)
    X.iloc[4, 2] = np.nan
    with pytest.raises(InvalidParameterError, match=r"^X has NaN: column 'petal length \(cm\)' \(row 5\).*Imputer$"):
        call(X, y)


def test_a_target_of_one_column_is_flattened_as_in_scikit_learn():
    X, y = load_iris(return_X_y=True)
    settings = {"hidden_layer_sizes": (2,), "max_epochs": 1, "random_state": 0}
    with pytest.warns(DataConversionWarning, match="column-vector y"):
        predicted = MLPRegressor(**settings).fit(X, y[:, None]).predict(X)
    np.testing.assert_array_equal(predicted, MLPRegressor(**settings).fit(X, y).predict(X))


DATES = pd.date_range("2024-01-31", periods=150)
NOT_NUMBERS = {
    "dates": (DATES, "dates or durations.*days since"),
    "list of dates": (list(DATES), "dates or durations.*days since"),
    "column of dates": (pd.Series(DATES), "dates or durations.*days since"),
    "array of dates": (DATES.to_numpy(), "dates or durations.*days since"),
    "dates with a zone": (DATES.tz_localize("UTC"), "dates or durations.*days since"),
    "durations": (DATES - DATES[0], "dates or durations.*days since"),
    "dates as text": (DATES.astype(str), "dates or durations.*days since"),
    "text": ([*[0.5] * 149, "high"], r"text, the first in row 1(50)?: .*use a classifier"),
    "text in an array": (np.array([None, *["low"] * 149], dtype=object), "text, the first in row 2: 'low'"),
    "numbers as text": (["1.5"] * 150, "text, the first in row 1: '1.5'"),
    "dicts": ([{}] * 150, "a value of the type dict, the first in row 1"),
    "rows of different lengths": ([[1, 2], [1]] * 75, "rows of different lengths"),
    "complex": (np.full(150, 1j), "complex numbers"),
}


@pytest.mark.parametrize("name", NOT_NUMBERS)
def test_targets_of_a_regression_are_numbers(name):
    X, _ = load_iris(return_X_y=True)
    y, reason = NOT_NUMBERS[name]
    net = NeuralNetRegressor(torch.nn.Linear, module__in_features=4, module__out_features=1, max_epochs=1, verbose=0)
    with pytest.raises(InvalidParameterError, match=f"y has {reason}"):
        MLPRegressor(max_epochs=1).fit(X, y)
    with pytest.raises(InvalidParameterError, match=f"y has {reason}"):
        net.fit(X.astype(np.float32), y)
    with pytest.raises(InvalidParameterError, match=f"y has {reason}"):
        compare_initializers(MLPRegressor(max_epochs=1), X, y)


@pytest.mark.parametrize("make", [MLPClassifier, MLPRegressor])
def test_tensors_of_bfloat16_give_the_score_of_the_same_values_in_single_precision(make):
    inputs = torch.arange(60.0).reshape(20, 3).remainder(7).bfloat16()
    y = inputs[:, 0]
    estimator = make((4,), max_epochs=2, random_state=0).fit(inputs, y)
    assert estimator.score(inputs, y) == estimator.score(inputs.float(), y.float())
