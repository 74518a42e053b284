"""Frames in files and back, several experiments side by side, and what searches have found."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.datasets import load_iris
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - it makes HalvingGridSearchCV importable
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    RepeatedKFold,
    ShuffleSplit,
    StratifiedKFold,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from initsk import ComparisonResult, MLPClassifier, compare_initializers
from initsk.comparison.results import TABLES
from initsk.exceptions import DataFormatError, InvalidParameterError
from initsk.initializers import Orthogonal

X, Y = load_iris(return_X_y=True)
CLF = MLPClassifier((8,), max_epochs=2, lr=0.02, random_state=0)


def nan(tensor):
    raise ValueError('a "quoted", reason\nof two lines')


@pytest.fixture(scope="module")
def result():
    return compare_initializers(
        CLF, X, Y, initializers=["he_normal", nan, "zeros"], n_repeats=2, scoring=["accuracy", "neg_log_loss"],
        grid={"lr": [0.01, 1e38], "activation": ["relu", "tanh"], "early_stopping": [True, False]},
    )  # fmt: skip


def assert_same(first, second):
    for name in TABLES:
        pd.testing.assert_frame_equal(first.frames[name], second.frames[name], check_exact=True)
    assert first.settings == second.settings


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_what_was_saved_comes_back_to_the_last_bit(result, tmp_path, kind):
    assert {"ok", "failed", "diverged"} == set(result.runs["status"])
    folder = result.save(tmp_path / "saved", format=kind)
    assert_same(ComparisonResult.load(folder), result)
    assert {path.suffix for path in folder.iterdir()} == {f".{kind}", ".json"}
    assert ComparisonResult.load(folder).summary().equals(result.summary())


def test_several_experiments_are_saved_too(result, tmp_path):
    both = ComparisonResult.concat({"one": result, "two": result})
    assert_same(ComparisonResult.load(both.save(tmp_path)), both)


def test_experiments_stand_side_by_side():
    one = compare_initializers(CLF, X, Y, initializers=["zeros", "he_normal"], n_repeats=2)
    two = compare_initializers(CLF, X, Y, initializers=["orthogonal", "zeros"], n_repeats=3)
    both = ComparisonResult.concat({"one": one, "two": two})
    for name, frame in both.frames.items():
        assert frame.columns[0] == "experiment", name
        assert frame["experiment"].cat.categories.tolist() == ["one", "two"]
        assert frame["initializer"].cat.categories.tolist() == ["zeros", "he_normal", "orthogonal"]
        assert len(frame) == len(one.frames[name]) + len(two.frames[name])
    summary = both.summary()
    parts = [
        part.drop(columns="experiment").reset_index(drop=True)
        for _, part in summary.groupby("experiment", observed=True)
    ]
    pd.testing.assert_frame_equal(parts[0], one.summary())
    pd.testing.assert_frame_equal(parts[1], two.summary())
    assert both.pairwise()["experiment"].tolist() == ["one", "two"]
    # pandas alone puts them together as well.
    assert pd.concat([one.runs, two.runs], keys=["one", "two"]).index.get_level_values(0).nunique() == 2


def test_experiments_with_other_grids_stand_side_by_side():
    arguments = {"initializers": ["zeros", "he_normal"], "n_repeats": 2}
    plain = compare_initializers(CLF, X, Y, **arguments)
    gridded = compare_initializers(CLF, X, Y, grid={"lr": [0.01, 0.02]}, **arguments)
    both = ComparisonResult.concat({"plain": plain, "gridded": gridded})
    assert both.runs.columns[:5].tolist() == ["experiment", "initializer", "lr", "repeat", "fold"]
    for name, part in both.parts().items():
        alone = {"plain": plain, "gridded": gridded}[name]
        assert_same(part, alone)
    assert len(both.summary(by="setting")) == 2 + 4


def test_several_experiments_have_a_report_each(result, tmp_path):
    with pytest.raises(InvalidParameterError, match="a report each"):
        ComparisonResult.concat({"one": result}).to_html(tmp_path / "index.html")
    for wrong in ({}, [result], {"a": result.runs}, {"a": ComparisonResult.concat({"b": result})}):
        with pytest.raises(InvalidParameterError, match="concat"):
            ComparisonResult.concat(wrong)
    with pytest.raises(InvalidParameterError, match="one comparison"):
        result.parts()
    with pytest.raises(InvalidParameterError, match="is a folder"):
        result.to_html(tmp_path)


def test_the_last_format_is_the_only_one(result, tmp_path):
    result.save(tmp_path, format="parquet")
    result.save(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".csv", ".json"}


def test_frames_plot_in_one_line(result):
    from matplotlib.figure import Figure

    curves = result.history.groupby(["initializer", "epoch"], observed=True)["val_score"].mean().unstack(0)
    axes = curves.plot(ax=Figure().add_subplot())
    assert len(axes.get_lines()) == 2


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "comparison.json").unlink(), "comparison.json is not there"),
        (lambda folder: (folder / "layers.csv").unlink(), "layers.csv is not there"),
        (lambda folder: (folder / "comparison.json").write_text("{"), "no whole comparison .JSONDecodeError"),
        (lambda folder: (folder / "comparison.json").write_text("{}"), "no whole comparison .KeyError"),
        (lambda folder: (folder / "runs.csv").write_text("a,b\n1,2\n"), "has the columns"),
        (lambda folder: (folder / "history.csv").write_text(""), "no whole comparison"),
    ],
)
def test_what_is_no_saved_comparison_is_told(result, tmp_path, spoil, words):
    result.save(tmp_path)
    spoil(tmp_path)
    with pytest.raises(DataFormatError, match=words):
        ComparisonResult.load(tmp_path)


def test_the_format_of_a_later_version_is_refused(result, tmp_path):
    result.save(tmp_path)
    about = json.loads((tmp_path / "comparison.json").read_text())
    (tmp_path / "comparison.json").write_text(json.dumps(about | {"version": 2}))
    with pytest.raises(DataFormatError, match=r"of format 2 \(allowed: 1\)"):
        ComparisonResult.load(tmp_path)
    with pytest.raises(InvalidParameterError, match="unknown format 'pickle'"):
        result.save(tmp_path, format="pickle")


GRID = {"initializer": ["zeros", "he_normal", Orthogonal(2.0)], "lr": [0.001, 0.02]}


def test_a_grid_search_gives_the_same_statistics():
    search = GridSearchCV(CLF, GRID, cv=5).fit(X, Y)
    result = ComparisonResult.from_search(search)
    assert result.initializers == ["zeros", "he_normal", "Orthogonal(gain=2.0)"]
    assert len(result.runs) == 30
    assert set(result.runs["val_ratio"]) == {1 / 4}
    means = result.summary(by="setting").set_index(["initializer", "lr"])["mean_score"]
    for params, mean in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True):
        label = params["initializer"] if isinstance(params["initializer"], str) else "Orthogonal(gain=2.0)"
        assert means[label, params["lr"]] == pytest.approx(mean)
    pair = result.pairwise(by="setting").iloc[0]
    rows = {
        f"{label}, lr={lr}": part["score"].to_numpy()
        for (label, lr), part in result.runs.groupby(["initializer", "lr"], observed=True)
    }
    d = rows[pair["first"]] - rows[pair["second"]]
    error = np.sqrt((1 / 5 + 1 / 4) * d.var(ddof=1))
    low, high = stats.t.interval(0.95, 4, d.mean(), error)
    assert [pair["low"], pair["high"]] == pytest.approx([low, high])


@pytest.mark.parametrize(
    ("cv", "ratio"),
    [
        (None, 1 / 4),
        (3, 1 / 2),
        (StratifiedKFold(4), 1 / 3),
        (RepeatedKFold(n_splits=4, n_repeats=2, random_state=0), 1 / 3),
        (ShuffleSplit(3, test_size=0.2, random_state=0), 1 / 4),
        (ShuffleSplit(3, random_state=0), 1 / 9),
    ],
)
def test_the_share_held_out_is_read_from_the_splitter(cv, ratio):
    search = GridSearchCV(CLF, {"initializer": ["zeros", "he_normal"]}, cv=cv).fit(X, Y)
    assert ComparisonResult.from_search(search).runs["val_ratio"].to_numpy() == pytest.approx(ratio)


def test_searches_of_other_kinds():
    pipe = make_pipeline(StandardScaler(), CLF)
    names = ["zeros", "he_normal", "orthogonal"]
    random = RandomizedSearchCV(pipe, {"mlpclassifier__initializer": names}, n_iter=3, cv=3, random_state=0)
    assert len(ComparisonResult.from_search(random.fit(X, Y)).runs) == 9
    racing = HalvingGridSearchCV(CLF, {"initializer": names}, cv=3, random_state=0).fit(X, Y)
    # Scores of the last iteration alone, all from the same number of samples.
    assert len(ComparisonResult.from_search(racing).initializers) < 3
    by_rate = ComparisonResult.from_search(GridSearchCV(CLF, {"lr": [0.001, 0.02]}, cv=3).fit(X, Y), parameter="lr")
    assert by_rate.initializers == ["0.001", "0.02"]
    lists = GridSearchCV(CLF, [{"initializer": ["zeros"]}, {"initializer": ["he_normal"], "lr": [0.1]}], cv=3).fit(X, Y)
    assert ComparisonResult.from_search(lists).runs["lr"].unique().tolist() == ["", "0.1"]


def test_scores_of_a_search_with_several():
    search = GridSearchCV(CLF, GRID, cv=3, scoring=["accuracy", "neg_log_loss"], refit="neg_log_loss").fit(X, Y)
    runs = ComparisonResult.from_search(search).runs
    assert (runs["score"] == runs["score_neg_log_loss"]).all()
    assert (runs["score_accuracy"] >= 0).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning", "ignore:One or more of the test scores")
def test_fits_that_failed_in_a_search():
    search = GridSearchCV(CLF, {"initializer": [nan, "zeros"]}, cv=3, refit=False).fit(X, Y)
    result = ComparisonResult.from_search(search)
    assert result.runs["status"].tolist() == ["failed"] * 3 + ["ok"] * 3
    assert result.summary()["n_failed"].tolist() == [0, 3]


@pytest.mark.parametrize(
    ("search", "arguments", "words"),
    [
        (GridSearchCV(CLF, GRID), {}, "a fitted GridSearchCV"),
        (GridSearchCV(CLF, {"lr": [0.1]}, cv=2), {}, "none; searched: lr"),
        (GridSearchCV(CLF, GRID, cv=2), {"parameter": "rl"}, "did you mean 'lr'"),
        (GridSearchCV(CLF, GRID, cv=[(np.arange(99), np.arange(99, 150))]), {}, "which gives no noise"),
        (
            GridSearchCV(CLF, GRID, cv=ShuffleSplit(2, test_size=10, random_state=0)),
            {},
            "is no share; give val_ratio=",
        ),
        (GridSearchCV(CLF, GRID, cv=2), {"val_ratio": 0}, "val_ratio=0 is not allowed"),
    ],
)
def test_searches_that_do_not_tell(search, arguments, words):
    if words != "a fitted GridSearchCV":
        search = search.fit(X, Y)
    with pytest.raises(InvalidParameterError, match=words):
        ComparisonResult.from_search(search, **arguments)
