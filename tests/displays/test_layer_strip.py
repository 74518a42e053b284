from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from initsk.displays import LayerStripDisplay
from tests.displays.helpers import bins, mesh, network, summary, texts


def test_a_strip_is_the_histogram_over_its_fullest_place():
    histograms = bins("a", "output", [0.0, 1.0, 2.0, 3.0, 4.0], [10, 40, 20, 30])
    cells, x, _ = mesh(LayerStripDisplay.from_frames(histograms, summary(("a", "output", {"count": 100}))).plot().ax_)
    centers = (x[1:] + x[:-1]) / 2
    assert [cells[0, np.abs(centers - middle).argmin()] for middle in (0.5, 1.5, 2.5, 3.5)] == pytest.approx(
        [0.25, 1, 0.5, 0.75]
    )


def test_zeros_do_not_darken_a_strip():
    histograms = bins("a", "output", [0.0, 1.0, 2.0], [95, 5])
    frame = summary(("a", "output", {"count": 100, "zero_fraction": 0.9}))
    ax = LayerStripDisplay.from_frames(histograms, frame).plot().ax_
    assert np.allclose(mesh(ax)[0], 1)
    assert "90%" in texts(ax)


def test_every_layer_has_its_row():
    names = [f"layer.{i}" for i in range(60)]
    display = LayerStripDisplay.from_frames(*network(names))
    rows = {text.get_text(): text.get_position()[1] for text in display.plot().ax_.texts}
    assert [rows[name] for name in names] == list(range(60))
    height = display.figure_.get_figheight() * display.ax_.get_position().height
    # Text of 8 points needs 0.11 inches and some space.
    assert height / 60 >= 0.18
    cells, _, y = mesh(display.ax_)
    assert (cells.sum(axis=1) > 0).sum() == 60
    assert (y[0], y[-1]) == pytest.approx((-0.4, 59.4))
    assert (mesh(display.plot(position="both").ax_)[0].sum(axis=1) > 0).sum() == 120


def test_numbers_stand_beside_the_strips():
    given = {"mean": -0.25, "std": 1.5, "dead_fraction": 0.125, "saturated_fraction": 0.001, "nonfinite": 7}
    histograms = pd.concat([bins(name, "output", [0.0, 1.0], [10]) for name in "ab"])
    frame = summary(("a", "output", given), ("b", "output", {}))
    ax = LayerStripDisplay.from_frames(histograms, frame).plot().ax_
    at = {row: {text.get_text() for text in ax.texts if text.get_position()[1] == row} for row in (0, 1)}
    assert {"a", "-0.25", "1.5", "12%", "<1%", "7"} <= at[0]
    assert {"b", "0.5", "1", "0%", "-", "0"} <= at[1]


def scaled(*scales):
    histograms = [
        bins(f"h{i}", "output", np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) * s, [1, 4, 4, 1]) for i, s in enumerate(scales)
    ]
    rows = [(f"h{i}", "output", {"mean": 0.0, "std": s, "rms": s}) for i, s in enumerate(scales)]
    return pd.concat(histograms, ignore_index=True), summary(*rows)


def test_orders_of_magnitude_give_a_logarithmic_axis():
    assert LayerStripDisplay.from_frames(*scaled(1, 2, 4)).plot().ax_.get_xscale() == "linear"
    display = LayerStripDisplay.from_frames(*scaled(1e-6, 1.0, 1e6))
    ax = display.plot().ax_
    assert ax.get_xscale() == "symlog"
    cells, x, _ = mesh(ax)
    # Every layer can be seen: its values take a good part of the axis, the more the larger they are.
    extents = [(row > 0).mean() for row in cells[::2]]
    assert 0.05 < extents[0] < extents[1] < extents[2] == 1
    for scale, row in zip((1e-6, 1.0, 1e6), cells[::2], strict=True):
        assert np.abs(x[1:][row > 0]).max() == pytest.approx(2 * scale, rel=0.5)
    assert display.plot(scale="linear").ax_.get_xscale() == "linear"


def test_ticks_of_a_logarithmic_axis_do_not_overlap():
    display = LayerStripDisplay.from_frames(*scaled(1e-17, 1e-3, 1e30)).plot()
    display.figure_.draw_without_rendering()
    boxes = [label.get_window_extent() for label in display.ax_.get_xticklabels()]
    assert len(boxes) >= 5
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_strip_writes_a_mean_of_rounding_errors_as_zero():
    histograms, frame = network(["norm"], mean=2e-9)
    written = texts(LayerStripDisplay.from_frames(histograms, frame).plot().ax_).splitlines()
    assert written[written.index("mean") + 1] == "0"
