"""Networks in files that are damaged, hostile, or hold something else."""

import os
import pickle

import pytest
import torch
from torch import nn

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
