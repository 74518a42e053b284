import ast
import json
import re
from collections import OrderedDict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from jsonschema import Draft202012Validator
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from initsk import ComparisonResult, MLPClassifier, compare_initializers, inspect_activations
from initsk.comparison.results import TABLES
from initsk.displays import DepthDisplay, LearningCurvesDisplay
from initsk.exceptions import InvalidParameterError
from initsk.initializers import RandomNormal
from initsk.report import answer, describe_activations, shortfall, slow_starts
from tests.helpers import build

ROOT = Path(__file__).parents[2]
ORDER = ["answer", "ranking", "curves", "activations", "signal", "weights", "initializers", "run"]
PICTURES = {"differences", "learning_curves", "activations", "activations_initialized", "signal", "weights",
            "weights_initialized"}  # fmt: skip


@pytest.fixture(scope="module")
def result():
    X, y = load_digits(return_X_y=True)
    return compare_initializers(
        MLPClassifier((16, 8), max_epochs=3), X / 16, y, initializers=["zeros", "he_normal"], n_repeats=2
    )


@pytest.fixture(scope="module")
def folder(result, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    result.to_html(folder / "index.html")
    return folder


@pytest.fixture(scope="module")
def page(folder):
    return (folder / "index.html").read_text()


def test_page_is_self_contained(page):
    outside = re.sub(r'xlink:href="#|xmlns(?::xlink)?="[^"]*"', "", page)
    assert not re.search(r"(?:src|href)=|@import|url\((?!#)|https?:", outside)


def test_page_tells_everything_in_its_order(page):
    assert re.findall(r'<section id="([^"]+)"', page) == ORDER
    # Two initializers: four moments of the activations, two of the weights; differences, curves and the signal.
    assert page.count("<svg") == 2 * 4 + 2 * 2 + 3
    assert "W ~ N(0, 2 / fan_in)" in page
    assert "He et al. 2015, equation 10" in page


def test_ids_are_unique(page):
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_equal_results_give_equal_bytes(result, page, tmp_path):
    again = ComparisonResult.load(result.save(tmp_path))
    assert again.to_html() == page
    assert again.to_json() == result.to_json()
    assert again.to_markdown(language="id") == result.to_markdown(language="id")


def test_every_picture_is_there_as_png_and_as_svg(result, folder, tmp_path):
    names = {f"{name}.{kind}" for name in PICTURES for kind in ("png", "svg")}
    assert {path.name for path in (folder / "index_files").iterdir()} == names
    assert {path.name for path in result.to_pictures(tmp_path)} == names
    for name in names:
        assert (tmp_path / name).read_bytes() == (folder / "index_files" / name).read_bytes()
        begins = b"\x89PNG" if name.endswith("png") else b"<?xml"
        assert (tmp_path / name).read_bytes().startswith(begins)


def elements_of(content):
    for section in content["sections"]:
        for element in section["elements"]:
            yield element
            yield from element.get("elements", [])


@pytest.mark.parametrize("language", ["en", "id"])
def test_json_keeps_to_its_schema_and_has_the_numbers_in_full(result, language):
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    content = json.loads(result.to_json(language=language), parse_constant=pytest.fail)
    Draft202012Validator(schema).validate(content)
    assert [section["key"] for section in content["sections"]] == ORDER
    assert {element["key"] for element in elements_of(content) if element["type"] == "picture"} == PICTURES
    [ranking] = [element for element in elements_of(content) if element.get("key") == "ranking"]
    summary = result.summary()
    assert [row["initializer"] for row in ranking["rows"]] == summary["initializer"].tolist()
    assert [row["mean_score"] for row in ranking["rows"]] == summary["mean_score"].tolist()
    assert ranking["rows"][0]["difference_to_best"] is None
    assert ranking["rows"][1]["epochs_to_target"] == "infinite"


def test_markdown_has_tables_and_names_its_pictures(result, tmp_path):
    path = result.to_markdown(tmp_path / "report.md")
    text = path.read_text()
    assert text.startswith("# Initializers compared: a data set\n")
    assert text.count("\n## ") == len(ORDER) - 1
    for link in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text):
        assert (tmp_path / link).is_file()
    assert set(re.findall(r"report_files/(\w+)\.png", text)) == PICTURES
    rows = [line for line in text.splitlines() if line.startswith("|")]
    # Every row of a table has as many cells as its heading.
    cells = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
    rules = [i for i, row in enumerate(rows) if set(row) <= set("|-: ")]
    for start, end in zip([i - 1 for i in rules], [i - 1 for i in rules[1:]] + [len(rows)], strict=True):
        assert len(set(cells[start:end])) == 1


