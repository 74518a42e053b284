"""``initsk report``, and the pages that commands open."""

import os

import pandas as pd
import pytest
from sklearn.datasets import load_digits

from initsk import compare_initializers
from initsk.estimators import MLPClassifier
from tests.cli.helpers import QUICK, error_of, run


def test_open_shows_the_page_in_the_browser(networks, monkeypatch, capsys, without_pictures):
    opened = []
    monkeypatch.setattr("click.launch", opened.append)
    assert run("recommend", "my_networks.py:good", "--open") == 0
    assert opened == [(networks / "reports" / "recommend.html").as_uri()]
    command = ["compare", "--dataset", "digits", *QUICK, "--out", "out", "--open", "--store", "runs.sqlite"]
    assert run(*command) == 0
    assert opened[1:] == [(networks / "out" / "index.html").as_uri()]
    assert run("report", "runs.sqlite", "--open") == 0
    assert opened[2:] == [(networks / "reports" / "runs" / "index.html").as_uri()]
    # From its store, the same page and the same tables.
    for name in ("index.html", "runs.csv", "history.csv", "layers.csv", "weights.csv", "histograms.csv"):
        assert (networks / "reports" / "runs" / name).read_bytes() == (networks / "out" / name).read_bytes()


def test_report_of_an_unfinished_comparison(networks, monkeypatch, capsys, without_pictures):
    from initsk.comparison.execution._run import Experiment

    original, calls = Experiment.run, []

    def killed(*arguments):
        calls.append(1)
        if len(calls) == 4:
            raise SystemExit(137)
        return original(*arguments)

    monkeypatch.setattr(Experiment, "run", killed)
    X, y = load_digits(return_X_y=True)
    clf = MLPClassifier((8,), max_epochs=1)
    with pytest.raises(SystemExit):
        compare_initializers(clf, X / 16, y, initializers=["zeros", "he_normal"], n_repeats=3, store="runs.sqlite")
    assert run("report", "runs.sqlite", "--out", "half", "--language", "id") == 0
    page = (networks / "half" / "index.html").read_text()
    assert "Belum lengkap: laporan ini menampilkan 3 dari 6 run yang telah selesai" in page
    assert len(pd.read_csv(networks / "half" / "runs.csv")) == 3


def test_report_of_a_file_that_is_not_a_store(networks, capsys):
    (networks / "mine.sqlite").write_text("mine")
    assert "is not a store of runs, and stays unchanged" in error_of(capsys, "report", "mine.sqlite")
    assert run("report", "nothing.sqlite") == 2
    assert not (networks / "reports").exists()


@pytest.mark.parametrize("target", ["nowhere", "link"])
def test_a_link_to_nothing_or_to_itself_is_refused_before_any_run(networks, capsys, target):
    os.symlink(target, "link")
    for folder in ("link", "link/deeper"):
        shown = error_of(capsys, "compare", "--dataset", "digits", *QUICK, "--out", folder)
        assert f"--out '{folder}' cannot be written" in shown
    shown = error_of(capsys, "inspect", "my_networks.py:good", "--report", "link/page.html")
    assert "--report 'link/page.html' cannot be written" in shown
