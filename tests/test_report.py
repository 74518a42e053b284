import re

import pandas as pd
import pytest
from sklearn.datasets import load_digits

from initsk import MLPClassifier, compare_initializers
from initsk.report import answer, describe_activations


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
