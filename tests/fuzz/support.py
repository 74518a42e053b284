"""Running a law on many inputs that Hypothesis makes, the same in every run of the same tests."""

import signal
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

LONGEST_S = 10
# What Python and the libraries need for any input: imports, messages, buffers for reading.
_BASE = 16 * 2**20


def on_examples(quick: int, long: int) -> pytest.MarkDecorator:
    """Parametrize a test with the number of inputs: `quick` in the default run, `long` in the slow run."""
    return pytest.mark.parametrize("examples", [quick, pytest.param(long, marks=pytest.mark.slow)])


def fuzz(law: Callable[..., None], *inputs: SearchStrategy, examples: int) -> None:
    """Check a law on `examples` inputs; a failure shows the smallest input that breaks it."""
    checked = settings(
        max_examples=examples, derandomize=True, database=None, deadline=None, print_blob=False,
        suppress_health_check=list(HealthCheck),
    )(given(*inputs)(law))  # fmt: skip
    checked()


@contextmanager
def bounded(honest_size: int) -> Iterator[None]:
    """Fail if the block takes longer than 10 s, or allocates more than twice the honest size of its input.

    Memory of Python and numpy is counted.
    """

    def too_long(*_):
        raise AssertionError(f"took longer than {LONGEST_S} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(LONGEST_S)
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert peak <= 2 * honest_size + _BASE


def result_or_error(call: Callable[[], Any], kind: type[Exception]) -> tuple[Any, str | None]:
    """Return the result of a call and None, or None and the message of an error of this kind, which is one line."""
    try:
        return call(), None
    except kind as error:
        message = str(error)
    assert message
    assert "\n" not in message
    return None, message
