import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits, load_iris

from initsk import MLPClassifier, compare_initializers
from initsk.comparison import TABLES, ComparisonInterrupted
from initsk.displays import ActivationGridDisplay, LearningCurvesDisplay


def explode(tensor):
    raise RuntimeError("cannot draw <script>alert(1)</script>")


def huge(tensor):
    tensor.fill_(1e30)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X / 16, y


@pytest.fixture(scope="module")
def result(digits):
    clf = MLPClassifier((16, 8), max_epochs=2)
    return compare_initializers(clf, *digits, n_repeats=2, random_state=0)


def test_frames_are_tidy(result):
    assert len(result.runs) == 12
    assert len(result.history) == 24
    assert set(result.runs["status"]) == {"ok"}
    assert result.runs["initializer"].cat.categories.tolist() == result.initializers
    assert result.runs.groupby("repeat")["seed"].nunique().tolist() == [1, 1]
    # 2 phases x (2 hidden layers x 2 sites + output)
    assert len(result.layers) == 12 * 2 * 5
    totals = result.histograms.groupby(["initializer", "repeat", "phase", "layer", "site"], observed=True)[
        "count"
    ].sum()
    counts = result.layers.set_index(["initializer", "repeat", "phase", "layer", "site"])["count"]
    assert (totals.sort_index() == counts.sort_index()).all()
    last = result.history.query("epoch == 2").reset_index()
    np.testing.assert_allclose(last["test_score"], result.runs["score"])


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_bytes_do_not_depend_on_jobs(result, digits, n_jobs, tmp_path):
    again = compare_initializers(MLPClassifier((16, 8), max_epochs=2), *digits, n_repeats=2, n_jobs=n_jobs)
    result.to_csv(tmp_path / "a")
    again.to_csv(tmp_path / "b")
    for name in set(TABLES) - {"timing"}:
        assert (tmp_path / "a" / f"{name}.csv").read_bytes() == (tmp_path / "b" / f"{name}.csv").read_bytes()
    again.settings = result.settings
    assert again.to_html(tmp_path / "b.html").read_bytes() == result.to_html(tmp_path / "a.html").read_bytes()


def test_summary_ranks_and_tests(result):
    summary = result.summary()
    assert summary["rank"].tolist() == list(range(1, 7))
    assert summary["mean_score"].is_monotonic_decreasing
    assert summary["tied_with_best"].iloc[0]
    assert np.isnan(summary["p_value"].iloc[0])


def test_summary_of_known_scores():
    from scipy import stats

    from initsk import ComparisonResult

    scores = {"a": [0.9, 0.91, 0.92, 0.93], "b": [0.9, 0.92, 0.91, 0.92], "c": [0.1, 0.11, 0.12, 0.14]}
    rows = [(k, i, 0, "ok", "", s) for k, values in scores.items() for i, s in enumerate(values)]
    runs = pd.DataFrame(rows, columns=["initializer", "repeat", "seed", "status", "reason", "score"])
    empty = pd.DataFrame()
    frames = {"runs": runs, "history": empty, "layers": empty, "histograms": empty, "timing": empty}
    summary = ComparisonResult(frames).summary().set_index("initializer")
    against_b = stats.ttest_rel(scores["a"], scores["b"]).pvalue
    against_c = stats.ttest_rel(scores["a"], scores["c"]).pvalue
    assert summary.loc["b", "p_value"] == pytest.approx(max(against_b, 2 * against_c))
    assert summary.loc["c", "p_value"] == pytest.approx(2 * against_c)
    assert summary["tied_with_best"].to_dict() == {"a": True, "b": True, "c": False}


def test_failed_and_diverged_runs_are_rows(tmp_path):
    X, y = load_iris(return_X_y=True)
    clf = MLPClassifier((8,), max_epochs=1)
    result = compare_initializers(clf, X, y, initializers=["he_normal", explode, huge], n_repeats=1)
    assert result.runs["status"].tolist() == ["ok", "failed", "diverged"]
    assert "cannot draw" in result.runs["reason"][1]
    assert result.summary()["n_failed"].sum() == 1
    page = result.to_html(tmp_path / "index.html").read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)" not in page


def test_interrupt_keeps_what_finished(digits, monkeypatch):
    from initsk.comparison import _runner

    original = _runner.run_one
    calls = []

    def third_is_interrupted(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(_runner, "run_one", third_is_interrupted)
    with pytest.raises(ComparisonInterrupted) as caught:
        compare_initializers(MLPClassifier((8,), max_epochs=1), *digits, n_repeats=1)
    assert (caught.value.finished, caught.value.planned) == (2, 6)
    assert caught.value.result.runs["initializer"].tolist() == ["zeros", "random_normal"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_repeats": 0}, "n_repeats=0"),
        ({"initializers": []}, "at least one"),
        ({"initializers": ["he", "kaiming"]}, "each given once"),
        ({"initializers": ["hee"]}, "did you mean"),
    ],
)
def test_wrong_arguments(digits, arguments, words):
    with pytest.raises(ValueError, match=words):
        compare_initializers(MLPClassifier(), *digits, **arguments)


def test_grid_shows_the_zero_mass_apart(result):
    display = ActivationGridDisplay.from_frames(result.histograms, result.layers, phase="initialized")
    assert display.zero_fractions["zeros", "hidden_1"] == 1
    assert display.panels["zeros", "hidden_1"].empty
    panel = display.panels["he_normal", "hidden_2"]
    mass = (panel["density"] * (panel["right"] - panel["left"])).sum()
    assert mass == pytest.approx(1 - display.zero_fractions["he_normal", "hidden_2"])


def test_axes_of_the_grid(result):
    display = ActivationGridDisplay.from_frames(result.histograms, result.layers)
    shared = display.plot().axes_
    assert shared.shape == (6, 2)
    for column in shared.T:
        assert len({ax.get_xlim() for ax in column}) == 1
    assert len({ax.get_ylim() for ax in shared.flat}) == 1
    article = display.plot(axes="article").axes_
    assert {(ax.get_xlim(), ax.get_ylim()) for ax in article.flat} == {((-1, 1), (0, 4))}
    with pytest.raises(ValueError, match="did you mean 'article'"):
        display.plot(axes="artcle")


def test_learning_curves_are_means(result):
    curves = LearningCurvesDisplay.from_frames(result.history).curves
    he = 1 - result.history.query("initializer == 'he_normal' and epoch == 1")["test_score"]
    row = curves.query("initializer == 'he_normal' and epoch == 1").iloc[0]
    assert row["test_error_mean"] == pytest.approx(he.mean())
    assert (row["test_error_min"], row["test_error_max"]) == (he.min(), he.max())


def test_pictures_leave_matplotlib_alone(result, tmp_path):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    result.to_html(tmp_path / "index.html")
    assert dict(mpl.rcParams) == before
    for name in ("activations.png", "activations_initialized.png", "learning_curves.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
