"""Worker processes that end with the process that started them, and that leave Ctrl-C to it."""

import multiprocessing.resource_tracker
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

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
    handler = signal.getsignal(signal.SIGINT)
    # Only the main thread may set a handler, and only the main thread is interrupted.
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        with _not_in_new_processes():
            yield
        return
    frames: list[FrameType | None] = []
    # A signal that this thread blocks reaches Python through any other thread, so blocking alone delays nothing.
    signal.signal(signal.SIGINT, lambda _, frame: frames.append(frame))
    try:
        with _not_in_new_processes():
            yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if frames:
            handler(signal.SIGINT, frames[0])


@contextmanager
def _not_in_new_processes() -> Iterator[None]:
    """Start processes with interrupts blocked."""
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


@contextmanager
def stopped_quietly() -> Iterator[None]:
    """Do not report an error of joblib's thread that hands out work, when the block ends while work was waiting.

    This thread forgets what was waiting, and then fails to find it; the workers have ended by then.
    """
    report = threading.excepthook

    def report_others(args: threading.ExceptHookArgs) -> None:
        if args.thread is None or args.thread.name != "ExecutorManagerThread" or args.exc_type is not KeyError:
            report(args)

    threading.excepthook = report_others
    try:
        yield
    finally:
        threading.excepthook = report
