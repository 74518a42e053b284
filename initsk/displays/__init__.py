"""Displays: frames in, matplotlib out; matplotlib loads when something is drawn."""

from initsk.displays._activation_grid import AXES, PHASES, ActivationGridDisplay
from initsk.displays._learning_curves import LearningCurvesDisplay
from initsk.displays._style import colour_of, figure_png, figure_svg

__all__ = [
    "AXES",
    "PHASES",
    "ActivationGridDisplay",
    "LearningCurvesDisplay",
    "colour_of",
    "figure_png",
    "figure_svg",
]
