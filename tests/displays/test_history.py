import numpy as np
import pandas as pd
import pytest

from initsk.displays import HistoryDisplay
from tests.displays.helpers import NAN, histograms_over, lines, marks, mesh, recorded, texts


def test_line_and_band_are_mean_and_standard_deviation():
    steps, mean, std = [0, 10, 100], np.array([0.0, 1.0, -1.0]), np.array([1.0, 0.5, 2.0])
    ax = HistoryDisplay.from_frames(None, recorded(steps, mean=mean, std=std)).plot().axes_["hidden_1", "moments"]
    [line] = lines(ax)
    assert line.tolist() == mean.tolist()
    assert ax.lines[0].get_xdata().tolist() == steps
    [band] = ax.collections
    corners = {tuple(corner) for corner in band.get_paths()[0].vertices}
    assert corners == set(zip(steps * 2, [*(mean - std), *(mean + std)], strict=True))


def test_columns_of_the_heat_map_sum_to_one():
    edges = [np.arange(-4, 5) * 0.25, np.arange(-8, 9) * 0.5, np.arange(-2, 3) * 1.0]
    histograms = histograms_over([0, 10, 100], edges, [np.full(8, 3), np.arange(16) + 1, [1, 2, 3, 4]])
    display = HistoryDisplay.from_frames(histograms, recorded([0, 10, 100])).plot()
    cells, x, y = mesh(display.axes_["hidden_1", "histogram"])
    assert (cells * np.diff(y)[:, None]).sum(axis=0).tolist() == pytest.approx([1, 1, 1])
    # A column reaches halfway to its neighbors.
    assert x.tolist() == [0, 5, 55, 100]


def test_the_heat_map_shows_each_step_where_its_values_are():
    # Bins of width 0.5 are added up to those of width 1; the wide bin of the second step is spread evenly.
    histograms = histograms_over([0, 1], [np.arange(0, 2.5, 0.5), np.array([0.0, 2.0])], [[1, 2, 3, 4], [10]])
    display = HistoryDisplay.from_frames(histograms, recorded([0, 1])).plot()
    cells, _, y = mesh(display.axes_["hidden_1", "histogram"])
    halves = [(cells[y[:-1] >= 1] * np.diff(y)[y[:-1] >= 1, None]).sum(axis=0)]
    assert np.allclose(halves, [[0.7, 0.5]])
    assert (y[0], y[-1]) == (0, 2)


def test_one_outlier_does_not_squeeze_the_heat_map():
    counts = np.zeros(128, int)
    counts[:2], counts[-1] = 100_000, 1
    histograms = histograms_over([0, 1], [np.arange(129.0)] * 2, [counts, counts])
    display = HistoryDisplay.from_frames(histograms, recorded([0, 1])).plot()
    cells, _, y = mesh(display.axes_["hidden_1", "histogram"])
    assert (y[0], y[-1]) == (0, 2)
    assert np.allclose((cells * np.diff(y)[:, None]).sum(axis=0), 200_000 / 200_001)


def test_values_beyond_fixed_edges_count_in_the_density():
    edges = [-np.inf, -1.0, 0.0, 1.0, np.inf]
    histograms = histograms_over([0, 1], [edges] * 2, [[10, 20, 30, 40], [0, 50, 50, 0]])
    cells, _, y = mesh(HistoryDisplay.from_frames(histograms, recorded([0, 1])).plot().axes_["hidden_1", "histogram"])
    assert (cells * np.diff(y)[:, None]).sum(axis=0).tolist() == pytest.approx([0.5, 1.0])


def test_records_can_take_the_same_room():
    steps = [0, 1, 1000]
    histograms = histograms_over(steps, [[0.0, 1.0]] * 3, [[5]] * 3)
    display = HistoryDisplay.from_frames(histograms, recorded(steps)).plot(spacing="record")
    ax = display.axes_["hidden_1", "histogram"]
    assert np.diff(mesh(ax)[1]).tolist() == [1, 1, 1]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "1", "1000"]
    assert ax.get_xlim() == display.axes_["hidden_1", "moments"].get_xlim()


def test_a_step_without_finite_values_is_marked_and_blank():
    history = recorded([0, 1, 2], mean=[0.0, NAN, 1.0], std=[1.0, NAN, 1.0], nonfinite=[0, 10, 0])
    histograms = histograms_over([0, 2], [[0.0, 1.0]] * 2, [[5]] * 2)
    axes = HistoryDisplay.from_frames(histograms, history).plot().axes_
    assert marks(axes["hidden_1", "moments"], "x") == [1]
    assert mesh(axes["hidden_1", "histogram"])[0].sum(axis=0).astype(bool).tolist() == [True, False, True]


def test_a_history_draws_all_or_the_chosen_layers():
    history = pd.concat([recorded([0, 1], name) for name in "abcdef"])
    display = HistoryDisplay.from_frames(None, history)
    assert [layer for layer, _ in display.plot().axes_] == list("abcdef")
    assert len(display.figure_.axes) == 6
    assert list(display.plot(layers=["e", "b"]).axes_) == [("b", "moments"), ("e", "moments")]


def test_one_step_is_enough():
    histograms = histograms_over([7], [[0.0, 1.0]], [[5]])
    axes = HistoryDisplay.from_frames(histograms, recorded([7])).plot().axes_
    assert mesh(axes["hidden_1", "histogram"])[1].mean() == 7
    assert axes["hidden_1", "histogram"].get_xticks().tolist() == [7]


def test_a_layer_that_is_always_zero_is_labeled():
    histograms = histograms_over([0, 1], [[0.0, 2.0**-60]] * 2, [[10], [10]])
    axes = HistoryDisplay.from_frames(histograms, recorded([0, 1], mean=0.0, std=0.0)).plot().axes_
    assert texts(axes["hidden_1", "histogram"]) == "always 0"
