"""Frames that were written to a file, read again and changed: equal pictures, or one clear error."""

import io
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits

from initsk import ComparisonResult, MLPClassifier, compare_initializers
from initsk.displays import (
    ActivationGridDisplay,
    DepthDisplay,
    DifferencesDisplay,
    HistogramGridDisplay,
    HistoryDisplay,
    LayerStripDisplay,
    LearningCurvesDisplay,
    LearningRateDisplay,
    TrialDisplay,
    WeightGridDisplay,
    figure_svg,
)
from initsk.exceptions import InvalidParameterError
from tests.displays.helpers import RATES, STEPS, compared, network
from tests.fuzz.support import fuzz, on_examples
from tests.helpers import params

_HISTOGRAMS, _FRAME = network(["a", "b"])
_OVER, _HISTORY = (pd.concat([part.assign(step=step) for step in (0, 3)]) for part in (_HISTOGRAMS, _FRAME))
_MANY, _LAYERS, _CURVES, _RUNS = compared()
_OF_WEIGHTS = [part.assign(parameter="weight") for part in (_MANY, _LAYERS)]
# By display: what makes it, and its frames.
DISPLAYS: dict[str, tuple[Callable, list[pd.DataFrame]]] = {
    "ActivationGridDisplay": (ActivationGridDisplay.from_frames, [_MANY, _LAYERS]),
    "DepthDisplay": (DepthDisplay.from_frames, [_FRAME, _FRAME]),
    "DifferencesDisplay": (DifferencesDisplay.from_frames, [_RUNS]),
    "HistogramGridDisplay": (HistogramGridDisplay.from_frames, [_HISTOGRAMS, _FRAME]),
    "HistoryDisplay": (HistoryDisplay.from_frames, [_OVER, _HISTORY]),
    "LayerStripDisplay": (LayerStripDisplay.from_frames, [_HISTOGRAMS, _FRAME]),
    "LearningCurvesDisplay": (LearningCurvesDisplay.from_frames, [_CURVES]),
    "LearningRateDisplay": (LearningRateDisplay, [RATES]),
    "TrialDisplay": (TrialDisplay, [STEPS]),
    "WeightGridDisplay": (WeightGridDisplay.from_frames, _OF_WEIGHTS),
}
# Their frames are like those of the other displays.
ALIKE = {
    "DifferencesDisplay", "HistogramGridDisplay", "HistoryDisplay", "LearningCurvesDisplay", "TrialDisplay",
    "WeightGridDisplay",
}  # fmt: skip
_WEIRD = (
    float("nan"), float("inf"), -float("inf"), 0.0, -1.0, 1.5, 1e300, -1.7e308, 5e-324, 1e-310, 2.0**63, "", "abc",
    "nan", None, True, 1 + 2j, pd.Timestamp(0), [1], b"x", "\x1b[2J\u202e",
)  # fmt: skip


def csv(frame, **options):
    return pd.read_csv(io.StringIO(frame.to_csv(**options)))


def parquet(frame):
    return pd.read_parquet(io.BytesIO(frame.to_parquet(index=False)))


#: Ways through a file, after which a picture is the same.
FILES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "csv": lambda frame: csv(frame, index=False),
    "csv with the index": csv,
    "parquet": parquet,
    "text": lambda frame: frame.astype(object).map(str),
    "floats": lambda frame: frame.astype({c: float for c in frame if frame[c].dtype.kind == "i"}),
    "objects": lambda frame: frame.astype(object),
    "index": lambda frame: frame.set_index(np.arange(len(frame)) % 2),
    "columns": lambda frame: frame[frame.columns[::-1]],
}


def changed(frame, kind, column, row, value):
    """Return a frame with one change."""
    if frame.empty:
        return frame
    position, row = column % len(frame.columns), row % max(len(frame), 1)
    column = frame.columns[position]
    if kind == "value":
        values = frame.iloc[:, position].astype(object).tolist()
        values[row] = value
        edited = frame.copy()
        edited.isetitem(position, pd.Series(values, index=frame.index, dtype=object))
        return edited
    changes = {
        "column": lambda: frame.assign(**{column: [value] * len(frame)}),
        "without column": lambda: frame.drop(columns=column),
        "column twice": lambda: pd.concat([frame, frame[[column]]], axis=1),
        "renamed": lambda: frame.rename(columns={column: value if isinstance(value, str) else "new"}),
        "without row": lambda: frame.drop(index=frame.index[row]),
        "one row": lambda: frame.iloc[[row]],
        "no rows": lambda: frame.iloc[:0],
        "row twice": lambda: pd.concat([frame, frame.iloc[[row]]]),
        "shuffled": lambda: frame.sample(frac=1.0, random_state=row),
        "nothing": lambda: value,
    }
    return changes[kind]()


