"""The page of a command about one network names the network, the data and the command that makes it again."""

import shlex
from html import escape

import pytest

from tests.cli.helpers import run

QUICK = {
    "inspect": ["--no-gradients"],
    "diagnose": ["--trial-steps", "2", "--budget", "2", "--no-rates"],
    "audit": [],
    "recommend": ["--time-limit", "0.000001"],
}


@pytest.mark.parametrize("command", QUICK)
def test_a_page_names_the_network_the_data_and_the_command(networks, capsys, monkeypatch, command):
    (networks / "my data.csv").write_text("a,b,y\n" + "".join(f"{i % 7},{i % 5},{'pq'[i % 2]}\n" for i in range(100)))
    (networks / "two.py").write_text("from torch import nn\n\ndef net():\n    return nn.Linear(2, 2)\n")
    kept = [command, "two.py:net", "--dataset", "my data.csv", "--target", "y", *QUICK[command]]
    options = [*kept, "--report", "page.html", "--force"]
    monkeypatch.setattr("sys.argv", ["initsk", *options])
    assert run(*options) in (0, 1)
    page = (networks / "page.html").read_text()
    assert "<dt>Network</dt><dd><code>two.py:net</code></dd>" in page
    assert "<dt>Data set</dt><dd>my data.csv</dd>" in page
    assert "<dt>Column to predict</dt><dd>y</dd>" in page
    assert "To make this report again:" in page
    assert f">{escape(shlex.join(['initsk', *kept]))}<" in page


def test_without_rates_the_page_has_none(networks, capsys):
    options = ["--dataset", "digits", "--trial-steps", "2", "--budget", "2", "--report"]
    run("diagnose", "my_networks.py:good", *options, "without.html", "--no-rates")
    assert "Learning rates" not in (networks / "without.html").read_text()


@pytest.mark.slow
def test_with_rates_the_page_has_them(networks, capsys):
    options = ["--dataset", "digits", "--trial-steps", "2", "--budget", "2", "--report"]
    run("diagnose", "my_networks.py:good", *options, "with.html")
    assert "Learning rates" in (networks / "with.html").read_text()
