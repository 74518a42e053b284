from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.patches import StepPatch

from initsk.displays import (
    DepthDisplay,
    HistogramGridDisplay,
    HistoryDisplay,
    LayerStripDisplay,
    figure_png,
    figure_svg,
)
from initsk.exceptions import InvalidParameterError

NAN = float("nan")
PAIR = ("pre_activation", "activation")
STATISTICS = {
    "count": 10, "mean": 0.5, "std": 1.0, "rms": 1.1, "zero_fraction": 0.0, "dead_fraction": 0.0,
    "saturated_fraction": NAN, "nonfinite": 0,
}  # fmt: skip


def summary(*rows):
    """Rows of (layer, position, what differs from STATISTICS)."""
    return pd.DataFrame(
        [{"layer": layer, "position": position, **STATISTICS, **given} for layer, position, given in rows]
    )


def bins(layer, position, edges, counts):
    count = np.asarray(counts)
    width = np.diff(edges)
    with np.errstate(invalid="ignore"):
        density = count / (max(count.sum(), 1) * width)
    frame = {
        "layer": layer,
        "position": position,
        "left": edges[:-1],
        "right": edges[1:],
        "count": count,
        "density": density,
    }
    return pd.DataFrame(frame)


def network(names, edges=(-1.0, 0.0, 1.0), counts=(4, 6), **given):
    """Histograms and frame of layers that are each followed by an activation function."""
    keys = [(name, position) for name in names for position in PAIR]
    histograms = pd.concat([bins(*key, edges, counts) for key in keys], ignore_index=True)
    return histograms, summary(*((*key, given) for key in keys))


def recorded(steps, layer="hidden_1", **columns):
    """One layer's rows over time; `columns` give a value per step."""
    frame = pd.concat([summary((layer, "activation", {})).assign(step=step, epoch=0) for step in steps])
    return frame.assign(**columns).reset_index(drop=True)


def texts(ax):
    return "\n".join(text.get_text() for text in ax.texts)


def drawn(ax):
    """The filled histogram of a panel: heights and edges."""
    [*_, patch] = [patch for patch in ax.patches if isinstance(patch, StepPatch) and patch.get_fill()]
    return patch.get_data().values, patch.get_data().edges


def mesh(ax):
    """The shading of a panel: cells without a value as 0, edges along x and along y."""
    [found] = [collection for collection in ax.collections if isinstance(collection, QuadMesh)]
    corners = found.get_coordinates()
    return found.get_array().filled(0), corners[0, :, 0], corners[:, 0, 1]


def lines(ax):
    """The y data of every line, in the order drawn; marks alone are no line."""
    return [line.get_ydata() for line in ax.lines if line.get_linestyle() != "None"]


def marks(ax, marker):
    return [float(x) for line in ax.lines if line.get_marker() == marker for x in line.get_xdata()]


# HistogramGridDisplay


def test_heights_integrate_to_the_share_of_nonzero_values():
    histograms = bins("a", "output", [-1.0, -0.5, 0.0, 0.5, 1.0], [2, 1, 5, 2])
    frame = summary(("a", "output", {"zero_fraction": 0.4}))
    ax = HistogramGridDisplay.from_frames(histograms, frame).plot().axes_["a", "output"]
    heights, edges = drawn(ax)
    assert (heights * np.diff(edges)).sum() == pytest.approx(0.6)
    # Four of the five values in [0, 0.5) are zero.
    assert (heights * np.diff(edges)).tolist() == pytest.approx([0.2, 0.1, 0.1, 0.2])
    assert "40% zero" in texts(ax)


def test_what_lies_beyond_fixed_edges_is_written_and_not_drawn():
    histograms = bins("a", "output", [-np.inf, -1.0, 0.5, 2.0, np.inf], [10, 40, 20, 30])
    frame = summary(("a", "output", {"count": 100, "zero_fraction": 0.25}))
    ax = HistogramGridDisplay.from_frames(histograms, frame).plot().axes_["a", "output"]
    heights, edges = drawn(ax)
    assert (edges[0], edges[-1]) == (-1, 2)
    assert (heights * np.diff(edges)).sum() == pytest.approx(1 - 0.1 - 0.3 - 0.25)
    for words in ("10% below -1", "30% above 2", "25% zero"):
        assert words in texts(ax)


