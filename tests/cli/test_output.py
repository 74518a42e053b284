"""Output that cannot be written, interrupts, and paths that are no files."""

import io
import os
import signal
import subprocess
import sys

import pytest

from tests.cli.helpers import QUICK, error_of, run

RECOMMEND = ["recommend", "--dataset", "digits", "--hidden", "4"]
needs_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")


def ended(*arguments, stdout):
    command = [sys.executable, "-m", "initsk", *arguments]
    done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr


@needs_full
@pytest.mark.parametrize("arguments", [["--help"], pytest.param(RECOMMEND, marks=pytest.mark.slow)])
def test_a_full_disk_is_one_line(arguments):
    with open("/dev/full", "w") as full:
        code, shown = ended(*arguments, stdout=full)
    assert code == 2
    assert shown.count("\n") == 1
    assert shown.startswith("initsk")
    assert "No space left on device" in shown


@pytest.mark.parametrize(
    "arguments", [["--help"], *(pytest.param(command, marks=pytest.mark.slow) for command in (["list"], RECOMMEND))]
)
def test_a_reader_that_has_left_ends_the_command_quietly(arguments):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert ended(*arguments, stdout=writing) == (141, "")
    finally:
        os.close(writing)


@pytest.mark.slow
def test_a_reader_that_has_left_is_no_fault_of_a_network_that_prints(networks):
    (networks / "loud.py").write_text("def net():\n    print('made', flush=True)\n")
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert ended("recommend", "loud.py:net", stdout=writing) == (141, "")
        # An error of another kind is still said.
        code, shown = ended("recommend", "loud.py:nat", stdout=writing)
        assert (code, "did you mean 'net'" in shown) == (2, True)
    finally:
        os.close(writing)


def test_a_page_is_written_though_the_reader_has_left(networks, monkeypatch):
    class Left(io.StringIO):
        def write(self, text):
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(sys, "stdout", Left())
    assert run("audit", "my_networks.py:good", "--no-data", "--report", "page.html") == 141
    assert (networks / "page.html").exists()


def test_with_a_closed_output_the_command_runs_as_usual(networks, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert run("list") == 0
    assert run("--version") == 0
    assert run("audit", "my_networks.py:bad", "--no-data", "--json") == 1
    assert (sys.stdout, sys.stderr) == (None, None)


INTERRUPTED = """
import os
import signal
import torch
from torch.utils._python_dispatch import TorchDispatchMode

class Mode(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        return function(*arguments, **keywords or {{}})

    def __exit__(self, *error):
        super().__exit__(*error)
        if error[0] is KeyboardInterrupt:
            {ending}

class Net(torch.nn.Linear):
    def forward(self, x):
        with Mode():
            os.kill(os.getpid(), signal.SIGINT)
            return super().forward(x)

def net():
    return Net(64, 10)
"""


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("ending", ["raise RuntimeError('the stack of modes is wrong')", "return True", "pass"])
@pytest.mark.parametrize("command", ["inspect", "diagnose", "audit"])
def test_an_interrupt_is_one_line_whatever_becomes_of_it(networks, capsys, command, ending):
    (networks / "interrupted.py").write_text(INTERRUPTED.format(ending=ending))
    assert run(command, "interrupted.py:net", "--dataset", "digits") == 130
    assert capsys.readouterr().err == "initsk: interrupted; no results were kept\n"


def test_an_interrupt_leaves_the_handler_of_the_caller(networks):
    before = signal.getsignal(signal.SIGINT)
    run("list", "--framework", "keras")
    assert signal.getsignal(signal.SIGINT) is before


def test_too_little_memory_is_one_line(networks, capsys):
    (networks / "large.py").write_text("def net():\n    raise MemoryError\n")
    shown = error_of(capsys, "inspect", "large.py:net", "--dataset", "digits")
    assert "large.py:net raised MemoryError" in shown


@pytest.mark.parametrize(
    "arguments",
    [["compare", "--store", ""], ["compare", "--out", ""], ["audit", "--report", ""], ["report", ""],
     ["compare", "--store", "a\0b"]],
)  # fmt: skip
def test_an_empty_path_is_not_the_current_folder(networks, capsys, arguments):
    assert "is not a path" in error_of(capsys, *arguments)


def test_a_store_that_is_a_pipe_is_not_waited_for(networks, capsys):
    os.mkfifo("runs.sqlite")
    for arguments in (["compare", "--dataset", "digits", *QUICK, "--store", "runs.sqlite"], ["report", "runs.sqlite"]):
        assert "runs.sqlite: is a pipe; allowed: a regular file" in error_of(capsys, *arguments)
    assert not (networks / "reports").exists()


def test_a_path_that_is_too_long_is_one_line(networks, capsys):
    name = "x" * 300
    for arguments in (
        ["compare", "--dataset", "digits", *QUICK, "--store", name],
        ["compare", "--dataset", "digits", *QUICK, "--out", name],
        ["audit", "--dataset", "digits", "--report", f"{name}.html"],
    ):
        assert "File name too long" in error_of(capsys, *arguments)
