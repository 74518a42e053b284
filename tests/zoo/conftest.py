"""Libraries of networks, imported without the warnings of their imports."""

import importlib
import warnings

import pytest

from tests.zoo.operators import define_missing_operators
from tests.zoo.table import isolated

# skorch imports torch_geometric where it is installed, whose import warns.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    importlib.import_module("skorch")


@pytest.fixture
def row(request):
    """Return a row of the table; skip the test if the row's package is not installed."""
    package = request.param.package
    with isolated():
        if package != "torch":
            define_missing_operators()
        pytest.importorskip(package)
    return request.param


@pytest.fixture(scope="session")
def transformers():
    """Import transformers."""
    with isolated():
        define_missing_operators()
        library = pytest.importorskip("transformers")
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
