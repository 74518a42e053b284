"""Who is clearly behind before all runs are done."""

from collections.abc import Mapping, Sequence

import pandas as pd

from initsk.comparison._candidates import Candidate
from initsk.comparison._design import Block, RunKey
from initsk.comparison._record import RunRecord
from initsk.comparison._scores import Scores, scores_of

_ALPHA = 0.05
# With two blocks a t-test has one degree of freedom, and sees what is far apart alone.
_FIRST_LOOK = 2


def behind(
    candidates: Sequence[Candidate], blocks: Sequence[Block], records: Mapping[RunKey, RunRecord], n_planned: int
) -> list[Candidate]:
    """Return the candidates that are worse than the best after these blocks, of `n_planned` in all.

    By the test of `ComparisonResult.summary`, at its level divided by the number of looks, so that in all
    experiments but one in twenty nobody is left out for noise. Who has no score at all is behind too.
    """
    if not _FIRST_LOOK <= len(blocks) < n_planned:
        return []
    scores = _scores(candidates, blocks, records)
    best = scores.labels[0]
    level, p_values = _ALPHA / (n_planned - _FIRST_LOOK), scores.p_values()
    lost = {label for label in scores.labels[1:] if p_values[best, label] < level or not len(scores.values(label))}
    return [candidate for candidate in candidates if str(candidate.key) in lost]


def _scores(candidates: Sequence[Candidate], blocks: Sequence[Block], records: Mapping[RunKey, RunRecord]) -> Scores:
    rows = []
    for candidate in candidates:
        for block in blocks:
            record = records[(*candidate.key, block.repeat, block.fold)]
            rows.append((str(candidate.key), block.repeat, record.split, record.test_ratio, record.score))
    runs = pd.DataFrame(rows, columns=["candidate", "repeat", "split", "test_ratio", "score"])
    return scores_of(runs, runs["candidate"])
