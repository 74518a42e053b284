"""Section of the report about each initializer: its formula, its source and its result."""

from typing import Any

import numpy as np
import pandas as pd

from initsk.comparison import ComparisonResult
from initsk.displays import color_of
from initsk.initializers import class_of_label, get_initializer
from initsk.language import message, translate as _
from initsk.network import ParameterSpec
from initsk.report._elements import Detail, Details, Element, Section, Subsection
from initsk.report._tables import Column, Table, columns_of

# `translate(kind.family)` uses these; the registry holds the same names without marks for the catalogue.
_FAMILIES = (
    message("constant"), message("biases"), message("free"), message("variance scaling"), message("orthogonal"),
    message("sparse"), message("structured"), message("architecture-aware"), message("data-dependent"),
    message("gradient-based"), message("composed"), message("framework default"),
)  # fmt: skip


def initializers_section(shown: ComparisonResult, summary: pd.DataFrame) -> Section | None:
    """Return an item per initializer; none where what was compared is something else."""
    by_name = {str(row["initializer"]): row for _, row in summary.iterrows()}
    items: list[Element] = []
    for number, label in enumerate(shown.initializers):
        kind = class_of_label(label)
        if kind is None:
            continue
        details = [
            Detail(_("Formula"), kind.formula, code=True),
            Detail(_("Family"), _(kind.family)),
            Detail(_("Reference"), kind.reference),
            Detail(_("Other names"), ", ".join(kind.synonyms), code=True),
            Detail(_("Result"), _result(by_name[label]) if label in by_name else ""),
        ]
        elements: list[Element] = [Details([fact for fact in details if fact.value])]
        drawn = _drawn(shown, label, number)
        if drawn.rows:
            elements.append(drawn)
        items.append(Subsection(f"initializer-{number}", label, elements, color_of(label, shown.initializers)))
    return Section("initializers", _("The initializers"), items) if items else None


def _drawn(shown: ComparisonResult, label: str, number: int) -> Table:
    """Return the standard deviation of each layer's weights: the expected and the measured one."""
    weights = shown.weights
    at = weights[(weights["initializer"].astype(str) == label) & (weights["parameter"] == "weight")]
    at = at[at["phase"] == "initialized"]
    rows: list[dict[str, Any]] = []
    for layer, part in at.groupby("layer", sort=False):
        fan_out = int(part["units"].iloc[0])
        fan_in = int(part["count"].iloc[0]) // fan_out
        # For other kinds of layers, the number of weights does not determine the fans.
        is_dense = part["module"].iloc[0] == "Linear"
        expected = _expected_std(label, fan_in, fan_out) if is_dense else np.nan
        fans = {"fan_in": fan_in, "fan_out": fan_out} if is_dense else {"fan_in": np.nan, "fan_out": np.nan}
        rows.append({"layer": layer, **fans, "expected": expected, "measured": part["std"].mean()})
    columns = [
        Column("layer", _("Layer"), "text"),
        *columns_of("integer", fan_in="fan_in", fan_out="fan_out"),
        *columns_of("short", expected=_("Expected std"), measured=_("Measured std")),
    ]
    return Table(f"expected-{number}", _("Weights of {name} at initialization", name=label), columns, rows)


def _expected_std(label: str, fan_in: int, fan_out: int) -> float:
    """Return the expected standard deviation; NaN if it needs more than the fans, or the label holds parameters."""
    if "(" in label:
        return float("nan")
    expected = get_initializer(label).expected_moments(ParameterSpec.from_shape((fan_out, fan_in)))
    return float("nan") if expected is None else float(expected.variance**0.5)


def _result(row: pd.Series) -> str:
    if not row["n_runs"]:
        return _("no score")
    values = {"rank": row["rank"], "score": row["mean_score"], "low": row["low"], "high": row["high"]}
    if np.isfinite(row["low"]):
        return _("rank {rank}, mean score {score} ({low} to {high})", **values)
    return _("rank {rank}, mean score {score}", **values)
