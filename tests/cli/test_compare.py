"""``initsk compare``."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

from initsk.cli._main import compare
from initsk.comparison import ARTICLE_INITIALIZERS
from initsk.comparison.results import TABLES
from tests.cli.helpers import QUICK, error_of, run
from tests.datasets.test_loaders import write_folder

FILES = {"index.html", "index_files", *(f"{name}.csv" for name in TABLES)}


def test_compare_writes_page_and_tables(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("compare", "--dataset", "digits", *QUICK, "--limit", "100") == 0
    assert {path.name for path in (tmp_path / "reports" / "digits").iterdir()} == FILES
    page = (tmp_path / "reports" / "digits" / "index.html").read_text()
    assert "<dt>Training samples</dt><dd>100</dd>" in page
    shown = capsys.readouterr()
    assert "he_normal" in shown.out
    assert "report: reports/digits/index.html" in shown.err


# test_data_of_every_kind reads these and other files by the same option, in less time.
@pytest.mark.slow
def test_compare_reads_tables_and_idx_folders(tmp_path, capsys):
    frame = load_iris(as_frame=True).frame
    frame["target"] = frame["target"].map({0: "setosa", 1: "versicolor", 2: "virginica"})
    frame.to_csv(tmp_path / "iris.csv", index=False)
    frame.to_parquet(tmp_path / "iris.parquet")
    folder = tmp_path / "idx"
    folder.mkdir()
    write_folder(folder, 40, 20)
    for source in (["iris.csv", "--target", "target"], ["idx"]):
        out = tmp_path / "out" / source[0]
        options = [*QUICK, "--initializers", "he_normal", "--out", out]
        assert run("compare", "--dataset", tmp_path / source[0], *source[1:], *options) == 0
        assert {path.name for path in out.iterdir()} == FILES


def test_a_folder_that_cannot_be_written_is_an_error_before_training(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    shown = error_of(capsys, "compare", "--dataset", "digits", "--out", tmp_path / "file" / "below")
    assert "cannot be written (Not a directory" in shown


def test_default_initializers_are_the_articles():
    [default] = [option.default for option in compare.params if option.name == "initializers"]
    assert default.split(",") == list(ARTICLE_INITIALIZERS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--repeats", "0"], "--repeats"),
        (["--epochs", "x"], "'--epochs': 'x' is not a whole number (allowed: at least 1)"),
        (["--random-state", "abc"], "'abc' is not a whole number (allowed: at least 0 and at most"),
        (["--hidden", "5,x"], "list of sizes such as 512,256"),
        (["--nothing"], "No such option"),
        (["--lr", "-1"], "a finite number > 0"),
        (["--lr", "0.1,x"], "list of learning rates"),
        (["--activation", "rleu"], "did you mean 'relu'"),
        (["--initializers", "he_nrmal"], "did you mean 'he_normal'"),
        (["--initializers", ","], "at least one"),
        (["--device", "nowhere"], "not available here"),
        (["--device", "gpu"], "did you mean 'cuda'?"),
        (["--dataset", "nothing.csv"], "does not exist; allowed: mnist, digits"),
        (["--dataset", __file__], "is of an unknown kind; allowed: mnist, digits"),
        (["--target", "species"], "--target 'species' is for a table, such as a CSV file"),
        (["--limit", "1"], "--limit 1 leaves 1 training sample: use more"),
        (["--axes", "other"], "'shared', 'article'"),
    ],
)
def test_bad_arguments_are_one_line_and_exit_2(arguments, words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = error_of(capsys, "compare", *(["--dataset", "digits"] if "--dataset" not in arguments else []), *arguments)
    assert words in shown
    assert not list(tmp_path.iterdir())


def test_no_run_with_a_score_is_an_error(tmp_path, capsys):
    diverging = [*QUICK, "--initializers", "he_normal", "--lr", "1e38"]
    assert run("compare", "--dataset", "digits", *diverging, "--out", tmp_path) == 1
    shown = capsys.readouterr().err
    assert "no run gave a score; reason of the first: the loss is not finite" in shown
    assert shown.endswith("; try a lower --lr\n")


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


def test_an_interrupted_job_reports_the_runs_that_it_kept(tmp_path, capsys, interrupted, without_pictures):
    assert run("compare", "--dataset", "digits", *QUICK, "--out", tmp_path) == 130
    shown = capsys.readouterr().err
    assert f"the report in {tmp_path} has 3 of 4 runs; with --store FILE, the same command" in shown
    assert len(pd.read_csv(tmp_path / "runs.csv")) == 3
    assert "Not complete: this report shows the 3 of 4 runs that have finished" in (tmp_path / "index.html").read_text()


@pytest.mark.slow
def test_an_interrupted_job_continues_from_its_store(tmp_path, capsys, interrupted, monkeypatch):
    command = ["compare", "--dataset", "digits", *QUICK]
    kept = [*command, "--store", tmp_path / "runs.sqlite", "--out", tmp_path / "kept"]
    monkeypatch.setattr("sys.argv", ["initsk", *map(str, kept)])
    assert run(*kept) == 130
    assert f"to continue: initsk {' '.join(map(str, kept))}" in capsys.readouterr().err
    assert run(*kept) == 0
    assert run(*command, "--out", tmp_path / "whole") == 0
    for name in FILES - {"timing.csv", "index.html", "index_files"}:
        assert (tmp_path / "kept" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_file_that_is_not_a_store_stays_unchanged(tmp_path, capsys):
    (tmp_path / "runs.sqlite").write_text("mine")
    arguments = ["--dataset", "digits", *QUICK, "--store", tmp_path / "runs.sqlite", "--out", tmp_path]
    shown = error_of(capsys, "compare", *arguments)
    assert "is not a store of runs, and stays unchanged" in shown


def test_learning_rates_and_racing(tmp_path, capsys, without_pictures):
    arguments = ["--dataset", "digits", "--epochs", "2", "--hidden", "16", "--repeats", "4", "--jobs", "1"]
    arguments += ["--initializers", "zeros,he_normal", "--lr", "0.001,0.01", "--racing", "--out", tmp_path]
    assert run("compare", *arguments) == 0
    runs = pd.read_csv(tmp_path / "runs.csv")
    assert set(runs["lr"]) == {0.001, 0.01}
    assert len(runs) < 16
    assert "Racing stopped initializers that were significantly worse: zeros" in (tmp_path / "index.html").read_text()
    printed = capsys.readouterr().out
    assert " 0.01 " in printed
    assert "never" in printed
    assert " inf" not in printed


def test_large_scores_are_printed_with_four_significant_digits(tmp_path, capsys, without_pictures):
    frame = load_iris(as_frame=True).frame.assign(target=lambda iris: 1e6 * (iris["target"] + 0.25) ** 2)
    frame.to_csv(tmp_path / "large.csv", index=False)
    options = [*QUICK, "--task", "regression", "--scoring", "neg_mean_squared_error", "--out", tmp_path / "out"]
    assert run("compare", "--dataset", tmp_path / "large.csv", "--target", "target", *options) == 0
    table = capsys.readouterr().out
    assert re.search(r"-\d\.\d+e\+1\d ", table)
    assert not re.search(r"\d{7}", table)


def test_the_terminal_has_the_answer_the_score_and_the_baseline(tmp_path, capsys, without_pictures):
    options = ["--dataset", "digits", *QUICK, "--initializers", "zeros", "--out", tmp_path]
    assert run("compare", *options) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("No initializer beats the baseline")
    assert "score: accuracy; baseline: the most frequent class 0.1" in shown


def test_the_terminal_and_the_page_say_alike_what_does_not_beat_the_baseline(tmp_path, capsys, without_pictures):
    values = np.linspace(-1, 1, 200)
    pd.DataFrame({"a": values, "kind": values > 0.4}).to_csv(tmp_path / "data.csv", index=False)
    options = ["--target", "kind", *QUICK, "--epochs", 20, "--lr", "0.05", "--out", tmp_path / "out"]
    assert run("compare", "--dataset", tmp_path / "data.csv", *options) == 0
    words = "No higher mean score than the baseline: zeros."
    assert f"\n\n{words}\n\n" in capsys.readouterr().out
    assert words in (tmp_path / "out" / "index.html").read_text()