_KINDS = [
    "value", "value", "value", "column", "without column", "column twice", "renamed", "without row", "one row",
    "no rows", "row twice", "shuffled", "nothing",
]  # fmt: skip
_NUMBERS = st.integers(0, 60)
CHANGES = st.tuples(st.sampled_from(_KINDS), _NUMBERS, _NUMBERS, st.sampled_from(_WEIRD))


def made_or_refused(make, *beginnings):
    """Return what `make` makes, or None if it raises one sentence that begins like this."""
    try:
        return make()
    except InvalidParameterError as error:
        message = str(error)
    if not message.startswith(beginnings) or "\n" in message:
        raise AssertionError(message)
    return None


def picture(name, frames):
    figure = DISPLAYS[name][0](*frames).plot().figure_
    plt.close(figure)
    return figure_svg(figure, "x")


@pytest.mark.parametrize("name", params(DISPLAYS, slow=ALIKE))
def test_frames_from_a_file_give_equal_pictures(name):
    frames = [frame.reset_index(drop=True) for frame in DISPLAYS[name][1]]
    expected = picture(name, frames)
    for way in ("csv", "text"):
        assert picture(name, [FILES[way](frame) for frame in frames]) == expected, way


@on_examples(6, 600)
def test_changed_frames_give_a_picture_or_one_error(examples):
    def law(name, way, number, changes):
        frames = list(DISPLAYS[name][1])
        number %= len(frames)
        frames[number] = FILES[way](frames[number])
        for change in changes:
            if isinstance(frames[number], pd.DataFrame) and len(frames[number].columns):
                frames[number] = changed(frames[number], *change)
        before = np.geterr()
        made = made_or_refused(lambda: picture(name, frames), f"{name}: ", "plot: ")
        assert made is None or made.endswith("</svg>\n")
        assert np.geterr() == before
        assert plt.get_fignums() == []

    ways = st.sampled_from(sorted(set(FILES) - {"parquet"}))
    changes = st.lists(CHANGES, min_size=1, max_size=3)
    fuzz(law, st.sampled_from(sorted(DISPLAYS)), ways, st.integers(0, 1), changes, examples=examples)


@pytest.fixture(scope="module")
def result():
    X, y = load_digits(return_X_y=True)
    return compare_initializers(
        MLPClassifier((6,), max_epochs=1), X[:400] / 16, y[:400], initializers=["zeros", "he_normal"],
        grid={"lr": [0.01, 0.1]}, n_repeats=2, random_state=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    "way", ["csv with the index", *(pytest.param(way, marks=pytest.mark.slow) for way in ("csv", "floats", "objects"))]
)
def test_tables_from_a_file_give_an_equal_report(result, way):
    again = ComparisonResult({name: FILES[way](frame) for name, frame in result.frames.items()}, result.settings)
    assert again.summary().equals(result.summary())
    assert again.to_markdown() == result.to_markdown()
    assert again._repr_html_() == result._repr_html_()


@on_examples(2, 120)
def test_changed_tables_give_a_report_or_one_error(result, examples):
    def law(way, table, changes):
        frames = dict(result.frames)
        frames[table] = FILES[way](frames[table])
        for change in changes:
            if isinstance(frames[table], pd.DataFrame) and len(frames[table].columns):
                frames[table] = changed(frames[table], *change)
        made = made_or_refused(lambda: ComparisonResult(frames, result.settings), "ComparisonResult: ")
        if made is not None:
            shown = made_or_refused(made.to_markdown, "ComparisonResult: ", *(f"{name}: " for name in DISPLAYS))
            assert shown is None or shown.startswith("# ")

    ways = st.sampled_from(sorted(set(FILES) - {"parquet", "text"}))
    fuzz(
        law, ways, st.sampled_from(sorted(result.frames)), st.lists(CHANGES, min_size=1, max_size=2), examples=examples
    )
