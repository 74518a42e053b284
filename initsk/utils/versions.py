"""Versions of Python and of the libraries that the numbers depend on."""

import platform

import numpy as np
import sklearn
import skorch
import torch

from initsk._version import __version__


def versions() -> dict[str, str]:
    """Return the versions by name, that of Python first."""
    parts = [("Python", platform.python_version()), ("initsk", __version__)]
    return dict(parts) | {part.__name__: part.__version__ for part in (torch, np, sklearn, skorch)}
