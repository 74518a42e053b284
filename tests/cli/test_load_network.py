"""Networks in files that are damaged, hostile, or hold something else."""

import importlib
import json
import os
import pickle
import sys

import pytest
import torch
from torch import nn

from initsk.testing._global_state import global_state
from initsk.utils.random import isolated_random
from tests.cli.helpers import error_of, run
from tests.helpers import build


class Marker:
    """An object whose code runs when it is loaded: it makes a folder, and then fails."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.makedirs, (self.path, 0o777, False)


def module():
    return build(lambda: nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10)))


def test_a_flipped_bit_is_refused_before_code_runs(networks, capsys):
    torch.save([module(), Marker("ran")], "net.pt")
    content = bytearray((networks / "net.pt").read_bytes())
    weights = module()[0].weight.detach().numpy().tobytes()
    content[content.index(weights[:64]) + 2] ^= 1
    (networks / "net.pt").write_bytes(content)
    shown = error_of(capsys, "inspect", "net.pt", "--dataset", "digits")
    assert "net.pt is damaged: the checksum of" in shown
    assert not (networks / "ran").exists()


def test_code_that_may_have_run_is_named(networks, capsys):
    (networks / "ran").mkdir()
    torch.save(Marker("ran"), "net.pt")
    shown = error_of(capsys, "inspect", "net.pt", "--dataset", "digits")
    assert "net.pt cannot be read (FileExistsError: " in shown
    assert "code in the file may have run" in shown


def test_an_object_that_holds_a_module_needs_no_parameters(networks, capsys):
    networks.joinpath("held.py").write_text(
        "from torch import nn\n\nclass Holder:\n"
        "    module_ = nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))\n"
    )
    assert run("inspect", "held.py:Holder", "--dataset", "digits", "--max-samples", "50") == 0
    assert "2 inspected layers" in capsys.readouterr().out


FROZEN = """
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from initsk import MLPClassifier

def frozen():
    X, y = load_digits(return_X_y=True)
    return FrozenEstimator(MLPClassifier((8,), max_epochs=1, random_state=0).fit(X / 16, y))

def kind():
    return MLPClassifier
"""


def test_a_frozen_estimator_stays_as_it_is(networks, capsys):
    networks.joinpath("frozen.py").write_text(FROZEN)
    assert run("audit", "frozen.py:frozen", "--dataset", "digits") == 0
    assert "the estimator is fitted" in capsys.readouterr().out


def test_a_factory_that_returns_a_class_is_named(networks, capsys):
    networks.joinpath("frozen.py").write_text(FROZEN)
    shown = error_of(capsys, "inspect", "frozen.py:kind", "--dataset", "digits")
    assert "frozen.py:kind returned <class 'initsk" in shown
    assert "of the type type (allowed: a module or an estimator)" in shown


@pytest.mark.parametrize("old", [True, False])
def test_a_module_of_either_format(networks, capsys, old):
    torch.save(module(), "net.pt", _use_new_zipfile_serialization=not old)
    assert run("recommend", "net.pt") == 0
    assert "feeds relu" in capsys.readouterr().out


@pytest.mark.parametrize("state", [True, False])
def test_weights_without_a_module(networks, capsys, state):
    torch.save(module().state_dict() if state else [1, 2], "net.pt")
    shown = error_of(capsys, "inspect", "net.pt", "--dataset", "digits")
    assert "net.pt holds an object of the type" in shown
    assert ("its state_dict" in shown) == state


def test_files_that_torch_did_not_write(networks, capsys):
    for content in (b"", b"hello", pickle.dumps(3), b"PK\x05\x06" + bytes(18)):
        (networks / "net.pt").write_bytes(content)
        assert "net.pt" in error_of(capsys, "inspect", "net.pt", "--dataset", "digits")


def test_what_is_no_regular_file_is_refused(networks, capsys):
    os.mkfifo("net.pt")
    assert "net.pt: is a pipe" in error_of(capsys, "inspect", "net.pt", "--dataset", "digits")
    os.mkfifo("net.py")
    assert "net.py: is a pipe" in error_of(capsys, "inspect", "net.py:net", "--dataset", "digits")
    (networks / "folder.pt").mkdir()
    assert "folder.pt: is a folder" in error_of(capsys, "inspect", "folder.pt", "--dataset", "digits")


RANDOM = """
import random
import numpy as np
import torch
from torch import nn

class Noisy(nn.Module):
    def forward(self, x):
        return x * random.random() * np.random.rand()

def net():
    width = 4 + random.randrange(1000) % 8 + np.random.randint(8)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Dropout(), Noisy(), nn.Linear(width, 10))

made = net()

def estimator():
    from initsk import MLPClassifier
    return MLPClassifier((8,), initializer="he_normal")
