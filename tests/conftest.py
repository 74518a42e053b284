import numpy as np
import pytest
import torch

from initsk.utils._torch_settings import flushes_subnormals


@pytest.fixture(autouse=True)
def _global_state_stays():
    """Every test doubles as a check that nothing global moves: random state and threads."""
    flushes = flushes_subnormals()
    before = torch.get_rng_state().clone(), np.random.get_state()[1].copy(), torch.get_num_threads()  # noqa: NPY002
    yield
    assert torch.equal(before[0], torch.get_rng_state()), "torch's global random state moved"
    assert (before[1] == np.random.get_state()[1]).all(), "numpy's global random state moved"  # noqa: NPY002
    assert torch.get_num_threads() == before[2], "torch's thread count moved"
    assert flushes_subnormals() == flushes, "torch's treatment of subnormal numbers moved"
