import numpy as np
import pandas as pd
import pytest

from initsk.displays import DepthDisplay
from initsk.exceptions import InvalidParameterError
from tests.displays.helpers import NAN, deep, lines, marks, summary


def test_lines_have_the_values_of_the_frame():
    frame = deep([1.0, 0.5, 0.25], zero_fraction=[0.5, 0.6, 0.7], dead_fraction=[0, 0, 0.1])
    gradients = deep([1e-6, 1e-4, 1e-2])
    axes = DepthDisplay.from_frames(frame, gradients).plot().axes_
    assert list(axes) == ["rms", "gradient_rms", "fractions"]
    assert [y.tolist() for y in lines(axes["rms"])] == [[1.0, 0.5, 0.25]]
    assert [y.tolist() for y in lines(axes["gradient_rms"])] == [[1e-6, 1e-4, 1e-2]]
    # Saturation applies to no layer here.
    assert [y.tolist() for y in lines(axes["fractions"])] == [[0.5, 0.6, 0.7], [0, 0, 0.1]]
    assert axes["rms"].get_yscale() == axes["gradient_rms"].get_yscale() == "log"


def test_the_position_selects_the_lines():
    rows = [
        (f"h{i}", position, {"rms": rms})
        for i in range(2)
        for position, rms in (("pre_activation", 2.0), ("activation", 1.0))
    ]
    display = DepthDisplay.from_frames(summary(*rows, ("out", "output", {"rms": 5.0})))
    assert lines(display.plot().axes_["rms"])[0].tolist() == [1, 1, 5]
    assert lines(display.plot(position="pre_activation").axes_["rms"])[0].tolist() == [2, 2, 5]


def test_several_summaries_have_a_line_and_a_label_each():
    frames = {f"init {i}": deep([1.0, 2.0**i], saturated_fraction=0.0) for i in range(10)}
    display = DepthDisplay.from_frames(frames, {"init 3": deep([4.0, 3.0])}).plot()
    assert list(display.axes_) == ["rms", "gradient_rms", "zero_fraction", "dead_fraction", "saturated_fraction"]
    assert [y[1] for y in lines(display.axes_["rms"])] == [2.0**i for i in range(10)]
    assert [y.tolist() for y in lines(display.axes_["gradient_rms"])] == [[4, 3]]
    [legend] = display.figure_.legends
    assert [text.get_text() for text in legend.get_texts()] == list(frames)
    assert len({(line.get_color(), line.get_linestyle()) for line in legend.get_lines()}) == 10
    [backward] = display.axes_["gradient_rms"].lines
    assert backward.get_color() == display.axes_["rms"].lines[3].get_color()


def test_summaries_with_other_layers_share_one_axis():
    short = deep([1.0, 2.0])
    display = DepthDisplay.from_frames({"short": short, "long": deep([3.0, 4.0, 5.0])}).plot()
    first, second = lines(display.axes_["rms"])
    assert first[:2].tolist() == [1, 2]
    assert np.isnan(first[2])
    assert second.tolist() == [3, 4, 5]


def test_zero_and_not_finite_are_marked_where_they_are():
    display = DepthDisplay.from_frames(deep([1.0, 0.0, NAN, 0.5], nonfinite=[0, 0, 10, 1])).plot()
    ax = display.axes_["rms"]
    [line] = lines(ax)
    assert np.array_equal(line, [1.0, NAN, NAN, 0.5], equal_nan=True)
    assert marks(ax, "v") == [1]
    assert marks(ax, "x") == [2, 3]
    assert [(text.get_text(), text.get_position()[0]) for text in ax.texts] == [("0", 1)]
    [legend] = display.figure_.legends
    assert {"all values zero", "values not finite"} <= {text.get_text() for text in legend.get_texts()}


def test_a_dead_network_has_marks_and_no_ticks():
    ax = DepthDisplay.from_frames(deep([0.0, 0.0])).plot().axes_["rms"]
    assert marks(ax, "v") == [0, 1]
    assert not ax.get_yticks().size


@pytest.mark.parametrize("rms", [[1e-38, 1e38], [1.0, 1.0], [1e-6, 0.0], [3.0]])
def test_values_lie_inside_the_axis(rms):
    ax = DepthDisplay.from_frames(deep(rms)).plot().axes_["rms"]
    low, high = ax.get_ylim()
    for value in rms:
        assert value == 0 or low < value < high
    assert high / low >= 10
    assert all(low <= tick <= high for tick in ax.get_yticks())
    assert len(ax.get_yticks()) >= 2


def test_repeats_are_averaged_as_if_their_values_were_pooled():
    first = deep([3.0, 1.0], zero_fraction=[0.0, 0.2], dead_fraction=0.0)
    second = deep([4.0, 1.0], zero_fraction=[0.5, 0.4], dead_fraction=[0.0, 0.5], nonfinite=[0, 2])
    repeats = pd.concat([first.assign(repeat=0, fold=0), second.assign(repeat=1, fold=0)])
    axes = DepthDisplay.from_frames({"he_normal": repeats, "zeros": first}).plot().axes_
    np.testing.assert_allclose(lines(axes["rms"])[0], [np.sqrt(12.5), 1.0])
    np.testing.assert_allclose(lines(axes["zero_fraction"])[0], [0.25, 0.3])
    np.testing.assert_allclose(lines(axes["dead_fraction"])[0], [0.0, 0.25])
    assert marks(axes["rms"], "x") == [1]


@pytest.mark.parametrize("columns", [{}, {"repeat": 0}])
def test_two_rows_of_one_repeat_are_refused(columns):
    twice = pd.concat([deep([1.0]), deep([2.0])]).assign(**columns)
    with pytest.raises(InvalidParameterError, match="frame has several rows of layer 'h0'"):
        DepthDisplay.from_frames(twice)


def test_labels_of_the_y_axis_do_not_touch_the_ticks():
    frames = {"a": deep([1.0, 1e-5]), "he_normal": deep([1.0, 0.5])}
    display = DepthDisplay.from_frames(frames, frames).plot()
    display.figure_.draw_without_rendering()
    for ax in display.axes_.values():
        label = ax.yaxis.label.get_window_extent()
        ticks = [tick.get_window_extent() for tick in ax.get_yticklabels() if tick.get_text()]
        shown = [box for box in ticks if box.y1 > ax.bbox.y0 and box.y0 < ax.bbox.y1]
        assert label.x0 >= 0
        assert all(label.x1 <= box.x0 for box in shown)


def test_a_dashed_line_is_above_a_solid_one_on_the_same_values():
    display = DepthDisplay.from_frames({"a": deep([1.0, 0.5]), "he_normal": deep([1.0, 0.5])}).plot()
    first, second = display.axes_["rms"].get_lines()
    assert first.get_linestyle() != "-" == second.get_linestyle()
    assert first.get_zorder() > second.get_zorder()
