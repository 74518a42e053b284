import os
import signal
import sys

import pytest
import torch

from initsk.testing._global_state import global_state

# A window for each figure would be opened otherwise.
os.environ.setdefault("MPLBACKEND", "agg")


def pytest_configure(config):
    """Give each of several test processes one thread, so that they do not wait for one another."""
    if hasattr(config, "workerinput"):
        torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _global_state_stays():
    """Every test doubles as a check that nothing global moves."""
    before = global_state()
    yield
    after = global_state()
    assert [name for name in before if before[name] != after[name]] == []


@pytest.fixture(autouse=True)
def _figures_are_closed():
    """Close the figures that pyplot keeps; it warns of more than 20."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def one_thread():
    """Run the test on one thread: with small matrices, threads cost more than they save, most of all on busy cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def interruptible():
    """Let Ctrl-C raise KeyboardInterrupt; a shell starts programs in the background with the signal ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
