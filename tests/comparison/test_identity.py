"""Descriptions differ for different objects, and are the same in every process."""

import functools
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from torch import nn

from initsk import MLPClassifier
from initsk.comparison.storage._identity import describe
from initsk.initializers import HeNormal
from tests.helpers import build

DIFFERENT = [
    (np.arange(3), np.arange(1, 4)),
    (np.arange(3), np.arange(3.0)),
    (np.array(["a", "b"]), np.array(["a", "c"])),
    (np.array(["a", None], dtype=object), np.array(["a", 1], dtype=object)),
    (np.array(["2020-01-01"], dtype="datetime64[D]"), np.array(["2020-01-02"], dtype="datetime64[D]")),
    (np.zeros((2, 3)), np.zeros((3, 2))),
    (torch.zeros(2), torch.ones(2)),
    (torch.zeros(2, dtype=torch.bfloat16), torch.zeros(2)),
    (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})),
    (pd.Series(["x"]), pd.Series(["y"])),
    (sparse.eye(3), sparse.eye(3) * 2),
    (HeNormal(), HeNormal("fan_out")),
    (MLPClassifier(lr=0.1), MLPClassifier(lr=0.2)),
    (functools.partial(nn.init.normal_, std=1), functools.partial(nn.init.normal_, std=2)),
    (lambda w: w * 1, lambda w: w * 2),
    (lambda w, k=1: w * k, lambda w, k=2: w * k),
    (nn.Linear, nn.Conv1d),
    ({"a": 1}, {"a": 2}),
    ([1, 2], (1, 2)),
    (None, "None"),
]


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_different_objects_have_different_descriptions(first, second):
    assert describe(first) != describe(second)
    assert describe(first) == describe(first)


def test_closures_and_modules_are_described_by_their_values():
    def times(factor):
        return lambda w: w * factor

    assert describe(times(2)) == describe(times(2))
    assert describe(times(2)) != describe(times(3))
    linear, other = build(lambda: nn.Linear(2, 2)), build(lambda: nn.Sequential(nn.Linear(1, 1), nn.Linear(2, 2))[1])
    assert describe(linear) == describe(build(lambda: nn.Linear(2, 2)))
    assert describe(linear) != describe(other)


def test_a_list_that_contains_itself():
    loop = []
    loop.append(loop)
    assert describe(loop) == "[...]"


PROGRAM = """
from initsk.comparison.storage._identity import describe
def f(w):
    return w if w in {"some", "words", "of", "a", "set"} else None
print(describe([f, {"b", "a", "c"}, object()]))
"""


@pytest.mark.slow
def test_another_process_gives_the_same_description():
    # Each process has other addresses, and another order of sets.
    descriptions = {
        subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(descriptions) == 1
