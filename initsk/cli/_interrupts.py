"""Remembering that the user has pressed Ctrl-C, whatever the code that ran at that moment made of it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

#: The exit code of a command that was interrupted, as the shell reports a program that the signal INT has ended.
INTERRUPTED = 130

_noted: list[int] = []


@contextmanager
def noting_interrupts() -> Iterator[None]:
    """Note interrupts inside the block; each one still raises KeyboardInterrupt.

    An interrupt can come while torch enters or leaves one of its modes. What arrives at the caller then is a
    RuntimeError about the modes, or nothing, if that error is handled as one of the network.
    """
    _noted.clear()
    # Only the main thread may set a handler; a handler of the caller's own stays.
    in_charge = threading.current_thread() is threading.main_thread()
    if not in_charge or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def is_interrupt(error: BaseException) -> bool:
    """Return whether an error is an interrupt, or what an interrupt has become in the code that it ended."""
    return isinstance(error, KeyboardInterrupt) or was_interrupted()


def was_interrupted() -> bool:
    """Return whether the command has been interrupted."""
    return bool(_noted)


def _note(number: int, frame: FrameType | None) -> None:
    _noted.append(number)
    signal.default_int_handler(number, frame)
