"""Reports: the page that people look at."""

from initsk.report._write import write_report

__all__ = ["write_report"]
