import subprocess
import sys

import pandas as pd
import pytest
from sklearn.datasets import load_iris

from initsk.cli._main import compare, main
from initsk.comparison import ARTICLE_INITIALIZERS
from tests.datasets.test_loaders import write_folder

QUICK = ["--epochs", "1", "--hidden", "8", "--repeats", "2", "--jobs", "1", "--initializers", "zeros,he_normal"]
TABLES = ("runs", "history", "layers", "gradients", "weights", "histograms", "timing")
FILES = {"index.html", "index_files", *(f"{name}.csv" for name in TABLES)}


def run(*arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(a) for a in arguments])
    return caught.value.code


def test_compare_leaves_everything(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("compare", "--dataset", "digits", *QUICK) == 0
    assert {path.name for path in (tmp_path / "reports" / "digits").iterdir()} == FILES
    shown = capsys.readouterr()
    assert "he_normal" in shown.out
    assert "report: reports/digits/index.html" in shown.err


def test_own_data(tmp_path, capsys):
    frame = load_iris(as_frame=True).frame
    frame["target"] = frame["target"].map({0: "setosa", 1: "versicolor", 2: "virginica"})
    frame.to_csv(tmp_path / "iris.csv", index=False)
    frame.to_parquet(tmp_path / "iris.parquet")
    folder = tmp_path / "idx"
    folder.mkdir()
    write_folder(folder, 40, 20)
    for source in (["iris.csv", "--target", "target"], ["idx"]):
        out = tmp_path / "out" / source[0]
        assert run("compare", "--dataset", tmp_path / source[0], *source[1:], *QUICK, "--out", out) == 0
        assert {path.name for path in out.iterdir()} == FILES


def test_a_folder_that_cannot_be_written_is_refused_before_training(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert run("compare", "--dataset", "digits", "--out", tmp_path / "file" / "below") == 2
    shown = capsys.readouterr()
    assert "cannot be written (Not a directory" in shown.err
    assert shown.err.count("\n") == 1


def test_default_initializers_are_the_articles():
    [default] = [option.default for option in compare.params if option.name == "initializers"]
    assert default.split(",") == list(ARTICLE_INITIALIZERS)


def test_limit(tmp_path, capsys):
    assert run("compare", "--dataset", "digits", *QUICK, "--limit", "100", "--out", tmp_path) == 0
    assert "<dt>Training samples</dt><dd>100</dd>" in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--repeats", "0"], "--repeats"),
        (["--epochs", "x"], "--epochs"),
        (["--hidden", "5,x"], "list of sizes such as 512,256"),
        (["--nothing"], "No such option"),
        (["--lr", "-1"], "a finite number > 0"),
        (["--lr", "0.1,x"], "list of learning rates"),
        (["--activation", "rleu"], "did you mean 'relu'"),
        (["--initializers", "he_nrmal"], "did you mean 'he_normal'"),
        (["--initializers", ","], "at least one"),
        (["--device", "nowhere"], "not available here"),
        (["--dataset", "nothing.csv"], "does not exist; allowed: mnist, digits"),
        (["--dataset", __file__], "is of an unknown kind; allowed: mnist, digits"),
        (["--target", "species"], "--target 'species' is for a CSV or Parquet file"),
        (["--limit", "2"], "y_val holds labels that y does not"),
        (["--axes", "other"], "'shared', 'article'"),
    ],
)
def test_bad_arguments_are_one_line_and_exit_2(arguments, words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("compare", *(["--dataset", "digits"] if "--dataset" not in arguments else []), *arguments) == 2
    shown = capsys.readouterr()
    assert words in shown.err
    assert shown.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_table_without_target(tmp_path, capsys):
    pd.DataFrame({"a": [1]}).to_csv(tmp_path / "t.csv")
    assert run("compare", "--dataset", tmp_path / "t.csv") == 2
    assert "--target COLUMN" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"a": [1, None, 3, 4], "y": [0, 1, 0, None]}, "values are missing in the columns a, y"),
        ({"a": [1, 2, 3, 4], "y": [0.1, 0.2, 0.3, 0.4]}, "continuous numbers"),
        ({"a": [], "y": []}, "has 0 rows and 1 columns besides the target"),
        ({"y": [1, 2]}, "has 2 rows and 0 columns besides the target"),
        ({"a": ["x", "y"], "y": [1, 2]}, "features must be numeric; these columns are not: a"),
    ],
)
def test_tables_that_cannot_be_used(columns, words, tmp_path, capsys):
    pd.DataFrame(columns).to_csv(tmp_path / "T.CSV", index=False)
    assert run("compare", "--dataset", tmp_path / "T.CSV", "--target", "y") == 2
    shown = capsys.readouterr()
    assert words in shown.err
    assert shown.err.count("\n") == 1


