"""How far a comparison is, and how long it will take."""

import sys
from typing import Self

from tqdm import tqdm

from initsk.comparison._record import RunRecord


class Progress:
    """A bar with the time left, on standard error.

    Parameters
    ----------
    total : int
        Planned runs.
    done : int
        Those that had finished before.
    shown : bool
        Whether there is a bar at all.
    """

    def __init__(self, total: int, done: int, shown: bool) -> None:
        # Runs at a fixed pace make "time left" simple: no smoothing towards the latest.
        self._bar = tqdm(
            total=total, initial=done, desc="runs", unit="run", smoothing=0, file=sys.stderr, disable=not shown
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def finish(self, record: RunRecord) -> None:
        """Count a finished run, and say what came out."""
        said = f"{record.score:.4f}" if record.status == "ok" else record.status
        self._bar.set_postfix_str(f"{record.key[0]}: {said}", refresh=False)
        self._bar.update()

    def leave_out(self, n_runs: int) -> None:
        """Expect so many runs less."""
        self._bar.total = max(self._bar.total - n_runs, self._bar.n)
        self._bar.refresh()
