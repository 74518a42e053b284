"""The section on what was run: the model, the data, the time, the network, and the lines that repeat an experiment."""

from collections.abc import Iterator, Mapping
from typing import Any

from initsk.comparison import ComparisonResult
from initsk.language import current_language, message, plural, translate as _
from initsk.report._compared import compared_in
from initsk.report._elements import Code, Detail, Details, Element, Paragraph, Section
from initsk.report._tables import Column, Table, columns_of, records
from initsk.utils.words import listed

_SETTINGS = {
    "network": message("Network"),
    "dataset": message("Data set"),
    "target_name": message("Column to predict"),
    "n_train": message("Training samples"),
    "n_val": message("Held-out samples"),
    "n_features": message("Features"),
    "columns": message("Columns"),
    "estimator": message("Estimator"),
    "model": message("Model"),
    "fitted": message("Fitted"),
    "n_weights": message("Parameters of the network"),
    "initializer": message("Initializer"),
    "data_shape": message("Shape of the data"),
    "n_samples": message("Samples that were drawn"),
    "batch_size": message("Batch size"),
    "optimizer": message("Optimizer"),
    "lr": message("Learning rate"),
    "criterion": message("Loss"),
    "parameter": message("Compared parameter"),
    "search": message("Search"),
    "cv": message("Folds"),
    "scoring": message("Scoring"),
    "n_repeats": message("Repeats"),
    "random_state": message("Random state"),
}
_CODE = ("network", "estimator", "model", "initializer", "parameter", "cv", "scoring", "criterion", "optimizer")
_FITTED = {
    True: message("yes"),
    False: message("no: the weights are those with which training would start"),
    None: message("not known: a torch module does not tell whether it is trained"),
}
_MAX_SEEDS = 20
_MAX_CLASSES = 10
_MAX_COLUMNS = 40


def run_sections(settings: Mapping[str, Any]) -> list[Section]:
    """Return the section of an inspection, a diagnosis, an audit or a recommendation; none if nothing is known."""
    if "model" not in settings:
        return []
    elements: list[Element] = [Details([*_given(settings), *_versions(settings)])]
    if settings.get("command"):
        elements += [Paragraph(_("To make this report again:")), Code(settings["command"])]
    return [Section("run", _("What was run"), elements)]


def run_section(result: ComparisonResult) -> Section:
    """Return the settings of the experiment, the network, and the lines that repeat it."""
    elements: list[Element] = [Details(list(_details(result)))]
    if result.settings.get("preparation"):
        how = _("Preparation of the samples; every run fits it on its own training part:")
        elements += [Paragraph(how), Code(result.settings["preparation"])]
    if result.settings.get("training"):
        elements.append(_training(result.settings["training"]))
    network = _network(result)
    if network is not None:
        elements.append(network)
    lines = result.settings.get("command") or result.settings.get("call")
    if lines:
        elements += [Paragraph(_("To repeat this comparison:")), Code(lines)]
    elements.append(Paragraph(_how_paired(result.settings), "note"))
    return Section("run", _("What was run"), elements)


def _training(parameters: list[list[str]]) -> Table:
    """Return the parameters of the estimator, defaults included."""
    rows = [{"parameter": name, "value": value} for name, value in parameters]
    columns = [Column("parameter", _("Parameter"), "text"), Column("value", _("Value"), "code")]
    return Table("training", _("Parameters of the estimator, defaults included"), columns, rows)


def _how_paired(settings: Mapping[str, Any]) -> str:
    """Return what the runs of a repeat and fold share."""
    words = compared_in(settings).words()
    if "search" in settings:
        text = message(
            "The runs are those of a search of scikit-learn. In the same fold, every {one} had the same split. A"
            " parameter random_state in the grid is a repeat. The order of the batches is shared only under the same"
            " random_state."
        )
        return _(text, **words)
    if settings.get("source") == "from_frame":
        if settings.get("splits_known", False):
            return _(
                "The runs were made outside of this package, and ComparisonResult.from_frame took their scores and"
                " splits. Runs of the same repeat and fold are compared as pairs; whether they had the same batches is"
                " not known here."
            )
        return _(
            "The runs were made outside of this package, and ComparisonResult.from_frame took their scores. Runs of"
            " the same repeat and fold are compared as pairs; whether they had the same split and the same batches is"
            " not known here."
        )
    text = message(
        "Each run trained on a fixed number of threads. In the same repeat and fold, every {one} had the same"
        " split and the same batches in the same order."
    )
    return _(text, **words)


