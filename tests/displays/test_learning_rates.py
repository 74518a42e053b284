"""The picture of several learning rates."""

import numpy as np
import pandas as pd
import pytest

from initsk.displays import LearningRateDisplay

SHADE, LEVEL, LINE = "rates that work (score at least 0.5)", "baseline loss, and score 0.5", "rate of the training"


def rates(lrs, works):
    scores = np.where(works, 0.9, 0.1)
    return pd.DataFrame({"lr": lrs, "score": scores, "relative_loss": 1.2 - scores, "works": works})


def legend_of(display):
    [legend] = display.figure_.legends
    return [text.get_text() for text in legend.get_texts()]


@pytest.mark.parametrize(
    ("works", "lr", "shown"),
    [
        ([True, False], 0.001, [SHADE, LEVEL, LINE]),
        ([False, False], 0.001, [LEVEL, LINE]),
        ([True, False], np.nan, [SHADE, LEVEL]),
        # A rate outside of the axis is not drawn.
        ([False, False], 1.0, [LEVEL]),
    ],
)
def test_the_legend_has_what_is_drawn(works, lr, shown):
    display = LearningRateDisplay(rates([0.001, 0.01], works), lr).plot()
    assert legend_of(display) == shown
    for ax in display.axes_:
        assert len(ax.patches) == sum(works)
        assert len([line for line in ax.lines if line.get_linestyle() == ":"]) == (LINE in shown)


@pytest.mark.parametrize("lrs", [[0.001], [0.003], [0.000316, 0.001], [0.001, 0.00316], [0.002, 0.003], [1e-5, 1.0]])
def test_two_rates_at_least_have_names(lrs):
    display = LearningRateDisplay(rates(lrs, [False] * len(lrs)), lrs[0]).plot()
    display.figure_.canvas.draw()
    for ax in display.axes_:
        low, high = ax.get_xlim()
        labels = [tick.get_text() for tick, x in zip(ax.get_xticklabels(), ax.get_xticks(), strict=True)
                  if low * 0.999 <= x <= high * 1.001]  # fmt: skip
        assert len(set(labels)) >= 2
        assert low < min(lrs)
        assert high > max(lrs)
