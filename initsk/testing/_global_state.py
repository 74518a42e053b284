"""Global state of the process, which a call must not change."""

import pickle
import random
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from initsk.network import written_by
from initsk.utils.random import isolated_numpy_random, isolated_torch_random
from initsk.utils.torch_settings import flushes_subnormals

_SEED = 20_250_731


def global_state() -> dict[str, Any]:
    """Describe the global state of torch, numpy and Python."""
    # Some functions of torch import these packages at their first call; each adds filters for its own warnings.
    filters = [item for item in warnings.filters if not item[2].__module__.startswith(("sympy", "pkg_resources"))]
    return {
        "torch's random state": torch.get_rng_state().tolist(),
        "numpy's random state": pickle.dumps(np.random.get_state()),  # noqa: NPY002 - the state that must stay
        "Python's random state": random.getstate(),
        "torch's number of threads": torch.get_num_threads(),
        "torch's default type": torch.get_default_dtype(),
        "torch's treatment of subnormal numbers": flushes_subnormals(),
        "torch's gradient mode": torch.is_grad_enabled(),
        "numpy's treatment of errors": np.geterr(),
        "the warnings' filters": filters,
    }


@contextmanager
def unusual_global_state() -> Iterator[None]:
    """Set unusual random states and threads inside the block, so that a call that sets its own changes them."""
    python, threads, dtype = random.getstate(), torch.get_num_threads(), torch.get_default_dtype()
    with isolated_torch_random(_SEED), isolated_numpy_random(_SEED):
        try:
            random.seed(_SEED)
            torch.set_num_threads(threads + 1)
            yield
        finally:
            random.setstate(python)
            torch.set_num_threads(threads)
            torch.set_default_dtype(dtype)


class Writes(TorchFunctionMode):
    """Count the torch functions that write into each tensor inside the block, in this thread.

    Examples
    --------
    >>> tensor = torch.zeros(2)
    >>> with Writes() as writes:
    ...     _ = tensor.add_(1)
    ...     tensor[0] = 3
    >>> writes.into(tensor)
    2
    """

    def __init__(self) -> None:
        super().__init__()
        self._counts: Counter[int] = Counter()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run a torch function, and count it if it writes."""
        kwargs = kwargs or {}
        target = written_by(func, args, kwargs)
        if isinstance(target, torch.Tensor):
            self._counts[target.data_ptr()] += 1
        return func(*args, **kwargs)

    def into(self, tensor: torch.Tensor) -> int:
        """Return the number of writes into the memory of a tensor; 0 if it has no memory."""
        return self._counts[tensor.data_ptr()] if tensor.numel() and not tensor.is_meta else 0
