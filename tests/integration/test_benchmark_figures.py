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


def test_the_guide_has_the_figures_of_the_held_out_families():
    text = " ".join((FOLDER.parent / "docs" / "guide" / "diagnosis.md").read_text("utf-8").split())
    found = stored("held-out families")["value"]
    ill, healthy, area = (found[name] for name in ("called ill, succeeded", "called healthy, failed", "auc"))
    assert f"Of these {found['networks']:.0f} networks, {100 * ill:.0f} % of those that train are called ill" in text
    assert (
        f"{100 * healthy:.0f} % of those that fail are called healthy; the area under the ROC curve is {area:.2f}"
        in text
    )


def test_yardsticks():
    for row in table("yardsticks"):
        value = EVALUATION.loc[EVALUATION["evaluation"] == f"yardstick: {row['yardstick']}", "value"].item()
        assert float(row["area"]) == pytest.approx(value, abs=6e-4)


def test_the_score_is_better_than_every_yardstick():
    area = stored("leave one family out").loc["auc", "low"]
    assert all(float(row["area"]) < area for row in table("yardsticks"))


RECOMMENDATION = FOLDER / "results" / "recommendation.csv"
RECOMMENDED = pd.read_csv(RECOMMENDATION).set_index("task") if RECOMMENDATION.exists() else None
TASK_COLUMNS = {
    "auto": ["auto"], "default": ["default"], "its score": ["best_score"],
    "behind it": ["behind_best", "behind_best_low", "behind_best_high"],
    "ahead of the default": ["ahead_of_default", "ahead_of_default_low", "ahead_of_default_high"],
}  # fmt: skip


def numbers(text):
    return [float(number) for number in re.findall(r"-?\d+\.?\d*", text)]


def test_recommendation_by_task():
    rows = table("recommendation by task")
    assert [row["task"] for row in rows] == list(RECOMMENDED.index)
    for row in rows:
        found = RECOMMENDED.loc[row["task"]]
        assert row["best other"] == found["best"]
        for column, names in TASK_COLUMNS.items():
            # Stored with five significant digits, and shown with two decimals.
            assert numbers(row[column]) == pytest.approx(found[names].tolist(), abs=0.006)
        if row["adjusted p"] != "none":
            (shown,) = numbers(row["adjusted p"])
            assert found["ahead_of_default_adjusted_p"] == pytest.approx(shown, abs=0.0011)


def test_recommendation_in_all_tasks():
    shown = {row["figure"]: numbers(row["value"]) for row in table("recommendation")}
    behind, ahead = RECOMMENDED["behind_best"], RECOMMENDED["ahead_of_default"]
    significant = RECOMMENDED["ahead_of_default_adjusted_p"] < 0.05
    assert shown["tasks"] == [len(RECOMMENDED)]
    assert shown["behind the best, mean"][0] == pytest.approx(behind.mean(), abs=0.006)
    assert shown["behind the best, at most"][0] == pytest.approx(behind.max(), abs=0.006)
    assert shown["more than 0.3 points behind the best"] == [(behind > 0.3).sum()]
    assert shown["ahead of the default, mean"][0] == pytest.approx(ahead.mean(), abs=0.006)
    assert shown["significantly better than the default"] == [(significant & (ahead > 0)).sum()]
    assert shown["significantly worse than the default"] == [(significant & (ahead < 0)).sum()]


def test_recommendation_by_initializer():
    means = pd.read_csv(FOLDER / "results" / "recommendation_scores.csv")
    means = means.pivot_table(index="task", columns="initializer", values="mean")
    rows = table("recommendation by initializer")
    assert {row["initializer"] for row in rows} == set(means.columns)
    for row in rows:
        own = means[row["initializer"]].dropna()
        auto = means.loc[own.index, "auto"]
        assert int(row["tasks"]) == len(own)
        assert float(row["mean"]) == pytest.approx(own.mean(), abs=0.006)
        assert float(row['"auto" on these tasks']) == pytest.approx(auto.mean(), abs=0.006)
        assert int(row['more than 3 points behind "auto"']) == (own < auto - 3).sum()


def test_learning_rates():
    frame = pd.read_csv(FOLDER / "results" / "learning_rates.csv")
    network = ["family", "number"]
    best = frame[frame["by"] == "grid"].groupby(network)["loss"].min().rename("best").reset_index()
    found = frame[frame["by"] != "grid"].merge(best[best["best"] < 0.8])
    found["behind"] = (found["loss"] - found["best"]).clip(upper=1)
    rows = table("learning rates")
    assert {row["rate"] for row in rows} == set(found["by"])
    for row in rows:
        own = found[found["by"] == row["rate"]]
        assert int(row["networks"]) == len(own)
        assert int(row["fail"]) == (own["loss"] >= 0.8).sum()
        assert float(row["loss behind the best, median"]) == pytest.approx(own["behind"].median(), abs=6e-4)
        assert float(row["mean"]) == pytest.approx(own["behind"].mean(), abs=6e-4)
        assert float(row["time in trainings"]) == pytest.approx(own["trainings"].median(), abs=0.06)


def test_networks_of_other_libraries():
    frame = pd.read_csv(FOLDER / "results" / "defaults_diagnosis.csv").dropna(subset="score")
    is_default, succeeded = frame["variant"] == "default", frame["succeeded"].astype(bool)
    passed = frame["score"] >= 0.5
    for row in table("networks of other libraries"):
        own = is_default if row["networks"] == "as built" else frame["variant"] == row["networks"]
        own = ~is_default if row["networks"] == "all that are broken" else own
        assert int(row["trained"]) == (own & succeeded).sum()
        assert int(row["of these, called ill"]) == (own & succeeded & ~passed).sum()
        assert int(row["failed"]) == (own & ~succeeded).sum()
        assert int(row["of these, called ill too"]) == (own & ~succeeded & ~passed).sum()


def test_auto_on_networks_of_other_libraries():
    frame = pd.read_csv(FOLDER / "results" / "defaults_auto.csv")
    shown = {row["figure"]: float(row["value"]) for row in table("auto on networks of other libraries")}
    worse = frame["ahead"] < 0
    assert shown["networks"] == len(frame)
    assert shown["ahead of the default, mean"] == pytest.approx(frame["ahead"].mean(), abs=0.006)
    for words, column in (("significantly {}", "adjusted_p"), ("{} with p < 0.05 before Holm", "p")):
        assert shown[words.format("better")] == ((frame[column] < 0.05) & ~worse).sum()
        assert shown[words.format("worse")] == ((frame[column] < 0.05) & worse).sum()
