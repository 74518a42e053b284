"""Texts of pictures of any size: none covers another one or leaves the figure."""

import warnings
from itertools import combinations

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.text import Text

from tests.displays.helpers import EIGHT, all_displays, displays_of_eight
from tests.helpers import params

DISPLAYS = all_displays("encoder.layers.0.dense")
NAMES = list(DISPLAYS)
COLUMN = (3.3, 2.2)
SIZES = (COLUMN, (6.4, 4.9), (12, 8))
# Settings of figures for papers.
PAPERS = {
    "column, 8 points": {"figure.figsize": COLUMN, "font.family": ["serif"], "font.size": 8},
    "column, 9 points": {"figure.figsize": COLUMN, "font.family": ["serif"], "font.size": 9},
    "page, 11 points": {"figure.figsize": (6.4, 4.9), "font.size": 11},
}
EIGHTS = displays_of_eight(2)


def unseen(ax):
    """Return the texts of axes that matplotlib does not draw: ticks beyond the limits, and hidden axes."""
    found = set()
    for axis in (ax.xaxis, ax.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
            if not low <= tick.get_loc() <= high or not ax.axison:
                found |= {tick.label1, tick.label2}
        found |= set() if ax.axison else {axis.label, axis.offsetText}
    return found


def visible_texts(figure):
    figure.draw_without_rendering()
    axes = [*figure.axes, *(inset for ax in figure.axes for inset in ax.child_axes)]
    hidden = {text for ax in axes for text in unseen(ax)}
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text() and text not in hidden]


def check_texts(figure):
    boxes = [(text.get_text(), text.get_window_extent()) for text in visible_texts(figure)]
    assert boxes
    for words, box in boxes:
        assert box.x0 > -2, words
        assert box.y0 > -2, words
        assert box.x1 < figure.bbox.width + 2, words
        assert box.y1 < figure.bbox.height + 2, words
    for (words, box), (others, other) in combinations(boxes, 2):
        across = min(box.x1, other.x1) - max(box.x0, other.x0)
        assert min(across, min(box.y1, other.y1) - max(box.y0, other.y0)) < 2, (words, others)


