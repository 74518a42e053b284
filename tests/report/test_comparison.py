"""Reports of comparisons of many kinds, and the sample in the repository."""

import ast
from textwrap import indent

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from initsk import ComparisonResult, MLPClassifier, MLPRegressor, compare_initializers
from initsk.comparison.results import TABLES
from initsk.displays import DepthDisplay, LearningCurvesDisplay
from initsk.initializers import RandomNormal
from initsk.report import describe_activations, describe_epochs_to_target, describe_ranking
from tests.helpers import params
from tests.report.helpers import PICTURES, ROOT


@pytest.mark.filterwarnings("ignore:no run gave a score")
def test_without_any_score_nothing_is_compared():
    X, y = load_digits(return_X_y=True)

    def fails(tensor):
        raise RuntimeError("no")

    clf = MLPClassifier((4,), max_epochs=1, lr=1e38)
    page = compare_initializers(clf, X / 16, y, initializers=["he_normal", fails], n_repeats=1).to_html()
    assert "No run gave a score." in page
    assert "minus that of" not in page
    assert "Epochs to target is the epoch" not in page


def test_lines_that_repeat_the_comparison_are_valid_code():
    X, y = load_digits(return_X_y=True)

    def my_init(tensor):
        return tensor.fill_(0.1)

    def my_score(model, X, y):
        return model.score(X, y)

    result = compare_initializers(
        MLPClassifier((4,), max_epochs=1), X / 16, y, initializers=[my_init, "he_normal", RandomNormal(0.5)],
        n_repeats=1, scoring=my_score, grid={"lr": [0.1, 0.2]}, racing=True,
    )  # fmt: skip
    call = ast.parse(result.settings["call"]).body[-1].value
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    assert ast.unparse(call.args[0]) == "MLPClassifier(hidden_layer_sizes=(4,), max_epochs=1)"
    assert given == {
        "initializers": "[my_init, 'he_normal', RandomNormal(std=0.5)]", "grid": "{'lr': [0.1, 0.2]}",
        "scoring": "my_score", "n_repeats": "1", "racing": "True",
    }  # fmt: skip
    assert indent(result.settings["call"], "    ", lambda line: True) in result.to_markdown()


def test_an_unfinished_result_says_so_wherever_it_is_shown():
    frame = pd.DataFrame({"initializer": ["a", "b"] * 4, "repeat": [0, 0, 1, 1] * 2, "lr": [1] * 4 + [2] * 4})
    result = ComparisonResult.from_frame(frame.assign(score=np.linspace(0.1, 0.9, 8)), grid="lr")
    sentence = "Not complete: this report shows the {} of {} runs that have finished."
    for whole in (result, result.tuned()):
        assert "ot complete" not in repr(whole) + str(whole) + whole.answer() + whole.to_markdown()
    result.settings["n_planned"] = 9
    for part, numbers in ((result, (8, 9)), (result.tuned(), (4, 5))):
        assert "not complete: {} of {} runs".format(*numbers) in repr(part)
        assert part.answer().startswith(sentence.format(*numbers))
        assert " ".join(str(part).split()).startswith(sentence.format(*numbers))
        assert part.to_markdown().count(sentence.format(*numbers)) == 1
        assert part.answer(language="id").startswith("Belum lengkap: ")
    assert "not complete" in repr(ComparisonResult.concat({"first": result}))


def test_report_of_a_grid_shows_every_setting():
    X, y = load_digits(return_X_y=True)
    result = compare_initializers(
        MLPClassifier((8,), max_epochs=1), X / 16, y, initializers=["zeros", "he_normal"], n_repeats=2,
        grid={"lr": [0.001, 0.01]},
    )  # fmt: skip
    page = result.to_html()
    assert "Every setting" in page
    assert page.count('<td data-sort="0.01">0.01</td>') >= 2
    # The pictures show each initializer at its best setting: as many rows as initializers, before and after training.
    assert page.count("<svg") == 2 * 2 + 2 * 2 + 3


