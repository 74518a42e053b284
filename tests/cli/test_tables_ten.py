"""``initsk compare`` on tables as people have them: each trains, and its report has what the table has."""

import html
import re
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.helpers import error_of, run
from tests.cli.ten_tables import TABLES, write

pytestmark = pytest.mark.slow

QUICK = [
    "--epochs", "2", "--repeats", "2", "--initializers", "zeros,he_normal", "--hidden", "16", "--jobs", "1",
    "--out", "out",
]  # fmt: skip
INDEX = "dropped columns without a name: 'Unnamed: 0' (the index of the rows)"
REGRESSION = "the target has numbers to predict: regression"
# Options, and what the command says of the table on standard error.
SAID = {
    "strings.csv": ([], []),
    "gaps.csv": ([], []),
    "dates.csv": (["--drop", "measured"], []),
    "imbalance.csv": ([], ["95 % of the samples have the class 'benign'", "--scoring balanced_accuracy"]),
    "continuous.csv": ([], [REGRESSION]),
    "semicolons.csv": ([], ["its values are separated by ';'"]),
    "commas.csv": ([], ["its values are separated by ';'; its numbers have decimal commas"]),
    "index.csv": ([], [INDEX]),
    "rows.csv": ([], ["79 % of the samples have the class 'no'"]),
    "columns.csv": ([], []),
    "everything.csv": ([], ["separated by ';'; its numbers have decimal commas", INDEX, REGRESSION]),
    "small.tsv": (["--task", "regression"], []),
    "packed.csv.gz": ([], [INDEX]),
    "categories.parquet": ([], []),
    "strings.arff": ([], []),
}
REGRESSIONS = ("continuous.csv", "everything.csv", "small.tsv")


@pytest.mark.parametrize("name", TABLES)
def test_a_table_trains_and_its_report_describes_it(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    options, said = SAID[name]
    frame, target = TABLES[name][0](), write(name)
    assert run("compare", "--dataset", name, "--target", target, *options, *QUICK) == 0
    printed = capsys.readouterr()
    lines = [line for line in printed.err.splitlines() if line.startswith("initsk")]
    assert bool(said) == bool(lines)
    assert all(words in printed.err for words in said)

    runs = pd.read_csv("out/runs.csv")
    assert runs["status"].tolist() == ["ok"] * 4
    assert runs["score"].between(-100, 1).all()
    assert "nan" not in printed.out.lower()

    page = html.unescape(Path("out/index.html").read_text())
    assert ">nan<" not in page.lower()
    assert f"<dd>{target}</dd>" in page
    features = [column for column in frame if column not in (target, "measured")]
    assert ", ".join(features[:40]) + (", ..." if len(features) > 40 else "") in page
    assert f">{len(features):,}<" in page
    if name in REGRESSIONS:
        _describes_regression(page, printed.out, frame[target], runs)
    else:
        _describes_classes(page, frame[target])


def _describes_regression(page, ranking, target, runs):
    assert "MLPRegressor" in page
    assert "baseline: the mean target" in page
    assert "Class shares" not in page
    # Below the answer, the score and the baseline.
    assert "score: r2; baseline: the mean target" in ranking
    [header] = [line.split() for line in ranking.splitlines() if line.split()[:1] == ["rank"]]
    assert header[:6] == ["rank", "initializer", "r2", "low", "high", "root_mean_squared_error"]
    # The networks have hardly learned, so that their errors are near the standard deviation of the target.
    errors = -runs["score_neg_root_mean_squared_error"]
    assert errors.between(0.3 * target.std(), 4 * target.std()).all()


def _describes_classes(page, target):
    assert "MLPClassifier" in page
    assert "baseline: the most frequent class" in page
    shares = target.value_counts(normalize=True)
    assert f"{shares.index[0]}: {shares.iloc[0]:.1%}" in page
    # A network of zeros predicts one class, and so nothing better than the baseline.
    assert re.search(r"(No higher mean score than the baseline|but not significantly): [^.]*zeros", page)


def test_dates_are_refused_by_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    target = write("dates.csv")
    shown = error_of(capsys, "compare", "--dataset", "dates.csv", "--target", target, *QUICK)
    assert "the table has dates: column 'measured' (row 1: '2024-01-01'); leave them out (--drop" in shown
