import re

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from initsk import MLPClassifier, compare_initializers
from initsk.displays import LearningCurvesDisplay
from initsk.report import answer, describe_activations, shortfall


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
    assert page.count("<svg") == 1 + 2 * 2


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
    return pd.DataFrame({**base, "tied_with_best": [True, False], "n_runs": [3, 3], **columns})


def test_answer_follows_the_numbers():
    assert "a has the highest mean score, 0.9000 (95 % interval 0.8800 to 0.9200, 3 repeats)" in answer(summary())
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


def test_shortfall_is_told():
    runs = pd.DataFrame({"initializer": ["a", "b", "b"], "status": ["ok", "failed", "diverged"]})
    assert shortfall(runs[:1], 1) == ""
    said = shortfall(runs, 4)
    assert "Interrupted: 3 of 4 runs had finished" in said
    assert "1 of 3 runs failed and give no score: b." in said
    assert "1 of 3 runs diverged and give no score: b." in said


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
