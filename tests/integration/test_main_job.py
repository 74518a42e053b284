"""The main job on all of MNIST; minutes, so marked slow."""

import numpy as np
import pandas as pd
import pytest

from initsk import MLPClassifier
from initsk.cli._main import main
from initsk.comparison.results import TABLES
from initsk.datasets import load_mnist

pytestmark = pytest.mark.slow


def compare(*arguments):
    with pytest.raises(SystemExit) as caught:
        main(["compare", *map(str, arguments)])
    assert not caught.value.code


SMALL = ("--limit", 5_000, "--epochs", 2)


def test_the_experiment_of_the_article(tmp_path):
    compare("--repeats", 1, "--out", tmp_path)
    runs = pd.read_csv(tmp_path / "runs.csv").set_index("initializer")
    assert len(runs) == 6
    assert (runs["status"] == "ok").all()
    # 1135 of the 10,000 test images are ones, the most frequent digit of the training images.
    assert runs.loc["zeros", "score"] == 0.1135
    assert (runs.loc[["he_normal", "glorot_normal", "lecun_normal", "orthogonal"], "score"] >= 0.97).all()
    layers = pd.read_csv(tmp_path / "layers.csv").query("initializer == 'zeros' and position == 'activation'")
    assert (layers["zero_fraction"] == 1).all()
    assert (layers["dead_fraction"] == 1).all()


def test_neither_another_call_nor_the_number_of_jobs_changes_a_byte(tmp_path):
    few = ("--initializers", "zeros,he_normal,orthogonal", "--repeats", 2)
    for name, jobs in (("first", 2), ("again", 2), ("one", 1), ("three", 3)):
        compare(*few, "--out", tmp_path / name, "--jobs", jobs, *SMALL)
    for name in ("again", "one", "three"):
        for table in set(TABLES) - {"timing"}:
            first, second = (tmp_path / folder / f"{table}.csv" for folder in ("first", name))
            assert first.read_bytes() == second.read_bytes(), (name, table)


def test_racing_finds_the_same_winner(tmp_path):
    # Both read the finished runs from one store: racing changes which runs are made, but not their numbers.
    folders = [tmp_path / "whole", tmp_path / "raced"]
    for folder, option in zip(folders, ([], ["--racing"]), strict=True):
        compare("--repeats", 5, "--out", folder, "--store", tmp_path / "runs.sqlite", *SMALL, *option)
    whole, raced = (pd.read_csv(folder / "runs.csv") for folder in folders)
    assert len(raced) < len(whole)
    winners = [runs.groupby("initializer")["score"].mean().idxmax() for runs in (whole, raced)]
    assert winners[0] == winners[1]
    assert "Racing stopped initializers that were significantly worse:" in (folders[1] / "index.html").read_text()


def test_with_zeros_only_the_output_biases_move():
    X, y = load_mnist(return_X_y=True)
    X = (X[:10_000] / 255).astype(np.float32)
    clf = MLPClassifier((512, 256, 128, 64), initializer="zeros", max_epochs=2, random_state=0, n_threads=1)
    clf.fit(X, y[:10_000])
    parameters = dict(clf.net_.module_.named_parameters())
    assert [name for name, value in parameters.items() if value.count_nonzero()] == ["output.bias"]
    assert parameters["output.bias"].count_nonzero() == 10
    assert len(np.unique(clf.predict(X))) == 1