def test_one_colour_for_each_initializer_even_if_another_has_nothing_to_show(result):
    def colours(lines):
        return [line.get_color() for line in lines]

    without = result.history[result.history["initializer"] != "zeros"]
    [line] = LearningCurvesDisplay.from_frames(without).plot().axes_[0].get_lines()
    both = LearningCurvesDisplay.from_frames(result.history).plot().axes_[0].get_lines()
    assert line.get_color() == colours(both)[1]
    frame = result.layers[(result.layers["phase"] == "initialized") & (result.layers["repeat"] == 0)]
    second = frame[frame["initializer"] == "he_normal"]
    display = DepthDisplay.from_frames({"he_normal": second}, order=result.initializers).plot()
    assert display.axes_["rms"].get_lines()[0].get_color() == colours(both)[1]


def test_one_initializer_alone_is_best_of_nothing():
    alone = answer(summary()[:1])
    assert alone == "a has a mean score of 0.9000 (95 % interval 0.8800 to 0.9200, 3 runs)."
    assert answer(summary(low=[float("nan")] * 2)[:1]) == "a has a score of 0.9000 (one run)."
    assert slow_starts(summary()[:1], 0.88) == "The median run of a reaches a score of 0.8800 in epoch 1."


@pytest.mark.filterwarnings("ignore:none of 2 runs gave a score")
def test_where_nobody_has_a_score_nothing_is_compared():
    X, y = load_digits(return_X_y=True)

    def fails(tensor):
        raise RuntimeError("no")

    clf = MLPClassifier((4,), max_epochs=1, lr=1e38)
    page = compare_initializers(clf, X / 16, y, initializers=["he_normal", fails], n_repeats=1).to_html()
    assert "No run gave a score." in page
    assert "minus that of" not in page
    assert "Epochs to target: of" not in page


def test_markdown_has_no_empty_parts(result):
    lines = [line for line in result.to_markdown().splitlines() if line]
    for line, following in pairwise(lines):
        assert not (line.startswith("### ") and following.startswith("#"))


def test_the_lines_that_repeat_it_are_code():
    X, y = load_digits(return_X_y=True)

    def my_init(tensor):
        return tensor.fill_(0.1)

    def my_score(model, X, y):
        return model.score(X, y)

    result = compare_initializers(
        MLPClassifier((4,), max_epochs=1), X / 16, y, initializers=[my_init, "he_normal", RandomNormal(0.5)],
        n_repeats=1, scoring=my_score, grid={"lr": [0.1, 0.2]}, racing=True,
    )  # fmt: skip
    call = ast.parse(result.settings["call"]).body[0].value
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    assert ast.unparse(call.args[0]) == "MLPClassifier(hidden_layer_sizes=(4,), max_epochs=1)"
    assert given == {
        "initializers": "[my_init, 'he_normal', RandomNormal(std=0.5)]", "grid": "{'lr': [0.1, 0.2]}",
        "scoring": "my_score", "n_repeats": "1", "racing": "True",
    }  # fmt: skip
    assert result.settings["call"] in result.to_html().replace("&#39;", "'")


