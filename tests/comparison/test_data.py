"""Splits and data of every form."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from initsk import MLPClassifier, compare_initializers
from initsk.exceptions import InvalidParameterError

X, Y = load_iris(return_X_y=True)


def test_the_splitter_defines_the_folds():
    cv = StratifiedKFold(4, shuffle=True, random_state=3)
    tree = LogisticRegression(max_iter=1000)
    result = compare_initializers(tree, X, Y, parameter="C", initializers=[1.0], cv=cv, n_repeats=1)
    assert result.runs["score"].tolist() == cross_val_score(tree, X, Y, cv=cv).tolist()


@pytest.mark.parametrize(
    ("cv", "n_splits"),
    [
        (3, 6),
        (KFold(3), 3),
        (KFold(3, shuffle=True), 6),
        (KFold(3, shuffle=True, random_state=0), 3),
        (ShuffleSplit(3, test_size=0.2), 6),
        ([(np.arange(100), np.arange(100, 150)), (np.arange(50, 150), np.arange(50))], 2),
    ],
)
def test_splitters_without_a_random_state_shuffle_in_every_repeat(cv, n_splits):
    lr = LogisticRegression(max_iter=1000)
    result = compare_initializers(lr, X, Y, parameter="C", initializers=[1.0], cv=cv, n_repeats=2)
    again = compare_initializers(lr, X, Y, parameter="C", initializers=[1.0], cv=cv, n_repeats=2)
    assert result.runs["split"].nunique() == n_splits
    assert again.runs.equals(result.runs)


def test_groups_stay_together():
    groups = np.arange(150) // 10
    result = compare_initializers(
        LogisticRegression(max_iter=1000), X, Y, parameter="C", initializers=[1.0], cv=GroupKFold(5), groups=groups,
        n_repeats=1,
    )  # fmt: skip
    expected = cross_val_score(LogisticRegression(max_iter=1000), X, Y, cv=GroupKFold(5), groups=groups)
    assert result.runs["score"].tolist() == expected.tolist()


def test_columns_in_another_order_raise():
    frame = pd.DataFrame(X, columns=list("abcd"))
    with pytest.raises(InvalidParameterError, match=r"X_val has the columns .'d', 'c', 'b', 'a'., X has"):
        compare_initializers(MLPClassifier((8,)), frame, Y, X_val=frame[list("dcba")], y_val=Y)


def test_labels_outside_the_training_fold_count_as_errors():
    result = compare_initializers(
        MLPClassifier((8,), max_epochs=2), X, Y, initializers=["zeros", "he_normal"], cv=KFold(3), n_repeats=1
    )
    # Iris is sorted by class: no class is in both parts of a fold.
    assert set(result.runs["status"]) == {"ok"}
    assert (result.runs["score"] == 0).all()
    assert result.history["val_loss"].isna().all()


def test_lists_of_texts():
    pipe = make_pipeline(TfidfVectorizer(), LogisticRegression())
    texts = ["good day", "bad day"] * 20
    result = compare_initializers(
        pipe, texts, [0, 1] * 20, parameter="logisticregression__C", initializers=[0.1, 1.0], n_repeats=1
    )
    assert (result.runs["score"] == 1).all()


def test_pipelines_get_data_frames_unchanged():
    frame, y = load_iris(return_X_y=True, as_frame=True)
    names = []

    def spy(model, X, y):
        names.append(list(X.columns))
        return model.score(X, y)

    pipe = make_pipeline(StandardScaler(), MLPClassifier((8,), max_epochs=1))
    compare_initializers(pipe, frame, y, initializers=["zeros"], n_repeats=1, cv=3, scoring=spy)
    assert list(frame.columns) in names


@pytest.mark.filterwarnings("ignore:The number of unique classes")
def test_a_few_texts_among_the_numbers_of_a_target_are_named():
    numbers = [f"{value / 7:.3f}" for value in range(50)]
    numbers[12], numbers[30] = "none", "broken"
    with pytest.raises(InvalidParameterError, match="are numbers, but row 13 has 'none'"):
        compare_initializers(MLPClassifier(), np.zeros((50, 2)), numbers, initializers=["zeros"])
    # With many texts, or only numbers, each value is a class.
    for labels in (["a", "b", "c", "1", "2", "3"], list("1234")):
        with pytest.raises(InvalidParameterError, match="every class needs two samples"):
            compare_initializers(MLPClassifier(), np.zeros((len(labels), 2)), labels, initializers=["zeros"])
