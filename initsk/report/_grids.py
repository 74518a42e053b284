"""The article's grid, of activations or of weights: which layers, a row of it, all of it."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from initsk.displays import ActivationGridDisplay
from initsk.report._blocks import Picture
from initsk.utils._language import Language

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_LAYERS = 8


def some_layers(frame: pd.DataFrame, names: pd.Series) -> pd.DataFrame:
    """Return the rows of as many layers as a row of the grid has room for, first and last among them."""
    layers = list(dict.fromkeys(names))
    if len(layers) <= MOST_LAYERS:
        return frame
    places = np.linspace(0, len(layers) - 1, MOST_LAYERS).round().astype(int)
    return frame[frame["layer"].isin([layers[place] for place in places])]


def draw(grid: ActivationGridDisplay, axes: str, say: Language, label: str | None = None) -> "Figure":
    """Draw one initializer's row, or all of them."""
    rows = None if label is None else [label]
    return grid.plot(axes=axes, initializers=rows, language=say.code).figure_


def whole_grids(
    key: str, text: str, grids: Mapping[str, tuple[str, ActivationGridDisplay]], axes: str, say: Language
) -> Iterator[Picture]:
    """Yield the grids as files of their own, by their phases; the page has their rows.

    The last one has the plain name: the grid after training is the picture of a comparison, and of who does not
    train there is the first alone.
    """
    drawn = {phase: (when, grid) for phase, (when, grid) in grids.items() if grid.initializers}
    for phase, (when, grid) in drawn.items():
        name = key if phase == list(drawn)[-1] else f"{key}_{phase}"
        yield Picture(name, say(text, when=when), partial(draw, grid, axes, say), "files")
