"""No option of ``initsk compare`` is ignored: for each kind of data, it changes the outcome or is refused."""

import click
import pandas as pd
import pytest

from initsk import ComparisonResult
from initsk.cli._main import cli
from initsk.cli._option_rules import ANY_DATA, ARRAYS, DATA_OF_OPTIONS, TABLES, UNDIVIDED
from tests.cli.helpers import error_of, run
from tests.cli.test_data import write_data

# Each kind of data, with what is true of it.
KINDS = {
    "digits": (["digits"], {ANY_DATA, ARRAYS, UNDIVIDED}),
    "iris.npz": (["iris.npz"], {ANY_DATA, ARRAYS, UNDIVIDED}),
    "parts.npz": (["parts.npz"], {ANY_DATA, ARRAYS}),
    "idx": (["idx"], {ANY_DATA, ARRAYS}),
    "iris.csv": (["iris.csv", "--target", "target"], {ANY_DATA, TABLES, UNDIVIDED}),
    "iris.parquet": (["iris.parquet", "--target", "target"], {ANY_DATA, TABLES, UNDIVIDED}),
    "with --test": (["iris.csv", "--target", "target", "--test", "iris.csv"], {ANY_DATA, TABLES}),
}
QUICK = ["--epochs", "1", "--hidden", "4", "--repeats", "3", "--jobs", "1", "--out", "out"]
# Values that differ from what the command takes without the option; at least one of them must change the outcome.
VALUES = {
    "dataset": ["nothing"], "target": ["petal width (cm)"], "sep": [";"], "decimal": [","],
    "drop": ["petal width (cm)"], "test": ["half.csv"], "task": ["regression"], "shape": ["3,3"], "cv": ["2"],
    "scoring": ["f1_macro"], "initializers": ["zeros,orthogonal"], "repeats": ["2"], "epochs": ["2"],
    "batch_size": ["3"], "hidden": ["5"], "activation": ["tanh"], "lr": ["0.5"], "racing": [], "store": ["runs.sqlite"],
    "jobs": ["0"], "device": ["nonsense"], "limit": ["12"], "axes": ["article"], "random_state": ["1"],
    "language": ["id"], "open": [], "out": ["other"], "force": [],
}  # fmt: skip


def name_of(option):
    return f"--{option.replace('_', '-')}"


def given(option, value):
    return [name_of(option), *([] if value is None else [value])]


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Let the page be its settings and options, without the command: drawing takes seconds."""
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    pd.read_csv("iris.csv")[::2].to_csv("half.csv", index=False)

    def written(result, path, **options):
        about = {name: value for name, value in result.settings.items() if name != "command"}
        path.write_text(repr((about, result.runs["score"].tolist(), options)))
        return path

    monkeypatch.setattr(ComparisonResult, "to_html", written)
    return tmp_path


def test_the_rules_and_the_values_here_have_every_option():
    options = {parameter.name for parameter in cli.commands["compare"].params}
    assert options == set(DATA_OF_OPTIONS) == set(VALUES)
    assert set(DATA_OF_OPTIONS.values()) <= set.union(*(true for _, true in KINDS.values()))


REFUSED = [
    (kind, option) for kind, (_, true) in KINDS.items() for option, data in DATA_OF_OPTIONS.items() if data not in true
]


@pytest.mark.parametrize(("kind", "option"), REFUSED)
def test_an_option_for_other_data_is_refused_by_name_before_the_work(data, capsys, kind, option):
    dataset, _ = KINDS[kind]
    shown = error_of(capsys, "compare", "--dataset", *dataset, *QUICK, *given(option, *VALUES[option]))
    assert f"{name_of(option)} " in shown
    assert " is for " in shown or " are for " in shown
    assert not (data / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["digits", "iris.npz", "iris.csv", "with --test"])
def test_any_other_option_changes_the_outcome(data, monkeypatch, capsys, kind):
    dataset, true = KINDS[kind]
    opened = []
    monkeypatch.setattr(click, "launch", opened.append)

    def outcome(option=None, value=None, earlier=False):
        """Run the command in a folder without reports, or with an earlier one."""
        before = set(data.iterdir())
        opened.clear()
        base = ["compare", "--dataset", *dataset, "--initializers", "zeros,he_normal", *QUICK]
        if earlier:
            run(*base)
            capsys.readouterr()
        code = run(*base, *(given(option, value) if option else []))
        shown = capsys.readouterr()
        made = sorted(set(data.rglob("*")) - {path for path in data.rglob("*") if before & {path, *path.parents}})
        pages = [path.read_text() for path in made if path.name == "index.html"]
        names = [str(path.relative_to(data)) for path in made]
        for path in sorted(made, reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        return code, shown.out, len(opened), pages, names

    ignored = []
    plain = {earlier: outcome(earlier=earlier) for earlier in (False, True)}
    assert outcome() == plain[False]
    for option in DATA_OF_OPTIONS:
        if DATA_OF_OPTIONS[option] in true:
            earlier = option == "force"
            outcomes = [outcome(option, value, earlier) for value in VALUES[option] or [None]]
            if all(found == plain[earlier] for found in outcomes):
                ignored.append(option)
    assert not ignored
