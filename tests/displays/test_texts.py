from initsk.displays import DepthDisplay, HistogramGridDisplay, LayerStripDisplay
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
