"""What the report of a comparison says of the weights: histograms and norms, before and after training."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from initsk.comparison import ComparisonResult
from initsk.displays import WeightGridDisplay, colour_of
from initsk.report._blocks import Block, Column, Item, Picture, Section, Table
from initsk.report._grids import draw, some_layers, whole_grids
from initsk.utils._language import Language, message

_WHOLE = message("Histograms of the weights, a row per initializer and a column per layer, {when}.")


def weights_section(shown: ComparisonResult, say: Language) -> Section | None:
    """Return histograms and norms of the weights, before and after training."""
    weights = shown.weights[shown.weights["site"] == "weight"]
    if weights.empty:
        return None
    names = {"initialized": say("at initialization"), "trained": say("after training")}
    grids = {
        phase: WeightGridDisplay.from_frames(
            *(some_layers(frame, weights["layer"]) for frame in (shown.histograms, shown.weights)), phase=phase
        )
        for phase in names
        if (weights["phase"] == phase).any()
    }
    rows = list(_weight_rows(shown, weights))
    columns = [
        Column("initializer", say("Initializer"), "text"),
        Column("layer", say("Layer"), "text"),
        Column("std_initialized", say("Std at initialization"), "short"),
        Column("std_trained", say("Std after training"), "short"),
        Column("norm_initialized", say("Norm at initialization"), "short"),
        Column("norm_trained", say("Norm after training"), "short"),
    ]
    colours = [colour_of(shown.initializers.index(row["initializer"])) for row in rows]
    blocks: list[Block] = [Table("weights", say("Standard deviation and norm of the weights"), columns, rows, colours)]
    for label in shown.initializers:
        pictures: list[Block] = []
        for phase, grid in grids.items():
            if label in grid.initializers:
                key, paint = f"weights-{len(blocks)}-{phase}", partial(draw, grid, "shared", say, label)
                said = say(
                    "Histograms of the weights of {name}, a panel per layer, {when}.", name=label, when=names[phase]
                )
                pictures.append(Picture(key, said, paint, "page", label, names[phase], grid.layers))
        if pictures:
            number = shown.initializers.index(label)
            blocks.append(Item(f"weights-of-{number}", label, pictures, colour_of(number), subject=label))
    whole = {phase: (names[phase], grid) for phase, grid in grids.items()}
    blocks += whole_grids("weights", _WHOLE, whole, "shared", say)
    return Section("weights", say("Weights"), blocks)


def _weight_rows(shown: ComparisonResult, weights: pd.DataFrame) -> Iterator[dict[str, Any]]:
    norms = weights.assign(norm=weights["rms"] * np.sqrt(weights["count"]))
    keys = [norms["initializer"].astype(str), "layer", norms["phase"].astype(str)]
    means = norms.groupby(keys, sort=False)[["std", "norm"]].mean()
    layers = list(dict.fromkeys(weights["layer"]))
    for label in shown.initializers:
        for layer in layers:
            row = {"initializer": label, "layer": layer}
            for phase in ("initialized", "trained"):
                at = (label, layer, phase)
                for name in ("std", "norm"):
                    row[f"{name}_{phase}"] = float(means.loc[at, name]) if at in means.index else np.nan
            if not np.isnan(row["std_initialized"]):
                yield row
