import pytest

from tests.zoo.operators import define_missing_operators
from tests.zoo.table import isolated


@pytest.fixture(scope="session", autouse=True)
def _torchvision_can_be_imported():
    with isolated():
        define_missing_operators()
