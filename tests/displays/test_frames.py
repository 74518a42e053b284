import pandas as pd
import pytest

from initsk.displays import DepthDisplay, HistogramGridDisplay, HistoryDisplay, LayerStripDisplay, WeightGridDisplay
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


RUNS = [{"initializer": name, "repeat": repeat} for name in ("zeros", "he_normal") for repeat in (0, 1)]
MANY = [pd.concat([frame.assign(**run)[[*run, *frame.columns]] for run in RUNS]) for frame in (HISTOGRAMS, FRAME)]
SELECTED = "initializer == 'he_normal' and repeat == 1"


@pytest.mark.parametrize("display", [HistogramGridDisplay, LayerStripDisplay])
@pytest.mark.parametrize("frames", [MANY, [MANY[0], MANY[1].query(SELECTED)], [MANY[0].query(SELECTED), MANY[1]]])
def test_frames_of_several_runs_are_refused_with_the_columns_that_select_one(display, frames):
    with pytest.raises(InvalidParameterError) as caught:
        display.from_frames(*frames)
    assert "select a single value of initializer, repeat in each frame" in str(caught.value)
    assert "such as .query(\"initializer == 'zeros' and repeat == 0\")" in str(caught.value)
    display.from_frames(*(frame.query(SELECTED) for frame in MANY))


def test_an_error_about_missing_arguments_names_the_class():
    with pytest.raises(TypeError, match=r"WeightGridDisplay\.from_frames\(\)"):
        WeightGridDisplay.from_frames(FRAME)
