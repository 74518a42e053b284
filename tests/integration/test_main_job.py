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


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mnist")
    compare("--repeats", 3, "--out", folder, "--store", folder / "runs.sqlite")
    return folder


def test_scores_of_the_articles_experiment(job):
    runs = pd.read_csv(job / "runs.csv")
    assert len(runs) == 18
    assert (runs["status"] == "ok").all()
    means = runs.groupby("initializer")["score"].mean()
    # 1135 of the 10,000 test images are ones, the most frequent digit of the training images.
    assert runs.loc[runs["initializer"] == "zeros", "score"].tolist() == [0.1135] * 3
    assert (means[["he_normal", "glorot_normal", "lecun_normal", "orthogonal"]] >= 0.97).all()


def test_zeros_are_symmetric_and_dead(job):
    layers = pd.read_csv(job / "layers.csv").query("initializer == 'zeros' and position == 'activation'")
    assert (layers["zero_fraction"] == 1).all()
    assert (layers["dead_fraction"] == 1).all()


def assert_same_tables(first, second):
    for name in set(TABLES) - {"timing"}:
        assert (first / f"{name}.csv").read_bytes() == (second / f"{name}.csv").read_bytes(), name


def test_the_same_command_writes_the_same_bytes(job, tmp_path):
    compare("--repeats", 3, "--out", tmp_path)
    assert_same_tables(job, tmp_path)


def test_racing_finds_the_same_winner(job, tmp_path):
    # The store has the runs of the first three repeats; which runs are made does not change them.
    folders = [tmp_path / "whole", tmp_path / "raced"]
    for folder, option in zip(folders, ([], ["--racing"]), strict=True):
        compare("--repeats", 5, "--out", folder, "--store", job / "runs.sqlite", *option)
    whole, raced = (pd.read_csv(folder / "runs.csv") for folder in folders)
    assert len(raced) < len(whole)
    winners = [runs.groupby("initializer")["score"].mean().idxmax() for runs in (whole, raced)]
    assert winners[0] == winners[1]
    assert "Left out early" in (folders[1] / "index.html").read_text()


def test_jobs_do_not_change_a_byte(tmp_path):
    for jobs in (1, 2, 3):
        compare("--out", tmp_path / str(jobs), "--jobs", jobs, "--limit", 10_000, "--epochs", 2, "--repeats", 2)
    assert_same_tables(tmp_path / "1", tmp_path / "2")
    assert_same_tables(tmp_path / "1", tmp_path / "3")


def test_with_zeros_only_the_output_biases_move():
    X, y = load_mnist(return_X_y=True)
    clf = MLPClassifier((512, 256, 128, 64), initializer="zeros", max_epochs=5, random_state=0, n_threads=1)
    clf.fit((X / 255).astype(np.float32), y)
    parameters = dict(clf.net_.module_.named_parameters())
    assert [name for name, value in parameters.items() if value.count_nonzero()] == ["output.bias"]
    assert parameters["output.bias"].count_nonzero() == 10
    X_val, y_val = load_mnist(split="test", return_X_y=True)
    assert clf.score((X_val / 255).astype(np.float32), y_val) == 0.1135
