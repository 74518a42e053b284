from itertools import combinations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from initsk.displays import HistogramGridDisplay
from tests.displays.helpers import NAN, PAIR, bins, drawn, network, summary, texts


def test_heights_integrate_to_the_share_of_nonzero_values():
    histograms = bins("a", "output", [-1.0, -0.5, 0.0, 0.5, 1.0], [2, 1, 5, 2])
    frame = summary(("a", "output", {"zero_fraction": 0.4}))
    ax = HistogramGridDisplay.from_frames(histograms, frame).plot().axes_["a", "output"]
    heights, edges = drawn(ax)
    assert (heights * np.diff(edges)).sum() == pytest.approx(0.6)
    # Four of the five values in [0, 0.5) are zero.
    assert (heights * np.diff(edges)).tolist() == pytest.approx([0.2, 0.1, 0.1, 0.2])
    assert "40% zero" in texts(ax)


def test_values_beyond_fixed_edges_are_written_and_not_drawn():
    histograms = bins("a", "output", [-np.inf, -1.0, 0.5, 2.0, np.inf], [10, 40, 20, 30])
    frame = summary(("a", "output", {"count": 100, "zero_fraction": 0.25}))
    ax = HistogramGridDisplay.from_frames(histograms, frame).plot().axes_["a", "output"]
    heights, edges = drawn(ax)
    assert (edges[0], edges[-1]) == (-1, 2)
    assert (heights * np.diff(edges)).sum() == pytest.approx(1 - 0.1 - 0.3 - 0.25)
    for words in ("10% below -1", "30% above 2", "25% zero"):
        assert words in texts(ax)


def test_layers_without_a_histogram_have_a_reason():
    histograms, frame = network(["a"])
    nothing = {"mean": NAN, "std": NAN, "rms": NAN, "zero_fraction": NAN}
    more = summary(("z", "output", {"zero_fraction": 1.0}), ("n", "output", {"count": 0, "nonfinite": 10, **nothing}))
    histograms = pd.concat([histograms, bins("z", "output", [0.0, 1.0], [10])])
    axes = HistogramGridDisplay.from_frames(histograms, pd.concat([frame, more])).plot().axes_
    assert "all zero" in texts(axes["z", "output"])
    assert "10 not finite" in texts(axes["n", "output"])
    assert not axes["z", "output"].patches
    assert not axes["n", "output"].patches


@pytest.mark.parametrize(
    ("position", "drawn_positions"), [("both", PAIR), ("activation", PAIR[1:]), ("pre_activation", PAIR[:1])]
)
def test_grid_has_a_panel_per_layer_and_position(position, drawn_positions):
    histograms, frame = network([f"h{i}" for i in range(12)])
    histograms = pd.concat([histograms, bins("out", "output", [0.0, 1.0], [10])])
    frame = pd.concat([frame, summary(("out", "output", {}))])
    display = HistogramGridDisplay.from_frames(histograms, frame).plot(position=position)
    expected = {(f"h{i}", at) for i in range(12) for at in drawn_positions} | {("out", "output")}
    assert set(display.axes_) == expected
    assert len(display.figure_.axes) == len(expected)
    boxes = {key: ax.get_position() for key, ax in display.axes_.items()}
    assert len({round(box.x0, 6) for box in boxes.values()}) == 5
    at = drawn_positions[0]
    assert boxes["h5", at].x0 == pytest.approx(boxes["h0", at].x0)
    assert boxes["h5", at].y1 < boxes["h0", at].y0
    if position == "both":
        assert boxes["h7", "activation"].y1 < boxes["h7", "pre_activation"].y0
        # A layer with one position takes the height of both.
        assert boxes["out", "output"].y0 == pytest.approx(boxes["h11", "activation"].y0)
        assert boxes["out", "output"].y1 == pytest.approx(boxes["h11", "pre_activation"].y1)


def test_grid_draws_the_chosen_layers():
    display = HistogramGridDisplay.from_frames(*network(["a", "b", "c"])).plot(layers=["c", "a"], position="activation")
    assert list(display.axes_) == [("a", "activation"), ("c", "activation")]


def test_one_outlier_does_not_squeeze_a_panel():
    counts = [0] * 100
    counts[0], counts[1], counts[99] = 50_000, 50_000, 1
    histograms = bins("a", "output", np.arange(101.0), counts)
    ax = (
        HistogramGridDisplay.from_frames(histograms, summary(("a", "output", {"count": 100_001})))
        .plot()
        .axes_["a", "output"]
    )
    low, high = ax.get_xlim()
    assert low <= 0
    assert 2 <= high < 3


def test_a_layer_with_one_position_covers_no_layer_of_another_row():
    histograms, frame = network([f"h{i}" for i in range(5)])
    output = bins("out", "output", (-1.0, 0.0, 1.0), (4, 6))
    frame = pd.concat([frame, summary(("out", "output", {}))])
    with mpl.rc_context({"font.size": 8}):
        axes = HistogramGridDisplay.from_frames(pd.concat([histograms, output]), frame).plot().axes_
    places = [ax.get_window_extent() for ax in axes.values()]
    assert not any(one.overlaps(other) for one, other in combinations(places, 2))
