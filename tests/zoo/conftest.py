import pytest

from tests.zoo.operators import define_missing_operators
from tests.zoo.table import isolated


@pytest.fixture
def row(request):
    """Return a row of the table; skip the test if the row's package is not installed."""
    package = request.param.package
    with isolated():
        if package != "torch":
            define_missing_operators()
        pytest.importorskip(package)
    return request.param
