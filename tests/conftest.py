import pytest

from initsk.testing._global_state import global_state


@pytest.fixture(autouse=True)
def _global_state_stays():
    """Every test doubles as a check that nothing global moves."""
    before = global_state()
    yield
    after = global_state()
    assert [name for name in before if before[name] != after[name]] == []
