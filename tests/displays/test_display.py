import inspect
import warnings
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Text

from initsk import displays
from initsk.displays import (
    DepthDisplay,
    Display,
    HistogramGridDisplay,
    HistoryDisplay,
    LayerStripDisplay,
    figure_png,
    figure_svg,
)
from initsk.exceptions import InvalidParameterError
from tests.displays.helpers import all_displays, network
from tests.helpers import params

DISPLAYS = all_displays()
LONG_NAMED = all_displays("encoder.layers.0.attention.output.dense")
NAMES = list(DISPLAYS)
HEADS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
# Others have panels and texts like theirs.
ALIKE = {"HistogramGridDisplay", "LearningRateDisplay", "TrialDisplay", "WeightGridDisplay"}
# Those that draw one network.
OF_A_NETWORK = ("HistogramGridDisplay", "DepthDisplay", "HistoryDisplay", "LayerStripDisplay")


def axes_of(display):
    """Return the axes of the last plot, in their order."""
    if hasattr(display, "ax_"):
        return [display.ax_]
    found = display.axes_
    return list(found.values()) if isinstance(found, dict) else list(found.flat)


def given_axes(n, **layout):
    return Figure(figsize=(9, 9), **layout).subplots(n, squeeze=False)


def figures(**network):
    """Draw the displays of one network."""
    found = all_displays(**network)
    return {name: found[name][0].plot().figure_ for name in OF_A_NETWORK}


def test_every_display_is_tested_here():
    public = {name for name in displays.__all__ if name.endswith("Display")} - {"Display"}
    assert public == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_constructors_and_plot_have_the_arguments_of_scikit_learn(name):
    kind = getattr(displays, name)
    ax, *options, keywords = list(inspect.signature(kind.plot).parameters.values())[1:]
    assert (ax.name, ax.default) == ("ax", None)
    assert {option.kind for option in options} == {inspect.Parameter.KEYWORD_ONLY}
    assert {option.name: option.default for option in options}["language"] == "en"
    assert keywords.kind is inspect.Parameter.VAR_KEYWORD
    constructors = [getattr(kind, found) for found in dir(kind) if found.startswith("from_")]
    assert constructors
    for constructor in constructors:
        names = list(inspect.signature(constructor).parameters)
        assert "histograms" not in names or names[:2] == ["histograms", "frame"]


@pytest.mark.parametrize("name", NAMES)
def test_plot_draws_into_the_given_axes(name):
    display, n = DISPLAYS[name]
    given = given_axes(n)
    figure = given[0, 0].figure
    before = set(figure.axes)
    assert display.plot(given if n > 1 else given[0, 0]) is display
    assert display.figure_ is figure
    assert axes_of(display) == list(given.flat)
    assert all(ax.has_data() or ax.texts for ax in given.flat)
    # Only a color bar may be added.
    assert len(set(figure.axes) - before) == (name == "HistoryDisplay")
    assert not figure.legends


def test_axes_of_a_subfigure_are_axes_of_its_figure():
    figure = Figure()
    left, _ = figure.subfigures(1, 2)
    display = DISPLAYS["DifferencesDisplay"][0].plot(left.subplots())
    assert display.figure_ is figure


@pytest.mark.parametrize("name", params(NAMES, slow=ALIKE))
def test_a_new_figure_has_as_many_panels_as_the_display_needs_axes(name):
    display, n = DISPLAYS[name]
    old = display.plot(given_axes(n)).figure_
    display.plot()
    assert display.figure_ is not old
    assert len(axes_of(display)) == n
    assert all(isinstance(ax, Axes) and ax.figure is display.figure_ for ax in axes_of(display))


