"""Ctrl-C during ``initsk compare`` and ``report``: one line says what was kept, and how to go on."""

import pytest

from initsk import ComparisonResult
from initsk.comparison.execution._run import Experiment
from tests.cli.helpers import QUICK, run

COMMAND = ["compare", "--dataset", "digits", *QUICK]


def interrupt(*arguments, **options):
    raise KeyboardInterrupt


def last_line(capsys):
    return capsys.readouterr().err.rstrip("\n").split("\n")[-1]


def test_while_the_report_is_written_the_store_has_all_runs(networks, monkeypatch, capsys):
    command = [*COMMAND, "--store", "my runs.sqlite"]
    monkeypatch.setattr("sys.argv", ["initsk", *command])
    with monkeypatch.context() as changed:
        changed.setattr(ComparisonResult, "to_html", interrupt)
        assert run(*command) == 130
        shown = last_line(capsys)
        assert "interrupted; my runs.sqlite has 4 of 4 runs; to continue: initsk compare --dataset digits" in shown
        assert "(or initsk report 'my runs.sqlite'" in shown
        assert run("report", "my runs.sqlite", "--out", "other") == 130
        assert "my runs.sqlite still has the runs" in last_line(capsys)
    monkeypatch.setattr(ComparisonResult, "to_html", lambda result, path, **options: path)
    monkeypatch.setattr(Experiment, "run", interrupt)
    assert run(*command) == 0


def test_while_the_report_is_written_without_a_store(networks, monkeypatch, capsys):
    monkeypatch.setattr(ComparisonResult, "to_html", interrupt)
    assert run(*COMMAND, "--out", "mine") == 130
    shown = last_line(capsys)
    assert "interrupted while the report was written; mine has only a part of it" in shown
    assert "the same command makes all runs again; with --store FILE" in shown


@pytest.mark.parametrize(
    ("options", "words"),
    [([], "no results were kept; with --store FILE"), (["--store", "runs.sqlite"], "no run had finished")],
)
def test_before_the_first_run_it_is_one_line_about_options(networks, monkeypatch, capsys, options, words):
    monkeypatch.setattr(Experiment, "run", interrupt)
    assert run(*COMMAND, *options) == 130
    lines = [line for line in capsys.readouterr().err.splitlines() if "interrupted" in line]
    assert len(lines) == 1
    assert f"initsk compare: interrupted; {words}" in lines[0]
    assert "store=" not in lines[0]
