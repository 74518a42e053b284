"""From a result to a page with pictures beside it: summarize, draw, render, write."""

import platform
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import sklearn
import skorch
import torch

from initsk._version import __version__
from initsk.comparison import ComparisonResult
from initsk.displays import (
    PHASES,
    ActivationGridDisplay,
    LearningCurvesDisplay,
    colour_of,
    figure_png,
    figure_svg,
)
from initsk.inspection import signal_rows
from initsk.report._words import answer, describe_activations, shortfall
from initsk.utils._files import write_atomic


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
    path = Path(path)
    grids = _grids(result)
    curves = LearningCurvesDisplay.from_frames(result.history).plot() if len(result.history) else None
    page = render_html(result, grids, curves, axes)
    if grids:
        phase = "trained" if "trained" in grids else "initialized"
        write_atomic(path.parent / "activations.png", figure_png(grids[phase].plot(axes=axes).figure_))
        if phase == "trained":
            initial = figure_png(grids["initialized"].plot(axes=axes).figure_)
            write_atomic(path.parent / "activations_initialized.png", initial)
    if curves is not None:
        write_atomic(path.parent / "learning_curves.png", figure_png(curves.figure_))
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
    grids: dict[str, ActivationGridDisplay],
    curves: LearningCurvesDisplay | None,
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
    problems = result.runs[result.runs["status"] != "ok"]
    return environment.get_template("comparison.html").render(
        title=f"Initializers compared: {result.settings.get('dataset', 'a data set')}",
        answer=answer(summary),
        shortfall=shortfall(result.runs, result.settings.get("n_planned", len(result.runs))),
        rows=_table_rows(summary, result.initializers),
        problems=problems.astype(str).to_dict("records"),
        curves=figure_svg(curves.figure_, "curves") if curves is not None else "",
        phases=[_phase(result, grids[phase], phase, axes) for phase in grids],
        axes=axes,
        settings=_facts(result.settings),
        versions=_versions(),
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


def _table_rows(summary: pd.DataFrame, order: list[str]) -> list[dict[str, Any]]:
    def number(value: float, digits: int = 4) -> str:
        # Adding zero turns a rounded -0.0 into 0.0.
        return f"{round(value, digits) + 0.0:.{digits}f}" if np.isfinite(value) else "-"

    def p_text(value: float) -> str:
        return "< 0.0001" if value < 1e-4 else number(value)

    return [
        {
            "rank": row["rank"],
            "label": row["initializer"],
            "colour": colour_of(order.index(row["initializer"])),
            "mean": number(row["mean_score"]),
            "interval": f"{number(row['low'])} to {number(row['high'])}" if np.isfinite(row["low"]) else "-",
            "difference": number(row["difference_to_best"]) if row["rank"] > 1 else "-",
            "p": p_text(row["p_value"]),
            "tied": _tied_text(row),
            "failed": row["n_failed"] + row["n_diverged"],
        }
        for row in summary.to_dict("records")
    ]


def _tied_text(row: dict[Any, Any]) -> str:
    if pd.isna(row["tied_with_best"]):
        return "not tested"
    return "yes" if row["tied_with_best"] else "no"


_FACTS = {
    "dataset": "Data set",
    "n_train": "Training samples",
    "n_test": "Held-out samples",
    "n_features": "Features",
    "estimator": "Estimator",
    "random_state": "Seed",
    "command": "Command",
}


def _facts(settings: dict[str, Any]) -> list[tuple[str, str]]:
    return [(text, str(settings[key])) for key, text in _FACTS.items() if key in settings]


def _versions() -> str:
    parts = {
        "initsk": __version__,
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "skorch": skorch.__version__,
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "pandas": pd.__version__,
        "joblib": joblib.__version__,
    }
    return ", ".join(f"{name} {version}" for name, version in parts.items())
