"""Reports: the page that people look at, and the same as Markdown, JSON and pictures."""

from initsk.report._layer_words import describe_activations
from initsk.report._words import answer, shortfall, slow_starts
from initsk.report._write import (
    make_report as make_report,
    notebook_html as notebook_html,
    summarize as summarize,
    write_pictures as write_pictures,
)

__all__ = ["answer", "describe_activations", "shortfall", "slow_starts"]