def test_no_run_with_a_score_is_an_error(tmp_path, capsys):
    assert run("compare", "--dataset", "digits", *QUICK, "--lr", "1e38", "--out", tmp_path) == 1
    assert "no run gave a score; reason of the first: the loss is not finite" in capsys.readouterr().err


@pytest.fixture
def interrupted(monkeypatch):
    """Let the fourth run be interrupted."""
    from initsk.comparison.execution._run import Experiment

    original = Experiment.run
    calls = []

    def run_three(*arguments):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(Experiment, "run", run_three)


def test_interrupted_job_says_what_it_kept(tmp_path, capsys, interrupted):
    assert run("compare", "--dataset", "digits", *QUICK, "--out", tmp_path) == 130
    shown = capsys.readouterr().err
    assert f"the report in {tmp_path} has 3 of 4 runs; with --store FILE, the same command" in shown
    assert len(pd.read_csv(tmp_path / "runs.csv")) == 3
    assert "Interrupted: 3 of 4 runs had finished" in (tmp_path / "index.html").read_text()


@pytest.mark.slow
def test_interrupted_job_goes_on_from_its_store(tmp_path, capsys, interrupted, monkeypatch):
    command = ["compare", "--dataset", "digits", *QUICK]
    kept = [*command, "--store", tmp_path / "runs.sqlite", "--out", tmp_path / "kept"]
    monkeypatch.setattr("sys.argv", ["initsk", *map(str, kept)])
    assert run(*kept) == 130
    assert f"to continue: initsk {' '.join(map(str, kept))}" in capsys.readouterr().err
    assert run(*kept) == 0
    assert run(*command, "--out", tmp_path / "whole") == 0
    for name in FILES - {"timing.csv", "index.html", "index_files"}:
        assert (tmp_path / "kept" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_store_of_something_else_is_one_line_and_exit_2(tmp_path, capsys):
    (tmp_path / "runs.sqlite").write_text("mine")
    arguments = ["--dataset", "digits", *QUICK, "--store", tmp_path / "runs.sqlite", "--out", tmp_path]
    assert run("compare", *arguments) == 2
    shown = capsys.readouterr().err
    assert "is not a store of runs, and is left as it is" in shown
    assert shown.count("\n") == 1


def test_learning_rates_and_halving(tmp_path, capsys):
    arguments = ["--dataset", "digits", "--epochs", "2", "--hidden", "16", "--repeats", "4", "--jobs", "1"]
    arguments += ["--initializers", "zeros,he_normal", "--lr", "0.001,0.01", "--racing", "--out", tmp_path]
    assert run("compare", *arguments) == 0
    runs = pd.read_csv(tmp_path / "runs.csv")
    assert set(runs["lr"]) == {0.001, 0.01}
    assert len(runs) < 16
    assert "Left out early" in (tmp_path / "index.html").read_text()
    printed = capsys.readouterr().out
    assert " 0.01 " in printed
    assert "inf" in printed


def test_list(capsys):
    assert run("list") == 0
    assert "he_normal" in capsys.readouterr().out
    assert run("list", "--framework", "keras") == 0
    assert "keras.he_normal" in capsys.readouterr().out
    assert run("list", "--markdown") == 0
    assert "| `he_normal` |" in capsys.readouterr().out


def test_python_dash_m():
    done = subprocess.run([sys.executable, "-m", "initsk", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("initsk, version ")
