"""``initsk audit``."""

import json

import pytest

from tests.cli.helpers import error_of, run

SOURCE = """
import torch
from torch import nn

def copies():
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 3)
"""


@pytest.fixture
def copies(networks):
    (networks / "my_copies.py").write_text(SOURCE)
    return "my_copies.py:copies"


def test_audit_answers_with_its_exit_code(networks, capsys):
    assert run("audit", "my_networks.py:good", "--dataset", "digits") == 0
    shown = capsys.readouterr().out
    assert "No faults were found. Not checked: padding leak." in shown
    assert "not checked: padding leak: X has no mask of padding" in shown
    assert run("audit", "my_networks.py:bad", "--dataset", "digits") == 1
    shown = capsys.readouterr().out
    assert "The network has faults: uninitialized and constant output." in shown
    assert "uninitialized: All weights of layer 1 are equal" in shown


INNER = """
from initsk import MLPRegressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.preprocessing import StandardScaler

def reg():
    return TransformedTargetRegressor(MLPRegressor((8,)), transformer=StandardScaler())
"""


def test_an_estimator_that_is_not_fitted_is_built_on_the_data(networks, capsys):
    networks.joinpath("inner.py").write_text(INNER)
    for network in ("my_networks.py:clf", "inner.py:reg"):
        assert run("audit", network, "--dataset", "digits") == 0
        assert "No faults were found." in capsys.readouterr().out


def test_audit_writes_a_report(networks, capsys):
    assert run("audit", "my_networks.py:good", "--no-data", "--report", "mine.html", "--language", "id") == 0
    assert "report: mine.html" in capsys.readouterr().err
    assert "Audit jaringan" in (networks / "mine.html").read_text()


def test_json_is_one_object(copies, capsys):
    assert run("audit", copies, "--no-data", "--json") == 1
    content = json.loads(capsys.readouterr().out)
    assert content.keys() == {"command", "answer", "exit_code", "findings", "not_checked"}
    assert (content["command"], content["exit_code"]) == ("audit", 1)
    first = content["findings"][0]
    assert (first["kind"], first["layer"], first["value"], first["decides"]) == ("cloned", "layers.0-2", 3.0, True)
    assert first["advice"]
    assert {"check": "batch leak", "why": "no samples are given"} in content["not_checked"]


def test_without_a_network_the_options_make_a_perceptron(capsys):
    assert run("audit", "--dataset", "digits", "--hidden", "16,8", "--initializer", "zeros") == 1
    assert "uninitialized: All weights of hidden_1 are equal" in capsys.readouterr().out


def test_no_data_needs_a_network(capsys):
    assert "--no-data needs NETWORK" in error_of(capsys, "audit", "--no-data")


@pytest.mark.parametrize("command", ["audit", "inspect"])
def test_data_that_the_network_does_not_take(copies, command, capsys):
    shown = error_of(capsys, command, copies, "--dataset", "digits")
    assert "the data are those of --dataset digits, and --shape sets the shape of the samples" in shown
    shown = error_of(capsys, command, copies, "--dataset", "digits", "--shape", "16,4")
    assert "the data are those of --dataset digits" in shown
    assert "--shape" not in shown