def test_layers_without_a_histogram_say_why():
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
    ("position", "drawn_sites"), [("both", PAIR), ("activation", PAIR[1:]), ("pre_activation", PAIR[:1])]
)
def test_grid_has_a_panel_per_layer_and_site(position, drawn_sites):
    histograms, frame = network([f"h{i}" for i in range(12)])
    histograms = pd.concat([histograms, bins("out", "output", [0.0, 1.0], [10])])
    frame = pd.concat([frame, summary(("out", "output", {}))])
    display = HistogramGridDisplay.from_frames(histograms, frame).plot(position=position)
    expected = {(f"h{i}", at) for i in range(12) for at in drawn_sites} | {("out", "output")}
    assert set(display.axes_) == expected
    assert len(display.figure_.axes) == len(expected)
    boxes = {key: ax.get_position() for key, ax in display.axes_.items()}
    assert len({round(box.x0, 6) for box in boxes.values()}) == 5
    at = drawn_sites[0]
    assert boxes["h5", at].x0 == pytest.approx(boxes["h0", at].x0)
    assert boxes["h5", at].y1 < boxes["h0", at].y0
    if position == "both":
        assert boxes["h7", "activation"].y1 < boxes["h7", "pre_activation"].y0
        # A layer with one position takes the height of both.
        assert boxes["out", "output"].y0 == pytest.approx(boxes["h11", "activation"].y0)
        assert boxes["out", "output"].y1 == pytest.approx(boxes["h11", "pre_activation"].y1)


def test_grid_draws_the_layers_asked_for():
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


# DepthDisplay


def deep(rms, **columns):
    frame = summary(*((f"h{i}", "activation", {"rms": value}) for i, value in enumerate(rms)))
    return frame.assign(**columns)


def test_lines_are_the_frames_numbers():
    frame = deep([1.0, 0.5, 0.25], zero_fraction=[0.5, 0.6, 0.7], dead_fraction=[0, 0, 0.1])
    gradients = deep([1e-6, 1e-4, 1e-2])
    axes = DepthDisplay.from_frames(frame, gradients).plot().axes_
    assert list(axes) == ["rms", "gradient_rms", "fractions"]
    assert [y.tolist() for y in lines(axes["rms"])] == [[1.0, 0.5, 0.25]]
    assert [y.tolist() for y in lines(axes["gradient_rms"])] == [[1e-6, 1e-4, 1e-2]]
    # Saturation applies to no layer here.
    assert [y.tolist() for y in lines(axes["fractions"])] == [[0.5, 0.6, 0.7], [0, 0, 0.1]]
    assert axes["rms"].get_yscale() == axes["gradient_rms"].get_yscale() == "log"


def test_the_site_decides_what_is_drawn():
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
def test_all_that_can_be_drawn_lies_inside(rms):
    ax = DepthDisplay.from_frames(deep(rms)).plot().axes_["rms"]
    low, high = ax.get_ylim()
    for value in rms:
        assert value == 0 or low < value < high
    assert high / low >= 10
    assert all(low <= tick <= high for tick in ax.get_yticks())
    assert len(ax.get_yticks()) >= 2


# HistoryDisplay


def test_line_and_band_are_mean_and_standard_deviation():
    steps, mean, std = [0, 10, 100], np.array([0.0, 1.0, -1.0]), np.array([1.0, 0.5, 2.0])
    ax = HistoryDisplay.from_frames(recorded(steps, mean=mean, std=std)).plot().axes_["hidden_1", "moments"]
    [line] = lines(ax)
    assert line.tolist() == mean.tolist()
    assert ax.lines[0].get_xdata().tolist() == steps
    [band] = ax.collections
    corners = {tuple(corner) for corner in band.get_paths()[0].vertices}
    assert corners == set(zip(steps * 2, [*(mean - std), *(mean + std)], strict=True))


def histograms_over(steps, edges, counts):
    parts = [bins("hidden_1", "activation", e, c).assign(step=s) for s, e, c in zip(steps, edges, counts, strict=True)]
    return pd.concat(parts, ignore_index=True)


def test_columns_of_the_heat_map_sum_to_one():
    edges = [np.arange(-4, 5) * 0.25, np.arange(-8, 9) * 0.5, np.arange(-2, 3) * 1.0]
    histograms = histograms_over([0, 10, 100], edges, [np.full(8, 3), np.arange(16) + 1, [1, 2, 3, 4]])
    display = HistoryDisplay.from_frames(recorded([0, 10, 100]), histograms).plot()
    cells, x, y = mesh(display.axes_["hidden_1", "histogram"])
    assert (cells * np.diff(y)[:, None]).sum(axis=0).tolist() == pytest.approx([1, 1, 1])
    # A column reaches halfway to its neighbours.
    assert x.tolist() == [0, 5, 55, 100]


