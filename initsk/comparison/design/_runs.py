"""Which runs there are: every candidate under every repeat and fold, with the same split and seed."""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold, check_cv

from initsk.comparison.design._candidates import Candidate
from initsk.exceptions import InvalidParameterError
from initsk.utils.random import derive_seed

RunKey = tuple[str, str, int, int]


@dataclass(frozen=True)
class Block:
    """One repeat and fold: all its runs share split and seed.

    `train` and `test` are rows of X, or None where data are held out for all runs. `split` numbers the
    different splits.
    """

    repeat: int
    fold: int
    split: int
    seed: int
    train: np.ndarray | None = None
    test: np.ndarray | None = None


@dataclass(frozen=True)
class Task:
    """One run: a candidate in a block."""

    candidate: Candidate
    block: Block

    @property
    def key(self) -> RunKey:
        """What tells this run from all others of the comparison."""
        return (*self.candidate.key, self.block.repeat, self.block.fold)


def held_out_blocks(n_repeats: int, seed: int) -> list[Block]:
    """Return a block per repeat, all on the same held-out data."""
    return [Block(repeat, 0, 0, _run_seed(seed, repeat)) for repeat in range(n_repeats)]


def folded_blocks(cv: Any, X: Any, y: Any, groups: Any, is_classifier: bool, n_repeats: int, seed: int) -> list[Block]:
    """Return a block per repeat and fold.

    A number of folds is shuffled anew in every repeat; so are splitters without a random state of their own. Others
    split the same way every time.

    Raises
    ------
    InvalidParameterError
        If `cv` splits nothing, or not these data.
    """
    try:
        splitter = check_cv(cv, y, classifier=is_classifier)
        splits = [list(_seeded(cv, splitter, seed, r).split(_rows_of(X, y), y, groups)) for r in range(n_repeats)]
    except (TypeError, ValueError, AttributeError) as error:
        raise InvalidParameterError(f"cv={cv!r} does not split these data: {str(error).splitlines()[0]}") from error
    known: dict[bytes, int] = {}
    return [
        Block(
            repeat, fold, known.setdefault(np.asarray(test).tobytes(), len(known)),
            _run_seed(seed, repeat, fold), np.asarray(train), np.asarray(test),
        )
        for repeat, folds in enumerate(splits)
        for fold, (train, test) in enumerate(folds)
    ]  # fmt: skip


def tasks_of(candidates: list[Candidate], blocks: list[Block]) -> Iterator[Task]:
    """Yield the runs, block by block, so that what has finished is always nearly paired."""
    for block in blocks:
        for candidate in candidates:
            yield Task(candidate, block)


def _run_seed(seed: int, repeat: int, fold: int | None = None) -> int:
    names = ("repeat", repeat) if fold is None else ("repeat", repeat, "fold", fold)
    return derive_seed(seed, *names) % 2**31


def _rows_of(X: Any, y: Any) -> Any:
    """Return what a splitter may count: X itself where it has a shape, y otherwise."""
    return X if hasattr(X, "shape") else y


def _seeded(cv: Any, splitter: Any, seed: int, repeat: int) -> Any:
    state = derive_seed(seed, "split", repeat) % 2**32
    if isinstance(cv, int) or cv is None:
        kind = StratifiedKFold if isinstance(splitter, StratifiedKFold) else KFold
        return kind(splitter.n_splits, shuffle=True, random_state=state)
    if getattr(splitter, "random_state", 0) is None and getattr(splitter, "shuffle", True):
        splitter = copy(splitter)
        splitter.random_state = state
    return splitter