def test_a_notebook_shows_answer_and_ranking_in_a_frame(result):
    html = result._repr_html_()
    assert html.startswith("<iframe ")
    assert "</iframe>" in html
    assert answer(result.summary()) in html
    assert html.count("&lt;section") == 2
    assert result.to_html(fragment=True).count("&lt;section") == len(ORDER)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"language": "xx"}, "unknown language 'xx'.*'en', 'id'"),
        ({"axes": "log"}, "unknown axes 'log'"),
        ({"path": "."}, "is a folder"),
        ({"axis": "shared"}, "the report of ComparisonResult has no option 'axis' .allowed: axes."),
    ],
)
def test_wrong_reports_are_refused(result, arguments, words):
    with pytest.raises(InvalidParameterError, match=words):
        result.to_html(**arguments)


def test_an_interrupted_report_leaves_the_old_one(result, tmp_path, monkeypatch):
    path = result.to_json(tmp_path / "report.json")
    before = path.read_bytes()

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        result.to_json(path, language="id")
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


EVIL = "<script>alert(1)</script>|`$x$"


@pytest.fixture(scope="module")
def evil():
    def draw(tensor):
        return tensor.fill_(0.1)

    draw.__name__ = EVIL

    def formula(tensor):
        return tensor.fill_(0.2)

    formula.__name__ = "=HYPERLINK(1)"
    X, y = load_digits(return_X_y=True)
    return compare_initializers(
        MLPClassifier((4,), max_epochs=1), X / 16, y, initializers=[draw, formula], n_repeats=2,
        about={"dataset": EVIL, "command": EVIL},
    )  # fmt: skip


def test_names_are_text_wherever_they_show(evil, tmp_path):
    page = evil.to_html(tmp_path / "index.html").read_text()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
    # In a frame, escaped twice.
    assert "<script>" not in evil._repr_html_()
    # What stands indented is code, in which nothing is a tag.
    prose = [line for line in evil.to_markdown().splitlines() if not line.startswith("    ")]
    assert "<script>" not in "".join(prose)
    assert "\\<script\\>alert(1)\\</script\\>\\|\\`\\$x\\$" in evil.to_markdown()
    for path in (tmp_path / "index_files").glob("*.svg"):
        assert "<script>" not in path.read_text()
    assert "&lt;script&gt;alert(1)" in (tmp_path / "index_files" / "differences.svg").read_text()


def test_layers_names_are_text_too(tmp_path):
    module = build(lambda: torch.nn.Sequential(OrderedDict({EVIL: torch.nn.Linear(3, 2), "$b$": torch.nn.ReLU()})))
    summary = inspect_activations(module, torch.eye(3), weights=True)
    page = summary.to_html(tmp_path / "index.html").read_text()
    assert "<script>alert(1)" not in page + summary.to_markdown()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>" not in (tmp_path / "index_files" / "activations_histograms.svg").read_text()


def test_no_name_is_a_formula_and_all_come_back(evil, tmp_path):
    for path in evil.to_csv(tmp_path):
        assert not re.search(r'(?:^|,|")[=+@]', path.read_text(), re.MULTILINE)
    again = ComparisonResult.load(evil.save(tmp_path))
    assert again.initializers == [EVIL, "=HYPERLINK(1)"]
    assert again.runs.equals(evil.runs)


def layers(rms, zero, dead, nonfinite=0):
    n = len(rms)
    return pd.DataFrame(
        {
            "initializer": "x",
            "phase": "trained",
            "position": "activation",
            "layer": [f"hidden_{i + 1}" for i in range(n)],
            "rms": rms,
            "zero_fraction": zero,
            "dead_fraction": dead,
            "nonfinite": nonfinite,
        }
    )


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (layers([0.0, 0.0], [1.0, 1.0], [1.0, 1.0]), "exactly zero"),
        (layers([1.0, 0.01], [0.5, 0.5], [0, 0]), "shrinks 100-fold, from 1 in hidden_1 to 0.01 in hidden_2"),
        (layers([1.0, 30.0], [0.5, 0.5], [0, 0]), "grows 30-fold"),
        (layers([1.0, 0.9], [0.5, 0.25], [0, 0.125]), "stays within a factor of 2"),
        (layers([1.0, 0.9], [0.5, 0.25], [0, 0.125]), "50% of the values in hidden_1 and 25% in hidden_2"),
        (layers([1.0, 0.9], [0.5, 0.25], [0, 0.125]), "at most 12.5% of a layer (hidden_2)"),
        (layers([1.0], [0.5], [0]), "No unit is zero for every sample"),
        (layers([1.0], [0.5], [0], nonfinite=3), "3 activations are not finite"),
    ],
)
def test_words_follow_the_numbers(frame, said):
    assert said in describe_activations(frame)