def _given(settings: Mapping[str, Any]) -> Iterator[Detail]:
    """Yield the settings that are numbers and words."""
    for key, name in _SETTINGS.items():
        value = settings.get(key)
        if key == "columns" and value:
            yield Detail(_(name), listed(value, _MAX_COLUMNS))
        elif key == "fitted" and key in settings:
            yield Detail(_(name), _(_FITTED[value]))
        elif value not in (None, ""):
            # The thousands of a seed are not grouped.
            is_count = isinstance(value, int) and key != "random_state"
            shown = current_language().integer(value) if is_count else str(value)
            shown = current_language().short(value) if isinstance(value, float) else shown
            if key in _CODE:
                # The repr of a pipeline has several lines.
                shown = " ".join(shown.split())
            yield Detail(_(name), shown, key in _CODE)


def _versions(settings: Mapping[str, Any]) -> Iterator[Detail]:
    if settings.get("versions"):
        yield Detail(_("Versions"), ", ".join(f"{name} {number}" for name, number in settings["versions"].items()))


def _details(result: ComparisonResult) -> Iterator[Detail]:
    settings = result.settings
    yield from _given(settings)
    if settings.get("classes"):
        percent, classes = current_language().percent, settings["classes"]
        shares = [f"{name}: {percent(share, 1)}" for name, share in classes]
        yield Detail(_("Class shares of the training data"), listed(shares, _MAX_CLASSES))
    seeds = result.runs["seed"].unique().tolist()
    if any(seeds):
        yield Detail(_("Seeds of the runs"), listed([str(seed) for seed in seeds], _MAX_SEEDS))
    if "hardware" in settings:
        threads = plural("{n} thread per run", "{n} threads per run", settings.get("n_threads", 1))
        yield Detail(_("Hardware"), f"{settings['hardware']}, {threads}")
    yield from _versions(settings)
    seconds = result.timing["seconds"].dropna()
    if len(seconds):
        total, median = duration(float(seconds.sum())), duration(float(seconds.median()))
        time = _("{total} for all runs, {median} for the median run", total=total, median=median)
        yield Detail(_("Time"), time)


def duration(seconds: float) -> str:
    """Return a time in suitable units.

    Examples
    --------
    >>> [duration(seconds) for seconds in (0.0123, 22.34, 1360.2, 7300.0)]
    ['0.0123 s', '22.3 s', '22 min 40 s', '2 h 1 min']
    """
    if seconds < 100:
        return _("{n:.3g} s", n=seconds)
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return _("{minutes} min {seconds} s", minutes=minutes, seconds=rest)
    return _("{hours} h {minutes} min", hours=minutes // 60, minutes=minutes % 60)


def _network(result: ComparisonResult) -> Table | None:
    """Return the layers with parameters of the first run that recorded weights, or None."""
    weights = result.weights
    if weights.empty:
        return None
    keys = ["initializer", "repeat", "fold", "phase", "epoch"]
    first = weights[(weights[keys] == weights[keys].iloc[0]).all(axis=1)]
    # With a grid, only the first setting.
    first = first[~first.duplicated(["layer", "parameter"])]
    by_layer = first.groupby("layer", sort=False, as_index=False)
    layers = by_layer.agg(module=("module", "first"), units=("units", "first"), n=("count", "sum"))
    rows = [row | {"layer": row["layer"] or "-"} for row in records(layers)]
    rows.append({"layer": _("all layers"), "module": "", "units": float("nan"), "n": first["count"].sum()})
    columns = [
        *columns_of("text", layer=_("Layer"), module=_("Kind")),
        *columns_of("integer", units=_("Units"), n=_("Parameters")),
    ]
    return Table("network", _("The network"), columns, rows)
