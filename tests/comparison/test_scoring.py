"""Several scorers: one that fails leaves the others alone, and all of them are shown."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer, recall_score

from initsk import ComparisonResult, MLPClassifier, MLPRegressor, compare_initializers
from initsk.exceptions import InvalidParameterError
from initsk.report import summarize

X, y = load_breast_cancer(return_X_y=True)
X, Y = X[::4] / X.max(axis=0), np.where(y[::4] == 1, "yes", "no")
WORDS = (
    r"scorer average_precision cannot score these targets \(.*pos_label.*use labels 0 and 1; the other scores are kept"
)


def compare(scoring, **arguments):
    clf = MLPClassifier((4,), max_epochs=1)
    arguments = {"initializers": ["zeros", "he_normal"], "n_repeats": 2, "activations": False} | arguments
    return compare_initializers(clf, X, Y, scoring=scoring, **arguments)


def test_a_scorer_that_fails_loses_no_run(tmp_path):
    # The labels are words, and average precision does not know which of them is the positive class.
    with pytest.warns(UserWarning, match=WORDS):
        result = compare(["accuracy", "average_precision"], store=tmp_path / "runs.sqlite")
    alone = compare("accuracy")
    assert set(result.runs["status"]) == {"ok"}
    assert result.runs["score"].equals(alone.runs["score"])
    assert result.runs["score_accuracy"].equals(alone.runs["score"])
    assert result.runs["score_average_precision"].isna().all()
    assert result.runs["baseline_score"].equals(alone.runs["baseline_score"])
    page = "\n".join(str(element) for section in summarize(result, brief=True).sections for element in section.elements)
    assert "The scorer average_precision gave no score in 4 of 4 runs: average_precision: ValueError: pos_label" in page
    assert "ranked by accuracy, the first scorer" in page
    # Files and stores keep the scores and the reasons.
    for again in (
        ComparisonResult.from_store(tmp_path / "runs.sqlite"),
        ComparisonResult.load(result.save(tmp_path / "csv")),
    ):
        assert again.runs.equals(result.runs)


def test_the_scorer_that_ranks_may_fail():
    with pytest.warns(UserWarning, match="it ranks the initializers: put another scorer first"):
        result = compare(["average_precision", "accuracy"])
    assert result.summary()["n_runs"].tolist() == [0, 0]
    assert result.summary(score="accuracy")["n_runs"].tolist() == [2, 2]


def test_the_page_has_the_means_of_all_scores():
    recall = make_scorer(recall_score, pos_label="yes")
    result = compare({"accuracy": "accuracy", "recall": recall})
    [table] = [
        element
        for section in summarize(result, brief=True).sections
        for element in section.elements
        if getattr(element, "key", "") == "all_scores"
    ]
    best, other, baseline = table.rows
    assert [column.title for column in table.columns] == ["Initializer", "accuracy", "recall"]
    for name in ("accuracy", "recall"):
        summary = result.summary(score=name).set_index("initializer")["mean_score"]
        assert [row[f"score_{name}"] for row in (best, other)] == pytest.approx(
            [summary[row["initializer"]] for row in (best, other)]
        )
        assert baseline[f"score_{name}"] == pytest.approx(result.baseline_score(name), nan_ok=True)
    assert best["initializer"] == result.summary()["initializer"][0]


def test_the_page_has_errors_without_the_minus_sign_of_scorers():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2))
    result = compare_initializers(
        MLPRegressor((4,), max_epochs=1), X, X[:, 0], initializers=["zeros"], n_repeats=2, activations=False,
        scoring=["r2", "neg_mean_absolute_error"],
    )  # fmt: skip
    section = summarize(result, brief=True).sections[1]
    [table] = [element for element in section.elements if getattr(element, "key", "") == "all_scores"]
    assert [column.title for column in table.columns] == ["Initializer", "r2", "mean_absolute_error"]
    expected = [-result.runs["score_neg_mean_absolute_error"].mean(), -result.baseline_score("neg_mean_absolute_error")]
    assert [row["score_mean_absolute_error"] for row in table.rows] == pytest.approx(expected)
    assert all(value > 0 for value in expected)
    assert "errors without the minus sign" in " ".join(str(element) for element in section.elements)


def test_a_function_may_return_several_scores():
    def both(model, X, y):
        return {"accuracy": model.score(X, y), "error": model.score(X, y) - 1}

    result = compare_initializers(
        LogisticRegression(), X, Y, parameter="C", initializers=[0.1, 1.0], n_repeats=1, cv=3, scoring=both
    )
    assert (result.runs["score_error"] == result.runs["score"] - 1).all()


@pytest.mark.parametrize(
    ("scoring", "meant"),
    [
        ("acc", "accuracy"),
        ("acuracy", "accuracy"),
        (["accuracy", "f1macro"], "f1_macro"),
        ({"a": "rmse"}, "neg_root_mean"),
    ],
)
def test_an_unknown_scorer_has_the_meant_one_and_a_short_list(scoring, meant):
    with pytest.raises(InvalidParameterError, match=f"unknown scorer .*; did you mean '{meant}") as caught:
        compare(scoring)
    assert len(str(caught.value)) < 300
