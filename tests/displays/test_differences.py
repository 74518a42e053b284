import numpy as np
import pandas as pd
import pytest

from initsk import ComparisonResult
from initsk.comparison.results import TABLES
from initsk.displays import DifferencesDisplay


def test_differences_lie_on_the_axis_or_have_an_arrow():
    rows = [("a", [0.9, 0.9, 0.9]), ("b", [0.8, 0.95, 0.89]), ("c", [0.1, 0.1, 0.11])]
    runs = pd.DataFrame([(n, i, 0, 0, s) for n, v in rows for i, s in enumerate(v)],
                        columns=["initializer", "repeat", "fold", "split", "score"])  # fmt: skip
    runs["initializer"] = pd.Categorical(runs["initializer"])
    ax = DifferencesDisplay.from_frames(runs.assign(val_ratio=0.25)).plot().ax_
    low, high = ax.get_xlim()
    dots = [x for line in ax.get_lines() if line.get_marker() == "o" for x in line.get_xdata()]
    assert sorted(np.round(dots, 6)) == [-0.1, -0.01, 0, 0, 0, 0.05]
    assert low < min(dots)
    assert max(dots) < high
    # The interval of b is cut at both ends, c is an arrow.
    assert sorted(line.get_marker() for line in ax.get_lines() if line.get_marker() in "<>") == ["<", ">"]
    assert [text.get_text() for text in ax.texts] == ["-0.797"]


@pytest.mark.parametrize(("low", "is_cut"), [(-0.11, False), (-0.2, True)])
def test_the_axis_is_longer_for_an_interval_that_barely_leaves_it(low, is_cut):
    differences = pd.DataFrame({"initializer": ["a", "b", "b"], "difference": [0.0, -0.06, -0.078]})
    intervals = pd.DataFrame({"mean": [0, -0.07], "low": [np.nan, low], "high": [np.nan, -0.03]}, index=["a", "b"])
    ax = DifferencesDisplay(differences, intervals, ["a", "b"]).plot().ax_
    assert (ax.get_xlim()[0] <= low) != is_cut
    assert ("<" in [line.get_marker() for line in ax.get_lines()]) == is_cut


def test_differences_are_paired_and_far_rows_are_arrows():
    scores = {"a": [0.9, 0.91, 0.92], "b": [0.89, 0.91, 0.9], "zeros": [0.1, 0.11, 0.1]}
    rows = [(label, i, 0, 0, 0.25, score) for label, values in scores.items() for i, score in enumerate(values)]
    runs = pd.DataFrame(rows, columns=["initializer", "repeat", "fold", "split", "val_ratio", "score"])
    runs["initializer"] = pd.Categorical(runs["initializer"], categories=list(scores))
    display = DifferencesDisplay.from_frames(runs).plot()
    b = display.differences.query("initializer == 'b'")["difference"]
    np.testing.assert_allclose(b, [-0.01, 0, -0.02])
    left, right = display.ax_.get_xlim()
    assert -0.03 < left < -0.02
    assert right > 0
    [arrow] = [text.get_text() for text in display.ax_.texts]
    assert arrow == "-0.807"


def test_the_picture_has_the_intervals_of_the_summary():
    rng = np.random.default_rng(0)
    scores = {"a": rng.normal(0.9, 0.01, 4), "b": rng.normal(0.88, 0.01, 4), "c": rng.normal(0.5, 0.2, 4)}
    rows = [(label, i, 0, 0, 0.25, score, "ok") for label, values in scores.items() for i, score in enumerate(values)]
    runs = pd.DataFrame(rows, columns=["initializer", "repeat", "fold", "split", "val_ratio", "score", "status"])
    frames = dict.fromkeys(TABLES, pd.DataFrame()) | {"runs": runs}
    result = ComparisonResult(frames, {"score_bounds": {"score": [0, 1]}})
    display = DifferencesDisplay.from_frames(result.runs, bounds=result.bounds())
    summary = result.summary().set_index("initializer")
    shown = summary[["difference_low", "difference_high"]].to_numpy()
    np.testing.assert_array_equal(display.intervals.loc[summary.index, ["low", "high"]], shown)
    assert np.nanmin(shown) >= -1
    assert np.nanmax(shown) <= 1
