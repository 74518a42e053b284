"""The rows of the report's tables as text."""

from math import isfinite
from typing import Any

import pandas as pd

from initsk.displays import colour_of


def table_rows(summary: pd.DataFrame, grid: list[str], order: list[str]) -> list[dict[str, Any]]:
    """Return a dict of texts for each row of a ranking; `order` of the initializers gives the colours."""
    return [_row(row, grid, order) for row in summary.to_dict("records")]


def _row(row: dict[Any, Any], grid: list[str], order: list[str]) -> dict[str, Any]:
    return {
        "rank": row["rank"],
        "label": row["initializer"],
        "colour": colour_of(order.index(row["initializer"])),
        "setting": [str(row[name]) for name in grid],
        "mean": _number(row["mean_score"]),
        "interval": f"{_number(row['low'])} to {_number(row['high'])}" if isfinite(row["low"]) else "-",
        "difference": _number(row["difference_to_best"]) if row["rank"] > 1 else "-",
        "effect": _number(row["effect_size"], 2),
        "p": "< 0.0001" if row["p_value"] < 1e-4 else _number(row["p_value"]),
        "tied": _tied(row["tied_with_best"]),
        "needed": _whole(row["n_needed"], "none is enough"),
        "epochs": _whole(row["epochs_to_target"], "never"),
        "area": _number(row["area_under_curve"]),
        "failed": row["n_failed"] + row["n_diverged"],
    }


def _number(value: float, digits: int = 4) -> str:
    # Adding zero turns a rounded -0.0 into 0.0.
    return f"{round(value, digits) + 0.0:.{digits}f}" if isfinite(value) else "-"


def _whole(value: float, never: str) -> str:
    if isfinite(value):
        return f"{value:g}"
    return never if value > 0 else "-"


def _tied(value: Any) -> str:
    if pd.isna(value):
        return "not tested"
    return "yes" if value else "no"
