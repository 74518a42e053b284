import signal

import pytest
import torch

from initsk.testing._global_state import global_state


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
