"""The time that a diagnosis may take."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf

from initsk.network import Batch

# The share of the time for the values of the layers at the start, and the batches that are measured at any rate: the
# gradients of two halves of the samples are compared.
_SHARE = 0.25
_MIN_BATCHES = 2


@dataclass
class Clock:
    """The time that a diagnosis takes, and the batches that it has time for.

    Only time inside of `running` counts, not the time between two calls of a diagnosis.

    Parameters
    ----------
    limit : float or None
        Seconds that may be used.

    Attributes
    ----------
    n_batches : int or None
        How many batches are measured; None for all.
    of_gradients : float
        Seconds of one measurement of the gradients.
    """

    limit: float | None = None
    used: float = 0.0
    n_batches: int | None = None
    of_gradients: float = 0.0
    _since: float | None = None

    @property
    def left(self) -> float:
        """Seconds that are left: infinite without a limit, and never below 0."""
        if self.limit is None:
            return inf
        running = 0.0 if self._since is None else time.perf_counter() - self._since
        return max(self.limit - self.used - running, 0.0)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the time of the block; a block inside of another one is not counted twice."""
        if self._since is not None:
            yield
            return
        self._since = time.perf_counter()
        try:
            yield
        finally:
            self.used += time.perf_counter() - self._since
            self._since = None

    @contextmanager
    def of_gradients_running(self) -> Iterator[None]:
        """Note how long a measurement of the gradients takes."""
        begin = time.perf_counter()
        yield
        self.of_gradients = time.perf_counter() - begin

    def measured(self, batches: Sequence[Batch]) -> Iterator[Batch]:
        """Yield batches while a quarter of the time lasts, and note in `n_batches` how many there were."""
        end = 0.0 if self.limit is None else self.left - _SHARE * self.limit
        for number, batch in enumerate(batches, 1):
            yield batch
            if number >= _MIN_BATCHES and self.left < end:
                self.n_batches = number
                return