"""


@pytest.mark.parametrize(
    ("command", "network", "options"),
    [
        ("inspect", "random_net.py:net", ["--training", "--max-samples", "50"]),
        ("diagnose", "random_net.py:net", ["--trial-steps", "1", "--no-rates", "--max-samples", "40"]),
        ("audit", "random_net.py:made", []),
        ("recommend", "random_net.py:net", None),
        ("inspect", "random_net.py:estimator", ["--max-samples", "50"]),
        ("diagnose", "random_net.py:estimator", ["--trial-steps", "1", "--no-rates", "--max-samples", "40"]),
    ],
)
def test_the_seed_covers_the_code_of_the_network(networks, capsys, command, network, options):
    (networks / "random_net.py").write_text(RANDOM)
    data = [] if options is None else ["--dataset", "digits", *options]

    def shown(seed):
        run(command, network, *data, "--json", "--random-state", seed)
        return capsys.readouterr().out

    before = global_state()
    first = shown(3)
    assert global_state() == before
    # Other draws in between do not matter.
    with isolated_random(8):
        assert shown(3) == first
    if command != "audit":
        assert shown(4) != first


def test_a_saved_module_needs_the_folder_of_the_caller(networks, capsys, monkeypatch):
    (networks / "saved_nets.py").write_text("import torch\nclass Net(torch.nn.Linear):\n    pass\n")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(networks)
        torch.save(build(lambda: importlib.import_module("saved_nets").Net(64, 10)), "net.pt")
    del sys.modules["saved_nets"]
    importlib.invalidate_caches()
    path = list(sys.path)
    assert run("inspect", "net.pt", "--dataset", "digits") == 0
    assert sys.path == path
    del sys.modules["saved_nets"]
    (networks / "elsewhere").mkdir()
    monkeypatch.chdir(networks / "elsewhere")
    shown = error_of(capsys, "inspect", "../net.pt", "--dataset", "digits")
    assert "its class is in the module saved_nets: run the command in the folder of saved_nets" in shown


def test_a_class_of_the_program_that_saved_the_module(networks, capsys, monkeypatch):
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "Mine", type("Mine", (nn.Linear,), {"__module__": "__main__"}), raising=False)
    torch.save(build(lambda: main.Mine(64, 10)), "net.pt")
    monkeypatch.delattr(main, "Mine")
    shown = error_of(capsys, "inspect", "net.pt", "--dataset", "digits")
    assert "its class was defined in the program or notebook that saved the module: move the class to a file" in shown


def test_weights_in_an_entry_of_a_checkpoint(networks, capsys):
    torch.save({"epoch": 3, "model": module().state_dict()}, "net.pt")
    shown = error_of(capsys, "inspect", "net.pt", "--dataset", "digits")
    assert "calls module.load_state_dict(torch.load(path)['model']) and returns the module" in shown


@pytest.mark.parametrize("network", ["my_networks.py:good", "my_networks.py:clf"])
def test_an_initializer_fills_the_network(networks, capsys, network):
    assert run("inspect", network, "--dataset", "digits", "--initializer", "zeros") == 0
    assert "symmetric" in capsys.readouterr().out
    # An estimator of the file stays as it is.
    assert run("inspect", network, "--dataset", "digits") == 0
    assert "symmetric" not in capsys.readouterr().out


def test_an_estimator_without_the_parameter_takes_no_initializer(networks, capsys):
    (networks / "others.py").write_text("from sklearn.dummy import DummyClassifier\nnet = DummyClassifier\n")
    shown = error_of(capsys, "audit", "others.py:net", "--dataset", "digits", "--initializer", "zeros")
    assert "the estimator DummyClassifier, which has no parameter initializer" in shown


def test_the_update_of_an_optimizer(networks, capsys):
    options = ["my_networks.py:good", "--dataset", "digits", "--json", "--optimizer"]

    def updates(*optimizer):
        assert run("inspect", *options, *optimizer) == 0
        return {row["name"]: row for row in json.loads(capsys.readouterr().out)["parameters"]}

    # The first step of SGD is the learning rate times the gradient.
    for row in updates("sgd", "--lr", "0.5").values():
        assert row["update_norm"] == pytest.approx(0.5 * row["gradient_norm"], rel=1e-4)
        assert row["update_to_weight"] == pytest.approx(0.5 * row["gradient_to_weight"], rel=1e-4)
    # That of Adam has the learning rate for each element whose gradient is not 0.
    row = updates("adam", "--lr", "0.01")["3.bias"]
    assert row["update_norm"] == pytest.approx(0.01 * 10**0.5, rel=1e-3)
    assert "unknown optimizer 'sgdd'" in error_of(capsys, "inspect", *options, "sgdd")


def test_a_text_is_no_module_and_nothing_runs(networks, capsys):
    (networks / "net.pt").write_text("junk")
    shown = error_of(capsys, "inspect", "net.pt", "--dataset", "digits")
    assert shown == "initsk inspect: net.pt is not a file that torch.save wrote (allowed: torch.save(module))\n"


# torch warns with the one class or the other, by version.
@pytest.mark.filterwarnings("ignore:`torch.jit.*:DeprecationWarning", "ignore:`torch.jit.*:FutureWarning")
def test_a_file_of_torchscript_is_named_with_the_next_step(networks, capsys):
    torch.jit.save(torch.jit.trace(module(), torch.zeros(1, 64)), "script.pt")
    shown = error_of(capsys, "inspect", "script.pt", "--dataset", "digits")
    assert "script.pt is a TorchScript file" in shown
    assert "torch.save(module)" in shown


def test_a_file_without_a_factory_lists_what_can_be_used(networks, capsys):
    (networks / "some.py").write_text(
        "from torch import nn\ndef net():\n    return nn.Linear(2, 2)\ndef sized(n):\n    return nn.Linear(n, 2)\n"
        "class Own(nn.Linear):\n    def __init__(self, n=2):\n        super().__init__(n, 2)\n"
        "ready = Own()\nnumber = 5\n"
    )
    shown = error_of(capsys, "inspect", "some.py", "--dataset", "digits")
    assert "'some.py' lacks :factory" in shown
    assert "(allowed here: some.py:net, some.py:Own, some.py:ready)" in shown
    shown = error_of(capsys, "inspect", "some.py:nett", "--dataset", "digits")
    assert "did you mean 'net'? Allowed: 'Own', 'net', 'ready'" in shown
