"""No option of the commands about a network is ignored: each one changes the outcome, or is refused."""

import inspect

import click
import pytest

import initsk
from initsk.cli._main import cli
from tests.cli.helpers import error_of, run

COMMANDS = ("inspect", "diagnose", "audit", "recommend")
NETWORK = """
import torch
from torch import nn

class Shown(nn.Flatten):
    def forward(self, x):
        print(len(x))
        return super().forward(x)

def net():
    model = nn.Sequential(Shown(), nn.Linear(64, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 10))
    if torch.rand(()) < 0.5:
        nn.init.zeros_(model[1].weight)
    return model if torch.rand(()) < 0.5 else nn.Sequential(model[:4], nn.Linear(8, 10))
"""
# Values that differ from what a command takes without the option; at least one of them must change the outcome.
VALUES = {
    "--dataset": ["nothing"], "--target": ["x"], "--task": ["regression"], "--shape": ["3,3"], "--hidden": ["5,5"],
    "--activation": ["tanh", "nonsense"], "--initializer": ["zeros", "lecun_normal"], "--random-state": list("123456"),
    "--report": ["page.html"], "--language": ["id"], "--layers": ["*1"], "--optimizer": ["sgd"], "--lr": ["0.5"],
    "--max-samples": ["2"], "--budget": ["7"], "--trial-steps": ["0"], "--batch-size": ["3"], "--time-limit": ["1e-9"],
    "--json": [], "--open": [], "--gradients": [], "--no-gradients": [], "--training": [], "--rates": [],
    "--no-rates": [], "--no-data": [], "--sep": [";"], "--decimal": [","], "--drop": ["x"], "--force": [],
}  # fmt: skip
QUICK = {"diagnose": ["--trial-steps", "2", "--no-rates"], "inspect": ["--max-samples", "20"]}
# The audit of a healthy perceptron shows no number.
UNHEALTHY = {("audit", False): ["--initializer", "zeros"]}
# It also draws which samples are held out by the task.
NOT_SHOWN = {("audit", False): ["--max-samples", "--random-state"], ("audit", True): ["--task"]}


def options_of(command):
    options = [found for found in cli.commands[command].params if isinstance(found, click.Option)]
    return [name for option in options for name in (*option.opts, *option.secondary_opts)]


def test_every_option_has_values():
    assert {name for command in COMMANDS for name in options_of(command)} == set(VALUES)


@pytest.mark.slow
@pytest.mark.parametrize("network", [True, False])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_option_is_ignored(tmp_path, monkeypatch, capsys, command, network):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(click, "launch", lambda page: None)
    (tmp_path / "nets.py").write_text(NETWORK)

    def outcome(*options):
        before = set(tmp_path.iterdir())
        model = ["nets.py:net"] if network else []
        data = [] if network and command == "recommend" else ["--dataset", "digits"]
        code = run(command, *model, *data, *QUICK.get(command, []), *UNHEALTHY.get((command, network), []), *options)
        return code, capsys.readouterr(), set(tmp_path.iterdir()) - before

    # Numbers in JSON are not rounded.
    base = {json: outcome(*json) for json in [("--json",), ()]}
    ignored = []
    for name in options_of(command):
        # The first ones are what the command does without them.
        if name in ("--gradients", *QUICK.get(command, []), *NOT_SHOWN.get((command, network), [])):
            continue
        json = () if name == "--json" else ("--json",)
        values = VALUES[name] or [None]
        outcomes = [outcome(*json, name, *([] if value is None else [value])) for value in values]
        if all(found == base[json] for found in outcomes):
            ignored.append(name)
    assert not ignored


@pytest.mark.parametrize(
    ("command", "options", "words"),
    [
        ("inspect", "net.py:f --hidden 3 --activation tanh", "--hidden and --activation: not allowed with NETWORK"),
        ("recommend", "net.py:f --activation tanh", "--activation: not allowed with NETWORK"),
        ("inspect", "--training", "--training needs NETWORK"),
        ("audit", "net.py:f --no-data --dataset digits", "--dataset: not allowed with --no-data"),
        ("audit", "--no-data --shape 8,8", "--no-data needs NETWORK; --shape: not allowed with --no-data"),
        ("diagnose", "--language id", "--language: only for a report (add --report FILE or --open)"),
        ("audit", "--force", "--force: only for a report (add --report FILE or --open)"),
        ("inspect", "--no-gradients --optimizer sgd --lr 1", "--optimizer and --lr: not allowed with --no-gradients"),
        ("inspect", "--lr 0.1", "--lr needs --optimizer NAME"),
        ("diagnose", "--rates --trial-steps 0", "--rates needs --trial-steps of at least 1"),
    ],
)
def test_options_without_effect_are_refused_before_the_work(capsys, command, options, words):
    assert words in error_of(capsys, command, *options.split())


# Arguments that take Python objects, or settings of the pictures; the last one shares its name with the column.
ONLY_IN_PYTHON = {
    "inspect": {"positions", "criterion", "measures", "padding_mask", "batch_size", "bins", "edges", "weights"},
    "diagnose": {"criterion", "output", "target"},
    "audit": {"padding_mask"},
    "recommend": set(),
}
FUNCTIONS = dict(zip(COMMANDS, ("inspect_activations", "diagnose", "audit", "recommend_initializer"), strict=True))


@pytest.mark.parametrize("command", COMMANDS)
def test_options_are_in_step_with_the_function(command):
    taken = set(inspect.signature(getattr(initsk, FUNCTIONS[command])).parameters) - {"model", "X", "y"}
    options = {parameter.name for parameter in cli.commands[command].params}
    assert taken - ONLY_IN_PYTHON[command] <= options


def test_markdown_of_a_framework_has_only_its_names(capsys):
    assert run("list", "--framework", "keras", "--markdown") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("| ")
    assert "keras.he_normal" in shown
    assert "torch.kaiming_normal_" not in shown
