"""Where reports go: no command overwrites an earlier report silently."""

import pytest

from tests.cli.helpers import QUICK, error_of, run

COMPARE = ["compare", "--dataset", "digits", "--limit", "40", *QUICK, "--initializers", "zeros"]


pytestmark = pytest.mark.usefixtures("networks", "without_pictures")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_another_comparison_of_the_same_data_gets_a_folder_of_its_own(networks, capsys):
    assert run(*COMPARE) == 0
    first = contents(networks / "reports" / "digits")
    assert run(*COMPARE, "--epochs", "2") == 0
    shown = capsys.readouterr().err
    assert "reports/digits has another report and stays unchanged; this report goes to reports/digits-2" in shown
    assert run(*COMPARE, "--epochs", "3") == 0
    assert "report: reports/digits-3/index.html" in capsys.readouterr().err
    assert contents(networks / "reports" / "digits") == first
    assert run(*COMPARE, "--epochs", "2", "--force") == 0
    assert contents(networks / "reports" / "digits")["runs.csv"] != first["runs.csv"]
    assert sorted(path.name for path in (networks / "reports").iterdir()) == ["digits", "digits-2", "digits-3"]


def test_a_folder_that_is_given_needs_force_before_any_run(networks, capsys):
    (networks / "mine").mkdir()
    (networks / "mine" / "notes.txt").write_text("kept")
    assert run(*COMPARE, "--out", "mine") == 0
    first = contents(networks / "mine")
    capsys.readouterr()
    shown = error_of(capsys, *COMPARE, "--epochs", "2", "--out", "mine")
    assert shown == "initsk compare: --out 'mine' has a report already; --force overwrites it\n"
    assert contents(networks / "mine") == first
    assert run(*COMPARE, "--epochs", "2", "--out", "mine", "--force") == 0
    assert contents(networks / "mine")["notes.txt"] == b"kept"


@pytest.mark.slow
def test_a_store_writes_to_the_folder_of_its_runs_again(networks, capsys):
    kept = [*COMPARE, "--store", "runs.sqlite"]
    assert run(*kept) == 0
    assert run(*kept, "--repeats", "3") == 0
    assert run(*kept, "--repeats", "3", "--initializers", "zeros,he_normal") == 0
    for _ in range(2):
        assert run("report", "runs.sqlite") == 0
    assert sorted(path.name for path in (networks / "reports").iterdir()) == ["digits", "runs"]
    assert "another report" not in capsys.readouterr().err
    # Another store with other runs, and none at all.
    assert run(*COMPARE, "--random-state", "1", "--store", "other.sqlite") == 0
    assert "this report goes to reports/digits-2" in capsys.readouterr().err
    assert "--out 'reports/digits' has a report" in error_of(
        capsys, "report", "other.sqlite", "--out", "reports/digits"
    )


def test_a_page_is_not_overwritten(networks, capsys):
    command = ["audit", "my_networks.py:good", "--dataset", "digits"]
    assert run(*command, "--report", "mine.html") in (0, 1)
    first = (networks / "mine.html").read_bytes()
    capsys.readouterr()
    shown = error_of(capsys, *command, "--random-state", "1", "--report", "mine.html")
    assert shown == "initsk audit: --report 'mine.html' has a report already; --force overwrites it\n"
    assert (networks / "mine.html").read_bytes() == first
    assert run(*command, "--random-state", "1", "--report", "mine.html", "--force") in (0, 1)


def test_pages_without_a_path_are_numbered(networks, capsys, monkeypatch):
    opened = []
    monkeypatch.setattr("click.launch", opened.append)
    for _ in range(3):
        assert run("recommend", "my_networks.py:good", "--open") == 0
    names = ["recommend.html", "recommend-2.html", "recommend-3.html"]
    assert opened == [(networks / "reports" / name).as_uri() for name in names]


@pytest.mark.parametrize("command", ["inspect", "audit"])
def test_a_page_has_the_ending_of_a_page(networks, capsys, command):
    shown = error_of(capsys, command, "my_networks.py:good", "--dataset", "digits", "--report", "page.txt")
    assert "--report 'page.txt' is no page (allowed: a file ending with .html or .htm)" in shown
    assert not (networks / "page.txt").exists()
