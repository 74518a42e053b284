"""The lock of what all threads share: settings of torch, numpy and Python, and the state of modules."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

from initsk.utils.torch_modes import modes_kept

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

# How often to look whether another thread draws, before a fork.
_LOOKS = 50


class GlobalState:
    """A lock that one thread holds at a time, with what puts back the settings that this thread has changed.

    The thread that holds the lock may take it again. In a process that is forked while another thread holds the lock,
    that thread does not exist: the lock is free, and the settings are those from before the thread changed them.

    Examples
    --------
    >>> state, settings = GlobalState(), ["old"]
    >>> with state.changed(lambda: settings.__setitem__(0, "old")):
    ...     settings[0] = "new"
    >>> settings
    ['old']
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._restores: list[Callable[[], None]] = []

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *exception: object) -> None:
        self._lock.release()

    @contextmanager
    def changed(self, restore: Callable[[], None]) -> Iterator[None]:
        """Hold the lock inside the block, and call `restore` after it; a second call of it must do no harm.

        An interrupt that arrives during the restoration is raised after it.
        """
        with self:
            self._restores.append(restore)
            try:
                yield
            finally:
                try:
                    restore()
                except KeyboardInterrupt:
                    restore()
                    raise
                finally:
                    self._restores.remove(restore)

    def before_fork(self) -> None:
        """Wait for the end of draws from torch's generator: what is locked at a fork stays locked in the child.

        An operation that draws locks the generator only after its beginning, and this thread cannot hold the lock.
        """
        for _ in range(_LOOKS):
            torch.random.get_rng_state()

    def after_fork(self) -> None:
        """Free the lock in a forked process, unless the thread that has forked holds it."""
        if self._lock.acquire(blocking=False):
            self._lock.release()
            return
        restores, n_threads = self._restores[::-1], torch.get_num_threads()
        self._lock, self._restores = threading.RLock(), []
        # Neither do the threads exist that torch divides work among.
        torch.set_num_threads(1)
        try:
            for restore in restores:
                restore()
        finally:
            torch.set_num_threads(n_threads)


#: Held while a thread changes something that all threads share.
GLOBAL_STATE = GlobalState()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=GLOBAL_STATE.before_fork, after_in_child=GLOBAL_STATE.after_fork)


def one_at_a_time(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Let a single thread at a time call the functions with this decorator, since they change the state of modules.

    After an error or an interrupt, the modes of torch in this thread are those from before the call.

    Examples
    --------
    >>> @one_at_a_time
    ... def double(number):
    ...     return 2 * number
    >>> double(4)
    8
    """

    @wraps(function)
    def run(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        with GLOBAL_STATE, modes_kept():
            return function(*args, **kwargs)

    return run