def summary(**columns):
    base = {"initializer": ["a", "b"], "mean_score": [0.9, 0.8], "low": [0.88, 0.7], "high": [0.92, 0.9]}
    base |= {"difference_to_best": [0, -0.1], "significant": [False, True], "n_needed": [float("nan")] * 2}
    return pd.DataFrame({**base, "n_runs": [3, 3], "epochs_to_target": [1.0, 3.0], **columns})


def test_answer_follows_the_numbers():
    assert "a has the highest mean score, 0.9000 (95 % interval 0.8800 to 0.9200, 3 runs)" in answer(summary())
    assert "Lower beyond noise: b." in answer(summary())
    assert "Not told apart from it at the 5 % level: b." in answer(summary(significant=[False, False]))
    once = summary(low=[float("nan")] * 2, high=[float("nan")] * 2, n_runs=[1, 1], significant=[False, False])
    assert "With one run of it, differences cannot be told from noise" in answer(once)
    assert answer(summary(n_runs=[0, 0])) == "No run gave a score."


def test_an_untested_difference_is_neither_significant_nor_not():
    said = answer(summary(significant=pd.array([False, None], "boolean")))
    assert "Not tested, for want of shared repeats whose differences vary: b." in said
    assert "Lower" not in said
    assert "Not told apart" not in said


def test_too_few_runs_are_told():
    too_few = {"significant": [False, False], "n_needed": [float("nan"), 40.0]}
    said = answer(summary(**too_few))
    assert "If the difference to b, 0.1000, is what it seems, 40 paired runs would show it" in said
    assert "these are 3" in said
    never = answer(summary(**too_few | {"n_needed": [float("nan"), float("inf")]}))
    assert "No number of runs on such splits would tell them apart" in never


def test_slow_starts_are_told():
    assert slow_starts(summary(), 0.88) == "The median run of a reaches a score of 0.8800 in epoch 1; b in epoch 3."
    never = summary(epochs_to_target=[2.0, float("inf")])
    assert slow_starts(never, 0.88).endswith("in epoch 2; b not at all.")
    assert slow_starts(summary(epochs_to_target=[2.0, 1.0]), 0.88).endswith("in epoch 2; no other one is later.")
    assert "does not reach" in slow_starts(summary(epochs_to_target=[float("inf")] * 2), 0.88)
    assert slow_starts(summary(epochs_to_target=[float("nan")] * 2), 0.88) == ""


def test_shortfall_is_told():
    runs = pd.DataFrame({"initializer": ["a", "b", "b"], "status": ["ok", "failed", "diverged"]})
    assert shortfall(runs[:1], {"n_planned": 1}) == ""
    said = shortfall(runs, {"n_planned": 4})
    assert "Interrupted: 3 of 4 runs had finished" in said
    assert "1 of 3 runs failed and give no score: b." in said
    assert "1 of 3 runs diverged and give no score: b." in said
    halved = shortfall(runs[:1], {"n_planned": 4, "racing": {"stopped": {"b": 1}, "runs_saved": 3}})
    assert halved == "Left out early, as clearly behind: b after 1 round. That saved 3 of 4 runs (75%)."


def test_every_setting_of_a_grid_is_told(tmp_path):
    X, y = load_digits(return_X_y=True)
    result = compare_initializers(
        MLPClassifier((8,), max_epochs=1), X / 16, y, initializers=["zeros", "he_normal"], n_repeats=2,
        grid={"lr": [0.001, 0.01]},
    )  # fmt: skip
    page = result.to_html(tmp_path / "index.html").read_text()
    assert "Every setting" in page
    assert page.count('<td data-sort="0.01">0.01</td>') >= 2
    # The pictures show each initializer at its best setting: as many rows as initializers, before and after training.
    assert page.count("<svg") == 2 * 2 + 2 * 2 + 3