def test_the_heat_map_shows_each_step_where_its_values_are():
    # Bins of width 0.5 are added up to those of width 1; the wide bin of the second step is spread evenly.
    histograms = histograms_over([0, 1], [np.arange(0, 2.5, 0.5), np.array([0.0, 2.0])], [[1, 2, 3, 4], [10]])
    display = HistoryDisplay.from_frames(recorded([0, 1]), histograms).plot()
    cells, _, y = mesh(display.axes_["hidden_1", "histogram"])
    halves = [(cells[y[:-1] >= 1] * np.diff(y)[y[:-1] >= 1, None]).sum(axis=0)]
    assert np.allclose(halves, [[0.7, 0.5]])
    assert (y[0], y[-1]) == (0, 2)


def test_one_outlier_does_not_squeeze_the_heat_map():
    counts = np.zeros(128, int)
    counts[:2], counts[-1] = 100_000, 1
    histograms = histograms_over([0, 1], [np.arange(129.0)] * 2, [counts, counts])
    display = HistoryDisplay.from_frames(recorded([0, 1]), histograms).plot()
    cells, _, y = mesh(display.axes_["hidden_1", "histogram"])
    assert (y[0], y[-1]) == (0, 2)
    assert np.allclose((cells * np.diff(y)[:, None]).sum(axis=0), 200_000 / 200_001)


def test_values_beyond_fixed_edges_count_in_the_density():
    edges = [-np.inf, -1.0, 0.0, 1.0, np.inf]
    histograms = histograms_over([0, 1], [edges] * 2, [[10, 20, 30, 40], [0, 50, 50, 0]])
    cells, _, y = mesh(HistoryDisplay.from_frames(recorded([0, 1]), histograms).plot().axes_["hidden_1", "histogram"])
    assert (cells * np.diff(y)[:, None]).sum(axis=0).tolist() == pytest.approx([0.5, 1.0])


def test_records_can_take_the_same_room():
    steps = [0, 1, 1000]
    histograms = histograms_over(steps, [[0.0, 1.0]] * 3, [[5]] * 3)
    display = HistoryDisplay.from_frames(recorded(steps), histograms).plot(spacing="record")
    ax = display.axes_["hidden_1", "histogram"]
    assert np.diff(mesh(ax)[1]).tolist() == [1, 1, 1]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "1", "1000"]
    assert ax.get_xlim() == display.axes_["hidden_1", "moments"].get_xlim()


def test_a_step_without_finite_values_is_marked_and_blank():
    history = recorded([0, 1, 2], mean=[0.0, NAN, 1.0], std=[1.0, NAN, 1.0], nonfinite=[0, 10, 0])
    histograms = histograms_over([0, 2], [[0.0, 1.0]] * 2, [[5]] * 2)
    axes = HistoryDisplay.from_frames(history, histograms).plot().axes_
    assert marks(axes["hidden_1", "moments"], "x") == [1]
    assert mesh(axes["hidden_1", "histogram"])[0].sum(axis=0).astype(bool).tolist() == [True, False, True]


def test_layers_of_a_history():
    history = pd.concat([recorded([0, 1], name) for name in "abcdef"])
    display = HistoryDisplay.from_frames(history)
    assert [layer for layer, _ in display.plot().axes_] == list("abcdef")
    assert len(display.figure_.axes) == 6
    assert list(display.plot(layers=["e", "b"]).axes_) == [("b", "moments"), ("e", "moments")]


def test_one_step_is_enough():
    histograms = histograms_over([7], [[0.0, 1.0]], [[5]])
    axes = HistoryDisplay.from_frames(recorded([7]), histograms).plot().axes_
    assert mesh(axes["hidden_1", "histogram"])[1].mean() == 7
    assert axes["hidden_1", "histogram"].get_xticks().tolist() == [7]


def test_a_layer_that_is_always_zero_says_so():
    histograms = histograms_over([0, 1], [[0.0, 2.0**-60]] * 2, [[10], [10]])
    axes = HistoryDisplay.from_frames(recorded([0, 1], mean=0.0, std=0.0), histograms).plot().axes_
    assert texts(axes["hidden_1", "histogram"]) == "always 0"


# LayerStripDisplay


def test_a_strip_is_the_histogram_over_its_fullest_place():
    histograms = bins("a", "output", [0.0, 1.0, 2.0, 3.0, 4.0], [10, 40, 20, 30])
    cells, x, _ = mesh(LayerStripDisplay.from_frames(histograms, summary(("a", "output", {"count": 100}))).plot().axes_)
    centres = (x[1:] + x[:-1]) / 2
    assert [cells[0, np.abs(centres - middle).argmin()] for middle in (0.5, 1.5, 2.5, 3.5)] == pytest.approx(
        [0.25, 1, 0.5, 0.75]
    )


