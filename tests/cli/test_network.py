"""``initsk inspect``, ``diagnose``, ``recommend`` and ``report``, as a user types them."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits, load_iris
from torch import nn

from initsk import compare_initializers
from initsk.estimators import MLPClassifier
from tests.cli.test_compare import QUICK, run
from tests.datasets.test_loaders import write_folder
from tests.helpers import build

SOURCE = """
import torch
from torch import nn
from initsk import MLPClassifier, MLPRegressor

def good():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

def bad():
    net = good()
    for parameter in net.parameters():
        nn.init.zeros_(parameter)
    return net

def image():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))

def one():
    return nn.Sequential(nn.Linear(10, 8), nn.ReLU(), nn.Linear(8, 1))

def regressor():
    return MLPRegressor((8,), random_state=0)

def broken():
    raise RuntimeError("no such luck")

def wanting(n):
    return None

clf = MLPClassifier((8,), initializer="he_normal", random_state=0)
_SEED = torch.manual_seed(0)
"""


@pytest.fixture
def networks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_networks.py").write_text(SOURCE)
    with torch.random.fork_rng():
        yield tmp_path


@pytest.mark.parametrize("network", ["my_networks.py:good", "my_networks:good", "my_networks.py:clf"])
def test_inspect_shows_every_layer(networks, capsys, network):
    assert run("inspect", network, "--dataset", "digits", "--report", "mine.html", "--language", "id") == 0
    shown = capsys.readouterr()
    assert "pre_activation" in shown.out
    assert "Nothing is wrong" in shown.out
    assert "report: mine.html" in shown.err
    page = (networks / "mine.html").read_text()
    assert '<html lang="id">' in page
    assert "Gradien" in page


def test_samples_have_the_shape_that_is_asked_for(networks, capsys):
    assert run("inspect", "my_networks.py:image", "--dataset", "digits", "--shape", "1,8,8") == 0
    assert " 0 pre_activation" in capsys.readouterr().out
    assert run("inspect", "my_networks.py:image", "--dataset", "digits", "--shape", "3,8,8") == 2
    assert "--shape does not fit: a sample has 64 values" in capsys.readouterr().err


def test_diagnose_answers_by_its_exit_code(networks, capsys):
    assert run("diagnose", "my_networks.py:good", "--dataset", "digits") == 0
    assert run("diagnose", "my_networks.py:bad", "--dataset", "digits", "--report", "bad.html") == 1
    assert "symmetric: 100% of the units" in capsys.readouterr().out
    assert "It will not train as it is" in (networks / "bad.html").read_text()


def test_recommend_needs_no_data(networks, capsys):
    assert run("recommend", "my_networks.py:image", "--dataset", "nothing", "--report", "advice.html") == 0
    shown = capsys.readouterr().out
    assert "feeds relu, of gain 1.4142" in shown
    assert "lecun_normal" in shown
    assert "Recommended initializers" in (networks / "advice.html").read_text()


def test_without_a_network_it_is_a_perceptron_of_the_options(capsys):
    options = ["--dataset", "digits", "--hidden", "16,8", "--activation", "tanh"]
    assert run("inspect", *options) == 0
    assert "hidden_2" in capsys.readouterr().out
    assert run("diagnose", *options, "--initializer", "zeros") == 1
    assert run("recommend", *options) == 0
    assert "glorot_uniform" in capsys.readouterr().out


def test_a_saved_module(networks, capsys):
    module = build(lambda: nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10)))
    torch.save(module, "net.pt")
    torch.save(module.state_dict(), "weights.pt")
    assert run("inspect", "net.pt", "--dataset", "digits") == 0
    assert run("inspect", "weights.pt", "--dataset", "digits") == 2
    assert "weights.pt holds a OrderedDict, not a module" in capsys.readouterr().err


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


def test_arrays_are_compared_on_their_own_parts(networks, capsys):
    write_data(networks)
    assert run("compare", "--dataset", "parts.npz", *QUICK, "--out", "out") == 0
    page = (networks / "out" / "index.html").read_text()
    assert "<dt>Training samples</dt><dd>75</dd>" in page
    assert "<dt>Held-out samples</dt><dd>75</dd>" in page


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"images": np.zeros(3)}, "its arrays are images (allowed: X and y"),
        ({"X": np.zeros((3, 2)), "y": np.zeros(4)}, "X has 3 rows and y has 4"),
        ({"X": np.zeros((3, 2)), "y": np.zeros(3), "X_val": np.zeros((1, 2))}, "with or without X_val and y_val"),
    ],
)
def test_arrays_that_cannot_be_used(networks, capsys, arrays, words):
    np.savez("data.npz", **arrays)
    assert run("diagnose", "--dataset", "data.npz") == 2
    shown = capsys.readouterr().err
    assert words in shown
    assert shown.count("\n") == 1


def test_a_network_that_the_data_do_not_fit_is_no_diagnosis(networks, capsys):
    write_data(networks)
    assert run("diagnose", "my_networks.py:good", "--dataset", "iris.npz") == 2
    shown = capsys.readouterr().err
    assert "the network does not accept these data (RuntimeError: " in shown
    assert "mat1 and mat2 shapes cannot be multiplied (38x4 and 64x32)" in shown
    assert "--shape sets the shape of the samples" in shown
    assert shown.count("\n") == 1


def test_numbers_to_predict(networks, capsys):
    load_diabetes(as_frame=True).frame.to_csv("diabetes.csv", index=False)
    data = ["--dataset", "diabetes.csv", "--target", "target"]
    for network in ([], ["my_networks.py:one"], ["my_networks.py:regressor"]):
        assert run("inspect", *network, *data, "--hidden", "8") == 0
        assert "pre_activation" in capsys.readouterr().out
    assert run("compare", *data, "--out", "out") == 2
    assert "continuous numbers, but the command compares classifiers" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_is_refused_before_the_work(networks, capsys):
    (networks / "file").write_text("in the way")
    assert run("inspect", "nowhere:net", "--report", "file/below/page.html") == 2
    assert "--report 'file/below' cannot be written (Not a directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ("my_networks.py:goof", "unknown factory 'goof'; did you mean 'good'"),
        ("my_networks.py:broken", "raised RuntimeError: no such luck"),
        ("my_networks.py:wanting", "raised TypeError"),
        ("nowhere.py:net", "nowhere.py cannot be imported (FileNotFoundError: there is no such file)"),
        ("nowhere:net", "nowhere cannot be imported (ModuleNotFoundError"),
        ("good", "cannot be found (allowed: package.module:factory"),
        ("net.pt", "cannot be found (allowed"),
    ],
)
def test_networks_that_are_not_there(networks, capsys, network, words):
    assert run("inspect", network, "--dataset", "digits") == 2
    shown = capsys.readouterr().err
    assert words in shown
    assert shown.count("\n") == 1
    assert not list(networks.glob("*.html"))


def test_unknown_languages_are_refused_before_anything_is_done(networks, capsys):
    assert run("inspect", "--language", "xx") == 2
    assert "'xx' is not one of en, id" in capsys.readouterr().err


def test_open_shows_the_page_in_the_browser(networks, monkeypatch, capsys):
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


def test_the_report_of_a_comparison_that_has_not_finished(networks, monkeypatch, capsys):
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
    assert "Terhenti: 3 dari 6 jalan telah selesai" in page
    assert len(pd.read_csv(networks / "half" / "runs.csv")) == 3


def test_a_report_of_something_else_is_refused(networks, capsys):
    (networks / "mine.sqlite").write_text("mine")
    assert run("report", "mine.sqlite") == 2
    assert "is not a store of runs, and is left as it is" in capsys.readouterr().err
    assert run("report", "nothing.sqlite") == 2
    assert not (networks / "reports").exists()
