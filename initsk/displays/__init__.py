"""Displays: matplotlib figures of data frames; matplotlib loads when a figure is drawn."""

from initsk.displays._activation_grid import AXES, ActivationGridDisplay, WeightGridDisplay
from initsk.displays._colors import color_of, palette_color
from initsk.displays._depth import DepthDisplay
from initsk.displays._differences import DifferencesDisplay
from initsk.displays._display import Display
from initsk.displays._histogram_grid import HistogramGridDisplay
from initsk.displays._history import HistoryDisplay
from initsk.displays._layer_strip import LayerStripDisplay
from initsk.displays._learning_curves import LearningCurvesDisplay
from initsk.displays._learning_rates import LearningRateDisplay
from initsk.displays._network import NetworkDisplay
from initsk.displays._phase_diagram import PhaseDiagramDisplay
from initsk.displays._render import FORMATS, figure_file, figure_inline, figure_png, figure_svg
from initsk.displays._settings import report_style
from initsk.displays._style import POSITION_NAMES
from initsk.displays._trial import TrialDisplay

__all__ = [
    "AXES", "FORMATS", "POSITION_NAMES", "ActivationGridDisplay", "DepthDisplay", "DifferencesDisplay", "Display",
    "HistogramGridDisplay", "HistoryDisplay", "LayerStripDisplay", "LearningCurvesDisplay", "LearningRateDisplay",
    "NetworkDisplay", "PhaseDiagramDisplay", "TrialDisplay", "WeightGridDisplay", "color_of", "figure_file",
    "figure_inline", "figure_png", "figure_svg", "palette_color", "report_style",
]  # fmt: skip