def test_report_of_a_search():
    X, y = load_digits(return_X_y=True)
    grid = {"initializer": ["zeros", "he_normal"], "lr": [0.001, 0.01]}
    search = GridSearchCV(MLPClassifier((8,), max_epochs=1, random_state=0), grid, cv=3).fit(X / 16, y)
    page = ComparisonResult.from_search(search).to_html()
    assert "Nadeau and Bengio" in page
    assert page.count("<svg") == 1


def test_report_of_a_linear_model_has_curves_and_no_activations(tmp_path):
    X, y = load_digits(return_X_y=True)
    result = compare_initializers(MLPClassifier((), max_epochs=1), X / 16, y, initializers=["zeros"], n_repeats=1)
    page = result.to_html(tmp_path / "index.html").read_text()
    # The curves, and the weights before and after training.
    assert page.count("<svg") == 1 + 2
    pictures = {path.name: path.read_bytes() for path in (tmp_path / "index_files").iterdir()}
    assert {name.partition(".")[0] for name in pictures} == {"learning_curves", "weights", "weights_initialized"}
    # Without the page, the same files.
    assert {path.name: path.read_bytes() for path in result.to_pictures(tmp_path / "pictures")} == pictures


def test_report_of_a_deep_linear_network_shows_outputs():
    X, y = load_digits(return_X_y=True)
    clf = MLPClassifier((16, 8), activation="identity", max_epochs=1)
    result = compare_initializers(clf, X / 16, y, initializers=["he_normal"], n_repeats=1)
    page = result.to_html()
    # One row before and after training, of activations and of weights; the curves and the signal.
    assert page.count("<svg") == 2 + 2 + 2
    assert "hidden_2" in describe_activations(result.layers[result.layers["phase"] == "trained"])


def test_an_initializer_keeps_its_color_if_another_has_no_data(result):
    def colors(lines):
        return [line.get_color() for line in lines]

    without = result.history[result.history["initializer"] != "zeros"]
    [line] = LearningCurvesDisplay.from_frames(without).plot().axes_[0].get_lines()
    both = LearningCurvesDisplay.from_frames(result.history).plot().axes_[0].get_lines()
    assert line.get_color() == colors(both)[1]
    frame = result.layers[(result.layers["phase"] == "initialized") & (result.layers["repeat"] == 0)]
    second = frame[frame["initializer"] == "he_normal"]
    display = DepthDisplay.from_frames({"he_normal": second}, order=result.initializers).plot()
    assert display.axes_["rms"].get_lines()[0].get_color() == colors(both)[1]


@pytest.fixture(scope="module")
def sample():
    folder = ROOT / "reports" / "mnist"
    frames = {name: pd.read_csv(folder / f"{name}.csv") for name in ("runs", "history", "timing")}
    order = list(dict.fromkeys(frames["runs"]["initializer"]))
    for frame in frames.values():
        frame["initializer"] = pd.Categorical(frame["initializer"], categories=order)
    settings = {"score_bounds": {"score": [0, 1]}}
    result = ComparisonResult(dict.fromkeys(TABLES, pd.DataFrame()) | frames, settings)
    return result, (folder / "index.html").read_text()


def test_sample_exists_in_both_languages_and_is_small(sample):
    folder = ROOT / "reports" / "mnist"
    for language in ("en", "id"):
        path = folder / ("index.html" if language == "en" else "index.id.html")
        assert f'<html lang="{language}">' in path.read_text()
        assert path.stat().st_size < 2e6
        assert {p.stem for p in (folder / f"{path.stem}_files").iterdir()} == PICTURES


def test_sample_ranks_initializers_as_its_runs_do(sample):
    result, page = sample
    runs, summary = result.runs, result.summary().set_index("initializer")
    assert runs.groupby("initializer", observed=True).size().tolist() == [10] * 6
    assert summary.index[-1] == "zeros"
    assert summary.loc["zeros", ["mean_score", "epochs_to_target"]].tolist() == [0.1135, np.inf]
    assert summary.loc["zeros", "significant"]
    # Four of the others reach the target before random normal.
    epochs = summary["epochs_to_target"]
    assert (epochs[["glorot_normal", "he_normal", "lecun_normal", "orthogonal"]] < epochs["random_normal"]).all()
    table = runs.pivot(index="repeat", columns="initializer", values="score")
    for pair in result.pairwise().itertuples():
        # A difference that is significant is so before any correction as well.
        if pair.significant is not pd.NA and pair.significant:
            assert stats.ttest_rel(table[pair.first], table[pair.second]).pvalue < 0.05
    assert describe_ranking(result.summary()) in page
    assert describe_epochs_to_target(result.summary(), result.target()) in page