@pytest.mark.parametrize("name", NAMES)
def test_an_error_states_how_many_axes_a_display_needs(name):
    display, n = DISPLAYS[name]
    needed = "one Axes" if n == 1 else f"{n} different Axes"
    axes = list(given_axes(n + 1).flat)
    for wrong in (axes, [], [axes[0]] * (n + 1), "axes", [*axes[: n - 1], "axes"]):
        with pytest.raises(InvalidParameterError, match=f"plot: ax must be {needed}"):
            display.plot(wrong)
    assert not axes[0].has_data()


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        pytest.param(name, layout, marks=[pytest.mark.slow] if name in ALIKE else [])
        for layout, names in ((None, NAMES), ("constrained", OF_A_NETWORK[1:]))
        for name in names
    ],
)
def test_texts_in_given_axes_hide_no_data_and_stay_on_the_picture(name, layout):
    display, n = LONG_NAMED[name]
    figure = display.plot(given_axes(n, layout=layout)).figure_
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    assert box.x0 >= -0.01
    assert box.x1 <= figure.get_figwidth() + 0.01
    for ax in axes_of(display):
        assert ax.get_window_extent().height > 20
        if ax.get_legend():
            legend = ax.get_legend().get_window_extent()
            assert legend.y0 >= ax.get_window_extent().y1
            for text in (text for text in ax.findobj(Text) if ax.get_title() and text.get_text() == ax.get_title()):
                assert text.get_window_extent().y0 >= legend.y1 - 4


@pytest.mark.parametrize(
    ("name", "keywords", "artists"),
    [
        ("ActivationGridDisplay", {"color": "red", "lw": 3}, lambda ax: ax.patches),
        ("DepthDisplay", {"color": "red", "lw": 3}, lambda ax: ax.lines),
        ("DifferencesDisplay", {"color": "red", "lw": 3}, lambda ax: [x for x in ax.lines if x.get_marker() == "o"]),
        ("HistogramGridDisplay", {"color": "red", "lw": 3}, lambda ax: [x for x in ax.patches if not x.get_fill()]),
        ("HistoryDisplay", {"color": "red", "lw": 3}, lambda ax: ax.lines),
        ("LayerStripDisplay", {"cmap": "viridis"}, lambda ax: ax.collections),
        ("LearningCurvesDisplay", {"color": "red", "lw": 3}, lambda ax: ax.lines),
        (
            "NetworkDisplay",
            {"color": "red", "lw": 3},
            lambda ax: [x for x in ax.patches if isinstance(x, FancyBboxPatch)],
        ),
        ("PhaseDiagramDisplay", {"cmap": "viridis"}, lambda ax: ax.collections[:1]),
        ("WeightGridDisplay", {"color": "red", "lw": 3}, lambda ax: ax.patches),
    ],
)
def test_keywords_reach_the_main_artists(name, keywords, artists):
    found = artists(axes_of(DISPLAYS[name][0].plot(**keywords))[0])
    assert found
    for artist in found:
        if "cmap" in keywords:
            assert artist.get_cmap().name == "viridis"
        else:
            assert artist.get_linewidth() == 3
            edge = artist.get_edgecolor() if hasattr(artist, "get_edgecolor") else artist.get_color()
            assert mpl.colors.same_color(edge, "red")


def test_equal_frames_give_equal_bytes_and_unchanged_settings():
    before = dict(mpl.rcParams)
    once, again, other = figures(), figures(), figures(counts=(9, 1))
    for kind in once:
        assert figure_png(once[kind]) == figure_png(again[kind])
        assert figure_svg(once[kind], "x") == figure_svg(again[kind], "x")
    for kind in set(once) - {"DepthDisplay"}:
        assert figure_png(once[kind]) != figure_png(other[kind])
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("name", params(["HistoryDisplay", "LearningCurvesDisplay"], slow={"HistoryDisplay"}))
def test_save_writes_equal_bytes_for_equal_results(name, tmp_path):
    before = dict(mpl.rcParams)
    displays = [all_displays()[name][0] for _ in range(2)]
    for ending, head in HEADS.items():
        once, again = (display.save(tmp_path / f"new/{ending}.{ending}").read_bytes() for display in displays)
        assert once == again
        assert once.startswith(head)
    assert dict(mpl.rcParams) == before


