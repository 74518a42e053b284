"""Reports: the page that people look at, and the same as Markdown, JSON and pictures."""

from initsk.report._comparison_text import answer, describe_activations, shortfall, slow_starts
from initsk.report._write import make_report, notebook_html, summarize, write_pictures

__all__ = [
    "answer",
    "describe_activations",
    "make_report",
    "notebook_html",
    "shortfall",
    "slow_starts",
    "summarize",
    "write_pictures",
]
