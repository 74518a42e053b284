"""Results of frames with a row for each run, made in any way."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.datasets import load_iris

from initsk import ComparisonResult, MLPClassifier, compare_initializers
from initsk.exceptions import InvalidParameterError
from initsk.initializers import Orthogonal

X, Y = load_iris(return_X_y=True)
SCORES = {"zeros": [0.5, 0.4, 0.6, 0.55], "he": [0.9, 0.7, 0.95, 0.8]}


def runs(**changes):
    """Return a frame of eight runs under names of a user's own; a change to None drops a column."""
    rows = [(name, seed, score) for name, scores in SCORES.items() for seed, score in enumerate(scores, start=11)]
    frame = pd.DataFrame(rows, columns=["init", "seed", "acc"]).assign(**changes)
    return frame.drop(columns=[name for name, value in changes.items() if value is None])


NAMES = {"initializer": "init", "repeat": "seed", "score": "acc"}


def test_known_answers():
    result = ComparisonResult.from_frame(runs(), **NAMES)
    assert result.initializers == ["zeros", "he"]
    summary, [pair] = result.summary(), result.pairwise().to_dict("records")
    assert summary["mean_score"].tolist() == pytest.approx([np.mean(SCORES["he"]), np.mean(SCORES["zeros"])])
    assert pair["p_value"] == pytest.approx(stats.ttest_rel(SCORES["he"], SCORES["zeros"]).pvalue)
    assert "he has the highest mean score" in result.answer()
    # The order of the rows does not matter: runs are pairs by their seed.
    shuffled = ComparisonResult.from_frame(runs().sample(frac=1, random_state=0), **NAMES)
    pd.testing.assert_frame_equal(shuffled.summary(), summary)


def test_frames_of_a_comparison_come_back():
    clf = MLPClassifier((8,), max_epochs=2)
    grid = {"lr": [0.1, 1]}
    made = compare_initializers(
        clf, X, Y, initializers=["zeros", Orthogonal()], cv=3, n_repeats=2, grid=grid, activations=False
    )
    again = ComparisonResult.from_frame(made.runs, grid="lr", history=made.history)
    # The data are not known, and the seeds are not among what pairs the runs.
    others = [name for name in made.runs if name not in ("seed", "baseline_score")]
    pd.testing.assert_frame_equal(again.runs[others], made.runs[others])
    pd.testing.assert_frame_equal(again.history, made.history)


def test_folds_get_the_correction_and_splits_of_their_own_need_a_ratio():
    frame = runs(fold=[0, 1, 0, 1] * 2, seed=[1, 1, 2, 2] * 2)
    assert set(ComparisonResult.from_frame(frame, **NAMES).runs["val_ratio"]) == {1.0}
    # By default, a fold is the same split in every repeat.
    assert ComparisonResult.from_frame(frame, **NAMES).runs["split"].tolist() == [0, 1, 0, 1] * 2
    assert ComparisonResult.from_frame(frame, **NAMES).pairwise()["n"].tolist() == [2]
    own = frame.assign(split=[0, 1, 2, 3] * 2)
    assert ComparisonResult.from_frame(own, **NAMES).pairwise()["n"].tolist() == [4]
    with pytest.raises(InvalidParameterError, match="splits without folds need val_ratio="):
        ComparisonResult.from_frame(runs(split=[0, 1, 2, 3] * 2), **NAMES)
    held_out = ComparisonResult.from_frame(runs(split=[0, 1, 2, 3] * 2), val_ratio=0.5, **NAMES)
    assert set(held_out.runs["val_ratio"]) == {0.5}


def test_runs_without_a_score_and_several_scores():
    frame = runs(loss=-np.arange(8.0))
    frame.loc[0, "acc"] = np.nan
    result = ComparisonResult.from_frame(frame, initializer="init", repeat="seed", score=["acc", "loss"])
    assert result.summary()["n_runs"].tolist() == [4, 3]
    assert result.summary(score="loss")["initializer"].tolist() == ["zeros", "he"]
    alone = ComparisonResult.from_frame(frame, **NAMES)
    assert alone.runs["status"].tolist() == ["failed"] + ["ok"] * 7
    values = ComparisonResult.from_frame(runs(init=[Orthogonal(2.0)] * 4 + [0.5] * 4), **NAMES)
    assert values.initializers == ["Orthogonal(gain=2.0)", "0.5"]


@pytest.mark.parametrize(
    ("frame", "arguments", "words"),
    [
        ([1, 2], {}, "frame is of type list"),
        (runs().iloc[:0], {}, "an empty DataFrame"),
        (runs(), {"score": "ac"}, "score='ac': unknown column 'ac'; did you mean 'acc'"),
        (runs(), {"score": 5, "grid": 7}, "score=5: unknown column 5.*grid=7: unknown column 7"),
        (runs(), {"initializer": "in", "score": "ac"}, "initializer='in'.*score='ac'"),
        (runs(acc="good"), {}, "score='acc' is a column of .* \\(allowed: numbers\\)"),
        (runs(), {"repeat": None}, "no column repeat or fold.*repeat='seed'"),
        (runs(seed=0), {}, "4 rows are the same run \\(init 'zeros', seed 0\\).*grid="),
        (runs(init=[None] * 3 + ["a"] * 5), {}, "the column init has no value in 3 of 8 rows"),
        (runs(), {"val_ratio": 0}, "val_ratio=0 is not allowed"),
        (runs(), {"history": runs()}, "history lacks the columns epoch"),
        (runs(), {"history": runs(epoch=1)}, "history has no values .*train_loss"),
        (runs(), {"history": runs(seed=12, epoch=range(8), val_loss=1).assign(init="x")}, "frame does not have.*'x'"),
        (runs(), {"history": pd.concat([runs(epoch=1, val_loss=1.0)] * 2)}, "an epoch of a run twice"),
        (runs(), {"history": runs(epoch=1.5, val_loss=1.0)}, "not whole numbers"),
    ],
)
def test_mistakes(frame, arguments, words):
    with pytest.raises(InvalidParameterError, match=f"from_frame: .*{words}"):
        ComparisonResult.from_frame(frame, **NAMES | arguments)


@pytest.mark.parametrize("frames", [runs(), {"runs": runs()}, {"runs": runs(), "history": pd.DataFrame()}])
def test_the_constructor_names_from_frame(frames):
    with pytest.raises(InvalidParameterError, match=r"use ComparisonResult\.from_frame\(frame\)"):
        ComparisonResult(frames)


def test_settings_with_runs_in_one_repeat_each_cannot_be_compared():
    frame = runs(lr=[0.1, 0.2, 0.3, 0.4] * 2)
    result = ComparisonResult.from_frame(frame, **NAMES, grid=["lr"])
    with pytest.raises(InvalidParameterError, match="no setting has runs in two"):
        result.summary()
    # Of one repeat only, the best setting is taken.
    single = ComparisonResult.from_frame(frame.assign(seed=1), **NAMES, grid=["lr"]).summary()
    assert dict(zip(single["initializer"], single["mean_score"], strict=True)) == {"he": 0.95, "zeros": 0.6}
