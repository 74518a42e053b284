"""``initsk inspect``, ``diagnose`` and ``recommend``."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from initsk import recommend_initializer
from tests.cli.helpers import error_of, run
from tests.helpers import build, params


@pytest.mark.parametrize("network", ["my_networks.py:good", "my_networks:good", "my_networks.py:clf"])
def test_inspect_shows_every_layer(networks, capsys, network):
    assert run("inspect", network, "--dataset", "digits") == 0
    shown = capsys.readouterr().out
    assert "pre_activation" in shown
    assert "No problems were found" in shown


def test_inspect_writes_a_page_in_the_language(networks, capsys):
    options = ["--dataset", "digits", "--report", "mine.html", "--language", "id"]
    assert run("inspect", "my_networks.py:good", *options) == 0
    assert "report: mine.html" in capsys.readouterr().err
    page = (networks / "mine.html").read_text()
    assert '<html lang="id">' in page
    assert "Gradien" in page


def test_shape_reshapes_the_samples(networks, capsys):
    assert run("inspect", "my_networks.py:image", "--dataset", "digits", "--shape", "1,8,8") == 0
    assert " 0 pre_activation" in capsys.readouterr().out
    shown = error_of(capsys, "inspect", "my_networks.py:image", "--dataset", "digits", "--shape", "3,8,8")
    assert "--shape does not fit: the number of values of a sample is 64" in shown
    shown = error_of(capsys, "inspect", "my_networks.py:image", "--dataset", "digits", "--shape", "x")
    assert "'x' is not a list of sizes such as 1,28,28" in shown


def test_diagnose_answers_with_its_exit_code(networks, capsys):
    options = ["--dataset", "digits", "--no-rates"]
    assert run("diagnose", "my_networks.py:good", *options) == 0
    assert run("diagnose", "my_networks.py:bad", *options, "--report", "bad.html") == 1
    assert "symmetric: 100% of the units" in capsys.readouterr().out
    assert "The network will probably not train" in (networks / "bad.html").read_text()


def test_diagnose_tells_at_which_rates_the_network_would_train(networks, capsys):
    options = ["my_networks.py:good", "--dataset", "digits", "--optimizer", "sgd", "--lr", "1000"]
    assert run("diagnose", *options) == 1
    shown = capsys.readouterr().out
    assert "At the learning rate 1,000" in shown
    assert "but it would at rates from" in shown
    assert run("diagnose", *options, "--no-rates") == 1
    assert "but it would" not in capsys.readouterr().out


def test_diagnose_of_a_trained_network_states_no_rates(networks, capsys):
    (networks / "trained.py").write_text(
        "from sklearn.datasets import load_digits\n"
        "from initsk import MLPClassifier\n"
        "X, y = load_digits(return_X_y=True)\n"
        "clf = MLPClassifier((32,), max_epochs=10, random_state=0).fit(X / 16, y)\n"
    )
    assert run("diagnose", "trained.py:clf", "--dataset", "digits", "--lr", "1e-9", "--optimizer", "adam") == 0
    shown = capsys.readouterr().out
    assert shown.count("The network is already trained: its loss is below the target before the first step.") == 1
    assert "at learning rates from" not in shown


@pytest.mark.parametrize("command", params(["diagnose", "audit", "recommend"], slow=["diagnose"]))
def test_what_a_network_prints_is_not_in_the_json(networks, capsys, command):
    quick = {
        "diagnose": ["--trial-steps", "2", "--budget", "2", "--no-rates"], "audit": [],
        "recommend": ["--time-limit", "0.000001"],
    }  # fmt: skip
    options = [*quick[command], "--json", "--report", "talking.html"]
    run(command, "my_networks.py:talking", "--dataset", "digits", *options)
    shown = capsys.readouterr()
    assert json.loads(shown.out)["command"] == command
    assert shown.err.startswith("made\nrunning\n" if command != "recommend" else "made\n")


def test_diagnose_prints_one_json_object(networks, capsys):
    options = ["--optimizer", "adam", "--lr", "0.01", "--budget", "300", "--trial-steps", "8", "--batch-size", "50"]
    assert run("diagnose", "my_networks.py:good", "--dataset", "digits", *options, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["command"] == "diagnose"
    assert found["exit_code"] == 0
    assert found["score"] >= 0.5
    assert (found["lr"], found["budget"], found["target"]) == (0.01, 300, 0.8)
    assert found["trial_status"] == "finished"
    assert {row["lr"] for row in found["learning_rates"]} >= {0.0001, 0.01, 1.0}
    assert run("diagnose", "my_networks.py:bad", "--dataset", "digits", "--json", "--time-limit", "0.000001") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["trial_status"] == "time"
    # Without time, it is unknown.
    assert found["recommended_score"] is None
    assert found["findings"][0]["kind"] == "symmetric"


@pytest.fixture
def ninety_and_thirty(tmp_path):
    """Return a file with 90 training and 30 held-out samples."""
    generator = np.random.default_rng(0)
    X = generator.normal(size=(120, 4))
    y = (X[:, 0] > 0).astype(int)
    np.savez(tmp_path / "ninety.npz", X=X[:90], y=y[:90], X_val=X[90:], y_val=y[90:])
    return tmp_path / "ninety.npz"


def test_the_epochs_of_an_estimator_are_those_of_the_training_samples(networks, capsys, ninety_and_thirty):
    (networks / "short.py").write_text(
        "from initsk import MLPClassifier\nclf = MLPClassifier((8,), max_epochs=2, batch_size=10, random_state=0)\n"
    )
    options = ["short.py:clf", "--dataset", ninety_and_thirty, "--json"]
    run("diagnose", *options, "--no-rates")
    # Two epochs of nine batches.
    assert json.loads(capsys.readouterr().out)["budget"] == 18
    assert run("recommend", *options) == 0
    measured = json.loads(capsys.readouterr().out)["measured"]
    assert max(row["steps"] for row in measured) == 18


EXITS = {
    "in the factory": ("def net():\n    sys.exit(0)", "0"),
    "in the file": ("net = None\nsys.exit()", ""),
    "in the network": ("class net(torch.nn.Linear):\n    def __init__(self):\n        super().__init__(64, 10)\n"
                       "    def forward(self, x):\n        sys.exit('done')", "'done'"),
}  # fmt: skip


@pytest.mark.parametrize("place", EXITS)
@pytest.mark.parametrize("command", ["inspect", "diagnose", "audit", "recommend"])
def test_code_that_ends_the_process_is_an_error(networks, capsys, command, place):
    source, given = EXITS[place]
    (networks / "ends.py").write_text(f"import sys\nimport torch\n{source}\n")
    if (command, place) == ("recommend", "in the network"):
        pytest.skip("without data, the forward pass may fail")
    shown = error_of(capsys, command, "ends.py:net", "--dataset", "digits")
    assert f"initsk {command}: ends.py:net called sys.exit({given}), so there is no result" in shown


RAISED = ["AssertionError('bad')", "StopIteration()", "OSError('bad')", "FileNotFoundError(2, 'bad', 'w.bin')"]


@pytest.mark.parametrize("raised", RAISED)
@pytest.mark.parametrize("command", ["inspect", "diagnose", "audit"])
def test_an_error_of_the_network_is_no_answer(networks, capsys, command, raised):
    (networks / "raising.py").write_text(
        "import torch\nclass net(torch.nn.Linear):\n    def __init__(self):\n        super().__init__(64, 10)\n"
        f"    def forward(self, x):\n        raise {raised}\n"
    )
    shown = error_of(capsys, command, "raising.py:net", "--dataset", "digits")
    assert raised.partition("(")[0] in shown
    assert "forward pass" in shown


@pytest.mark.parametrize("raised", RAISED[:3])
def test_an_error_of_the_gradient_is_no_answer(networks, capsys, raised):
    (networks / "raising.py").write_text(
        "import torch\nclass Raising(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, x):\n"
        "        return x * 2\n    @staticmethod\n    def backward(ctx, gradient):\n"
        f"        raise {raised}\nclass net(torch.nn.Linear):\n    def __init__(self):\n"
        "        super().__init__(64, 10)\n    def forward(self, x):\n"
        "        return Raising.apply(super().forward(x))\n"
    )
    shown = error_of(capsys, "diagnose", "raising.py:net", "--dataset", "digits")
    assert raised.partition("(")[0] in shown


def test_recommend_needs_no_data(networks, capsys):
    assert run("recommend", "my_networks.py:image", "--report", "advice.html") == 0
    shown = capsys.readouterr().out
    assert "feeds relu (gain 1.4142)" in shown
    assert "outputs begin with a third of the variance" in shown
    assert "Recommended initializers" in (networks / "advice.html").read_text()


def test_recommend_prints_one_json_object(networks, capsys):
    assert run("recommend", "my_networks.py:image", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["command"] == "recommend"
    assert found["measured"] is None
    assert all(isinstance(sentence, str) for sentence in found["learning_rate"])
    rows = {row["name"]: row for row in found["parameters"]}
    image = build(lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10)))
    recommendation = recommend_initializer(image)
    assert list(rows) == recommendation.to_frame()["name"].tolist()
    assert found["answer"] == str(recommendation)
    assert any("feeds relu" in row["why"] for row in rows.values())
    # An estimator needs data, and is measured on them.
    assert run("recommend", "my_networks.py:clf", "--dataset", "digits", "--json", "--time-limit", "0.000001") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["measured"][0].keys() >= {"initializer", "score", "trial_loss", "steps"}


@pytest.mark.parametrize(
    ("command", "option"),
    [("inspect", "--report"), ("diagnose", "--report"), ("recommend", "--report"), ("compare", "--out")],
)
def test_the_option_for_a_page_is_suggested(capsys, command, option):
    assert f"No such option '--html'. Did you mean '{option}'?" in error_of(capsys, command, "--html")


def test_without_a_network_the_options_make_a_perceptron(capsys):
    options = ["--dataset", "digits", "--hidden", "16,8", "--activation", "tanh"]
    assert run("inspect", *options) == 0
    assert "hidden_2" in capsys.readouterr().out
    assert run("diagnose", *options, "--initializer", "zeros", "--no-rates") == 1
    assert run("recommend", *options, "--time-limit", "0.000001") == 0
    assert "feeds tanh, which saturates" in capsys.readouterr().out


def test_a_saved_module(networks, capsys):
    module = build(lambda: nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10)))
    torch.save(module, "net.pt")
    torch.save(module.state_dict(), "weights.pt")
    assert run("inspect", "net.pt", "--dataset", "digits") == 0
    shown = error_of(capsys, "inspect", "weights.pt", "--dataset", "digits")
    assert "weights.pt holds an object of the type OrderedDict, not a module" in shown


def test_a_report_that_cannot_be_written_is_an_error_before_the_work(networks, capsys):
    (networks / "file").write_text("in the way")
    shown = error_of(capsys, "inspect", "nowhere:net", "--report", "file/below/page.html")
    assert "--report 'file/below/page.html' cannot be written (Not a directory" in shown


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
def test_networks_that_cannot_be_loaded(networks, capsys, network, words):
    shown = error_of(capsys, "inspect", network, "--dataset", "digits")
    assert words in shown
    assert not list(networks.glob("*.html"))


def test_messages_name_the_cause_and_no_data_that_are_not(networks, capsys):
    (networks / "three.py").write_text("def factory(): return 3\n")
    for command in ("inspect", "audit", "recommend"):
        shown = error_of(capsys, command, "three.py:factory", "--dataset", "digits")
        assert shown == (
            f"initsk {command}: three.py:factory returned 3 of the type int (allowed: a module or an estimator)\n"
        )
    shown = error_of(capsys, "inspect", "my_networks.py:good", "--dataset", "digits", "--layers", "zz*")
    assert shown == "initsk inspect: unknown layer 'zz*'. Allowed: '1', '3'\n"
    shown = error_of(capsys, "inspect", "my_networks.py:few", "--dataset", "digits")
    assert "y has labels 0 to 9" in shown
    assert "--shape" not in shown


def test_recommend_names_the_initializers_that_the_time_limit_left_out(capsys):
    data = ["--dataset", "digits", "--hidden", "4", "--time-limit", "1e-9"]
    assert run("recommend", *data) == 0
    assert "Not tried, because the time limit was reached: torch_default, " in capsys.readouterr().out
    assert run("recommend", *data, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["not_tried"][0] == "torch_default"
    assert "Not tried" in shown["answer"]


@pytest.mark.parametrize("option", ["--optimizer", "--initializer"])
def test_an_error_about_an_option_names_no_data(networks, capsys, option):
    shown = error_of(capsys, "inspect", "my_networks.py:good", "--dataset", "digits", option, "foo")
    assert "'foo'" in shown
    assert "the data are those" not in shown