def test_zeros_do_not_darken_a_strip():
    histograms = bins("a", "output", [0.0, 1.0, 2.0], [95, 5])
    frame = summary(("a", "output", {"count": 100, "zero_fraction": 0.9}))
    ax = LayerStripDisplay.from_frames(histograms, frame).plot().axes_
    assert np.allclose(mesh(ax)[0], 1)
    assert "90%" in texts(ax)


def test_every_layer_has_its_row():
    names = [f"layer.{i}" for i in range(60)]
    display = LayerStripDisplay.from_frames(*network(names))
    rows = {text.get_text(): text.get_position()[1] for text in display.plot().axes_.texts}
    assert [rows[name] for name in names] == list(range(60))
    height = display.figure_.get_figheight() * display.axes_.get_position().height
    # Text of 8 points needs 0.11 inches and some space.
    assert height / 60 >= 0.18
    cells, _, y = mesh(display.axes_)
    assert (cells.sum(axis=1) > 0).sum() == 60
    assert (y[0], y[-1]) == pytest.approx((-0.4, 59.4))
    assert (mesh(display.plot(position="both").axes_)[0].sum(axis=1) > 0).sum() == 120


def test_numbers_stand_beside_the_strips():
    given = {"mean": -0.25, "std": 1.5, "dead_fraction": 0.125, "saturated_fraction": 0.001, "nonfinite": 7}
    histograms = pd.concat([bins(name, "output", [0.0, 1.0], [10]) for name in "ab"])
    frame = summary(("a", "output", given), ("b", "output", {}))
    ax = LayerStripDisplay.from_frames(histograms, frame).plot().axes_
    at = {row: {text.get_text() for text in ax.texts if text.get_position()[1] == row} for row in (0, 1)}
    assert {"a", "-0.25", "1.5", "12%", "<1%", "7"} <= at[0]
    assert {"b", "0.5", "1", "0%", "-", "0"} <= at[1]


def scaled(*scales):
    histograms = [
        bins(f"h{i}", "output", np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) * s, [1, 4, 4, 1]) for i, s in enumerate(scales)
    ]
    rows = [(f"h{i}", "output", {"mean": 0.0, "std": s, "rms": s}) for i, s in enumerate(scales)]
    return pd.concat(histograms, ignore_index=True), summary(*rows)


def test_orders_of_magnitude_ask_for_a_logarithm():
    assert LayerStripDisplay.from_frames(*scaled(1, 2, 4)).plot().axes_.get_xscale() == "linear"
    display = LayerStripDisplay.from_frames(*scaled(1e-6, 1.0, 1e6))
    ax = display.plot().axes_
    assert ax.get_xscale() == "symlog"
    cells, x, _ = mesh(ax)
    # Every layer can be seen: its values take a good part of the axis, the more the larger they are.
    extents = [(row > 0).mean() for row in cells[::2]]
    assert 0.05 < extents[0] < extents[1] < extents[2] == 1
    for scale, row in zip((1e-6, 1.0, 1e6), cells[::2], strict=True):
        assert np.abs(x[1:][row > 0]).max() == pytest.approx(2 * scale, rel=0.5)
    assert display.plot(scale="linear").axes_.get_xscale() == "linear"


def test_ticks_of_the_logarithm_keep_their_distance():
    display = LayerStripDisplay.from_frames(*scaled(1e-17, 1e-3, 1e30)).plot()
    display.figure_.draw_without_rendering()
    boxes = [label.get_window_extent() for label in display.axes_.get_xticklabels()]
    assert len(boxes) >= 5
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


# All of them


