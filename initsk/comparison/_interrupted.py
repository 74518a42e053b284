"""A comparison that did not come to its end."""

from pathlib import Path

from initsk.comparison._result import ComparisonResult


class ComparisonInterrupted(KeyboardInterrupt, SystemExit):
    """A comparison was interrupted, as a KeyboardInterrupt; a script that does not catch it exits with code 130.

    It is a SystemExit too, since Python gives that code to no KeyboardInterrupt but the built-in one.

    Attributes
    ----------
    result : ComparisonResult or None
        The runs that had finished; None if none had.
    finished, planned : int
        Numbers of runs.
    store : Path or None
        Where the finished runs are kept; the same call goes on from there.
    """

    def __init__(self, result: ComparisonResult | None, finished: int, planned: int, store: Path | None) -> None:
        kept = "without store= they must be run again"
        if store is not None:
            kept = f"they are kept in {store}, and the same call goes on from there"
        super().__init__(f"interrupted with {finished} of {planned} runs finished; {kept}")
        self.code = 130
        self.result = result
        self.finished = finished
        self.planned = planned
        self.store = store
