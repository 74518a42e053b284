"""The data that ``--dataset`` names."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_iris

from tests.cli.helpers import QUICK, error_of, run
from tests.datasets.test_loaders import write_folder


def write_data(folder):
    frame = load_iris(as_frame=True).frame
    frame.to_csv(folder / "iris.csv", index=False)
    frame.to_parquet(folder / "iris.parquet")
    X, y = load_iris(return_X_y=True)
    np.savez(folder / "iris.npz", X=X, y=y)
    np.savez(folder / "parts.npz", X=X[::2], y=y[::2], X_val=X[1::2], y_val=y[1::2])
    (folder / "idx").mkdir()
    write_folder(folder / "idx", 40, 20)


@pytest.mark.parametrize(
    "data",
    [["iris.csv", "--target", "target"], ["iris.parquet", "--target", "target"], ["iris.npz"], ["parts.npz"], ["idx"]],
)
def test_data_of_every_kind(networks, capsys, data):
    write_data(networks)
    assert run("diagnose", "--dataset", *data, "--hidden", "8", "--initializer", "zeros") == 1
    assert "symmetric" in capsys.readouterr().out


def test_arrays_with_their_own_held_out_part(networks, capsys):
    write_data(networks)
    assert run("compare", "--dataset", "parts.npz", *QUICK, "--initializers", "he_normal", "--out", "out") == 0
    page = (networks / "out" / "index.html").read_text()
    assert "<dt>Training samples</dt><dd>75</dd>" in page
    assert "<dt>Held-out samples</dt><dd>75</dd>" in page


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"images": np.zeros(3)}, "its arrays are images (allowed: X and y"),
        ({"X": np.zeros((3, 2)), "y": np.zeros(4)}, "the number of rows of X is 3, and that of y is 4"),
        ({"X": np.zeros((3, 2)), "y": np.zeros(3), "X_val": np.zeros((1, 2))}, "with or without X_val and y_val"),
    ],
)
def test_arrays_that_cannot_be_used(networks, capsys, arrays, words):
    np.savez("data.npz", **arrays)
    shown = error_of(capsys, "diagnose", "--dataset", "data.npz")
    assert words in shown


def test_data_that_the_network_does_not_accept_are_an_error(networks, capsys):
    write_data(networks)
    shown = error_of(capsys, "diagnose", "my_networks.py:good", "--dataset", "iris.npz")
    assert "the forward pass fails in layer '1' (Linear); input: X of shape" in shown
    assert "x4 and 64x32)" in shown
    assert "--shape sets the shape of the samples" in shown


def test_numbers_to_predict(networks, capsys):
    load_diabetes(as_frame=True).frame.to_csv("diabetes.csv", index=False)
    data = ["--dataset", "diabetes.csv", "--target", "target"]
    for network in ([], ["my_networks.py:one"], ["my_networks.py:regressor"]):
        assert run("inspect", *network, *data, "--hidden", "8") == 0
        assert "pre_activation" in capsys.readouterr().out


def test_table_without_target(tmp_path, capsys):
    pd.DataFrame({"a": [1]}).to_csv(tmp_path / "t.csv")
    assert "--target COLUMN" in error_of(capsys, "compare", "--dataset", tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (
            {"a": [1, None, 3, 4], "y": [0, 1, 0, None]},
            "missing values (NaN): column 'y' (row 4); rows",
        ),
        ({"a": [1, float("inf"), 3, 4], "y": [0, 1, 0, 1]}, "the table has infinite values: column 'a' (row 2)"),
        ({"a": ["2024-01-31", "2024-02-01"], "y": [0, 1]}, "the table has dates: column 'a' (row 1: '2024-01-31')"),
        ({"a": [], "y": []}, "has 0 rows and 1 column besides the target"),
        ({"y": [1, 2]}, "has 2 rows and 0 columns besides the target"),
        ({"a": ["x", "y"], "y": [1, 2]}, "no column to train on; columns that are left out (text that differs"),
    ],
)
def test_tables_that_cannot_be_used(columns, words, tmp_path, capsys):
    pd.DataFrame(columns).to_csv(tmp_path / "T.CSV", index=False)
    shown = error_of(capsys, "compare", "--dataset", tmp_path / "T.CSV", "--target", "y")
    assert words in shown
