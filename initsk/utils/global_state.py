"""The lock of what all threads share: settings of torch, numpy and Python, and the state of modules."""

import contextlib
import os
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from functools import partial, wraps
from typing import ParamSpec, TypeVar

import torch

from initsk.utils.torch_modes import ThreadModes

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")
_Setting = TypeVar("_Setting")
# How often to look whether another thread draws, before a fork.
_LOOKS = 50
# Whose functions may refer to a context manager that has not ended.
_HOMES = ("contextlib", "torch", __name__.partition(".")[0])


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
        self.lock = threading.RLock()
        #: The blocks that the holder of the lock is in; it gives the lock back at the end of the first one.
        self.blocks: list[Block] = []

    def held(self) -> "Block":
        """Hold the lock in a ``with`` block."""
        return Block(self, lambda: None)

    def changed(self, restore: Callable[[], None]) -> "Block":
        """Hold the lock in a ``with`` block, and call `restore` at its end; a second call of it must do no harm."""
        return Block(self, restore)

    @contextlib.contextmanager
    def kept(self, read: Callable[[], _Setting], write: Callable[[_Setting], None]) -> Iterator[None]:
        """Hold the lock in a ``with`` block that may change one setting, and write the value from before at its end.

        Examples
        --------
        >>> with GlobalState().kept(torch.get_default_dtype, torch.set_default_dtype):
        ...     torch.set_default_dtype(torch.float64)
        >>> torch.get_default_dtype()
        torch.float32
        """
        with self.held(), self.changed(partial(write, read())):
            yield

    def leave(self, block: "Block") -> None:
        """End a block and the blocks inside of it, if that has not happened yet."""
        level = block.level
        if len(self.blocks) <= level or self.blocks[level] is not block:
            # An interrupt may have arrived between the end of the blocks and that of the lock.
            self.free()
            return
        # After the first block of all, the blocks may be those of another thread.
        for _ in range(len(self.blocks) - level):
            try:
                self.blocks[-1].restore()
            except KeyboardInterrupt:  # it is called again
                raise
            except BaseException:
                self._forget_last()
                raise
            self._forget_last()

    def _forget_last(self) -> None:
        self.blocks.pop()
        if not self.blocks:
            self.free()

    def free(self) -> None:
        """Give the lock back if this thread holds it, but is in no block."""
        if self.lock.acquire(blocking=False) and not self.blocks:
            with contextlib.suppress(RuntimeError):  # at the end, it does not hold the lock
                while True:
                    self.lock.release()

    def before_fork(self) -> None:
        """Wait for the end of draws from torch's generator: what is locked at a fork stays locked in the child.

        An operation that draws locks the generator only after its beginning, and this thread cannot hold the lock.
        """
        for _ in range(_LOOKS):
            torch.random.get_rng_state()

    def after_fork(self) -> None:
        """Free the lock in a forked process, unless the thread that has forked holds it."""
        if self.lock.acquire(blocking=False):
            self.lock.release()
            return
        blocks, n_threads = self.blocks[::-1], torch.get_num_threads()
        self.lock, self.blocks = threading.RLock(), []
        # Neither do the threads exist that torch divides work among.
        torch.set_num_threads(1)
        try:
            for block in blocks:
                block.restore()
        finally:
            torch.set_num_threads(n_threads)


class Block:
    """A block in which a thread holds the lock; no generator, since an interrupt may keep one from its end.

    After an error or an interrupt, the modes of torch in this thread are those from before the block.

    Parameters
    ----------
    state : GlobalState
    restore : callable
        Called at the end. If an interrupt arrives before it has ended, it is called again.
    """

    def __init__(self, state: GlobalState, restore: Callable[[], None]) -> None:
        self.state, self.restore = state, restore
        self.modes, self.filters, self.level = ThreadModes(), warnings.filters, 0

    def __enter__(self) -> None:
        try:
            self.state.lock.acquire()
            self.level = len(self.state.blocks)
            self.state.blocks.append(self)
        except KeyboardInterrupt:
            self.state.free()
            raise

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KeyboardInterrupt):
            _end_generators(error)
        try:
            self.state.leave(self)
        except KeyboardInterrupt:
            self.state.leave(self)
            raise
        finally:
            if error is not None:
                self.modes.restore()
            if isinstance(error, KeyboardInterrupt) and warnings.filters is not self.filters:
                # The end of a block of `catch_warnings`, of any library, is missing.
                warnings.filters = self.filters
                with warnings.catch_warnings():  # lets Python read the filters again
                    pass


def _end_generators(error: BaseException | None) -> None:
    """Let the context managers end now that an interrupt has kept from their ends: the traceback refers to them."""
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_globals.get("__name__", "").partition(".")[0] in _HOMES:
                with contextlib.suppress(RuntimeError):  # it is still running
                    frame.clear()
        error = error.__context__


#: Held while a thread changes something that all threads share.
GLOBAL_STATE = GlobalState()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=GLOBAL_STATE.before_fork, after_in_child=GLOBAL_STATE.after_fork)


def one_at_a_time(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Let a single thread at a time call the functions with this decorator, since they change the state of modules.

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
        block = GLOBAL_STATE.held()
        try:
            with block:
                return function(*args, **kwargs)
        except KeyboardInterrupt as interrupt:
            # It may have arrived at the very beginning of the block's end.
            block.__exit__(type(interrupt), interrupt, None)
            raise

    return run
