"""Worker processes that end with the process that started them, and that leave Ctrl-C to it."""

import multiprocessing.resource_tracker
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from joblib.externals.loky.backend import resource_tracker

_CHECK_EVERY_S = 0.5


def end_with(parent: int) -> None:
    """End this process soon after its parent process; at once if the parent is already gone.

    A process that was killed cannot stop its workers, which would go on training or wait for work for ever. Workers
    call this function when they start, so this module imports nothing that takes long to load.

    Parameters
    ----------
    parent : int
        Id of the process that started this one.
    """
    threading.Thread(target=_exit_when_orphaned, args=(parent,), name="initsk-orphans", daemon=True).start()


def _exit_when_orphaned(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_CHECK_EVERY_S)
    os._exit(1)


@contextmanager
def later_interrupt() -> Iterator[None]:
    """Deliver an interrupt (Ctrl-C) after the block; joblib's workers that the block starts never get one.

    A process that is importing its libraries would print a traceback. The process that started it ends it.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # When these processes start, they end the blocking of signals.
    for start in (multiprocessing.resource_tracker.ensure_running, resource_tracker.ensure_running):
        start()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
