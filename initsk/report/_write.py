"""From a result to a page with pictures beside it: summarize, draw, render, write."""

from pathlib import Path
from typing import Any

import joblib
import pandas as pd

from initsk.comparison import ComparisonResult, grid_columns, of_splits, versions
from initsk.displays import (
    AXES,
    PHASES,
    ActivationGridDisplay,
    DifferencesDisplay,
    LearningCurvesDisplay,
    colour_of,
    figure_png,
    figure_svg,
)
from initsk.inspection import signal_rows
from initsk.report._rows import table_rows
from initsk.report._words import answer, describe_activations, shortfall, slow_starts
from initsk.utils._files import write_atomic
from initsk.utils._validation import check_parameters, one_of


def write_report(result: ComparisonResult, path: str | Path, *, axes: str = "shared") -> Path:
    """Write ``index.html`` (or any name) and its PNG pictures.

    Parameters
    ----------
    result : ComparisonResult
        What to report.
    path : str or Path
        The page.
    axes : {"shared", "article"}, default="shared"
        Axes of the activation grid.

    Returns
    -------
    Path
    """
    check_parameters("to_html", {"axes": axes}, {"axes": one_of("axes", AXES)})
    path = Path(path)
    # With a grid, each initializer is shown at its own best setting.
    shown = result.tuned()
    grids = _grids(shown)
    pictures: dict[str, Any] = {}
    if len(result.initializers) > 1:
        pictures["differences"] = DifferencesDisplay.from_frames(result.runs).plot()
    if len(shown.history):
        pictures["learning_curves"] = LearningCurvesDisplay.from_frames(shown.history).plot()
    page = render_html(result, shown, grids, pictures, axes)
    for name, picture in pictures.items():
        write_atomic(path.parent / f"{name}.png", figure_png(picture.figure_))
    for phase, grid in grids.items():
        # The grid after training is the picture of a comparison; of who does not train, there is the first alone.
        name = "activations" if phase == list(grids)[-1] else f"activations_{phase}"
        write_atomic(path.parent / f"{name}.png", figure_png(grid.plot(axes=axes).figure_))
    return write_atomic(path, page)


def _grids(result: ComparisonResult) -> dict[str, ActivationGridDisplay]:
    if result.histograms.empty:
        return {}
    return {
        phase: ActivationGridDisplay.from_frames(result.histograms, result.layers, phase=phase)
        for phase in PHASES
        if len(signal_rows(result.histograms[result.histograms["phase"] == phase]))
    }


def render_html(
    result: ComparisonResult,
    shown: ComparisonResult,
    grids: dict[str, ActivationGridDisplay],
    pictures: dict[str, Any],
    axes: str,
) -> str:
    """Render the page; equal results give equal text."""
    from jinja2 import Environment, PackageLoader, select_autoescape

    environment = Environment(
        loader=PackageLoader("initsk", "report/templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    summary = result.summary()
    grid = grid_columns(result.runs)
    problems = result.runs[result.runs["status"] != "ok"]
    target = result.target()
    return environment.get_template("comparison.html").render(
        title=f"Initializers compared: {result.settings.get('dataset', 'a data set')}",
        answer=answer(summary),
        speed=slow_starts(summary, target),
        shortfall=shortfall(result.runs, result.settings),
        rows=table_rows(summary, grid, result.initializers),
        grid=grid,
        settings_rows=table_rows(result.summary(by="setting"), grid, result.initializers) if grid else [],
        over_splits=of_splits(result.runs),
        target=f"{target:.4f}",
        problems=problems.astype(str).to_dict("records"),
        svg={name: figure_svg(picture.figure_, name) for name, picture in pictures.items()},
        phases=[_phase(shown, grids[phase], phase, axes) for phase in grids],
        axes=axes,
        settings=_facts(result.settings),
        versions=", ".join(f"{name} {number}" for name, number in _versions().items()),
    )


def _phase(result: ComparisonResult, grid: ActivationGridDisplay, phase: str, axes: str) -> dict[str, Any]:
    rows = []
    for i, label in enumerate(grid.initializers):
        figure = grid.plot(axes=axes, initializers=[label]).figure_
        rows.append(
            {
                "label": label,
                "colour": colour_of(i),
                "svg": figure_svg(figure, f"{phase}-{i}"),
                "words": describe_activations(result.layers, label, phase),
            }
        )
    name = {"initialized": "at initialization", "trained": "after training"}[phase]
    return {"id": phase, "name": name, "rows": rows}


_FACTS = {
    "dataset": "Data set",
    "n_train": "Training samples",
    "n_test": "Held-out samples",
    "n_features": "Features",
    "estimator": "Estimator",
    "parameter": "Compared parameter",
    "cv": "Folds",
    "scoring": "Scoring",
    "random_state": "Seed",
    "command": "Command",
}


def _facts(settings: dict[str, Any]) -> list[tuple[str, str]]:
    return [(text, str(settings[key])) for key, text in _FACTS.items() if settings.get(key) is not None]


def _versions() -> dict[str, str]:
    return versions() | {part.__name__: part.__version__ for part in (pd, joblib)}
