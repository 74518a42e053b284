"""Damaged files of networks and data on the command line: the same answer as of the whole file, or one line."""

import io

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from sklearn.datasets import load_iris
from torch import nn

from tests.cli.helpers import run
from tests.fuzz.support import bounded, fuzz, on_examples
from tests.fuzz.test_files import cut, flipped, in_memory, spliced
from tests.helpers import build


def saved(**options):
    module = build(lambda: nn.Sequential(nn.Linear(64, 3), nn.ReLU(), nn.Linear(3, 10)))
    stream = io.BytesIO()
    torch.save(module, stream, **options)
    return stream.getvalue()


MODULE = saved()
# The format before torch 1.6 has no checksums.
OLD = saved(_use_new_zipfile_serialization=False)


def answer(capsys, *arguments):
    """Return what a command prints, or None after the one line that is allowed."""
    code = run(*arguments)
    shown = capsys.readouterr()
    if code != 2:
        assert code in (0, 1)
        return shown.out
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert arguments[-1].split("/")[-1] in shown.err
    return None


@on_examples(12, 300)
def test_a_damaged_network_is_the_same_or_refused(tmp_path, capsys, examples):
    path = tmp_path / "net.pt"
    path.write_bytes(MODULE)
    command = ["recommend", str(path)]
    whole = answer(capsys, *command)

    def law(changed):
        path.write_bytes(changed)
        with bounded(2**24):
            assert answer(capsys, *command) in (whole, None)

    fuzz(law, st.one_of(flipped(MODULE), cut(MODULE), spliced(MODULE, MODULE)), examples=examples)


@pytest.mark.filterwarnings("ignore")
@on_examples(8, 200)
def test_a_damaged_network_of_the_old_format_is_a_network_or_refused(tmp_path, capsys, examples):
    path = tmp_path / "net.pt"

    def law(changed):
        path.write_bytes(changed)
        with bounded(2**24):
            answer(capsys, "recommend", str(path))

    fuzz(law, flipped(OLD), examples=examples)


@on_examples(8, 150)
@pytest.mark.parametrize("command", ["inspect", "audit"])
def test_damaged_data_give_the_same_answer_or_are_refused(tmp_path, capsys, command, examples):
    X, y = load_iris(return_X_y=True)
    whole = in_memory(lambda stream: np.savez_compressed(stream, X=X, y=y))
    path = tmp_path / "iris.npz"
    path.write_bytes(whole)
    arguments = [command, "--hidden", "3", "--dataset", str(path)]
    expected = answer(capsys, *arguments)

    def law(changed):
        path.write_bytes(changed)
        with bounded(2**24):
            assert answer(capsys, *arguments) in (expected, None)

    fuzz(law, st.one_of(flipped(whole), cut(whole)), examples=examples)
