"""Texts of pictures of any size: none covers another one or leaves the figure."""

from itertools import combinations

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.text import Text

from tests.displays.helpers import all_displays

DISPLAYS = all_displays("encoder.layers.0.dense")
NAMES = list(DISPLAYS)
COLUMN = (3.3, 2.2)
SIZES = (COLUMN, (6.4, 4.9), (12, 8))


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


@pytest.mark.parametrize("name", NAMES)
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


@pytest.mark.parametrize("name", ["DepthDisplay", "LearningCurvesDisplay", "NetworkDisplay", "PhaseDiagramDisplay"])
def test_a_title_of_the_users_erases_and_covers_nothing(name):
    display, n = DISPLAYS[name]
    for layout in (None, "constrained"):
        axes = axes_of(n, (8, 8), layout)
        figure = display.plot(axes if n > 1 else axes[0]).figure_
        before = {text.get_text() for text in visible_texts(figure)}
        axes[0].set_title("A title")
        assert {text.get_text() for text in visible_texts(figure)} == before | {"A title"}
        check_texts(figure)


@pytest.mark.parametrize("name", ["DepthDisplay", "LearningRateDisplay", "TrialDisplay"])
def test_a_title_over_all_panels_has_room(name):
    figure = DISPLAYS[name][0].plot().figure_
    figure.suptitle("A title")
    check_texts(figure)
    plt.close(figure)
