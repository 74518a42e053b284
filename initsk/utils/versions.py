"""Versions of Python and of the libraries that the numbers depend on."""

import platform
from functools import cache
from importlib.metadata import version

import numpy as np
import torch

from initsk._version import __version__


def versions() -> dict[str, str]:
    """Return the versions by name, that of Python first."""
    loaded = {"Python": platform.python_version(), "initsk": __version__}
    loaded |= {"torch": torch.__version__, "numpy": np.__version__}
    # skorch takes long to load where torch_geometric is installed.
    return loaded | {"sklearn": _installed("scikit-learn"), "skorch": _installed("skorch")}


@cache
def _installed(name: str) -> str:
    """Return the version of a distribution, read from its files once."""
    return version(name)
