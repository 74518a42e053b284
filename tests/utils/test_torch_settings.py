"""Pieces and copies of tensors; detection of changes, with and without torch's count of writes."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from initsk import inspect_activations
from initsk.utils.torch_settings import copy_of, is_unchanged, mark_of, pieces, write_values


def removed(self):
    raise AttributeError("a later torch has no such name")


@pytest.fixture(params=["with the count", "without"])
def _count(request, monkeypatch):
    if request.param == "without":
        monkeypatch.setattr(torch.Tensor, "_version", property(removed), raising=False)


@pytest.mark.usefixtures("_count")
def test_writes_are_seen():
    tensor = torch.tensor([1.0, float("nan"), float("inf")])
    mark = mark_of(tensor)
    assert is_unchanged(tensor, mark)
    tensor[0] = 2
    assert not is_unchanged(tensor, mark)


def test_writes_to_tensors_without_a_count_are_seen():
    with torch.inference_mode():
        tensor = torch.zeros(3)
        mark = mark_of(tensor)
        assert is_unchanged(tensor, mark)
        tensor.add_(1)
        assert not is_unchanged(tensor, mark)


class Shifted(nn.Module):
    """A network that changes the output of its layer before the activation function."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.act = nn.Linear(3, 4), nn.Linear(4, 2), nn.Tanh()

    def forward(self, x):
        hidden = self.first(x)
        hidden += 1
        return self.act(self.second(self.act(hidden)))


class Inferring(Shifted):
    @torch.inference_mode()
    def forward(self, x):
        return super().forward(x)


def frame_of(kind):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = kind()
    X = np.linspace(-1, 1, 30, dtype=np.float32).reshape(10, 3)
    return inspect_activations(module, X).to_frame()


def test_an_inspection_without_the_count_is_the_same(monkeypatch):
    expected = frame_of(Shifted)
    assert set(expected["layer"]) == {"first", "act", "second"}
    monkeypatch.setattr(torch.Tensor, "_version", property(removed), raising=False)
    pd.testing.assert_frame_equal(frame_of(Shifted), expected)


def test_a_forward_in_inference_mode_is_inspected():
    pd.testing.assert_frame_equal(frame_of(Inferring), frame_of(Shifted))


@pytest.mark.parametrize("size", [0, 1, 2**15 - 1, 2**15, 2**16 - 32, 2**16 - 17, 2**16 - 16, 200_001])
def test_pieces_are_the_tensor_in_order(size):
    tensor = torch.arange(size)
    found = pieces(tensor)
    assert torch.equal(torch.cat(found), tensor)
    # torch divides the work on 2 ** 15 values among threads.
    assert max(map(len, found)) < 2**15
    found[-1].fill_(-1)
    assert bool((tensor[size - len(found[-1]) :] == -1).all())


def layouts():
    plain = torch.arange(80_000.0).reshape(2, 4, 100, 100)
    turned, last = plain.mT, plain.to(memory_format=torch.channels_last)
    return [plain, turned, last, torch.nn.Parameter(plain.clone()), torch.tensor(3.0), torch.zeros(0, 3)]


@pytest.mark.parametrize("tensor", layouts(), ids=["plain", "turned", "channels last", "parameter", "scalar", "empty"])
def test_copies_have_the_values_and_the_layout(tensor):
    found = copy_of(tensor)
    assert torch.equal(found, tensor)
    assert not found.requires_grad
    assert found.stride() == tensor.detach().clone().stride()
    # A write of values in another layout or type.
    write_values(tensor, torch.ones(tensor.shape, dtype=torch.float64).contiguous())
    assert bool((tensor == 1).all())


def test_values_of_another_shape_are_an_error():
    with pytest.raises(RuntimeError, match="size"):
        write_values(torch.zeros(400, 200), torch.zeros(200, 400))
