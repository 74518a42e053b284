"""Results as print shows them: the answer and a short table, as wide as a terminal."""

from math import isfinite
from textwrap import fill
from typing import Any

import pandas as pd

from initsk.comparison import ComparisonResult
from initsk.inspection import ActivationSummary
from initsk.language import current_language, translate as _, use_language
from initsk.report._compared import compared_in
from initsk.report._comparison import CONCLUSIONS
from initsk.report._findings_text import in_groups, with_sentences
from initsk.report._tables import Column, records
from initsk.report._write import answer_of
from initsk.text import distinct, shortened, visible

_WIDTH = 100
_NAME = 34


def printed(result: Any) -> str:
    """Return what print shows of a result: the sentences of its answer, and the rows that support them.

    Every line of the table has at most 100 characters.

    Parameters
    ----------
    result : ComparisonResult or ActivationSummary
    """
    if isinstance(result, ComparisonResult) and "experiment" in result.runs:
        return "\n\n".join(f"{visible(name)}\n{printed(part)}" for name, part in result.parts().items())
    with use_language("en"):
        rows = _ranking(result) if isinstance(result, ComparisonResult) else _findings(result)
        answer = fill(visible(answer_of(result)), _WIDTH, break_long_words=False, break_on_hyphens=False)
    return f"{answer}\n\n{rows.to_string(index=False)}" if len(rows) else answer


def _ranking(result: ComparisonResult) -> pd.DataFrame:
    columns = {
        "rank": Column("rank", _("Rank"), "integer"),
        "initializer": Column("initializer", compared_in(result.settings).column, "text"),
        "mean_score": Column("mean_score", _("Mean score")),
        "interval": Column("interval", _("95 % confidence interval"), "text"),
        "p_value": Column("p_value", _("Adjusted p-value"), "p"),
        "conclusion": Column("conclusion", _("Conclusion"), "text"),
    }
    rows = []
    for row in records(result.summary()):
        row |= {"interval": _interval(row), "conclusion": _(CONCLUSIONS[row["conclusion"]])}
        rows.append({column.title: column.cell(row) for column in columns.values()})
    frame, title = pd.DataFrame(rows), columns["initializer"].title
    room = _WIDTH - 1 - len(frame.drop(columns=title).to_string(index=False).partition("\n")[0])
    return frame.assign(**{title: distinct(frame[title].tolist(), min(room, _NAME))})


def _interval(row: dict[str, Any]) -> str:
    number = current_language().number
    return _("{low} to {high}", low=number(row["low"]), high=number(row["high"])) if isfinite(row["low"]) else "-"


def _findings(summary: ActivationSummary) -> pd.DataFrame:
    short = current_language().short
    titles = [_("Layer"), _("Kind"), _("Value"), _("Threshold")]
    rows = []
    for row in records(in_groups(with_sentences(summary.findings()))):
        name = row["layer"] or _("all layers")
        if row["n_layers"] > 1:
            name = _("{first} to {last} ({n})", first=row["first"], last=row["last"], n=row["n_layers"])
        rows.append([_name(name), _(row["kind"]), short(row["value"]), short(row["threshold"])])
    return pd.DataFrame(rows, columns=titles)


def _name(name: str) -> str:
    return visible(shortened(str(name), _NAME))
