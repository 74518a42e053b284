"""What is drawn keeps what the initializer promises."""

from math import prod, sqrt

import torch

from initsk.initializers import Initializer, Site
from initsk.testing._support import STANDARD_ERRORS, draws, promise_for, require, require_moments, shapes
from initsk.utils._tensors import working_type

_TYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.complex128)


def check_same_seed_same_values(initializer: Initializer) -> None:
    """Equal seeds give equal values, other seeds others where there is any chance, and no draw leaves a trace."""
    before = dict(vars(initializer))
    for shape in shapes(initializer):
        first, again, other = (initializer.sample(shape, random_state=seed) for seed in (0, 0, 1))
        require(initializer, first.shape == shape, f"asked for {shape}, got {tuple(first.shape)}")
        require(initializer, torch.equal(first, again), "the same seed gave different values")
        promise = promise_for(initializer, Site.from_shape(shape))
        if promise is not None and promise.variance > 0:
            require(initializer, not torch.equal(first, other), "two seeds gave the same values")
    moved = [name for name, value in vars(initializer).items() if name not in before or value is not before[name]]
    require(initializer, not moved, f"drawing changed {moved} in the object")


def check_types(initializer: Initializer) -> None:
    """Every floating-point type comes out as asked, and half precision is drawn in float32 and then rounded."""
    for shape in shapes(initializer):
        single = initializer.sample(shape, random_state=0)
        for dtype in _TYPES:
            values = initializer.sample(shape, random_state=0, dtype=dtype)
            require(initializer, values.dtype == dtype, f"asked for {dtype}, got {values.dtype}")
            require(initializer, bool(torch.isfinite(values).all()), f"{dtype} values are not finite")
            if dtype in (torch.float16, torch.bfloat16):
                require(initializer, torch.equal(values, single.to(dtype)), f"{dtype} is not float32 rounded")


def check_mean_and_variance(initializer: Initializer) -> None:
    """Mean and variance are as promised, for real and for complex values.

    Where an initializer takes only small tensors, many of them are drawn.
    """
    for shape in ((300, 200), (60, 40, 3, 3), (6, 6)):
        promise = promise_for(initializer, Site.from_shape(shape))
        if promise is None or not draws(initializer, shape):
            continue
        for dtype in (torch.float64, torch.complex128):
            seeds = range(max(1, 2000 // prod(shape)))
            values = torch.stack([initializer.sample(shape, random_state=seed, dtype=dtype) for seed in seeds])
            require_moments(initializer, values, promise, str(shape))


def check_bounds_and_symmetry(initializer: Initializer) -> None:
    """No value lies beyond the promised bound, and as many lie above the mean as below."""
    shape = (300, 200)
    promise = promise_for(initializer, Site.from_shape(shape))
    if promise is None or not draws(initializer, shape):
        return
    away = initializer.sample(shape, random_state=0, dtype=torch.float64) - promise.mean
    reach = float(away.abs().max())
    require(
        initializer, reach <= promise.bound * (1 + 1e-6) + 1e-12, f"{reach:g} is beyond the bound {promise.bound:g}"
    )
    above, below = int((away > 0).sum()), int((away < 0).sum())
    if promise.symmetric and promise.variance > 0:
        allowed = STANDARD_ERRORS * sqrt(above + below)
        require(initializer, abs(above - below) <= allowed, f"{above} values lie above the mean, {below} below")


def check_singular_values(initializer: Initializer) -> None:
    """Where orthogonality is promised, all singular values are equal, for real and complex values."""
    for shape in shapes(initializer):
        promise = promise_for(initializer, Site.from_shape(shape))
        if promise is None or promise.singular_value is None:
            continue
        for dtype, error in (
            (torch.float64, 1e-12),
            (torch.float32, 1e-5),
            (torch.complex64, 1e-5),
            (torch.bfloat16, 0.05),
        ):
            values = initializer.sample(shape, random_state=0, dtype=dtype).flatten(1)
            values = values.to(working_type(dtype))
            off = float((torch.linalg.svdvals(values) / promise.singular_value - 1).abs().max())
            require(initializer, off <= error, f"singular values of {shape} in {dtype} are off by {off:.1e}")
