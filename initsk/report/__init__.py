"""Reports: the page that people look at."""

from initsk.report._words import answer, describe_activations, shortfall, slow_starts
from initsk.report._write import write_report

__all__ = ["answer", "describe_activations", "shortfall", "slow_starts", "write_report"]
