import pickle

import numpy as np
import pytest
import torch

from initsk.utils._torch_settings import flushes_subnormals


@pytest.fixture(autouse=True)
def _global_state_stays():
    """Every test doubles as a check that nothing global moves."""
    before = global_state()
    yield
    after = global_state()
    assert [name for name in before if before[name] != after[name]] == []


def global_state():
    return {
        "torch's random state": torch.get_rng_state().tolist(),
        # The legacy global state is what must not move, so here it is the right one to ask.
        "numpy's random state": pickle.dumps(np.random.get_state()),  # noqa: NPY002
        "torch's number of threads": torch.get_num_threads(),
        "torch's treatment of subnormal numbers": flushes_subnormals(),
    }
