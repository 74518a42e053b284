"""The data that ``--dataset`` names."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_iris

from initsk.datasets import load_idx
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
    options = ["--hidden", "8", "--initializer", "zeros", "--trial-steps", "2", "--no-rates"]
    assert run("diagnose", "--dataset", *data, *options) == 1
    assert "symmetric" in capsys.readouterr().out


def test_arrays_with_their_own_held_out_part(networks, capsys, without_pictures):
    write_data(networks)
    assert run("compare", "--dataset", "parts.npz", *QUICK, "--initializers", "he_normal", "--out", "out") == 0
    page = (networks / "out" / "index.html").read_text()
    assert "- Training samples: 75\n" in page
    assert "- Held-out samples: 75\n" in page


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
    # No shape makes 64 features of 4 values.
    assert "--shape" not in shown


def test_the_shape_is_suggested_where_the_number_of_values_agrees(networks, capsys):
    shown = error_of(capsys, "inspect", "my_networks.py:image", "--dataset", "digits")
    assert shown.endswith("the data are those of --dataset digits, and --shape sets the shape of the samples\n")


def test_data_that_nobody_chose_are_named_with_the_option_to_choose(networks, capsys):
    shown = error_of(capsys, "inspect", "my_networks.py:good")
    assert shown.endswith("those of --dataset mnist, the default: --dataset FILE names those of the network\n")


def test_numbers_to_predict(networks, capsys):
    load_diabetes(as_frame=True).frame.to_csv("diabetes.csv", index=False)
    data = ["--dataset", "diabetes.csv", "--target", "target"]
    for network in (["--hidden", "8"], ["my_networks.py:one"], ["my_networks.py:regressor"]):
        assert run("inspect", *network, *data) == 0
        assert "pre_activation" in capsys.readouterr().out


def test_table_without_target(tmp_path, capsys):
    pd.DataFrame({"a": [1]}).to_csv(tmp_path / "t.csv")
    assert "--target COLUMN" in error_of(capsys, "compare", "--dataset", tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (
            {"a": [1, None, 3, 4], "y": [0, 1, 0, None]},
            "missing values (NaN): column 'y' (row 4); rows and columns count from 1, without a header; leave the"
            " samples without a target out of the file",
        ),
        ({"a": [1, float("inf"), 3, 4], "y": [0, 1, 0, 1]}, "the table has infinite values: column 'a' (row 2)"),
        (
            {"a": [1, 2, 3, 4], "y": [0.5, float("inf"), 2.5, 1.5]},
            "without a header; replace infinite values, or leave",
        ),
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


@pytest.mark.parametrize("dataset", ["nothere.csv", "nothere.tsv", "nothere.npz", "nothere.parquet", "minst"])
def test_a_missing_file_is_named_before_all_else(networks, capsys, dataset):
    for options in ([], ["--target", "y"], ["--sep", ";"]):
        shown = error_of(capsys, "inspect", "--dataset", dataset, *options)
        assert shown.startswith(f"initsk inspect: --dataset '{dataset}' does not exist")


@pytest.mark.parametrize("option", [["--target", "y"], ["--sep", ";"], ["--decimal", ","]])
def test_options_of_tables_are_refused_for_other_data(networks, capsys, option):
    write_data(networks)
    for dataset in ("mnist", "idx", "iris.npz"):
        assert f"{option[0]} '{option[1]}' is for a table" in error_of(capsys, "audit", "--dataset", dataset, *option)


@pytest.mark.parametrize(
    ("separator", "decimal", "options"),
    [(";", ",", []), ("\t", ".", []), ("|", ".", ["--sep", "|"]), ("^", ",", ["--sep", "^", "--decimal", ","]),
     ("\t", ",", ["--sep", r"\t"])],
)  # fmt: skip
def test_a_table_of_another_program_gives_what_a_plain_one_gives(networks, capsys, separator, decimal, options):
    frame = load_iris(as_frame=True).frame
    frame.to_csv("plain.csv", index=False)
    frame.to_csv("other.csv", sep=separator, decimal=decimal)
    shown = []
    for dataset, more in (("plain.csv", []), ("other.csv", options)):
        assert run("inspect", "--dataset", dataset, "--target", "target", "--hidden", "4", *more) == 0
        shown.append(capsys.readouterr())
    assert shown[0].out == shown[1].out
    assert shown[0].err == ""
    assert "initsk: other.csv: dropped columns without a name: 'Unnamed: 0'" in shown[1].err
    assert ("separated by" in shown[1].err) == (not options)


def test_a_separator_of_several_characters_is_refused(networks, capsys):
    write_data(networks)
    shown = error_of(capsys, "inspect", "--dataset", "iris.csv", "--target", "target", "--sep", ";;")
    assert "';;' is not one character" in shown


def test_images_of_an_npz_file_become_rows_by_shape(networks, capsys):
    np.savez("images.npz", X=np.random.default_rng(0).normal(size=(60, 1, 2, 3)), y=np.arange(60) % 3)
    options = ["--dataset", "images.npz", "--hidden", "4"]
    for command in ("compare", "inspect"):
        assert "--shape 6 makes a row" in error_of(capsys, command, *options)
        assert "the number of values of a sample is 6" in error_of(capsys, command, *options, "--shape", "5")
    assert run("inspect", *options, "--shape", "6") == 0


@pytest.mark.parametrize("kind", [np.float32, np.uint8])
def test_a_shape_that_mixes_up_the_axes_of_images_is_refused(networks, capsys, kind):
    np.savez(
        "images.npz", X=np.random.default_rng(0).uniform(0, 9, size=(60, 4, 4, 3)).astype(kind), y=np.arange(60) % 3
    )
    shown = error_of(capsys, "inspect", "my_networks.py:good", "--dataset", "images.npz", "--shape", "3,4,4")
    assert "--shape 3,4,4 would mix up the values of samples of the shape 4,4,3" in shown
    np.savez("images.npz", X=np.ones((60, 6, 8), kind), y=np.arange(60) % 3)
    shown = error_of(capsys, "inspect", "my_networks.py:good", "--dataset", "images.npz", "--shape", "1,8,6")
    assert "--shape 1,8,6 would mix up the values of samples of the shape 6,8" in shown


@pytest.mark.parametrize("kind", [np.float32, np.uint8])
@pytest.mark.parametrize("shape", ["3,784", "3,28,28", "28,3,28", "56,42", "84,28", "1,3,784,1", "14,168", "3,2,14,28"])
def test_a_shape_that_belongs_to_other_axes_is_refused_whatever_its_number_of_axes(networks, capsys, kind, shape):
    np.savez("images.npz", X=np.ones((20, 28, 28, 3), kind), y=np.arange(20) % 2)
    shown = error_of(capsys, "inspect", "my_networks.py:good", "--dataset", "images.npz", "--shape", shape)
    assert f"--shape {shape} would mix up the values of samples of the shape 28,28,3" in shown


@pytest.mark.parametrize("kind", [np.float32, np.uint8])
@pytest.mark.parametrize("shape", ["2352", "784,3", "28,84", "1,28,28,3", "7,4,28,3", "28,2,14,3", "4,7,84"])
def test_a_shape_may_join_neighboring_axes_and_divide_single_ones(networks, capsys, kind, shape):
    (networks / "any.py").write_text("from torch import nn\nnet = nn.Sequential(nn.Flatten(), nn.Linear(2352, 2))\n")
    np.savez("images.npz", X=np.ones((20, 28, 28, 3), kind), y=np.arange(20) % 2)
    assert run("inspect", "any.py:net", "--dataset", "images.npz", "--shape", shape) == 0


def test_dates_are_named_with_what_to_do(networks, capsys):
    frame = pd.DataFrame({"a": np.arange(8.0), "day": pd.date_range("2024-01-31", periods=8), "y": np.arange(8) % 2})
    frame.to_csv("dates.csv", index=False)
    shown = error_of(capsys, "inspect", "--dataset", "dates.csv", "--target", "y")
    assert "column 'day' (row 1: '2024-01-31'); leave them out (--drop" in shown
    assert "make numbers of a date" in shown


def test_images_of_keras_are_used_as_those_of_an_idx_folder(networks, capsys):
    write_data(networks)
    parts = [load_idx("idx", split=split, return_X_y=True) for split in ("train", "test")]
    (X, y), (X_test, y_test) = ((images.reshape(-1, 2, 2), labels.astype(np.uint8)) for images, labels in parts)
    np.savez("mnist.npz", x_train=X, y_train=y, x_test=X_test, y_test=y_test)
    shown = []
    for dataset in ("idx", "mnist.npz"):
        assert run("inspect", "--dataset", dataset, "--hidden", "4") == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]


def test_an_arff_file_is_a_table(networks, capsys):
    frame = load_iris(as_frame=True).frame.set_axis(list("abcdy"), axis=1)
    frame.to_csv("iris.csv", index=False)
    header = (
        "@relation iris\n" + "".join(f"@attribute {name} real\n" for name in "abcd") + "@attribute y {0,1,2}\n@data\n"
    )
    (networks / "iris.arff").write_text(header + frame.to_csv(index=False, header=False))
    shown = []
    for dataset in ("iris.csv", "iris.arff"):
        assert run("inspect", "--dataset", dataset, "--target", "y", "--hidden", "4") == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]
    assert "the last column is 'y'" in error_of(capsys, "inspect", "--dataset", "iris.arff")


def test_numbers_with_commas_in_the_only_column_are_named(networks, capsys):
    (networks / "plans.csv").write_text("plan;y\n1,234;x\n2,345;z\n")
    shown = error_of(capsys, "compare", "--dataset", "plans.csv", "--target", "y")
    assert "X has no column to train on" in shown
    assert "if the comma is the decimal mark, set decimal=',' (--decimal , on the command line)" in shown
