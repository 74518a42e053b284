import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes

from initsk import MLPRegressor, compare_initializers
from initsk.displays import LearningCurvesDisplay


@pytest.mark.parametrize("label", ["{}", "an initializer with a label too long for one line of the legend {}"])
def test_curves_of_many_initializers_have_different_lines(label):
    history = pd.DataFrame(
        [(label.format(i), 0, 1, 1.0, 1.0, 0.5 + i / 100) for i in range(20)],
        columns=["initializer", "repeat", "epoch", "train_loss", "val_loss", "val_score"],
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


def test_a_score_outside_0_to_1_is_drawn_as_it_is():
    X, y = load_diabetes(return_X_y=True)
    result = compare_initializers(MLPRegressor((8,), max_epochs=2), X, y, initializers=["zeros"], n_repeats=1)
    titles = [ax.get_ylabel() for ax in LearningCurvesDisplay.from_frames(result.history).plot().axes_]
    assert titles == ["score on held-out data", "training loss"]


def test_bands_of_a_bounded_score_stay_below_its_bound_and_the_axis_fits_the_means():
    scores = {1: (-0.9, 0.1), 2: (-0.2, 0.6)}
    history = pd.DataFrame(
        [("a", repeat, epoch, 1.0, 1.0, value) for epoch, pair in scores.items() for repeat, value in enumerate(pair)],
        columns=["initializer", "repeat", "epoch", "train_loss", "val_loss", "val_score"],
    )
    unbounded = LearningCurvesDisplay.from_frames(history)
    assert unbounded.curves["val_score_high"].min() > 1
    display = LearningCurvesDisplay.from_frames(history, baseline=0.0, bounds=(-np.inf, 1.0)).plot()
    assert display.curves["val_score_high"].max() < 1
    low, high = display.axes_[0].get_ylim()
    # The means are -0.4 and 0.2. The lower ends of the bands are far below.
    assert low < -0.4
    assert high > 0.2
    assert high - low < 2 * 0.6
    assert display.curves["val_score_low"].min() < low