def test_save_writes_the_last_plot_with_keywords_of_savefig(tmp_path):
    display = DISPLAYS["DifferencesDisplay"][0].plot(given_axes(1))
    path = display.save(str(tmp_path / "a.PNG"), dpi=20)
    # A PNG begins with its width and height: 9 inches each.
    assert path.read_bytes()[16:24] == (180).to_bytes(4, "big") * 2
    with pytest.raises(InvalidParameterError, match=r"a\.jpg' is not allowed \(a file that ends in .png, .svg, .pdf\)"):
        display.save(tmp_path / "a.jpg")


def test_the_base_class_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Display()


def test_all_displays_draw_in_the_given_language():
    expected = {"HistoryDisplay": "rata-rata ± simpangan baku", "DepthDisplay": "akar rata-rata kuadrat (RMS) nilai"}
    for name, words in expected.items():
        assert words in figure_svg(DISPLAYS[name][0].plot(language="id").figure_, "x")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("$a_1$", "$a_1$"),
        ("a & <b>", "a &amp; &lt;b&gt;"),
        pytest.param("_x$", "_x$", marks=pytest.mark.slow),
        pytest.param("<script>", "&lt;script&gt;", marks=pytest.mark.slow),
        pytest.param("a & {b}", "a &amp; {b}", marks=pytest.mark.slow),
    ],
)
def test_names_appear_as_they_are(name, written):
    for kind, figure in figures(name=name).items():
        assert f">{written}</text>" in figure_svg(figure, "x"), kind


def test_long_names_keep_both_ends_and_stay_on_the_picture():
    name = "encoder." * 30 + "last"
    for kind, figure in figures(name=name).items():
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


@pytest.fixture(scope="module")
def made_strictly():
    with np.errstate(all="raise"):
        return all_displays()


@pytest.mark.parametrize("name", params(NAMES, slow=ALIKE))
def test_pictures_need_no_setting_of_numpy(made_strictly, name):
    with np.errstate(all="raise"):
        figure = made_strictly[name][0].plot().figure_
        assert figure_png(figure).startswith(b"\x89PNG")
        assert set(np.geterr().values()) == {"raise"}


def test_letters_without_a_glyph_in_the_font_are_no_warning():
    before = list(warnings.filters)
    for figure in figures(name="你好").values():
        assert figure_png(figure).startswith(b"\x89PNG")
        assert ">你好</text>" in figure_svg(figure, "x")
    assert warnings.filters == before


def test_layers_without_a_finite_value_have_a_panel():
    histograms, frame = network(["a"], count=0, nonfinite=5, std=float("nan"))
    grid = HistogramGridDisplay.from_frames(histograms.iloc[:0], frame).plot()
    assert {text.get_text() for ax in grid.axes_.values() for text in ax.texts} >= {"5 not finite\nno finite value"}


def test_a_grid_of_too_many_panels_is_refused():
    histograms, frame = network([f"layer {i}" for i in range(201)])
    with pytest.raises(InvalidParameterError, match=r"plot: 402 panels are too many .allowed: at most 400"):
        HistogramGridDisplay.from_frames(histograms, frame).plot()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ActivationGridDisplay", "ActivationGridDisplay(3 initializers, 2 layers, 'trained')"),
        ("DepthDisplay", "DepthDisplay(2 summaries, 1 layer)"),
        ("DifferencesDisplay", "DifferencesDisplay(3 initializers, 6 paired differences)"),
        ("HistogramGridDisplay", "HistogramGridDisplay(1 layer, 2 histograms)"),
        ("HistoryDisplay", "HistoryDisplay(1 layer, 2 steps)"),
        ("LayerStripDisplay", "LayerStripDisplay(1 layer, 2 histograms)"),
        ("LearningCurvesDisplay", "LearningCurvesDisplay(3 initializers, 2 epochs)"),
        ("LearningRateDisplay", "LearningRateDisplay(3 learning rates)"),
        ("NetworkDisplay", "NetworkDisplay(4 nodes, depth 2)"),
        ("PhaseDiagramDisplay", "PhaseDiagramDisplay('tanh', 1 network)"),
        ("TrialDisplay", "TrialDisplay(4 steps)"),
    ],
)
def test_a_display_states_what_it_shows(name, shown):
    assert repr(DISPLAYS[name][0]) == shown
