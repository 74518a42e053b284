"""Frames in files, and results of several experiments."""

import hashlib
import json

import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - it makes HalvingGridSearchCV importable

from initsk import ComparisonResult, MLPClassifier, compare_initializers
from initsk.comparison.results import TABLES
from initsk.exceptions import DataFormatError, InitskError, InvalidParameterError

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


def cut(path):
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"\n", len(content) // 2) + 1])


def change_a_digit(path):
    content = path.read_text()
    # The last score of the first run.
    start = content.index("0.", content.index("\n")) + 2
    path.write_text(content[:start] + str(9 - int(content[start])) + content[start + 1 :])


@pytest.mark.parametrize(
    ("name", "spoil", "words"),
    [
        ("comparison.json", lambda path: path.unlink(), "has no saved comparison: comparison.json is missing"),
        ("layers.csv", lambda path: path.unlink(), "has no saved comparison: layers.csv is missing"),
        ("comparison.json", lambda path: path.write_text("{"), "does not describe a comparison .JSONDecodeError"),
        ("comparison.json", lambda path: path.write_text("{}"), "does not describe a comparison .KeyError"),
        ("comparison.json", lambda path: path.write_text("[" * 100_000), "does not describe a comparison .Recursion"),
        ("comparison.json", change_a_digit, "has changed since it was saved: its digest"),
        ("runs.csv", lambda path: path.write_text("a,b\n1,2\n"), "has changed since it was saved: it has 1 row of 24"),
        ("history.csv", lambda path: path.write_text(""), "has changed since it was saved: it has 0 rows of"),
        ("history.csv", lambda path: path.write_bytes(b"\xff\xfe"), "has changed since it was saved"),
        *(
            (f"{name}.csv", cut, rf"{name}\.csv has changed since it was saved: it has \d+ rows? of \d+")
            for name in TABLES
        ),
        *(
            pytest.param(
                f"{name}.csv",
                change_a_digit,
                rf"{name}\.csv has changed since it was saved",
                marks=[] if name == "runs" else pytest.mark.slow,
            )
            for name in TABLES
        ),
    ],
)
def test_loading_a_comparison_that_has_changed_raises(result, tmp_path, name, spoil, words):
    spoil(result.save(tmp_path) / name)
    with pytest.raises(DataFormatError, match=words) as caught:
        ComparisonResult.load(tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("change", [{"format": "../csv"}, {"tables": {}}, {"tables": 1}, {"settings": None}])
def test_a_description_that_another_program_wrote_raises(result, tmp_path, change):
    path = result.save(tmp_path) / "comparison.json"
    about = json.loads(path.read_text()) | change
    del about["digest"]
    digest = hashlib.blake2b(json.dumps(about).encode(), digest_size=16).hexdigest()
    path.write_text(json.dumps(about | {"digest": digest}))
    if change == {"settings": None}:
        assert ComparisonResult.load(tmp_path).settings == {}
    else:
        with pytest.raises(DataFormatError, match="has no complete comparison"):
            ComparisonResult.load(tmp_path)


def test_other_line_ends_change_nothing(result, tmp_path):
    for path in result.save(tmp_path).iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert_same(ComparisonResult.load(tmp_path), result)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_names_with_control_characters_are_saved(tmp_path, kind):
    def strange(tensor):
        raise ValueError("\x1b]0;title\x07 and \u202e")

    def quoted(tensor):
        raise ValueError

    strange.__name__, quoted.__name__ = "\r=1+1", 'a "quoted" \\ name'
    names = ["he_normal", strange, quoted]
    score = {"a\x1b[31m": "accuracy", "\r\n": "neg_log_loss"}
    result = compare_initializers(CLF, X, Y, initializers=names, n_repeats=1, scoring=score)
    assert result.initializers == ["he_normal", "\r=1+1", 'a "quoted" \\ name']
    folder = result.save(tmp_path, format=kind)
    assert_same(ComparisonResult.load(folder), result)
    if kind == "csv":
        for path in folder.iterdir():
            assert not {"\x1b", "\x07", "\r", "\u202e"} & set(path.read_bytes().decode())


def test_unknown_formats_raise(result, tmp_path):
    result.save(tmp_path)
    about = json.loads((tmp_path / "comparison.json").read_text())
    (tmp_path / "comparison.json").write_text(json.dumps(about | {"version": 1}))
    with pytest.raises(DataFormatError, match=r"of format 1 \(allowed: 3\)"):
        ComparisonResult.load(tmp_path)
    with pytest.raises(InvalidParameterError, match="unknown format 'pickle'"):
        result.save(tmp_path, format="pickle")


@pytest.mark.parametrize("path", [None, 3, ""])
def test_what_is_no_path_raises(result, path):
    calls = [result.save, result.to_csv, ComparisonResult.load, ComparisonResult.from_store]
    for call in calls if path is None else [*calls, result.to_html, result.to_json]:
        with pytest.raises(InvalidParameterError, match=r"(folder|path)=.* is not allowed \(a path\)"):
            call(path)


def test_no_file_has_a_path_with_a_null_character(result):
    calls = [result.save, result.to_csv, ComparisonResult.load, ComparisonResult.from_store, result.to_html]
    for call in calls:
        with pytest.raises(InitskError, match="a path has no NUL character"):
            call("a\0b")


def test_a_file_is_no_folder_and_stays(result, tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    for call in (result.save, result.to_csv):
        with pytest.raises(InvalidParameterError, match="this is a file"):
            call(path)
    assert path.read_text() == "mine"


def test_the_home_folder_is_found(result, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert result.save("~/mine") == tmp_path / "mine"
    assert ComparisonResult.load("~/mine").settings == result.settings
    assert result.to_json("~/report.json") == tmp_path / "report.json"


def test_names_of_experiments_are_text(result):
    with pytest.raises(InvalidParameterError, match=r"the name None is not allowed \(text\)"):
        ComparisonResult.concat({None: result})
