"""Reports: the page that people look at, and the same as Markdown, JSON and pictures."""

from initsk.report._comparison_text import answer, describe_activations, shortfall, slow_starts
from initsk.report._findings_text import describe_findings
from initsk.report._write import answer_of, make_report, notebook_html, summarize, write_pictures

__all__ = [
    "answer",
    "answer_of",
    "describe_activations",
    "describe_findings",
    "make_report",
    "notebook_html",
    "shortfall",
    "slow_starts",
    "summarize",
    "write_pictures",
]
