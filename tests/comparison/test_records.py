"""The frames of a comparison: types, keys and scores."""

import pandas as pd
import pytest
from sklearn.datasets import load_iris

from initsk import MLPClassifier, compare_initializers

X, Y = load_iris(return_X_y=True)


def test_several_scorers():
    scoring = ["f1_macro", "neg_log_loss"]
    clf = MLPClassifier((8,), max_epochs=3, lr=0.02)
    result = compare_initializers(clf, X, Y, initializers=["he_normal", "orthogonal"], n_repeats=2, scoring=scoring)
    assert (result.runs["score"] == result.runs["score_f1_macro"]).all()
    assert (result.runs["score_neg_log_loss"] < 0).all()
    means = result.runs.groupby("initializer", observed=True)["score_neg_log_loss"].mean()
    summary = result.summary(score="neg_log_loss").set_index("initializer")
    assert summary["mean_score"].to_dict() == pytest.approx(means.to_dict())
    # The history has only the first scorer.
    assert summary[["epochs_to_target", "area_under_curve"]].isna().all(axis=None)
    assert result.summary(score="f1_macro").equals(result.summary())
    arguments = {"initializers": ["he_normal"], "n_repeats": 1}
    named = compare_initializers(clf, X, Y, scoring="f1_macro", **arguments)
    assert named.summary(score="f1_macro")["n_runs"].tolist() == [1]
    own = compare_initializers(clf, X, Y, scoring={"mine": lambda model, X, y: 0.5}, **arguments)
    assert own.runs["score"].tolist() == [0.5]


@pytest.mark.filterwarnings("ignore:no run gave a score")
def test_frames_have_fixed_types():
    expected = {"initializer": "category", "repeat": "int64", "fold": "int64"}

    def fails(tensor):
        raise RuntimeError

    full = compare_initializers(MLPClassifier((8,), max_epochs=1), X, Y, initializers=["zeros", fails], n_repeats=1)
    none = compare_initializers(MLPClassifier((8,), max_epochs=1), X, Y, initializers=[fails], n_repeats=1)
    for name, frame in full.frames.items():
        assert frame.dtypes[:3].astype(str).to_dict() == expected
        assert [str(d) for d in frame.dtypes] == [str(d) for d in none.frames[name].dtypes], name
    assert full.runs["status"].cat.categories.tolist() == ["ok", "diverged", "failed"]
    assert full.layers["phase"].cat.categories.tolist() == ["initialized", "training", "trained"]


def test_frames_join_on_their_keys():
    names = ["zeros", "he_normal", "orthogonal"]
    result = compare_initializers(MLPClassifier((8,), max_epochs=2), X, Y, initializers=names, n_repeats=2)
    keys = ["initializer", "repeat", "fold"]
    last = result.history.sort_values("epoch").groupby(keys, observed=True).last()
    joined = result.runs.merge(last, on=keys)
    assert len(joined) == len(result.runs)
    assert (joined["score"] == joined["val_score"]).all()
    assert isinstance(result.runs.pivot(index="repeat", columns="initializer", values="score"), pd.DataFrame)
