"""What was run, on what, for how long, and how to run it again."""

from collections.abc import Iterator
from typing import Any

from initsk.comparison import ComparisonResult
from initsk.language import Language, message
from initsk.report._elements import Code, Column, Detail, Details, Element, Paragraph, Section, Table

_DETAILS = {
    "dataset": message("Data set"),
    "n_train": message("Training samples"),
    "n_val": message("Held-out samples"),
    "n_features": message("Features"),
    "estimator": message("Estimator"),
    "parameter": message("Compared parameter"),
    "search": message("Search"),
    "cv": message("Folds"),
    "scoring": message("Scoring"),
    "n_repeats": message("Repeats"),
    "random_state": message("Seed of all seeds"),
}
_CODE = ("estimator", "parameter", "cv", "scoring")
_MAX_SEEDS = 20


def run_section(result: ComparisonResult, translate: Language) -> Section:
    """Return the details of the run, the network, and the lines that repeat it."""
    elements: list[Element] = [Details(list(_details(result, translate)))]
    network = _network(result, translate)
    if network is not None:
        elements.append(network)
    lines = result.settings.get("command") or result.settings.get("call")
    if lines:
        elements += [Paragraph(translate("The same again:")), Code(lines)]
    elements.append(
        Paragraph(
            translate(
                "Each run trained on a fixed number of threads; under one repeat and fold every initializer saw the"
                " same split, and the same batches in the same order."
            ),
            "note",
        )
    )
    return Section("run", translate("What was run"), elements)


def _details(result: ComparisonResult, translate: Language) -> Iterator[Detail]:
    settings = result.settings
    for key, name in _DETAILS.items():
        value = settings.get(key)
        if value is not None:
            whole = isinstance(value, int) and key != "random_state"
            yield Detail(translate(name), translate.integer(value) if whole else str(value), key in _CODE)
    seeds = result.runs["seed"].unique().tolist()
    more = ["..."] if len(seeds) > _MAX_SEEDS else []
    if "random_state" in settings:
        yield Detail(translate("Seeds of the runs"), ", ".join([*map(str, seeds[:_MAX_SEEDS]), *more]))
    if "hardware" in settings:
        threads = translate.plural("{n} thread a run", "{n} threads a run", settings.get("n_threads", 1))
        yield Detail(translate("Hardware"), f"{settings['hardware']}, {threads}")
    if settings.get("versions"):
        yield Detail(
            translate("Versions"), ", ".join(f"{name} {number}" for name, number in settings["versions"].items())
        )
    seconds = result.timing["seconds"].dropna()
    if len(seconds):
        values = {
            "total": duration(float(seconds.sum()), translate),
            "median": duration(float(seconds.median()), translate),
        }
        yield Detail(translate("Time"), translate("{total} in all runs together, {median} in the median run", **values))


def duration(seconds: float, translate: Language) -> str:
    """Return a time in the units that suit it.

    Examples
    --------
    >>> from initsk.language import get_language
    >>> [duration(seconds, get_language("en")) for seconds in (0.0123, 22.34, 1360.2, 7300.0)]
    ['0.0123 s', '22.3 s', '22 min 40 s', '2 h 1 min']
    """
    if seconds < 100:
        return translate("{n} s", n=translate.short(seconds))
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return translate("{minutes} min {seconds} s", minutes=minutes, seconds=rest)
    return translate("{hours} h {minutes} min", hours=translate.integer(minutes // 60), minutes=minutes % 60)


def _network(result: ComparisonResult, translate: Language) -> Table | None:
    """Return the layers with parameters, of the first run that has any."""
    weights = result.weights
    if weights.empty:
        return None
    keys = ["initializer", "repeat", "fold", "phase", "epoch"]
    first = weights[(weights[keys] == weights[keys].iloc[0]).all(axis=1)]
    # With a grid, the first setting.
    first = first[~first.duplicated(["layer", "parameter"])]
    rows: list[dict[str, Any]] = []
    for layer, part in first.groupby("layer", sort=False):
        row = part.iloc[0]
        rows.append({"layer": layer or "-", "module": row["module"], "units": row["units"], "n": part["count"].sum()})
    rows.append({"layer": translate("all layers"), "module": "", "units": float("nan"), "n": first["count"].sum()})
    columns = [
        Column("layer", translate("Layer"), "text"),
        Column("module", translate("Kind"), "text"),
        Column("units", translate("Units"), "integer"),
        Column("n", translate("Parameters"), "integer"),
    ]
    return Table("network", translate("The network"), columns, rows)
