import pandas as pd
import pytest

from initsk.displays import DepthDisplay, HistogramGridDisplay, HistoryDisplay, LayerStripDisplay
from initsk.exceptions import InvalidParameterError
from tests.displays.helpers import network

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
        (lambda: HistoryDisplay.from_frames(None, FRAME), "frame lacks step"),
        (lambda: HistoryDisplay.from_frames(None, HISTORY.iloc[:0]), "frame has no rows"),
        (lambda: HistoryDisplay.from_frames(HISTOGRAMS, HISTORY), "histograms lacks step"),
        (lambda: HistoryDisplay.from_frames(OVER, pd.concat([HISTORY, HISTORY])), "several rows of step 0"),
        (
            lambda: HistogramGridDisplay.from_frames(HISTOGRAMS, FRAME).plot(position="activatoin", layers=["b"]),
            "(?s)did you mean 'activation'.*unknown layer 'b'",
        ),
        (lambda: DepthDisplay.from_frames(FRAME).plot(position="both"), "unknown position 'both'"),
        (lambda: LayerStripDisplay.from_frames(HISTOGRAMS, FRAME).plot(scale="log"), "unknown scale 'log'"),
        (lambda: HistoryDisplay.from_frames(None, HISTORY).plot(spacing="steps"), "did you mean 'step'"),
        (lambda: HistoryDisplay.from_frames(None, HISTORY).plot(layers=[]), "a list of at least one layer"),
        (
            lambda: DepthDisplay.from_frames(FRAME[FRAME["position"] == "activation"]).plot(position="pre_activation"),
            "these layers have activation only",
        ),
    ],
)
def test_invalid_frames_and_options_are_refused(make, named):
    with pytest.raises(InvalidParameterError, match=named):
        make()
