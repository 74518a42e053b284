"""Reports: a page, Markdown or JSON with pictures, made from a result."""

from initsk.report._comparison_notes import describe_not_beating, name_of_baseline
from initsk.report._comparison_text import (
    describe_activations,
    describe_epochs_to_target,
    describe_order,
    describe_ranking,
)
from initsk.report._elements import Report
from initsk.report._findings_text import describe_findings
from initsk.report._missing_runs import describe_missing_runs
from initsk.report._text import printed
from initsk.report._trial import answer_of_rates
from initsk.report._write import answer_of, make_report, notebook_html, pictures_of, summarize, write_pictures
from initsk.report._writers import json_value, to_fragment, to_json, to_markdown, to_page

__all__ = [
    "Report", "answer_of", "answer_of_rates", "describe_activations", "describe_epochs_to_target", "describe_findings",
    "describe_missing_runs", "describe_not_beating", "describe_order", "describe_ranking", "json_value", "make_report",
    "name_of_baseline", "notebook_html", "pictures_of", "printed", "summarize", "to_fragment", "to_json", "to_markdown",
    "to_page", "write_pictures",
]  # fmt: skip
