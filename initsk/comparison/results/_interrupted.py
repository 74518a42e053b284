"""The exception of an interrupted comparison, with the runs that had finished."""

from pathlib import Path
from typing import Any

from initsk.comparison.results._result import ComparisonResult
from initsk.text import visible
from initsk.utils.words import counted


class ComparisonInterrupted(KeyboardInterrupt, SystemExit):
    """Raised when a comparison is interrupted; a script that does not catch it exits with code 130.

    It is a KeyboardInterrupt, and a SystemExit as well because Python exits with that code only for the built-in
    KeyboardInterrupt.

    Attributes
    ----------
    result : ComparisonResult or None
        The finished runs; None if there are none.
    finished, planned : int
        Numbers of finished and of planned runs.
    store : Path or None
        The file with the finished runs; the same call continues from there.
    """

    def __init__(self, result: ComparisonResult | None, finished: int, planned: int, store: Path | None) -> None:
        kept = "the same call runs them again" if store else "without store=, the same call runs them again"
        if store is not None and finished:
            kept = f"they are in {store}, and the same call continues from there"
        super().__init__(visible(f"interrupted with {finished} of {counted(planned, 'run')} finished; {kept}"))
        self.code = 130
        self.result, self.finished, self.planned, self.store = result, finished, planned, store

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what pickle needs, as workers do that send the interrupt to another process."""
        return type(self), (self.result, self.finished, self.planned, self.store)
