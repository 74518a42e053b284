"""Each initializer's own part of the report: its law, where it comes from, and how it did."""

import re

import numpy as np
import pandas as pd

from initsk.comparison import ComparisonResult
from initsk.displays import colour_of
from initsk.exceptions import InvalidParameterError
from initsk.initializers import Initializer, get_initializer
from initsk.report._blocks import Block, Fact, Facts, Item, Section
from initsk.utils._language import Language


def initializers_section(shown: ComparisonResult, summary: pd.DataFrame, say: Language) -> Section | None:
    """Return an item per initializer; none where what was compared is something else."""
    by_name = {str(row["initializer"]): row for _, row in summary.iterrows()}
    items: list[Block] = []
    for number, label in enumerate(shown.initializers):
        kind = _class_of(label)
        if kind is None:
            continue
        facts = [
            Fact(say("Law"), kind.law, code=True),
            Fact(say("Family"), say(kind.family)),
            Fact(say("Reference"), kind.reference),
            Fact(say("Other names"), ", ".join(kind.synonyms), code=True),
            Fact(say("Standard deviation at initialization"), _spread(shown, label, say)),
            Fact(say("Result"), _result(by_name[label], say) if label in by_name else ""),
        ]
        given = [fact for fact in facts if fact.value]
        items.append(Item(f"initializer-{number}", label, [Facts(given)], colour_of(number), subject=label))
    return Section("initializers", say("The initializers"), items) if items else None


def _class_of(label: str) -> type[Initializer] | None:
    """Return the class that a label names: a registered name, or a repr."""
    name = re.match(r"[\w.]+", label)
    if name is None or (label != name[0] and label[name.end()] != "("):
        return None
    try:
        return type(get_initializer(name[0]))
    except (InvalidParameterError, TypeError):
        return None


def _spread(shown: ComparisonResult, label: str, say: Language) -> str:
    weights = shown.weights
    at = weights[(weights["initializer"].astype(str) == label) & (weights["site"] == "weight")]
    at = at[at["phase"] == "initialized"]
    means = at.groupby("layer", sort=False)["std"].mean()
    return ", ".join(f"{layer} {say.short(std)}" for layer, std in means.items())


def _result(row: pd.Series, say: Language) -> str:
    if not row["n_runs"]:
        return say("no score")
    values = {"rank": say.integer(row["rank"]), "score": say.number(row["mean_score"])}
    if np.isfinite(row["low"]):
        interval = {"low": say.number(row["low"]), "high": say.number(row["high"])}
        return say("rank {rank}, mean score {score} ({low} to {high})", **values, **interval)
    return say("rank {rank}, mean score {score}", **values)
