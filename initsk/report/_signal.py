"""What the report of a comparison says of the signal along depth, beside what theory predicts."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from initsk.comparison import ComparisonResult
from initsk.displays import DepthDisplay, colour_of
from initsk.inspection import signal_rows
from initsk.report._blocks import Block, Column, Picture, Section, Table, Words
from initsk.report._layer_words import rows_of
from initsk.utils._language import Language

_MEASURES = ["rms", "predicted_rms", "nonfinite", "zero_fraction", "dead_fraction", "saturated_fraction"]


def signal_section(shown: ComparisonResult, say: Language) -> Section | None:
    """Return the size of signal and gradient along depth at initialization, against what theory predicts."""
    forward = dict(_means(shown, shown.layers))
    if not forward:
        return None
    backward = dict(_means(shown, shown.gradients))
    backward = {label: frame for label, frame in backward.items() if label in forward}
    display = DepthDisplay.from_frames(forward, backward, order=shown.initializers)
    rows = [_signal_row(label, forward[label], backward.get(label)) for label in forward]
    columns = [
        Column("initializer", say("Initializer"), "text"),
        Column("last", say("RMS of the last hidden layer"), "short"),
        Column("last_predicted", say("predicted"), "short"),
        Column("forward", say("Largest deviation, forward"), "share"),
        Column("first", say("RMS of the gradient at the first hidden layer"), "short"),
        Column("first_predicted", say("predicted"), "short"),
        Column("backward", say("Largest deviation, backward"), "share"),
    ]
    said = say("Root mean square of activations and gradients along depth, a line per initializer.")
    colours = [colour_of(shown.initializers.index(label)) for label in forward]
    blocks: list[Block] = [
        Words(_how_well(rows, say)),
        Picture("signal", said, lambda: display.plot(language=say.code).figure_),
        Table("signal", say("Measured and predicted at initialization"), columns, rows, colours),
        Words(
            say(
                "Means over the runs. Forward, theory starts from the first layer's length (Poole et al. 2016,"
                " equation 3); backward, from the gradient at the output (Schoenholz et al. 2017). It speaks of wide"
                " layers: in narrow ones single draws scatter about it."
            ),
            "note",
        ),
    ]
    return Section("signal", say("Signal along depth, at initialization"), blocks)


def _means(shown: ComparisonResult, table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the means over the repeats at initialization, of all initializers, so that each keeps its colour."""
    for label in shown.initializers:
        rows = rows_of(table, label, "initialized")
        # A single layer has no depth.
        if len(signal_rows(rows)):
            yield label, rows.groupby(["layer", "site"], sort=False)[_MEASURES].mean().reset_index()


def _signal_row(label: str, forward: pd.DataFrame, backward: pd.DataFrame | None) -> dict[str, Any]:
    body = signal_rows(forward)
    row = {"initializer": label, "last": body["rms"].iloc[-1], "last_predicted": body["predicted_rms"].iloc[-1]}
    row |= {"forward": _deviation(body), "first": np.nan, "first_predicted": np.nan, "backward": np.nan}
    if backward is not None:
        back = signal_rows(backward)
        row |= {"first": back["rms"].iloc[0], "first_predicted": back["predicted_rms"].iloc[0]}
        row["backward"] = _deviation(back)
    return row


def _deviation(frame: pd.DataFrame) -> float:
    """Return how far the measured values are from the predicted ones at most, as a share; NaN without any."""
    at = frame[frame["predicted_rms"] > 0]
    return float((at["rms"] / at["predicted_rms"] - 1).abs().max()) if len(at) else np.nan


def _how_well(rows: list[dict[str, Any]], say: Language) -> str:
    forward, backward = (pd.Series([row[name] for row in rows], dtype=float).max() for name in ("forward", "backward"))
    if np.isnan(forward):
        return say(
            "Theory predicts nothing here: the network is no plain chain of layers, or no signal passes, or its"
            " activation function has no mean over a normal distribution."
        )
    if np.isnan(backward):
        return say(
            "What was measured differs from what theory predicts by at most {share}.", share=say.percent(forward)
        )
    return say(
        "What was measured differs from what theory predicts by at most {forward} forward and {backward} backward.",
        forward=say.percent(forward), backward=say.percent(backward),
    )  # fmt: skip
