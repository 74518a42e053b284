from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from initsk.displays import (
    DepthDisplay,
    HistogramGridDisplay,
    HistoryDisplay,
    LayerStripDisplay,
    figure_png,
    figure_svg,
)
from tests.displays.helpers import network


def every(name="hidden_1", edges=(-1.0, 0.0, 1.0), counts=(4, 6)):
    """Draw each display once, of a network with this layer."""
    histograms, frame = network([name], np.asarray(edges), counts)
    history = pd.concat([frame.assign(step=step, epoch=0) for step in (0, 1)])
    over = pd.concat([histograms.assign(step=step, epoch=0) for step in (0, 1)])
    return {
        "grid": HistogramGridDisplay.from_frames(histograms, frame).plot().figure_,
        "depth": DepthDisplay.from_frames({name: frame, "b": frame}, {name: frame}).plot().figure_,
        "history": HistoryDisplay.from_frames(over, history).plot().figure_,
        "strip": LayerStripDisplay.from_frames(histograms, frame).plot().figure_,
    }


def test_equal_frames_give_equal_bytes_and_leave_matplotlib_alone():
    before = dict(mpl.rcParams)
    once, again, other = every(), every(), every(counts=(9, 1))
    for kind in once:
        assert figure_png(once[kind]) == figure_png(again[kind])
        assert figure_svg(once[kind], "x") == figure_svg(again[kind], "x")
    for kind in set(once) - {"depth"}:
        assert figure_png(once[kind]) != figure_png(other[kind])
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    ("name", "written"),
    [("$a_1$", "$a_1$"), ("_x$", "_x$"), ("<script>", "&lt;script&gt;"), ("a & {b}", "a &amp; {b}")],
)
def test_names_appear_as_they_are(name, written):
    for kind, figure in every(name).items():
        assert f">{written}</text>" in figure_svg(figure, "x"), kind


def test_long_names_keep_both_ends_and_stay_on_the_picture():
    name = "encoder." * 30 + "last"
    for kind, figure in every(name).items():
        svg = figure_svg(figure, "x")
        assert name not in svg, kind
        assert "…" in svg, kind
        assert "last</text>" in svg, kind
        box = figure.get_tightbbox()
        assert box.x0 >= -0.01, kind
        assert box.x1 <= figure.get_figwidth() + 0.01, kind


@pytest.mark.slow
def test_networks_of_a_hundred_layers():
    scale = 1e30
    names = [f"layers.{i}.fc" for i in range(100)]
    histograms, frame = network(names, np.array([-scale, 0.0, scale]), rms=scale, std=scale, mean=0.0)
    over, history = histograms.assign(step=0), frame.assign(step=0)
    assert len(HistogramGridDisplay.from_frames(histograms, frame).plot().axes_) == 200
    assert len(HistoryDisplay.from_frames(over, history).plot().axes_) == 200
    display = DepthDisplay.from_frames(frame, frame).plot()
    [*_, last] = display.axes_.values()
    display.figure_.draw_without_rendering()
    boxes = [label.get_window_extent() for label in last.get_xticklabels()]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
    strip = LayerStripDisplay.from_frames(histograms, frame).plot(position="both")
    assert figure_png(strip.figure_).startswith(b"\x89PNG")