def every(name="hidden_1", edges=(-1.0, 0.0, 1.0), counts=(4, 6)):
    """Draw each display once, of a network with this layer."""
    histograms, frame = network([name], np.asarray(edges), counts)
    history = pd.concat([frame.assign(step=step, epoch=0) for step in (0, 1)])
    over = pd.concat([histograms.assign(step=step, epoch=0) for step in (0, 1)])
    return {
        "grid": HistogramGridDisplay.from_frames(histograms, frame).plot().figure_,
        "depth": DepthDisplay.from_frames({name: frame, "b": frame}, {name: frame}).plot().figure_,
        "history": HistoryDisplay.from_frames(history, over).plot().figure_,
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
    assert len(HistoryDisplay.from_frames(history, over).plot().axes_) == 200
    display = DepthDisplay.from_frames(frame, frame).plot()
    [*_, last] = display.axes_.values()
    display.figure_.draw_without_rendering()
    boxes = [label.get_window_extent() for label in last.get_xticklabels()]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
    strip = LayerStripDisplay.from_frames(histograms, frame).plot(position="both")
    assert figure_png(strip.figure_).startswith(b"\x89PNG")


HISTOGRAMS, FRAME = network(["a"])
OVER, HISTORY = HISTOGRAMS.assign(step=0), FRAME.assign(step=0)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: HistogramGridDisplay.from_frames(HISTOGRAMS.iloc[:0], FRAME), "histograms has no rows"),
        (
            lambda: HistogramGridDisplay.from_frames(
                HISTOGRAMS.drop(columns=["left", "count"]), FRAME.drop(columns="std")
            ),
            "HistogramGridDisplay: histograms lacks left, count; frame lacks std",
        ),
        (lambda: HistogramGridDisplay.from_frames(HISTOGRAMS, pd.concat([FRAME, FRAME])), "several rows of layer 'a'"),
        (lambda: LayerStripDisplay.from_frames(HISTOGRAMS, FRAME.drop(columns="rms")), "frame lacks rms"),
        (lambda: LayerStripDisplay.from_frames(HISTOGRAMS, FRAME.iloc[:0]), "frame has no rows"),
        (lambda: LayerStripDisplay.from_frames(None, FRAME), "histograms is not a DataFrame but NoneType"),
        (lambda: DepthDisplay.from_frames({}), "empty mapping"),
        (lambda: DepthDisplay.from_frames(FRAME.iloc[:0]), "frame has no rows"),
        (lambda: DepthDisplay.from_frames({"he": FRAME.drop(columns="rms")}), "frame 'he' lacks rms"),
        (lambda: DepthDisplay.from_frames(FRAME, FRAME.drop(columns="rms")), "gradients lacks rms"),
        (lambda: DepthDisplay.from_frames({"he": FRAME}, {"she": FRAME}), "the label 'she'"),
        (lambda: HistoryDisplay.from_frames(FRAME), "history lacks step"),
        (lambda: HistoryDisplay.from_frames(HISTORY.iloc[:0]), "history has no rows"),
        (lambda: HistoryDisplay.from_frames(HISTORY, HISTOGRAMS), "histograms lacks step"),
        (lambda: HistoryDisplay.from_frames(pd.concat([HISTORY, HISTORY]), OVER), "several rows of step 0"),
        (
            lambda: HistogramGridDisplay.from_frames(HISTOGRAMS, FRAME).plot(position="activatoin", layers=["b"]),
            "(?s)did you mean 'activation'.*unknown layer 'b'",
        ),
        (lambda: DepthDisplay.from_frames(FRAME).plot(position="both"), "unknown position 'both'"),
        (lambda: LayerStripDisplay.from_frames(HISTOGRAMS, FRAME).plot(scale="log"), "unknown scale 'log'"),
        (lambda: HistoryDisplay.from_frames(HISTORY).plot(spacing="steps"), "did you mean 'step'"),
        (lambda: HistoryDisplay.from_frames(HISTORY).plot(layers=[]), "a list of at least one layer"),
        (
            lambda: DepthDisplay.from_frames(FRAME[FRAME["position"] == "activation"]).plot(position="pre_activation"),
            "these layers have activation only",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(make, named):
    with pytest.raises(InvalidParameterError, match=named):
        make()


def test_long_names_that_differ_in_their_middle_stay_apart():
    names = [f"model.encoder.layers.{i}.attention.output.LayerNorm" for i in range(3)]
    histograms, frame = network(names)
    grid = HistogramGridDisplay.from_frames(histograms, frame).plot(position="activation")
    titles = {ax.get_title() for ax in grid.axes_.values()}
    strip = texts(LayerStripDisplay.from_frames(histograms, frame).plot().axes_).splitlines()
    lowest = DepthDisplay.from_frames(frame).plot().axes_["fractions"]
    depth = [tick.get_text() for tick in lowest.get_xticklabels()]
    assert len(titles) == len(set(depth)) == 3
    assert titles == set(depth) == {text for text in strip if "LayerNorm" in text}


def test_strip_writes_a_mean_of_rounding_errors_as_zero():
    histograms, frame = network(["norm"], mean=2e-9)
    written = texts(LayerStripDisplay.from_frames(histograms, frame).plot().axes_).splitlines()
    assert written[written.index("mean") + 1] == "0"
