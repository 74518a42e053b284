"""An interrupt in the middle of a call: the module, torch's modes and all settings are as they were before it."""

import copy
import random
import signal
import time
from contextlib import suppress

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from initsk import NeuralNetClassifier
from initsk.testing._global_state import global_state
from tests.entry_points import entry_points
from tests.helpers import batch, build
from tests.integration.test_threads import IRIS, ON_A_SHARED_MODULE, SPECIES, make_shared, state_of

CALLS = ON_A_SHARED_MODULE | entry_points(batch(8, 6), None, "initialize X", "lsuv")


class Interrupting(nn.Module):
    """Raise KeyboardInterrupt in the forward pass with a given number, counted from 0."""

    number, at = 0, None

    def forward(self, x):
        Interrupting.number += 1
        if Interrupting.number - 1 == Interrupting.at:
            raise KeyboardInterrupt
        return x


class Seeing(TorchFunctionMode):
    """A mode of a user, and a check that no other mode is on the stack."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


def is_free_of_modes():
    return not torch.overrides.has_torch_function((torch.ones(1),))


def passes_of(call, module):
    """Return the number of forward passes that a call makes."""
    Interrupting.number, Interrupting.at = 0, None
    call(copy.deepcopy(module))
    return Interrupting.number


@pytest.mark.parametrize("name", CALLS)
def test_an_interrupt_in_a_forward_pass(name):
    module, call = make_shared().insert(2, Interrupting()), CALLS[name]
    n_passes = passes_of(call, module)
    before = state_of(module)
    # All passes of short calls, and passes from the beginning to the end of long ones.
    for number in sorted({round(n * (n_passes - 1) / 7) for n in range(8)}):
        Interrupting.number, Interrupting.at = 0, number
        with Seeing(), pytest.raises(KeyboardInterrupt):
            call(module)
        assert is_free_of_modes()
        assert torch.is_grad_enabled()
        assert state_of(module) == before


@pytest.fixture
def interrupted_after():
    """Return a function that lets an interrupt arrive after some seconds, as by Ctrl-C; 0 cancels it."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


# Python drops an interrupt in a callback of the garbage collection, such as that of Hypothesis, and says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("n_tries", [40, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["read", "audit", "inspect", "lsuv"])
def test_an_interrupt_at_any_moment(name, n_tries, interrupted_after):
    # Not only in the code of the module, but also where torch or this package begins or ends something.
    module, call = make_shared(), CALLS[name]
    # torch does not copy gradients.
    untouched, filled = copy.deepcopy(module), copy.deepcopy(module)
    call(filled)
    allowed, start = [state_of(each)[:4] for each in (module, untouched, filled)], time.perf_counter()
    call(copy.deepcopy(module))
    duration, generator = time.perf_counter() - start, random.Random(0)
    before, settings = state_of(module), global_state()
    for _ in range(n_tries):
        # An interrupt at the end of an initialization may come too late.
        given = copy.deepcopy(module) if name == "lsuv" else module
        with suppress(KeyboardInterrupt):
            interrupted_after(max(generator.random() * duration, 1e-5))
            call(given)
            interrupted_after(0)
        interrupted_after(0)
        assert is_free_of_modes()
        after = global_state()
        assert [name for name in settings if settings[name] != after[name]] == []
        assert state_of(module) == before
        assert state_of(given)[:4] in allowed


def test_an_interrupted_fit_leaves_no_mode():
    module = build(lambda: nn.Sequential(nn.Linear(4, 3), Interrupting()))
    net = NeuralNetClassifier(module, criterion=nn.CrossEntropyLoss, max_epochs=2, random_state=0, verbose=0)
    for number in range(5):
        Interrupting.number, Interrupting.at = 0, number
        # skorch ends a training at an interrupt and does not raise it.
        with Seeing(), suppress(KeyboardInterrupt):
            net.fit(IRIS, SPECIES)
        assert Interrupting.number > number
        assert is_free_of_modes()