def axes_of(n, size, layout):
    columns = 1 if n < 3 else 2
    return Figure(figsize=size, layout=layout).subplots(-(-n // columns), columns, squeeze=False).ravel()


@pytest.mark.parametrize("name", params(NAMES, slow={"WeightGridDisplay", "HistogramGridDisplay", "TrialDisplay"}))
def test_texts_of_a_picture_as_wide_as_a_column_do_not_meet(name):
    with mpl.rc_context({"figure.figsize": COLUMN}):
        figure = DISPLAYS[name][0].plot().figure_
    assert figure.get_size_inches().tolist() == list(COLUMN)
    check_texts(figure)
    assert all(text.get_fontsize() >= 4 for text in visible_texts(figure))


@pytest.mark.slow
@pytest.mark.parametrize("layout", [None, "constrained"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_texts_do_not_meet_in_given_axes(name, size, layout):
    display, n = DISPLAYS[name]
    axes = axes_of(n, size, layout)
    check_texts(display.plot(axes if n > 1 else axes[0]).figure_)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"figure.figsize": (12, 8)}, {"font.size": 14}, {}])
@pytest.mark.parametrize("name", NAMES)
def test_texts_do_not_meet_in_a_new_figure(name, settings):
    with mpl.rc_context(settings):
        check_texts(DISPLAYS[name][0].plot().figure_)


@pytest.mark.parametrize(
    "name",
    params(
        ["DepthDisplay", "LearningCurvesDisplay", "NetworkDisplay", "PhaseDiagramDisplay"],
        slow={"LearningCurvesDisplay", "PhaseDiagramDisplay"},
    ),
)
def test_a_title_of_the_users_erases_and_covers_nothing(name):
    display, n = DISPLAYS[name]
    for layout in (None, "constrained"):
        axes = axes_of(n, (8, 8), layout)
        figure = display.plot(axes if n > 1 else axes[0]).figure_
        before = {text.get_text() for text in visible_texts(figure)}
        axes[0].set_title("A title")
        assert {text.get_text() for text in visible_texts(figure)} == before | {"A title"}
        check_texts(figure)


@pytest.mark.parametrize(
    "name",
    params(
        ["ActivationGridDisplay", "DepthDisplay", "HistogramGridDisplay", "HistoryDisplay", "TrialDisplay"],
        slow={"HistogramGridDisplay", "TrialDisplay"},
    ),
)
def test_a_title_over_all_panels_has_room(name):
    figure = DISPLAYS[name][0].plot().figure_
    figure.suptitle("A title")
    check_texts(figure)
    plt.close(figure)


@pytest.mark.parametrize("name", ["DepthDisplay", "NetworkDisplay", "PhaseDiagramDisplay"])
def test_a_title_stands_above_a_legend_in_large_letters(name):
    display, n = (EIGHTS | DISPLAYS)[name]
    with mpl.rc_context({"font.size": 11}):
        axes = axes_of(n, (6.4, 4.8), None)
        figure = display.plot(axes if n > 1 else axes[0]).figure_
        axes[0].set_title("A title")
    assert "A title" in {text.get_text() for text in visible_texts(figure)}
    check_texts(figure)


def test_tight_layout_moves_panels_of_all_kinds():
    names = ["DifferencesDisplay", "LayerStripDisplay", "NetworkDisplay", "PhaseDiagramDisplay"]
    with mpl.rc_context({"font.size": 11}), warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = Figure(figsize=(9, 7))
        for name, ax in zip(names, figure.subplots(2, 2).flat, strict=True):
            (DISPLAYS | EIGHTS)[name][0].plot(ax)
        left = figure.axes[0].get_position(original=True).x0
        figure.tight_layout()
    assert figure.axes[0].get_position(original=True).x0 != left
    figure.draw_without_rendering()
    panels = [ax.get_tightbbox() for ax in figure.axes]
    assert all(panel.x0 > -1 and panel.y0 > -1 and panel.x1 < 901 and panel.y1 < 701 for panel in panels)
    assert not any(one.overlaps(other) for one, other in combinations(panels, 2))
    names_drawn = [text.get_text() for text in figure.axes[0].get_yticklabels() if text.get_visible()]
    assert sorted(names_drawn) == sorted(EIGHT)


def check_shares(figure):
    """Check that the legend hides no panel and takes a third of the height at most, and panels more than that."""
    panels = [ax.get_window_extent() for ax in figure.axes]
    for legend in figure.legends:
        box = legend.get_window_extent()
        assert box.height <= 0.33 * figure.bbox.height
        assert all(box.y1 <= panel.y0 for panel in panels)
    assert max(panel.y1 for panel in panels) - min(panel.y0 for panel in panels) > 0.34 * figure.bbox.height


def plot_for_a_paper(display, settings):
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "plot: figure.figsize .* has no room")
        return display.plot().figure_


@pytest.mark.parametrize("name", [name for name in EIGHTS if "Grid" not in name])
def test_eight_initializers_in_a_column_of_a_paper(name):
    figure = plot_for_a_paper(EIGHTS[name][0], PAPERS["column, 8 points"])
    check_texts(figure)
    check_shares(figure)


@pytest.mark.slow
@pytest.mark.parametrize("settings", PAPERS.values(), ids=list(PAPERS))
@pytest.mark.parametrize("n_layers", [2, 4, 6])
@pytest.mark.parametrize("name", EIGHTS)
def test_eight_initializers_in_papers(name, n_layers, settings):
    display, n = displays_of_eight(n_layers)[name]
    figure = plot_for_a_paper(display, settings)
    check_texts(figure)
    check_shares(figure)
    if n <= 4:
        with mpl.rc_context(settings):
            axes = axes_of(n, (6.4, 4.9), None)
            check_texts(display.plot(axes if n > 1 else axes[0]).figure_)


def test_rows_of_a_small_grid_have_names_and_one_axis():
    display = EIGHTS["ActivationGridDisplay"][0]
    with mpl.rc_context(PAPERS["column, 9 points"]), pytest.warns(UserWarning, match="has no room for the names of 8"):
        axes = display.plot().axes_
    check_texts(display.figure_)
    shown = visible_texts(display.figure_)
    for i, name in enumerate(EIGHT):
        label = axes[i, 0].yaxis.label
        assert label in shown
        assert label.get_text()[:4] == name[:4]
        numbers = [text for ax in axes[i] for text in ax.get_xticklabels() if text in shown]
        assert bool(numbers) == (i == 7)
