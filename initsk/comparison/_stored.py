"""From a store to the tables of its comparison, finished or not."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd

from initsk.comparison._candidates import Candidate
from initsk.comparison._frames import make_frames
from initsk.comparison._record import RunRecord
from initsk.comparison._store import check_format, connect, execute, rows_of_runs
from initsk.exceptions import StoreError


def tables_of_store(path: Path) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Return the tables of what the last call with this file compared, and its settings.

    Raises
    ------
    StoreError
        If the file is no store, is damaged, or holds no finished run.
    """
    with closing(connect(path)) as connection:
        check_format(path, connection)
        noted = execute(path, connection, "SELECT settings, candidates FROM comparison")
        if not noted:
            raise StoreError(f"{path} does not say what is compared: its comparison ended before the first run")
        settings, names = (json.loads(text) for text in noted[0])
        candidates = [Candidate(label, {}, setting) for label, setting in names]
        keys = {candidate.key for candidate in candidates}
        records = [
            RunRecord.from_columns(key, columns)
            for key, columns in rows_of_runs(path, connection)
            if key[:2] in keys and key[2] < settings["n_repeats"]
        ]
    if not records:
        raise StoreError(f"{path} holds no finished run yet")
    return make_frames(records, candidates), settings
