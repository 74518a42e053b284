import numpy as np
import pandas as pd

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
