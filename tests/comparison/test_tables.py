"""Frames in files, and results of several experiments."""

import json

import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - it makes HalvingGridSearchCV importable

from initsk import ComparisonResult, MLPClassifier, compare_initializers
from initsk.comparison.results import TABLES
from initsk.exceptions import DataFormatError, InvalidParameterError

X, Y = load_iris(return_X_y=True)
CLF = MLPClassifier((8,), max_epochs=2, lr=0.02, random_state=0)


def nan(tensor):
    raise ValueError('a "quoted", reason\nof two lines')


@pytest.fixture(scope="module")
def result():
    return compare_initializers(
        CLF, X, Y, initializers=["he_normal", nan, "zeros"], n_repeats=2, scoring=["accuracy", "neg_log_loss"],
        grid={"lr": [0.01, 1e38], "early_stopping": [True, False]},
    )  # fmt: skip


def assert_same(first, second):
    for name in TABLES:
        pd.testing.assert_frame_equal(first.frames[name], second.frames[name], check_exact=True)
    assert first.settings == second.settings


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_load_restores_every_bit(result, tmp_path, kind):
    assert {"ok", "failed", "diverged"} == set(result.runs["status"])
    folder = result.save(tmp_path / "saved", format=kind)
    assert_same(ComparisonResult.load(folder), result)
    assert {path.suffix for path in folder.iterdir()} == {f".{kind}", ".json"}
    assert ComparisonResult.load(folder).summary().equals(result.summary())


def test_several_experiments_are_saved(result, tmp_path):
    both = ComparisonResult.concat({"one": result, "two": result})
    assert_same(ComparisonResult.load(both.save(tmp_path)), both)


def test_concat_joins_experiments():
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
    # pandas can join the frames as well.
    assert pd.concat([one.runs, two.runs], keys=["one", "two"]).index.get_level_values(0).nunique() == 2


def test_concat_joins_experiments_with_different_grids():
    arguments = {"initializers": ["zeros", "he_normal"], "n_repeats": 2}
    plain = compare_initializers(CLF, X, Y, **arguments)
    gridded = compare_initializers(CLF, X, Y, grid={"lr": [0.01, 0.02]}, **arguments)
    both = ComparisonResult.concat({"plain": plain, "gridded": gridded})
    assert both.runs.columns[:5].tolist() == ["experiment", "initializer", "lr", "repeat", "fold"]
    for name, part in both.parts().items():
        expected = {"plain": plain, "gridded": gridded}[name]
        assert_same(part, expected)
    assert len(both.summary(by="setting")) == 2 + 4


def test_several_experiments_have_no_common_report(result, tmp_path):
    with pytest.raises(InvalidParameterError, match="make a report of each result in parts"):
        ComparisonResult.concat({"one": result}).to_html(tmp_path / "index.html")
    for wrong in ({}, [result], {"a": result.runs}, {"a": ComparisonResult.concat({"b": result})}):
        with pytest.raises(InvalidParameterError, match="concat"):
            ComparisonResult.concat(wrong)
    with pytest.raises(InvalidParameterError, match="one comparison"):
        result.parts()
    with pytest.raises(InvalidParameterError, match="is a folder"):
        result.to_html(tmp_path)


def test_saving_again_deletes_the_other_format(result, tmp_path):
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
        (lambda folder: (folder / "comparison.json").unlink(), "comparison.json is missing"),
        (lambda folder: (folder / "layers.csv").unlink(), "layers.csv is missing"),
        (lambda folder: (folder / "comparison.json").write_text("{"), "no complete comparison .JSONDecodeError"),
        (lambda folder: (folder / "comparison.json").write_text("{}"), "no complete comparison .KeyError"),
        (lambda folder: (folder / "runs.csv").write_text("a,b\n1,2\n"), "has the columns"),
        (lambda folder: (folder / "history.csv").write_text(""), "no complete comparison"),
    ],
)
def test_loading_an_incomplete_comparison_raises(result, tmp_path, spoil, words):
    result.save(tmp_path)
    spoil(tmp_path)
    with pytest.raises(DataFormatError, match=words):
        ComparisonResult.load(tmp_path)


def test_unknown_formats_raise(result, tmp_path):
    result.save(tmp_path)
    about = json.loads((tmp_path / "comparison.json").read_text())
    (tmp_path / "comparison.json").write_text(json.dumps(about | {"version": 2}))
    with pytest.raises(DataFormatError, match=r"of format 2 \(allowed: 1\)"):
        ComparisonResult.load(tmp_path)
    with pytest.raises(InvalidParameterError, match="unknown format 'pickle'"):
        result.save(tmp_path, format="pickle")
