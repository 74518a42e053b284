"""Libraries of networks, imported without the warnings of their imports."""

import contextlib
import importlib
import sys
import warnings

import pytest
import torch

# skorch imports torch_geometric where it is installed, whose import warns.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    importlib.import_module("skorch")


@pytest.fixture(scope="session")
def transformers():
    """Import transformers; a torchvision that is built for another torch lacks operators that its import needs."""
    pytest.importorskip("transformers")
    with contextlib.suppress(ImportError):
        try:
            importlib.import_module("torchvision")
        except RuntimeError:
            for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
                del sys.modules[name]
            for name in ("nms", "qnms"):
                torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float threshold) -> Tensor")
    library = importlib.import_module("transformers")
    # The models load at their first use, and their imports change the filters of warnings.
    for name in ("BertModel", "GPT2Model"):
        getattr(library, name)
    return library


@pytest.fixture(scope="session")
def geometric():
    """Import torch_geometric with its layers and loaders."""
    pytest.importorskip("torch_geometric")
    for part in ("nn", "loader"):
        importlib.import_module(f"torch_geometric.{part}")
    return importlib.import_module("torch_geometric")
