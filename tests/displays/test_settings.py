"""Settings of matplotlib that a user changed, in pictures and reports."""

import matplotlib as mpl
import pytest
from cycler import cycler
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import same_color
from matplotlib.text import Text

from initsk.displays import figure_png, report_style
from tests.displays.helpers import all_displays

DISPLAYS = all_displays()
NAMES = list(DISPLAYS)


def labels_of(figure):
    return [text for ax in figure.axes for text in (ax.xaxis.label, ax.yaxis.label) if text.get_text()]


def test_changed_settings_replace_the_style_of_the_display():
    settings = {
        "font.family": ["serif"], "axes.labelsize": 7, "legend.fontsize": 6, "xtick.labelsize": 5, "lines.linewidth": 3,
        "axes.prop_cycle": cycler(color=["red", "lime", "blue"]), "figure.figsize": (5, 3), "figure.dpi": 50,
        "axes.facecolor": "yellow", "text.color": "purple", "grid.color": "orange",
    }  # fmt: skip
    with mpl.rc_context(settings):
        display = DISPLAYS["LearningCurvesDisplay"][0].plot()
        figure, ax = display.figure_, display.axes_[0]
        assert figure.get_size_inches().tolist() == [5, 3]
        assert figure.dpi == 50
        assert [line.get_color() for line in ax.lines] == ["red", "lime", "blue"]
        assert {line.get_linewidth() for line in ax.lines} == {3}
        assert {text.get_fontsize() for text in labels_of(figure)} == {7}
        assert {text.get_fontsize() for text in figure.legends[0].get_texts()} == {6}
        assert ax.get_xticklabels()[0].get_fontsize() == 5
        assert {text.get_fontfamily()[0] for text in figure.findobj(Text)} == {"serif"}
        assert same_color(ax.get_facecolor(), "yellow")
        assert same_color(figure.legends[0].get_texts()[0].get_color(), "purple")
        assert same_color(ax.get_xgridlines()[0].get_color(), "orange")


@pytest.mark.parametrize("name", [*NAMES[:3], *(pytest.param(name, marks=pytest.mark.slow) for name in NAMES[3:])])
def test_the_size_of_fonts_is_that_of_labels(name):
    with mpl.rc_context({"font.size": 6}):
        figure = DISPLAYS[name][0].plot().figure_
    sizes = {text.get_fontsize() for text in labels_of(figure)}
    # A label that would meet another one is smaller.
    assert all(5 <= size <= 6 for size in sizes)


def test_plot_with_tex_needs_no_tex():
    with mpl.rc_context({"text.usetex": True}):
        display = DISPLAYS["DepthDisplay"][0].plot()
        assert not any(text.get_usetex() for text in display.figure_.findobj(Text))
        assert mpl.rcParams["text.usetex"]


@pytest.mark.parametrize("name", ["ActivationGridDisplay", "HistoryDisplay", "LayerStripDisplay"])
def test_reports_have_their_own_style_and_no_figure_of_pyplot(name):
    display = DISPLAYS[name][0]

    def drawn():
        with report_style():
            return figure_png(display.plot().figure_)

    expected, before = drawn(), plt.get_fignums()
    with mpl.rc_context({"font.size": 20, "axes.facecolor": "red", "figure.figsize": (2, 2), "savefig.dpi": 30}):
        assert drawn() == expected
        assert mpl.rcParams["font.size"] == 20
    assert plt.get_fignums() == before


def test_the_resolution_is_the_users():
    display = DISPLAYS["TrialDisplay"][0]
    with mpl.rc_context({"figure.figsize": (4, 3), "savefig.dpi": 50}):
        # A PNG begins with its width and height.
        assert display.plot()._repr_png_()[16:24] == (200).to_bytes(4, "big") + (150).to_bytes(4, "big")


def test_pyplot_shows_the_figure_of_plot_only():
    display = all_displays()["TrialDisplay"][0]
    assert display._repr_png_().startswith(b"\x89PNG")
    assert plt.get_fignums() == []
    display.plot()
    assert [plt.figure(number) for number in plt.get_fignums()] == [display.figure_]


@pytest.mark.parametrize("name", ["TrialDisplay", "HistogramGridDisplay"])
def test_after_an_error_pyplot_has_no_new_figure_and_the_display_its_old_one(name, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    display = all_displays()[name][0].plot()
    figure, before = display.figure_, plt.get_fignums()
    with monkeypatch.context() as patched:
        patched.setattr(Axes, "set_xlim", interrupted)
        patched.setattr(Axes, "tick_params", interrupted)
        with pytest.raises(KeyboardInterrupt):
            display.plot()
    assert plt.get_fignums() == before
    assert display.figure_ is figure


def test_a_notebook_shows_a_figure_once():
    inline = pytest.importorskip("matplotlib_inline.backend_inline")
    assert inline
    backend = mpl.get_backend()
    plt.switch_backend("module://matplotlib_inline.backend_inline")
    try:
        display = all_displays()["TrialDisplay"][0].plot()
        assert display._repr_png_().startswith(b"\x89PNG")
        assert plt.get_fignums() == []
    finally:
        plt.switch_backend(backend)
