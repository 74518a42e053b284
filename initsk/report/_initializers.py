"""Section of the report about each initializer: its formula, its source and its result."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from initsk.comparison import ComparisonResult
from initsk.comparison.results import compared_parameter
from initsk.displays import color_of
from initsk.initializers import Initializer, class_of_label
from initsk.language import message, translate as _
from initsk.report._elements import Detail, Details, Element, Paragraph, Section, Subsection
from initsk.report._tables import Column, Table, columns_of, records

# `translate(kind.family)` uses these; the registry holds the same names without marks for the catalogue.
_FAMILIES = (
    message("constant"), message("biases"), message("free"), message("variance scaling"), message("orthogonal"),
    message("sparse"), message("structured"), message("architecture-aware"), message("data-dependent"),
    message("gradient-based"), message("composed"), message("framework default"),
)  # fmt: skip
_KEYS = ("layer", "parameter", "fan_in", "fan_out", "expected_std")


def initializers_section(shown: ComparisonResult, summary: pd.DataFrame) -> Section | None:
    """Return an item per initializer; none where what was compared is something else."""
    if compared_parameter(shown.settings):
        return None
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
            elements += [drawn, *_gaps(drawn.rows, kind)]
        items.append(Subsection(f"initializer-{number}", label, elements, color_of(label, shown.initializers)))
    return Section("initializers", _("The initializers"), items, _("Initializer")) if items else None


def _drawn(shown: ComparisonResult, label: str, number: int) -> Table:
    """Return the standard deviation of each layer's weights: the expected and the measured one."""
    weights = shown.weights
    at = weights[(weights["initializer"].astype(str) == label) & (weights["role"] == "weight")]
    at = at[at["phase"] == "initialized"]
    # In a grid, the settings may differ in all of these.
    groups = at.groupby([*_KEYS], sort=False, dropna=False, as_index=False)
    means = groups.agg(measured=("std", "mean"))
    rows = [row | {"weight": ".".join(filter(None, (row["layer"], row["parameter"])))} for row in records(means)]
    columns = [
        Column("weight", _("Weight"), "text"),
        *columns_of("integer", fan_in="fan_in", fan_out="fan_out"),
        *columns_of("short", expected_std=_("Expected std"), measured=_("Measured std")),
    ]
    return Table(f"expected-{number}", _("Weights of {name} at initialization", name=label), columns, rows)


def _gaps(rows: list[dict[str, Any]], kind: type[Initializer]) -> Iterator[Paragraph]:
    """Yield why weights have no fans, and why others have no expected standard deviation."""
    filled = [row for row in rows if not np.isnan(row["fan_in"])]
    if len(filled) < len(rows):
        yield Paragraph(_("The initializer did not fill the weights without fan_in and fan_out."), "note")
    if any(np.isnan(row["expected_std"]) for row in filled):
        text = message("No formula gives the std of the weights with a fan_in and no expected std.")
        # On a class, a property is not True: there, it depends on the parameters.
        if kind.needs_gradient is True:
            text = message("Weights with a fan_in and no expected std are adjusted to the gradient of the loss.")
        elif kind.needs_data is True:
            text = message("Weights with a fan_in and no expected std are adjusted to the data.")
        yield Paragraph(_(text), "note")


def _result(row: pd.Series) -> str:
    if not row["n_runs"]:
        return _("no score")
    values = {"rank": row["rank"], "score": row["mean_score"], "low": row["low"], "high": row["high"]}
    if np.isfinite(row["low"]):
        return _("rank {rank}, mean score {score} ({low} to {high})", **values)
    return _("rank {rank}, mean score {score}", **values)
