"""Reports: the page that people look at."""

from initsk.report._words import answer, describe_activations, shortfall
from initsk.report._write import write_report

__all__ = ["answer", "describe_activations", "shortfall", "write_report"]
