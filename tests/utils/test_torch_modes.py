"""Modes of torch after an error or an interrupt in the middle of torch's own code."""

import pytest
import torch
from torch import nn, overrides
from torch.overrides import TorchFunctionMode

from initsk import inspect_activations, network
from initsk.utils.global_state import one_at_a_time
from tests.helpers import Net, batch, build


class Counting(TorchFunctionMode):
    n = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.n += 1
        return func(*args, **(kwargs or {}))


def lose_a_mode():
    """Take the innermost mode from the stack, as torch does it for the time of a call."""
    TorchFunctionMode().__exit__(None, None, None)


def leave_a_mode():
    """Begin with a mode whose block is never entered."""
    Counting().__enter__()


@one_at_a_time
def interrupted(disturb, error):
    torch.set_grad_enabled(False)
    disturb()
    raise error


def counts(mode):
    """Return whether a mode, and no other, sees calls."""
    before = mode.n
    torch.ones(1).tanh()
    return mode.n > before


@pytest.mark.parametrize("disturb", [lose_a_mode, leave_a_mode])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_the_modes_are_those_from_before(disturb, error):
    outer = Counting()
    with outer:
        with pytest.raises(error):
            interrupted(disturb, error)
        assert counts(outer)
        assert torch.is_grad_enabled()
    assert not counts(outer)
    assert not torch.overrides.has_torch_function((torch.ones(1),))


@pytest.mark.parametrize("disturb", [lose_a_mode, leave_a_mode])
@pytest.mark.parametrize(
    "call", [lambda net: network.read(net, batch(4, 3)), lambda net: inspect_activations(net, batch(4, 3))]
)
def test_an_interrupt_inside_of_torch_is_raised_as_it_is(disturb, call):
    def forward(self, x):
        x = self.layer(x)
        disturb()
        raise KeyboardInterrupt

    net = build(lambda: Net(forward, layer=nn.Linear(3, 3)))
    outer = Counting()
    with outer:
        with pytest.raises(KeyboardInterrupt):
            call(net)
        assert counts(outer)
    assert not counts(outer)


def test_without_torch_s_list_of_modes_only_the_gradient_mode_is_kept(monkeypatch):
    monkeypatch.delattr(overrides, "_get_current_function_mode_stack")
    with Counting(), pytest.raises(KeyboardInterrupt):
        interrupted(lambda: None, KeyboardInterrupt)
    assert torch.is_grad_enabled()
