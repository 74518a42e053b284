"""``initsk compare`` on tables as they come: text, gaps, booleans, held-out files, numbers to predict."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from initsk import ComparisonResult
from initsk.cli._data import load_samples
from initsk.cli._main import cli
from tests.cli.helpers import QUICK, error_of, run

rng = np.random.default_rng(0)
N = 60
AGE = rng.normal(40, 10, N).round(1)
PEOPLE = pd.DataFrame(
    {
        "number": np.arange(N), "age": np.where(np.arange(N) % 7 == 0, np.nan, AGE),
        "color": rng.choice(["red", "blue"], N), "member": np.arange(N) % 3 == 0,
        "day": pd.date_range("2024-01-31", periods=N).astype(str), "kind": np.where(np.arange(N) % 6, "no", "yes"),
        "price": (AGE * 3 + rng.normal(size=N)).round(2), "count": np.arange(N) // 2 * 5,
    }
)  # fmt: skip
ALL = ["--dataset", "people.csv", "--target", "kind", "--drop", "number, day,price,count", *QUICK, "--out", "out"]


@pytest.fixture
def people(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    PEOPLE.to_csv("people.csv", index=False)
    return tmp_path


def page():
    return Path("out/index.html").read_text()


def runs():
    return pd.read_csv("out/runs.csv")


def test_a_table_of_any_columns(people, without_pictures, capsys):
    assert run("compare", *ALL) == 0
    shown = capsys.readouterr().err
    assert "83 % of the samples have the class 'no'" in shown
    assert "--scoring balanced_accuracy" in shown
    assert "age, color, member" in page()
    assert "SimpleImputer(add_indicator=True" in page()
    assert "Repeats or folds have different held-out samples" in page()
    # A new quarter is held out in every repeat, the same for all initializers.
    splits = runs().groupby("repeat")["split"].agg(["nunique", "first"])
    assert splits["nunique"].tolist() == [1, 1]
    assert splits["first"].nunique() == 2


@pytest.mark.parametrize("options", [["--test", "same.csv"], ["--task", "regression"]])
def test_a_target_that_is_the_same_everywhere_is_refused(people, capsys, options):
    PEOPLE.assign(kind=7.0).to_csv("same.csv", index=False)
    command = ["--dataset", "same.csv", "--target", "kind", "--drop", "number,day", *QUICK, "--out", "out"]
    shown = error_of(capsys, "compare", *command, *options)
    assert "same.csv: the target is 7" in shown
    assert "nothing to predict" in shown


@pytest.mark.parametrize(
    ("target", "scoring", "words"),
    [
        ("kind", "r2", "use accuracy or balanced_accuracy"),
        ("kind", "average_precision", "use labels 0 and 1"),
        ("kind", "f1", "use f1_macro or labels 0 and 1"),
        ("price", "accuracy", "use such as r2 or neg_root_mean_squared_error"),
    ],
)
def test_a_scorer_that_does_not_fit_the_target_is_refused_before_any_run(people, capsys, target, scoring, words):
    drop = ",".join({"number", "day", "price", "count", "kind"} - {target})
    command = ["--dataset", "people.csv", "--target", target, "--drop", drop, *QUICK]
    assert run("compare", *command, "--scoring", scoring) == 2
    shown = capsys.readouterr().err
    assert f"initsk compare: the scorer {scoring} cannot score these targets (" in shown
    assert words in shown
    assert "runs:" not in shown
    assert not Path("reports").exists()


@pytest.mark.filterwarnings("default:the scorer")
def test_one_of_several_scorers_that_does_not_fit_is_one_line(people, without_pictures, capsys):
    assert run("compare", *ALL, "--repeats", "1", "--scoring", "accuracy,average_precision") == 0
    shown = capsys.readouterr().err
    [line] = [line for line in shown.splitlines() if "average_precision" in line]
    assert line.startswith("initsk compare: the scorer average_precision cannot score these targets (")
    assert ".py:" not in shown


def test_an_error_claims_no_folder(people, capsys):
    Path("reports/people").mkdir(parents=True)
    Path("reports/people/runs.csv").write_text("earlier")
    command = ["--dataset", "people.csv", "--target", "kind", "--drop", "number,day", *QUICK]
    shown = error_of(capsys, "compare", *command, "--cv", "40")
    assert "--cv 40" in shown
    assert "goes to" not in shown


def test_another_scorer_ranks_without_the_warning(people, without_pictures, capsys):
    assert run("compare", *ALL, "--scoring", "balanced_accuracy,f1_macro") == 0
    shown = capsys.readouterr()
    assert "% of the samples" not in shown.err
    assert "f1_macro" in shown.out
    assert runs().query("initializer == 'zeros'")["score"].tolist() == [0.5, 0.5]


def test_warnings_are_lines(people, without_pictures, capsys):
    options = ["--drop", "day,price,count", "--dataset", "people.csv", "--target", "kind", *QUICK, "--out", "out"]
    assert run("compare", *options) == 0
    assert (
        "numbers that count the rows, and tell nothing about other samples: column 'number'" in capsys.readouterr().err
    )


def test_a_test_file_has_the_held_out_samples(people, without_pictures, capsys):
    # In another order, with a column that the training file lacks, and without those that are dropped.
    test = PEOPLE[:20].assign(extra=1).drop(columns=["day", "price", "count"])
    test[list(reversed(test.columns))].to_csv("test.csv", index=False)
    assert run("compare", *ALL, "--test", "test.csv") == 0
    assert "not used, since the file of --dataset does not have them: column 'extra'" in capsys.readouterr().err
    assert "All repeats have the same held-out samples" in page()
    assert runs()["val_ratio"].unique().tolist() == [20 / 60]


def test_faults_of_a_test_file_are_named(people, capsys):
    PEOPLE.drop(columns=["age", "kind"]).to_csv("short.csv", index=False)
    shown = error_of(capsys, "compare", *ALL, "--test", "short.csv")
    assert "compare: --test short.csv: no column 'age', column 'kind'; it needs those of --dataset, and has" in shown
    PEOPLE[:0].to_csv("header.csv", index=False)
    assert "--test header.csv: no rows" in error_of(capsys, "compare", *ALL, "--test", "header.csv")
    PEOPLE.assign(age="old").to_csv("text.csv", index=False)
    shown = error_of(capsys, "compare", *ALL, "--test", "text.csv")
    assert "text.csv: no numbers, but the file of --dataset has numbers: column 'age'" in shown
    PEOPLE.assign(kind="perhaps").to_csv("other.csv", index=False)
    shown = error_of(capsys, "compare", *ALL, "--test", "other.csv")
    assert "compare: --test other.csv: its samples have 1 class that no training sample has ('perhaps')" in shown
    PEOPLE.rename(columns={"age": "Age"}).to_csv("case.csv", index=False)
    assert "(did you mean column 'Age'?)" in error_of(capsys, "compare", *ALL, "--test", "case.csv")
    Path("damaged.csv").write_text("")
    assert "compare: --test damaged.csv: is empty" in error_of(capsys, "compare", *ALL, "--test", "damaged.csv")


@pytest.mark.parametrize("ending", ["txt", "dat", "txt.gz"])
def test_text_files_of_other_endings_are_tables(people, ending):
    PEOPLE.to_csv(f"people.{ending}", index=False, sep=";")
    name, samples = load_samples(f"people.{ending}", "kind", drop="number,day")
    assert name == "people"
    assert samples.X.columns.tolist() == ["age", "color", "member", "price", "count"]


def test_a_file_of_another_kind_is_named_with_the_endings_allowed(people, capsys):
    Path("people.doc").write_text("a,y\n1,2\n")
    shown = error_of(capsys, "compare", "--dataset", "people.doc", "--target", "y")
    assert (
        "--dataset 'people.doc' is of an unknown kind; allowed: mnist, digits, an IDX folder, or a file ending" in shown
    )


@pytest.mark.parametrize("target", ["price", pytest.param("count", marks=pytest.mark.slow)])
def test_numbers_to_predict_are_ranked_by_r2(people, without_pictures, capsys, target):
    command = ["--dataset", "people.csv", "--target", target, "--drop", "number,day", *QUICK, "--out", "out"]
    assert run("compare", *command) == 0
    shown = capsys.readouterr()
    assert "the target has numbers to predict: regression" in shown.err
    assert "root_mean_squared_error" in shown.out
    found = runs()
    assert found["score"].equals(found["score_r2"])
    # R2 and RMSE of the same predictions: 1 - RMSE^2 / variance, of the same held-out targets in every run of a repeat.
    [header] = [line.split() for line in shown.out.splitlines() if line.split()[:1] == ["rank"]]
    assert header[1] == "initializer"
    assert "r2" in header
    assert "mean_score" not in shown.out
    assert "Column to predict" in page()
    # Only columns that say something have room in a line.
    assert "n_failed" not in shown.out
    variances = found["score_neg_root_mean_squared_error"] ** 2 / (1 - found["score"])
    assert variances.groupby(found["repeat"]).std().tolist() == pytest.approx([0, 0], abs=1e-3)
    assert "MLPRegressor" in page()


def test_the_task_decides_what_whole_numbers_are(people, capsys):
    command = ["--dataset", "people.csv", "--target", "count", "--drop", "number,day", *QUICK, "--out", "out"]
    assert run("compare", *command, "--task", "classification") == 2
    # Thirty classes of two samples: fifteen held-out samples cannot have all classes.
    assert "the data cannot be split by class" in capsys.readouterr().err
    shown = error_of(capsys, "compare", *ALL, "--task", "regression")
    assert "--task regression: the target has the type" in shown
    assert shown.endswith("(allowed: numbers); row 1 has 'yes'\n")
    priced = ["--dataset", "people.csv", "--target", "price", "--drop", "number,day"]
    shown = error_of(capsys, "compare", *priced, "--task", "classification")
    assert "--task classification: the target has numbers with fractions" in shown


def test_a_text_among_the_numbers_of_a_target_is_named_with_its_row(people, without_pictures, capsys):
    prices = PEOPLE["price"].astype(str)
    prices[6] = "abc"
    PEOPLE.assign(price=prices).to_csv("people.csv", index=False)
    shown = error_of(capsys, "compare", "--dataset", "people.csv", "--target", "price", "--drop", "number,day")
    assert "nearly all values of the target are numbers, but row 7 has 'abc'; correct or leave out such rows" in shown
    # Classes that can be divided are compared, after a note.
    kinds = (PEOPLE["number"] % 2).astype(str)
    kinds[6:8] = "abc"
    PEOPLE.assign(kind=kinds).to_csv("people.csv", index=False)
    assert run("compare", *ALL) == 0
    assert "nearly all values of the target are numbers, but row 7 has 'abc': classes" in capsys.readouterr().err


def test_folds_are_new_in_every_repeat(people, without_pictures, capsys):
    assert run("compare", *ALL, "--initializers", "zeros", "--cv", "2") == 0
    found = runs()
    assert found[["repeat", "fold"]].to_numpy().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert found["split"].nunique() == 4
    PEOPLE.to_csv("test.csv", index=False)
    capsys.readouterr()
    shown = error_of(capsys, "compare", *ALL, "--force", "--cv", "3", "--test", "test.csv")
    assert "--cv 3 is for data without a test set; these have one" in shown
    shown = error_of(capsys, "compare", *ALL, "--force", "--cv", "30")
    assert "--cv 30: the class 'yes' has 10 samples" in shown


@pytest.mark.slow
def test_at_most_so_many_training_samples_for_every_split(people, without_pictures, capsys):
    one = ["--force", "--initializers", "zeros", "--repeats", "1"]
    for options, n_held_out, n_train in (
        (["--limit", "20"], 15, 20), (["--limit", "20", "--cv", "2"], 20, 20), (["--limit", "1000"], 15, 45),
    ):  # fmt: skip
        assert run("compare", *ALL, *one, *options) == 0
        assert runs()["val_ratio"].unique().tolist() == [n_held_out / n_train]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--drop", "aeg"], "--drop: unknown column 'aeg'; did you mean 'age'"),
        (["--drop", "kind"], "--drop: 'kind' is the column to predict"),
        (["--drop", "number"], "the table has dates: column 'day' (row 1: '2024-01-31'); leave them out (--drop"),
        (["--scoring", "balanced_acuracy"], "--scoring: unknown scorer 'balanced_acuracy'; did you mean 'balanced_acc"),
        (["--scoring", ","], "--scoring ',' has no name"),
        (["--shape", "3"], "--shape is for arrays"),
    ],
)
def test_options_that_cannot_be_used_are_named(people, capsys, options, words):
    assert words in error_of(capsys, "compare", *ALL, *options)


@pytest.mark.parametrize("options", [["--drop", "a"], ["--test", "people.csv"]])
@pytest.mark.parametrize("dataset", ["digits", "arrays.npz"])
def test_options_for_tables_beside_arrays(people, capsys, dataset, options):
    np.savez("arrays.npz", X=np.zeros((4, 2)), y=[0, 1, 0, 1])
    shown = error_of(capsys, "compare", "--dataset", dataset, *options)
    assert f"{options[0]} '{options[1]}' is for a table, such as a CSV file, not for --dataset '{dataset}'" in shown


def test_commands_about_one_network_take_such_tables(people, capsys):
    data = ["--dataset", "people.csv", "--target", "kind", "--drop", "day"]
    assert run("inspect", *data, "--hidden", "8") == 0
    assert "pre_activation" in capsys.readouterr().out


def test_a_store_belongs_to_its_splits(people, without_pictures, capsys):
    assert run("compare", *ALL, "--store", "runs.sqlite") == 0
    assert run("compare", *ALL, "--store", "runs.sqlite", "--cv", "3") == 2
    assert "cv is sklearn.model_selection._split.StratifiedShuffleSplit" in capsys.readouterr().err
    assert len(ComparisonResult.from_store("runs.sqlite").runs) == 4


def test_the_options_are_in_the_help():
    names = {option for parameter in cli.commands["compare"].params for option in parameter.opts}
    assert {"--test", "--drop", "--task", "--scoring", "--cv", "--force"} <= names


DAYS = pd.date_range("2024-01-31", periods=N)


@pytest.mark.parametrize(
    "days", [DAYS, DAYS.strftime("%Y-%m-%d"), DAYS.strftime("%d.%m.%Y"), DAYS.strftime("%m/%d/%Y")]
)
def test_dates_as_a_target_are_named_with_the_next_step(people, capsys, days):
    PEOPLE.assign(day=days).to_parquet("people.parquet")
    table = ["--dataset", "people.parquet", "--target", "day", "--drop", "number"]
    step = "make numbers of a date, such as its month or the days since a first day"
    for command in ("compare", "diagnose", "recommend"):
        shown = error_of(capsys, command, *table)
        assert "the target has dates, 60 of 60 of them only once, so they are no classes" in shown
        assert step in shown
    shown = error_of(capsys, "compare", *table, "--task", "regression")
    assert "--task regression" in shown
    assert f"the target has dates: {step}" in shown


@pytest.mark.parametrize("command", ["inspect", "diagnose", "audit", "recommend"])
def test_the_task_decides_for_every_command_what_whole_numbers_are(people, capsys, command):
    pd.concat([PEOPLE.assign(few=np.arange(N) % 3)] * 2).to_csv("people.csv", index=False)
    table = ["--dataset", "people.csv", "--drop", "number,day", "--hidden", "4", "--target"]
    quick = {"diagnose": ["--trial-steps", "2", "--no-rates"], "recommend": ["--time-limit", "0.01"]}.get(command, [])
    shown = []
    for task in ([], ["--task", "classification"], ["--task", "regression"]):
        assert run(command, *table, "few", *task, *quick, "--json") in (0, 1)
        shown.append(json.loads(capsys.readouterr().out))
    assert shown[0] == shown[1] != shown[2]
    refused = error_of(capsys, command, *table, "kind", "--task", "regression")
    assert "--task regression: the target has the type" in refused


def test_a_class_has_an_output_and_a_number_has_one(people, capsys):
    PEOPLE.assign(few=np.arange(N) % 3).to_csv("people.csv", index=False)
    for task, n_outputs in (("classification", 3), ("regression", 1)):
        table = ["--dataset", "people.csv", "--target", "few", "--drop", "number,day", "--task", task]
        assert run("inspect", *table, "--hidden", "4", "--json") == 0
        parameters = {row["name"]: row["size"] for row in json.loads(capsys.readouterr().out)["parameters"]}
        assert parameters["output.bias"] == n_outputs


def test_the_accuracy_of_the_most_frequent_class_is_that_of_the_held_out_part(people, without_pictures, capsys):
    # 10 of 12 training samples have the class no, and 3 of 4 held-out ones.
    kinds = {"train.csv": ["no"] * 10 + ["yes"] * 2, "test.csv": ["no"] * 3 + ["yes"]}
    for name, kind in kinds.items():
        pd.DataFrame({"x": np.arange(len(kind)) % 3, "kind": kind}).to_csv(name, index=False)
    options = ["--dataset", "train.csv", "--target", "kind", "--test", "test.csv", *QUICK, "--out", "out"]
    assert run("compare", *options) == 0
    shown = capsys.readouterr().err
    assert "83 % of the training samples have the class 'no'" in shown
    assert "an accuracy of 0.75 on the held-out samples" in shown
    assert "Class shares of the training data" in page()
    assert "83.3% of the training samples have the class 'no'" in page()
    assert "an accuracy of 0.7500 on the held-out samples" in page()


def test_a_rate_has_its_own_name_in_the_ranking_of_a_table(people, without_pictures, capsys):
    assert run("compare", *ALL, "--lr", "0.001,0.01") == 0
    assert "network__lr" not in capsys.readouterr().out
    assert "| network__lr |" not in page()
    assert "| lr |" in page()
