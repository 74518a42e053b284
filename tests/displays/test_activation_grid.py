import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from initsk import MLPClassifier, compare_initializers
from initsk.displays import ActivationGridDisplay
from initsk.initializers import RandomNormal
from tests.displays.helpers import bins, summary


def test_an_explosion_does_not_hide_the_others():
    X, y = load_digits(return_X_y=True)
    names = ["he_normal", RandomNormal(1e9), "orthogonal"]
    result = compare_initializers(MLPClassifier((8,), max_epochs=1), X / 16, y, initializers=names, n_repeats=1)
    display = ActivationGridDisplay.from_frames(result.histograms, result.layers, phase="initialized").plot()
    for row, ax in zip(display.initializers, display.axes_[:, 0], strict=True):
        notes = " ".join(text.get_text() for text in ax.texts)
        assert ax.get_xlim()[1] < 100
        assert ("up to" in notes) == ("1000000000" in row)


@pytest.mark.parametrize("size", [(3.3, 2.2), (6.4, 4.8)])
def test_low_rows_have_notes_above_their_histograms_and_labels_of_one_kind(size):
    names, edges = ["zeros", "he_normal", "glorot_normal", "orthogonal"], np.linspace(0.0, 1.0, 11)
    run = {"phase": "trained", "epoch": 1}
    histograms = [bins("a", "activation", edges, [2] * 10).assign(initializer=name, **run) for name in names]
    frames = [summary(("a", "activation", {"zero_fraction": 0.5})).assign(initializer=name, **run) for name in names]
    with plt.rc_context({"figure.figsize": size, "font.size": 9, "font.family": "serif"}):
        display = ActivationGridDisplay.from_frames(pd.concat(histograms), pd.concat(frames)).plot()
        display.figure_.draw_without_rendering()
    for ax in display.axes_.flat:
        peak = max(patch.get_path().vertices[:, 1].max() for patch in ax.patches)
        highest = ax.transData.transform([0.5, peak])[1]
        assert [text.get_window_extent().y0 > highest for text in ax.texts if text.get_text()] == [True]
    labels = [" ".join(ax.get_ylabel().split()) for ax in display.axes_.flat]
    assert labels in (names, [f"{name} density" for name in names])