@pytest.mark.parametrize("hidden", [(8,), (8, 4)])
@pytest.mark.parametrize("activation", params(["relu", "tanh"], slow=["tanh"]))
def test_zeros_are_symmetric_before_and_after_training(hidden, activation):
    X, y = load_digits(return_X_y=True)
    regressor = MLPRegressor(hidden, activation=activation, max_epochs=1)
    result = compare_initializers(regressor, X[:200] / 16, y[:200], initializers=["zeros", "he_normal"], n_repeats=2)
    text = result.to_markdown()
    for moment in ("At initialization", "After training"):
        assert f"{moment}: symmetric in 2 of 2 runs, dead in 2 of 2 runs." in text
    assert text.count("symmetric in") == 2


def test_reports_show_layers_that_are_not_finite_in_several_repeats():
    X, y = load_digits(return_X_y=True)
    # Products of three such weights overflow in some units only, so that repeats differ in their counts.
    explodes = RandomNormal(8e12)
    clf = MLPClassifier((8, 8, 8), max_epochs=1)
    result = compare_initializers(clf, X[:99] / 16, y[:99], initializers=["he_normal", explodes], n_repeats=3)
    at_start = result.layers[(result.layers["phase"] == "initialized") & (result.layers["position"] != "output")]
    counts = at_start.groupby(["initializer", "layer", "position"], observed=True)["nonfinite"].sum()
    assert (counts % 3 > 0).any()
    assert "activations are not finite" in result.to_markdown()


UNKNOWN = "Whether the repeats have the same held-out samples is not known here."
SAME = "All repeats have the same held-out samples"
DIFFERENT = "Repeats or folds have different held-out samples"


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({}, UNKNOWN),
        ({"split": [0, 0, 0, 0]}, SAME),
        ({"split": [0, 0, 1, 1]}, DIFFERENT),
        ({"fold": [0, 0, 1, 1]}, DIFFERENT),
    ],
)
def test_a_report_of_a_frame_states_only_what_the_frame_has(columns, said):
    frame = pd.DataFrame({"initializer": ["a", "b"] * 2, "repeat": [0, 0, 1, 1], "score": [0.1, 0.2, 0.4, 0.3]})
    given = {} if not columns else {"val_ratio": 0.25}
    text = ComparisonResult.from_frame(frame.assign(**columns), **given).to_markdown()
    assert [sentence in text for sentence in (UNKNOWN, SAME, DIFFERENT)].count(True) == 1
    assert said in text
    assert "computed on the held-out samples" not in text
    assert ("whether they had the same split and the same batches is not known" in text) == (not columns)


@pytest.mark.parametrize(
    ("n_dead", "heading", "sentence"),
    [
        (0, "healthy", "At initialization: healthy."),
        (1, "dead in 1 of 3 runs", "At initialization: dead in 1 of 3 runs."),
        (2, "dead", "At initialization: dead in 2 of 3 runs."),
    ],
)
def test_healthy_means_that_no_run_has_a_finding(n_dead, heading, sentence):
    X, y = load_digits(return_X_y=True)
    clf = MLPClassifier((8,), max_epochs=1)
    result = compare_initializers(clf, X / 16, y, initializers=["he_normal"], n_repeats=3)
    layers = result.layers
    layers["dead_fraction"] = 0.0
    is_dead = (layers["repeat"] < n_dead) & (layers["layer"] == "hidden_1") & (layers["position"] == "activation")
    layers.loc[is_dead, "dead_fraction"] = 0.75
    text = result.to_markdown()
    assert f"### he\\_normal ({heading})" in text
    assert sentence in text
    assert "dead, for example, if more than 50% of the units" in text
