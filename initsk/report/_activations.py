"""What the report of a comparison says of the activations: the article's grid, a verdict on each row."""

from collections.abc import Iterator
from functools import partial

import pandas as pd

from initsk.comparison import ComparisonResult
from initsk.displays import ActivationGridDisplay, colour_of
from initsk.inspection import signal_rows
from initsk.report._blocks import Block, Item, Picture, Section, Words
from initsk.report._grids import MOST_LAYERS, draw, some_layers, whole_grids
from initsk.report._layer_words import describe_activations, describe_verdicts, rows_of, verdicts_over_runs
from initsk.utils._language import Language, message

# Phase and epoch by the name that the page has for the moment.
Moments = dict[str, tuple[str, int | None]]
_WHOLE = message("Histograms of the activations, a row per initializer and a column per layer, {when}.")


def activations_section(shown: ComparisonResult, say: Language, axes: str) -> Section | None:
    """Return the article's grid: a row per initializer, with its verdict, at every moment that was looked at."""
    if signal_rows(shown.layers).empty:
        return None
    moments = _moments(shown.layers, say)
    names = signal_rows(shown.layers)["layer"]
    layers, histograms = (some_layers(frame, names) for frame in (shown.layers, shown.histograms))
    grids = {
        name: ActivationGridDisplay.from_frames(histograms, layers, phase=phase, epoch=epoch)
        for name, (phase, epoch) in moments.items()
    }
    blocks: list[Block] = [Words(_how_drawn(say, axes), "note")]
    n_layers = names.nunique()
    if n_layers > MOST_LAYERS:
        values = {"shown": say.integer(MOST_LAYERS), "all": say.integer(n_layers)}
        blocks.append(Words(say("Of {all} layers, {shown} at equal distances are shown.", **values), "note"))
    for label in shown.initializers:
        pictures = list(_pictures(shown, label, grids, moments, axes, say))
        if pictures:
            blocks.append(_row(shown, label, pictures, say))
    whole = {phase: (name, grids[name]) for name, (phase, _) in moments.items() if phase != "training"}
    blocks += whole_grids("activations", _WHOLE, whole, axes, say)
    return Section("activations", say("Activations of the hidden layers"), blocks)


def _pictures(
    shown: ComparisonResult,
    label: str,
    grids: dict[str, ActivationGridDisplay],
    moments: Moments,
    axes: str,
    say: Language,
) -> Iterator[Picture]:
    """Yield one initializer's row at every moment."""
    place = shown.initializers.index(label)
    for number, (name, (phase, epoch)) in enumerate(moments.items()):
        if label in grids[name].initializers:
            rows = rows_of(shown.layers, label, phase, epoch)
            said = f"{label}, {name}: {describe_activations(rows, say.code)}"
            paint = partial(draw, grids[name], axes, say, label)
            yield Picture(f"activations-{place}-{number}", said, paint, "page", label, name, grids[name].layers)


def _row(shown: ComparisonResult, label: str, pictures: list[Picture], say: Language) -> Item:
    """Return one initializer's part of the grid, with what is wrong before and after training."""
    names = {"initialized": say("At initialization"), "trained": say("After training")}
    words, ill = [], []
    for phase, name in names.items():
        rows = rows_of(shown.layers, label, phase)
        if len(rows):
            found, n_runs = verdicts_over_runs(rows, rows_of(shown.gradients, label, phase))
            ill += [verdict for verdict, _ in found]
            verdict = describe_verdicts(found, n_runs, say)
            words.append(Words(f"{name}: {verdict}. {describe_activations(rows, say.code)}"))
    verdict = ", ".join(say(name) for name in dict.fromkeys(ill)) or say("healthy")
    key, colour = f"activations-of-{shown.initializers.index(label)}", colour_of(shown.initializers.index(label))
    return Item(key, label, [*words, *pictures], colour, verdict, not ill, label)


def _moments(layers: pd.DataFrame, say: Language) -> Moments:
    """Return the moments that were looked at, by their names, in the order of the training."""
    found: Moments = {}
    phases = layers["phase"].astype(str)
    if (phases == "initialized").any():
        found[say("at initialization")] = ("initialized", None)
    last = layers.loc[phases == "trained", "epoch"].max()
    for epoch in sorted(layers.loc[phases == "training", "epoch"].unique()):
        if epoch != last:
            found[say("after epoch {n}", n=say.integer(epoch))] = ("training", int(epoch))
    if (phases == "trained").any():
        found[say("after training")] = ("trained", None)
    return found


def _how_drawn(say: Language, axes: str) -> str:
    said = say(
        "Histograms over the held-out samples, after the activation function, all runs pooled (on the way through"
        " training, the first run of each alone); exact zeros are taken out and written as a share."
    )
    if axes == "article":
        fixed = say("Axes are fixed at -1 to 1 by 0 to 4; values beyond are not shown.")
        return f"{said} {fixed}"
    more = say(
        "Density is on a logarithmic axis shared by all rows; a column's range holds 99.9 % of every row's values, but"
        " for those beyond a million, which say how far they go."
    )
    return f"{said} {more}"
