"""Refusals of data: every command names the data set and, where there is one, the column and the row."""

import os

import numpy as np
import pandas as pd
import pytest

from tests.cli.helpers import QUICK, error_of, run

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(120, 4)), np.arange(120) % 3
COMMANDS = {
    "compare": [*QUICK, "--out", "out"], "inspect": ["--hidden", "4"], "diagnose": ["--hidden", "4"],
    "audit": ["--hidden", "4"], "recommend": ["--hidden", "4"],
}  # fmt: skip


def replaced(array, place, value):
    changed = array.astype(float)
    changed[place] = value
    return changed


FAULTY = {
    "missing": ({"X": replaced(X, (3, 2), np.nan), "y": Y}, "X has missing values (NaN): column 3 (row 4)"),
    "infinite": ({"X": replaced(X, (3, 2), np.inf), "y": Y}, "X has infinite values: column 3 (row 4)"),
    "both": ({"X": replaced(replaced(X, (0, 0), np.nan), (3, 2), -np.inf), "y": Y},
             "missing values (NaN): column 1 (row 1); infinite values: column 3 (row 4)"),
    "too large": ({"X": replaced(X, (3, 2), 1e39), "y": Y}, "single precision (3.4e+38): column 3 (row 4); divide by"),
    "missing targets": ({"X": X, "y": replaced(Y, 6, np.nan)}, "y has missing values (NaN): row 7; rows and columns"
                        " count from 1, without a header; leave the samples without a target out of the file"),
    "infinite targets": ({"X": X, "y": replaced(Y, 6, np.inf)}, "y has infinite values: row 7"),
    "too large targets": ({"X": X, "y": replaced(Y, 6, 1e39)}, "y has numbers beyond the range"),
    "vector": ({"X": X[:, 0], "y": Y}, "X has the shape (120,)"),
    "images": ({"X": X.reshape(120, 2, 2), "y": Y}, "2, 2) (allowed: a row of values for each sample"),
    "several targets": ({"X": X, "y": np.c_[Y, Y]}, ", 2) (allowed: one target for each sample"),
    "text": ({"X": X.astype(str), "y": Y}, "X has the type <U32 (allowed: numbers)"),
    "complex": ({"X": X + 0j, "y": Y}, "X has the type complex128"),
    "bytes": ({"X": X, "y": Y.astype("S")}, "y has a value of the type bytes_ (row 1)"),
    "a class with one sample": ({"X": X, "y": replaced(Y, 7, 9)}, "single sample: 1 of 4 (9.0 in row 8)"),
    "a single class": ({"X": X, "y": np.full(120, 7)}, "has a single class, 7 (allowed: at least two"),
    "too few samples": ({"X": X[:4], "y": Y[[0, 0, 1, 1]]}, "the data cannot be split by class"),
    "no samples": ({"X": X[:0], "y": Y[:0]}, "X has the shape (0, 4)"),
    "other columns": ({"X": X, "y": Y, "X_val": X[:, :2], "y_val": Y}, "X_val has the shape (120, 2), and X has"),
    "other classes": ({"X": X, "y": Y, "X_val": X, "y_val": Y + 1}, "the held-out samples have 1 class that no"),
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_refusal_names_the_file(networks, capsys, command):
    for arrays, words in FAULTY.values():
        np.savez("mine.npz", **arrays)
        shown = error_of(capsys, command, "--dataset", "mine.npz", *COMMANDS[command])
        assert shown.startswith(f"initsk {command}: mine.npz: ")
        assert words in shown


@pytest.mark.parametrize("command", ["diagnose", "inspect"])
def test_a_refusal_after_loading_names_the_file(networks, capsys, command):
    (networks / "picky.py").write_text(
        "import torch\nclass net(torch.nn.Linear):\n    def __init__(self): super().__init__(4, 3)\n"
        "    def forward(self, x): raise EOFError('picky')\n"
    )
    np.savez("mine.npz", X=X, y=Y)
    shown = error_of(capsys, command, "picky.py:net", "--dataset", "mine.npz")
    assert "picky" in shown
    assert "the data are those of --dataset mine.npz" in shown
    np.savez("mine.npz", X=X[:20], y=Y[:20] % 2)
    if command == "diagnose":
        assert "--dataset mine.npz" in error_of(capsys, command, "--hidden", "4", "--dataset", "mine.npz")
        shown = error_of(capsys, command, "--hidden", "4", "--dataset", "mine.npz", "--initializer", "he_nrmal")
        assert "did you mean 'he_normal'" in shown
        assert "mine.npz" not in shown


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ([{"a": 1}, {"a": 2}], "the column 'y' has a value of the type dict (row 1)"),
        ([[1], [2]], "the column 'y' has a value of the type"),
        ([b"a", b"b"], "the column 'y' has a value of the type bytes"),
        (list(pd.period_range("2020", periods=2, freq="M")), "the column 'y' has a value of the type Period"),
        ([None, "a"], "missing values (NaN): column 'y' (row 1)"),
    ],
    ids=["dict", "list", "bytes", "period", "missing"],
)
def test_odd_targets_of_a_table(networks, capsys, target, words):
    pd.DataFrame({"a": np.arange(8.0), "y": target * 4}).to_parquet("mine.parquet")
    shown = error_of(capsys, "audit", "--dataset", "mine.parquet", "--target", "y")
    assert shown.startswith("initsk audit: mine.parquet: ")
    assert words in shown


@pytest.mark.parametrize("scale", [1e200, 1e-200])
def test_the_columns_of_a_table_are_standardized_at_any_scale(networks, capsys, scale):
    for name, factor in (("plain", 1.0), ("scaled", scale)):
        pd.DataFrame(X * factor, columns=list("abcd")).assign(y=Y).to_csv(f"{name}.csv", index=False)
    shown = []
    for name in ("plain", "scaled"):
        assert run("inspect", "--dataset", f"{name}.csv", "--target", "y", "--hidden", "4") == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        ("", "--dataset '' is empty; allowed: mnist, digits, an IDX folder"),
        ("x" * 300 + ".csv", "cannot be read (File name too long)"),
        ("a\0.npz", "a path has no NUL character"),
        ("loop", "Too many levels of symbolic links"),
        ("pipe.npz", "pipe.npz: is a pipe; allowed: a regular file"),
        (os.devnull, "is of an unknown kind"),
        ("empty", "empty: holds no IDX files"),
    ],
    ids=["empty", "long", "NUL", "loop", "pipe", "device", "folder"],
)
@pytest.mark.parametrize("command", ["compare", "inspect"])
def test_paths_that_are_no_data(networks, capsys, command, dataset, words):
    os.symlink("loop", "loop")
    os.mkfifo("pipe.npz")
    os.mkdir("empty")
    assert words in error_of(capsys, command, "--dataset", dataset)
