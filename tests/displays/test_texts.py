import pytest
import torch
from sklearn.datasets import load_iris

from initsk import MLPClassifier, compare_initializers
from initsk.displays import (
    ActivationGridDisplay,
    DepthDisplay,
    DifferencesDisplay,
    HistogramGridDisplay,
    LayerStripDisplay,
    LearningCurvesDisplay,
)
from tests.displays.helpers import network, texts


def test_long_names_that_differ_in_their_middle_stay_apart():
    names = [f"model.encoder.layers.{i}.attention.output.LayerNorm" for i in range(3)]
    histograms, frame = network(names)
    grid = HistogramGridDisplay.from_frames(histograms, frame).plot(position="activation")
    titles = {ax.get_title() for ax in grid.axes_.values()}
    strip = texts(LayerStripDisplay.from_frames(histograms, frame).plot().ax_).splitlines()
    lowest = DepthDisplay.from_frames(frame).plot().axes_["fractions"]
    depth = [tick.get_text() for tick in lowest.get_xticklabels()]
    assert len(titles) == len(set(depth)) == 3
    assert titles == set(depth) == {text for text in strip if "LayerNorm" in text}


@pytest.fixture(scope="module")
def long_names():
    """Return runs of two initializers whose long names differ only in their middle, at a long setting."""

    def initializer(name):
        def fill(tensor):
            torch.nn.init.normal_(tensor, std=0.1)

        fill.__name__ = name
        return fill

    names = [f"{'from_all_settings_' * 4}{i}{'_in_one_name' * 6}" for i in range(2)]
    grid = {"optimizer_params": [{}, {"betas": (0.9, 0.99), "weight_decay": 0.0001, "eps": 1e-7}]}
    X, y = load_iris(return_X_y=True)
    model = MLPClassifier((4,), max_epochs=2)
    return compare_initializers(model, X, y, initializers=[*map(initializer, names)], grid=grid, n_repeats=2)


def test_long_names_of_initializers_are_short_and_different(long_names):
    frames = long_names.tuned().frames
    rows = ActivationGridDisplay.from_frames(frames["histograms"], frames["layers"]).plot()
    curves = LearningCurvesDisplay.from_frames(frames["history"]).plot()
    layers = frames["layers"][frames["layers"]["phase"] == "initialized"]
    depth = DepthDisplay.from_frames(dict(list(layers.groupby("initializer", observed=True)))).plot()
    differences = DifferencesDisplay.from_frames(long_names.runs).plot()
    shown = {
        "rows": [ax.get_ylabel() for ax in rows.axes_[:, 0]],
        "curves": [line.get_label() for line in curves.axes_[0].get_lines() if not line.get_label().startswith("_")],
        "depth": [text.get_text() for text in depth.figure_.legends[0].get_texts()],
        "differences": [tick.get_text() for tick in differences.ax_.get_yticklabels()],
    }
    for place, labels in shown.items():
        own = {label for label in labels if "…" in label}
        assert len(own) == 2, place
        assert max(map(len, own)) <= 40, place


def test_names_of_rows_do_not_meet(long_names):
    frames = long_names.tuned().frames
    display = ActivationGridDisplay.from_frames(frames["histograms"], frames["layers"]).plot()
    display.figure_.canvas.draw()
    upper, lower = (ax.yaxis.label.get_window_extent() for ax in display.axes_[:, 0])
    assert lower.y1 < upper.y0


def test_tables_of_text_have_short_names_and_the_page_whole_ones(long_names):
    assert max(map(len, str(long_names).splitlines()[-3:])) <= 100
    assert len({line.split()[1] for line in str(long_names).splitlines()[-2:]}) == 2
    page = long_names.to_html()
    assert all(name in page for name in long_names.initializers)
    assert '<td class="sentence">{' in page
