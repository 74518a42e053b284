"""Versions of Python and of the libraries that the numbers depend on."""

import platform
from importlib.metadata import version

import numpy as np
import torch

from initsk._version import __version__


def versions() -> dict[str, str]:
    """Return the versions by name, that of Python first."""
    loaded = {"Python": platform.python_version(), "initsk": __version__}
    loaded |= {"torch": torch.__version__, "numpy": np.__version__}
    # skorch takes long to load where torch_geometric is installed.
    return loaded | {"sklearn": version("scikit-learn"), "skorch": version("skorch")}
