"""The figures in ``benchmarks/README.md`` are those of the stored frames."""

import re
from pathlib import Path

import pandas as pd
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
TEXT = (FOLDER / "README.md").read_text("utf-8")
EVALUATION = pd.concat(
    [pd.read_csv(FOLDER / "results" / f"trainability_{name}.csv") for name in ("evaluation", "held_out_evaluation")]
)
MAIN = (0.8, 512)
COLUMNS = {
    "number": "networks", "succeeded": "succeeded", "area": "auc", "called ill, succeeded": "called ill, succeeded",
    "called healthy, failed": "called healthy, failed", "Brier": "brier",
}  # fmt: skip


def table(name):
    """Return the rows of a table under a mark, as dictionaries of texts."""
    lines = TEXT.partition(f"<!-- figures: {name} -->\n")[2].partition("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


def stored(evaluation, question=MAIN, group="all"):
    """Return the value, low and high of each figure."""
    of = EVALUATION[(EVALUATION["evaluation"] == evaluation) & (EVALUATION["group"] == group)]
    of = of[(of["target"] == question[0]) & (of["budget"] == question[1])]
    return of.set_index("figure")[["value", "low", "high"]]


def asked_in(row):
    """Return target and budget of a row."""
    target, budget = row["target, budget"].split(", ")
    return float(target), int(budget)


def cases():
    for row in table("families"):
        yield row, stored("leave one family out", group=row["networks"])
    for row in table("held out"):
        yield row, stored("held-out families", group=row["networks"])
    for row in table("held-out questions"):
        yield row, stored("held-out families", asked_in(row))
    for row in table("parts"):
        yield row, stored(row["networks"])
    for row in table("questions"):
        yield row, stored("leave one family out", asked_in(row))


CASES = list(cases())


@pytest.mark.parametrize(("row", "figures"), CASES, ids=range(len(CASES)))
def test_tables_have_the_stored_figures(row, figures):
    for column, figure in COLUMNS.items():
        numbers = [float(number) for number in re.findall(r"[\d.]+", row[column])]
        percent = 100 if "%" in row[column] else 1
        digits = len(re.search(r"\.(\d+)", row[column] + ".").group(1)) if "." in row[column] else 0
        expected = figures.loc[figure] * percent
        for number, value in zip(numbers, expected, strict=False):
            # Stored with four significant digits.
            assert number == pytest.approx(value, abs=0.5 * 10**-digits + 1e-3 * abs(value))


def test_yardsticks():
    for row in table("yardsticks"):
        value = EVALUATION.loc[EVALUATION["evaluation"] == f"yardstick: {row['yardstick']}", "value"].item()
        assert float(row["area"]) == pytest.approx(value, abs=6e-4)


def test_the_score_is_better_than_every_yardstick():
    area = stored("leave one family out").loc["auc", "low"]
    assert all(float(row["area"]) < area for row in table("yardsticks"))
