import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.datasets import load_diabetes, load_digits
from sklearn.model_selection import GridSearchCV

from initsk import ComparisonResult, MLPClassifier, MLPRegressor, compare_initializers
from initsk.displays import DifferencesDisplay, LearningCurvesDisplay
from initsk.report import answer, describe_activations, shortfall, slow_starts


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    X, y = load_digits(return_X_y=True)
    result = compare_initializers(
        MLPClassifier((16, 8), max_epochs=2), X / 16, y, initializers=["zeros", "he_normal"], n_repeats=2
    )
    return result.to_html(tmp_path_factory.mktemp("report") / "index.html").read_text()


def test_page_is_self_contained(page):
    assert not re.search(r'(?:src|href)="(?!#)', re.sub(r'xlink:href="#', 'xlink-href="#', page))
    assert "@import" not in page
    assert "url(http" not in page


def test_page_tells_everything(page):
    for words in ("Ranking", "Learning curves", "at initialization", "after training", "What was run", "he_normal"):
        assert words in page
    assert page.count("<svg") == 2 + 2 * 2


def test_ids_are_unique(page):
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def layers(rms, zero, dead, nonfinite=0):
    n = len(rms)
    return pd.DataFrame(
        {
            "initializer": "x",
            "phase": "trained",
            "site": "activation",
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
    assert said in describe_activations(frame, "x", "trained")


def summary(**columns):
    base = {"initializer": ["a", "b"], "mean_score": [0.9, 0.8], "low": [0.88, 0.7], "high": [0.92, 0.9]}
    base |= {"difference_to_best": [0, -0.1], "tied_with_best": [True, False], "n_needed": [float("nan")] * 2}
    return pd.DataFrame({**base, "n_runs": [3, 3], "epochs_to_target": [1.0, 3.0], **columns})


def test_answer_follows_the_numbers():
    assert "a has the highest mean score, 0.9000 (95 % interval 0.8800 to 0.9200, 3 runs)" in answer(summary())
    assert "Lower beyond noise: b." in answer(summary())
    assert "Not told apart from it at the 5 % level: b." in answer(summary(tied_with_best=[True, True]))
    once = summary(low=[float("nan")] * 2, high=[float("nan")] * 2, n_runs=[1, 1], tied_with_best=[True, True])
    assert "cannot be told from noise" in answer(once)
    assert answer(summary(n_runs=[0, 0])) == "No run gave a score."


def test_untested_is_neither_tied_nor_worse():
    said = answer(summary(tied_with_best=pd.array([True, None], "boolean")))
    assert "Not tested, for want of shared repeats whose differences vary: b." in said
    assert "Lower" not in said
    assert "Not told apart" not in said


def test_too_few_runs_are_told():
    tied = {"tied_with_best": [True, True], "n_needed": [float("nan"), 40.0]}
    said = answer(summary(**tied))
    assert "If the difference to b, 0.1000, is what it seems, 40 paired runs would show it" in said
    assert "these are 3" in said
    never = answer(summary(**tied | {"n_needed": [float("nan"), float("inf")]}))
    assert "No number of runs on such splits would tell them apart" in never


def test_slow_starts_are_told():
    assert slow_starts(summary(), 0.88) == "The median run of a reaches a score of 0.8800 in epoch 1; b in epoch 3."
    never = summary(epochs_to_target=[2.0, float("inf")])
    assert slow_starts(never, 0.88).endswith("in epoch 2; b not at all.")
    assert slow_starts(summary(epochs_to_target=[2.0, 1.0]), 0.88).endswith("in epoch 2; none is later.")
    assert "does not reach" in slow_starts(summary(epochs_to_target=[float("inf")] * 2), 0.88)
    assert slow_starts(summary(epochs_to_target=[float("nan")] * 2), 0.88) == ""


def test_shortfall_is_told():
    runs = pd.DataFrame({"initializer": ["a", "b", "b"], "status": ["ok", "failed", "diverged"]})
    assert shortfall(runs[:1], {"n_planned": 1}) == ""
    said = shortfall(runs, {"n_planned": 4})
    assert "Interrupted: 3 of 4 runs had finished" in said
    assert "1 of 3 runs failed and give no score: b." in said
    assert "1 of 3 runs diverged and give no score: b." in said
    halved = shortfall(runs[:1], {"n_planned": 4, "halving": {"dropped": {"b": 1}, "runs_saved": 3}})
    assert halved == "Left out early, as clearly behind: b after 1 rounds. That saved 3 of 4 runs (75%)."


def test_every_setting_of_a_grid_is_told(tmp_path):
    X, y = load_digits(return_X_y=True)
    result = compare_initializers(
        MLPClassifier((8,), max_epochs=1), X / 16, y, initializers=["zeros", "he_normal"], n_repeats=2,
        grid={"lr": [0.001, 0.01]},
    )  # fmt: skip
    page = result.to_html(tmp_path / "index.html").read_text()
    assert "Every setting" in page
    assert page.count("<td>0.01</td>") >= 2
    # The pictures show each initializer at its best setting: as many rows as initializers.
    assert page.count("<svg") == 2 + 2 * 2


def test_a_search_has_a_report(tmp_path):
    X, y = load_digits(return_X_y=True)
    grid = {"initializer": ["zeros", "he_normal"], "lr": [0.001, 0.01]}
    search = GridSearchCV(MLPClassifier((8,), max_epochs=1, random_state=0), grid, cv=3).fit(X / 16, y)
    page = ComparisonResult.from_search(search).to_html(tmp_path / "index.html").read_text()
    assert "Nadeau and Bengio" in page
    assert page.count("<svg") == 1


def test_differences_are_paired_and_far_rows_are_arrows():
    scores = {"a": [0.9, 0.91, 0.92], "b": [0.89, 0.91, 0.9], "zeros": [0.1, 0.11, 0.1]}
    rows = [(label, i, 0, 0, 0.25, score) for label, values in scores.items() for i, score in enumerate(values)]
    runs = pd.DataFrame(rows, columns=["initializer", "repeat", "fold", "split", "test_ratio", "score"])
    runs["initializer"] = pd.Categorical(runs["initializer"], categories=list(scores))
    display = DifferencesDisplay.from_frames(runs).plot()
    b = display.differences.query("initializer == 'b'")["difference"]
    np.testing.assert_allclose(b, [-0.01, 0, -0.02])
    left, right = display.axes_.get_xlim()
    assert -0.03 < left < -0.02
    assert right > 0
    [arrow] = [text.get_text() for text in display.axes_.texts]
    assert arrow == "-0.807"


def test_a_linear_model_has_curves_and_no_grid(tmp_path):
    X, y = load_digits(return_X_y=True)
    result = compare_initializers(MLPClassifier((), max_epochs=1), X / 16, y, initializers=["zeros"], n_repeats=1)
    page = result.to_html(tmp_path / "index.html").read_text()
    assert page.count("<svg") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"index.html", "learning_curves.png"}


@pytest.mark.parametrize("label", ["{}", "an initializer with a label too long for one line of the legend {}"])
def test_curves_of_many_initializers_are_told_apart(label):
    history = pd.DataFrame(
        [(label.format(i), 0, 1, 1.0, 1.0, 0.5 + i / 100) for i in range(20)],
        columns=["initializer", "repeat", "epoch", "train_loss", "test_loss", "test_score"],
    )
    display = LearningCurvesDisplay.from_frames(history).plot()
    [legend] = display.figure_.legends
    assert len({(line.get_color(), line.get_linestyle()) for line in legend.get_lines()}) == 20
    # The legend lies on the picture, and below the axes.
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= display.figure_.bbox.x1
    assert box.y1 <= display.axes_[0].get_tightbbox().y0
    assert np.array_equal(display.axes_[0].get_xticks(), [1])


def test_linear_networks_are_shown_by_their_outputs(tmp_path):
    X, y = load_digits(return_X_y=True)
    clf = MLPClassifier((16, 8), activation="identity", max_epochs=1)
    result = compare_initializers(clf, X / 16, y, initializers=["he_normal"], n_repeats=1)
    page = result.to_html(tmp_path / "index.html").read_text()
    assert page.count("<svg") == 1 + 2 * 1
    assert "hidden_2" in describe_activations(result.layers, "he_normal", "trained")


def test_a_score_that_is_no_share_is_drawn_as_it_is():
    X, y = load_diabetes(return_X_y=True)
    result = compare_initializers(MLPRegressor((8,), max_epochs=2), X, y, initializers=["zeros"], n_repeats=1)
    titles = [ax.get_title() for ax in LearningCurvesDisplay.from_frames(result.history).plot().axes_]
    assert titles == ["score on held-out data", "training loss"]


@pytest.fixture(scope="module")
def sample():
    folder = Path(__file__).parents[1] / "reports" / "mnist"
    frames = {name: pd.read_csv(folder / f"{name}.csv") for name in ("runs", "history", "timing")}
    order = list(dict.fromkeys(frames["runs"]["initializer"]))
    for frame in frames.values():
        frame["initializer"] = pd.Categorical(frame["initializer"], categories=order)
    result = ComparisonResult(frames | dict.fromkeys(["layers", "histograms"], pd.DataFrame()))
    return result, (folder / "index.html").read_text()


def test_the_sample_tells_apart_what_ten_seeds_allow(sample):
    result, page = sample
    runs, summary = result.runs, result.summary().set_index("initializer")
    assert runs.groupby("initializer", observed=True).size().tolist() == [10] * 6
    assert summary.index[-1] == "zeros"
    assert summary.loc["zeros", ["mean_score", "epochs_to_target"]].tolist() == [0.1135, np.inf]
    assert not summary.loc["zeros", "tied_with_best"]
    # Random normal comes to a good score late: four of the others are there before.
    epochs = summary["epochs_to_target"]
    assert (epochs[["glorot_normal", "he_normal", "lecun_normal", "orthogonal"]] < epochs["random_normal"]).all()
    table = runs.pivot(index="repeat", columns="initializer", values="score")
    for pair in result.pairwise().itertuples():
        # Whoever is told apart is so before any correction as well.
        if pair.tied is not pd.NA and not pair.tied:
            assert stats.ttest_rel(table[pair.first], table[pair.second]).pvalue < 0.05
    assert answer(result.summary()) in page
    assert slow_starts(result.summary(), result.target()) in page
