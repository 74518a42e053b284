"""Runs and rounds: a round is one repeat and fold, in which each candidate has one run."""

from copy import copy
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold, check_cv

from initsk.comparison.design._candidates import Candidate
from initsk.exceptions import InvalidParameterError
from initsk.utils.random import derive_seed
from initsk.utils.words import reason_of


class RunKey(NamedTuple):
    """The key of a run in its comparison; `setting` is JSON."""

    initializer: str
    setting: str
    repeat: int
    fold: int

    @property
    def candidate(self) -> tuple[str, str]:
        """The key of the run's candidate."""
        return self.initializer, self.setting


@dataclass(frozen=True)
class Round:
    """One repeat and fold: all its runs share the split and the seed.

    `train` and `test` are rows of X, or None where all rounds have the same validation samples. `split` is the number
    of the split; equal splits have equal numbers.
    """

    repeat: int
    fold: int
    split: int
    seed: int
    train: np.ndarray | None = None
    test: np.ndarray | None = None


@dataclass(frozen=True)
class Task:
    """A run to carry out: a candidate in a round."""

    candidate: Candidate
    round: Round

    @property
    def key(self) -> RunKey:
        """The key of the run."""
        return RunKey(*self.candidate.key, self.round.repeat, self.round.fold)


def held_out_rounds(n_repeats: int, seed: int) -> list[Round]:
    """Return a round for each repeat, all with the same validation samples."""
    return [Round(repeat, 0, 0, derive_seed(seed, "repeat", repeat) % 2**31) for repeat in range(n_repeats)]


def fold_rounds(cv: Any, X: Any, y: Any, groups: Any, has_classes: bool, n_repeats: int, seed: int) -> list[Round]:
    """Return a round for each repeat and fold.

    A number of folds is shuffled anew in every repeat, and so is a splitter that shuffles without a random state of its
    own. Other splitters split the same way every time.

    Raises
    ------
    InvalidParameterError
        If `cv` cannot split these data.
    """
    # A splitter counts samples by `shape`, which a list or dict of inputs does not have.
    rows = X if hasattr(X, "shape") else y
    try:
        splitter = check_cv(cv, y, classifier=has_classes)
        splits = [list(_seeded(cv, splitter, seed, repeat).split(rows, y, groups)) for repeat in range(n_repeats)]
    except (TypeError, ValueError, AttributeError) as error:
        raise InvalidParameterError(f"cv={cv!r} does not split these data: {reason_of(error)}") from error
    numbers: dict[bytes, int] = {}
    return [
        Round(
            repeat, fold, numbers.setdefault(np.asarray(test).tobytes(), len(numbers)),
            derive_seed(seed, "repeat", repeat, "fold", fold) % 2**31, np.asarray(train), np.asarray(test),
        )
        for repeat, folds in enumerate(splits)
        for fold, (train, test) in enumerate(folds)
    ]  # fmt: skip


def _seeded(cv: Any, splitter: Any, seed: int, repeat: int) -> Any:
    """Return the splitter with the shuffling of one repeat."""
    state = derive_seed(seed, "split", repeat) % 2**32
    if isinstance(cv, int) or cv is None:
        kind = StratifiedKFold if isinstance(splitter, StratifiedKFold) else KFold
        return kind(splitter.n_splits, shuffle=True, random_state=state)
    if getattr(splitter, "random_state", 0) is None and getattr(splitter, "shuffle", True):
        splitter = copy(splitter)
        splitter.random_state = state
    return splitter
