"""The command line."""

from initsk.cli._main import main

__all__ = ["main"]
