"""Processes that are forked while a thread of their parent fits or inspects."""

import os
import threading
import time
import traceback
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from skorch.callbacks import Callback
from torch import nn
from torch.utils.data import DataLoader, Dataset

from initsk import MLPClassifier, inspect_activations
from tests.helpers import Net, batch, build
from tests.integration.test_threads import make_shared, state_of

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork"),
    # torch itself waits for ever in a forked process if it has divided work among threads before.
    pytest.mark.usefixtures("one_thread"),
    # Newer versions of Python warn of each fork of a process with threads.
    pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning"),
]
LIMIT_S = 20
X, Y = load_iris(return_X_y=True)
X = X.astype(np.float32)


def fit(*callbacks):
    clf = MLPClassifier((8,), max_epochs=2, dropout=0.3, random_state=0, n_threads=1, callbacks=[*callbacks])
    return [parameter.tolist() for parameter in clf.fit(X, Y).net_.module_.parameters()]


def inspect(module):
    return inspect_activations(module, batch(8, 6)).to_frame().to_csv()


def in_child(work):
    """Run a function in a forked process; return whether it has ended without an error before the limit."""
    pid = os.fork()
    if not pid:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.01)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return False


class Waiting(Callback):
    """Stop in the middle of a fit, and of an inspection, until the test goes on."""

    def __init__(self):
        self.is_inside, self.may_go_on = threading.Event(), threading.Event()

    def wait(self):
        self.is_inside.set()
        assert self.may_go_on.wait(2 * LIMIT_S)

    def on_epoch_end(self, net, **kwargs):
        self.wait()


@contextmanager
def in_the_middle(work):
    """Run the block while a thread is in the middle of ``work(waiting)``."""
    waiting, found = Waiting(), []
    thread = threading.Thread(target=lambda: found.append(work(waiting)), daemon=True)
    thread.start()
    try:
        assert waiting.is_inside.wait(LIMIT_S)
        yield
    finally:
        waiting.may_go_on.set()
        thread.join(LIMIT_S)
    assert len(found) == 1


def test_a_child_fits_and_inspects_while_a_thread_fits():
    module = make_shared()
    alone = fit(), inspect(module)

    def work():
        assert (fit(), inspect(module)) == alone

    with in_the_middle(fit):
        assert in_child(work)


def draws():
    # Python seeds its own generator anew in a child.
    return torch.rand(3).tolist(), np.random.rand(3).tolist()  # noqa: NPY002 - the global state


def test_a_child_has_the_settings_from_before_the_fit():
    states = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002 - the global state
    expected = draws()
    torch.set_rng_state(states[0])
    np.random.set_state(states[1])  # noqa: NPY002 - the global state

    def work():
        assert draws() == expected
        assert torch.get_num_threads() == 1

    def fit_with_threads(waiting):
        MLPClassifier((8,), max_epochs=2, random_state=0, n_threads=3, callbacks=[waiting]).fit(X, Y)

    with in_the_middle(fit_with_threads):
        assert in_child(work)


def test_a_child_has_a_module_as_it_was_before_the_inspection():
    def forward(self, x):
        self.waiting.wait()
        self.calls += 1
        return self.layers(x)

    module = build(lambda: Net(forward, layers=make_shared()))
    module.calls = 0
    before = state_of(module)

    def run(waiting):
        module.waiting = waiting
        return inspect_activations(module, batch(8, 6), torch.zeros(8, 3), gradients=True, training=True)

    def work():
        assert state_of(module) == before
        assert module.calls == 0
        module.waiting.may_go_on.set()
        assert module(batch(8, 6)).shape == (8, 3)

    with in_the_middle(run):
        assert in_child(work)
    del module.waiting
    assert state_of(module) == before


def test_a_fork_by_the_thread_that_fits():
    alone = fit()

    class Forking(Callback):
        ended = ()

        def on_epoch_end(self, net, **kwargs):
            self.ended = (*self.ended, in_child(lambda: fit() == alone or os._exit(1)))

    forking = Forking()
    assert fit(forking) == alone
    assert forking.ended == (True, True)


class Inspected(Dataset):
    """Samples that are results of an inspection, in the process that loads them."""

    def __init__(self):
        self.module = build(lambda: nn.Linear(6, 2))

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return inspect_activations(self.module, batch(8, 6, seed=index)).to_frame()["mean"].item()


def test_workers_of_a_loader_start_while_a_thread_fits():
    data = Inspected()
    alone = [data[index] for index in range(4)]
    with in_the_middle(fit):
        loader = DataLoader(data, 2, num_workers=2, multiprocessing_context="fork", timeout=LIMIT_S)
        found = [value for values in loader for value in values.tolist()]
    assert found == alone


def test_forks_at_any_moment_of_a_fit():
    alone, done = fit(), threading.Event()

    def work():
        assert fit() == alone

    def fit_on():
        while not done.is_set():
            fit()

    thread = threading.Thread(target=fit_on, daemon=True)
    thread.start()
    try:
        assert all(in_child(work) for _ in range(10))
    finally:
        done.set()
        thread.join(LIMIT_S)
