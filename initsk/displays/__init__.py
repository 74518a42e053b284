"""Displays: frames in, matplotlib out; matplotlib loads when something is drawn."""

from initsk.displays._activation_grid import AXES as AXES, PHASES as PHASES, ActivationGridDisplay, WeightGridDisplay
from initsk.displays._depth import DepthDisplay
from initsk.displays._differences import DifferencesDisplay
from initsk.displays._histogram_grid import HistogramGridDisplay
from initsk.displays._history import HistoryDisplay
from initsk.displays._layer_strip import LayerStripDisplay
from initsk.displays._learning_curves import LearningCurvesDisplay
from initsk.displays._phase_diagram import PhaseDiagramDisplay
from initsk.displays._style import (
    SITE_NAMES as SITE_NAMES,
    colour_of as colour_of,
    figure_inline as figure_inline,
    figure_png as figure_png,
    figure_svg as figure_svg,
)

__all__ = [
    "ActivationGridDisplay",
    "DepthDisplay",
    "DifferencesDisplay",
    "HistogramGridDisplay",
    "HistoryDisplay",
    "LayerStripDisplay",
    "LearningCurvesDisplay",
    "PhaseDiagramDisplay",
    "WeightGridDisplay",
]