def test_a_search_has_a_report(tmp_path):
    X, y = load_digits(return_X_y=True)
    grid = {"initializer": ["zeros", "he_normal"], "lr": [0.001, 0.01]}
    search = GridSearchCV(MLPClassifier((8,), max_epochs=1, random_state=0), grid, cv=3).fit(X / 16, y)
    page = ComparisonResult.from_search(search).to_html(tmp_path / "index.html").read_text()
    assert "Nadeau and Bengio" in page
    assert page.count("<svg") == 1


def test_a_linear_model_has_curves_and_no_grid(tmp_path):
    X, y = load_digits(return_X_y=True)
    result = compare_initializers(MLPClassifier((), max_epochs=1), X / 16, y, initializers=["zeros"], n_repeats=1)
    page = result.to_html(tmp_path / "index.html").read_text()
    # The curves, and the weights before and after training.
    assert page.count("<svg") == 1 + 2
    pictures = {path.stem for path in (tmp_path / "index_files").iterdir()}
    assert pictures == {"learning_curves", "weights", "weights_initialized"}


def test_linear_networks_are_shown_by_their_outputs(tmp_path):
    X, y = load_digits(return_X_y=True)
    clf = MLPClassifier((16, 8), activation="identity", max_epochs=1)
    result = compare_initializers(clf, X / 16, y, initializers=["he_normal"], n_repeats=1)
    page = result.to_html(tmp_path / "index.html").read_text()
    # One row before and after training, of activations and of weights; the curves and the signal.
    assert page.count("<svg") == 2 + 2 + 2
    assert "hidden_2" in describe_activations(result.layers[result.layers["phase"] == "trained"])


@pytest.fixture(scope="module")
def sample():
    folder = Path(__file__).parents[2] / "reports" / "mnist"
    frames = {name: pd.read_csv(folder / f"{name}.csv") for name in ("runs", "history", "timing")}
    order = list(dict.fromkeys(frames["runs"]["initializer"]))
    for frame in frames.values():
        frame["initializer"] = pd.Categorical(frame["initializer"], categories=order)
    result = ComparisonResult(dict.fromkeys(TABLES, pd.DataFrame()) | frames)
    return result, (folder / "index.html").read_text()


def test_the_sample_is_there_in_both_languages_and_light(sample):
    folder = ROOT / "reports" / "mnist"
    for language in ("en", "id"):
        path = folder / ("index.html" if language == "en" else "index.id.html")
        assert f'<html lang="{language}">' in path.read_text()
        assert path.stat().st_size < 2e6
        assert {p.stem for p in (folder / f"{path.stem}_files").iterdir()} == PICTURES


def test_the_sample_tells_apart_what_ten_seeds_allow(sample):
    result, page = sample
    runs, summary = result.runs, result.summary().set_index("initializer")
    assert runs.groupby("initializer", observed=True).size().tolist() == [10] * 6
    assert summary.index[-1] == "zeros"
    assert summary.loc["zeros", ["mean_score", "epochs_to_target"]].tolist() == [0.1135, np.inf]
    assert summary.loc["zeros", "significant"]
    # Random normal comes to a good score late: four of the others are there before.
    epochs = summary["epochs_to_target"]
    assert (epochs[["glorot_normal", "he_normal", "lecun_normal", "orthogonal"]] < epochs["random_normal"]).all()
    table = runs.pivot(index="repeat", columns="initializer", values="score")
    for pair in result.pairwise().itertuples():
        # A difference that is significant is so before any correction as well.
        if pair.significant is not pd.NA and pair.significant:
            assert stats.ttest_rel(table[pair.first], table[pair.second]).pvalue < 0.05
    assert answer(result.summary()) in page
    assert slow_starts(result.summary(), result.target()) in page
