"""Laws that every initializer keeps, for those who write one.

`check_initializer` runs all of them on an object; `parametrize_with_checks` makes a pytest test of each. Statistical
laws draw with fixed seeds and allow six standard errors: for a normal law that is a false alarm in
some five hundred million, and with fixed seeds the outcome never changes.
"""

import copy
import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from torch import nn

from initsk._testing_modules import LAYERS, NETWORKS, Case, batch
from initsk.exceptions import InitskError, InvalidParameterError
from initsk.initializers import Initializer, InitializerLike, Orthogonal, Promise, Site, get_initializer
from initsk.modules import InitializationRecord, initialize

STANDARD_ERRORS = 6.0
_SHAPES = ((40, 40), (60, 30), (30, 60), (24, 12, 3, 3), (12, 12, 3))
_TYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.complex128)

Check = Callable[[Initializer], None]


def check_initializer(initializer: InitializerLike) -> None:
    """Run every law on an initializer.

    Parameters
    ----------
    initializer : str, Initializer, Initializer class or callable
        What is checked; its statistical promise is what its method ``promise(site)`` says.

    Raises
    ------
    AssertionError
        If a law is broken; the message says which, with the numbers.

    Examples
    --------
    >>> from initsk.initializers import RandomNormal
    >>> from initsk.testing import check_initializer
    >>> check_initializer(RandomNormal(0.5))
    """
    for check in checks():
        check(get_initializer(initializer))


def parametrize_with_checks(initializers: Iterable[InitializerLike]) -> Any:
    """Decorate a pytest test so that it runs once for each initializer and law.

    Parameters
    ----------
    initializers : iterable of str, Initializer, Initializer class or callable
        What is checked.

    Returns
    -------
    decorator
        For a test with the arguments `initializer` and `check`.

    Examples
    --------
    >>> from initsk.testing import parametrize_with_checks
    >>> @parametrize_with_checks(["he_normal", "orthogonal"])
    ... def test_my_initializers(initializer, check):
    ...     check(initializer)
    """
    import pytest

    resolved = [get_initializer(initializer) for initializer in initializers]
    cases = [
        pytest.param(initializer, check, id=f"{initializer!r}-{check.__name__}")
        for initializer in resolved
        for check in checks()
    ]
    return pytest.mark.parametrize(("initializer", "check"), cases)


def checks() -> list[Check]:
    """List the laws, each a function of an initializer whose name begins with ``check_``."""
    return list(_CHECKS)


def check_is_a_value(initializer: Initializer) -> None:
    """Equal parameters make equal objects: clone, repr, hash, copy, pickle and ``get_params``."""
    same = [
        clone(initializer),
        copy.deepcopy(initializer),
        pickle.loads(pickle.dumps(initializer)),
        type(initializer)(**initializer.get_params(deep=False)),
    ]
    for other in same:
        _assert(initializer, other == initializer, f"{other!r} is not equal to it")
        _assert(initializer, hash(other) == hash(initializer), "equal objects have different hashes")
        _assert(initializer, repr(other) == repr(initializer), "equal objects have different reprs")
    _assert(initializer, initializer != object(), "it equals a foreign object")


def check_json(initializer: Initializer) -> None:
    """JSON gives the object back, unless a parameter is a function: then it is refused."""
    try:
        text = initializer.to_json()
    except InvalidParameterError:
        functions = [value for value in _leaves(initializer) if callable(value)]
        _assert(initializer, bool(functions), "it cannot be written as JSON, though no parameter is a function")
        return
    _assert(initializer, Initializer.from_json(text) == initializer, f"JSON does not give it back: {text}")


def check_same_seed_same_values(initializer: Initializer) -> None:
    """Equal seeds give equal values, and other seeds others where the law has any chance in it."""
    for shape in _shapes(initializer):
        first, again, other = (initializer.sample(shape, random_state=seed) for seed in (0, 0, 1))
        _assert(initializer, first.shape == shape, f"asked for {shape}, got {tuple(first.shape)}")
        _assert(initializer, torch.equal(first, again), "the same seed gave different values")
        promise = initializer.promise(Site.from_shape(shape))
        if promise is not None and promise.variance > 0:
            _assert(initializer, not torch.equal(first, other), "two seeds gave the same values")


def check_types(initializer: Initializer) -> None:
    """Every floating-point type comes out as asked, and half precision is drawn in float32 and then rounded."""
    for shape in _shapes(initializer):
        single = initializer.sample(shape, random_state=0)
        for dtype in _TYPES:
            values = initializer.sample(shape, random_state=0, dtype=dtype)
            _assert(initializer, values.dtype == dtype, f"asked for {dtype}, got {values.dtype}")
            _assert(initializer, bool(torch.isfinite(values).all()), f"{dtype} values are not finite")
            if dtype in (torch.float16, torch.bfloat16):
                _assert(initializer, torch.equal(values, single.to(dtype)), f"{dtype} is not float32 rounded")


def check_mean_and_variance(initializer: Initializer) -> None:
    """Mean and variance are as promised, for real and for complex values."""
    for shape in ((300, 200), (60, 40, 3, 3)):
        promise = _promise(initializer, Site.from_shape(shape))
        for dtype in (torch.float64, torch.complex128):
            if promise is not None and _draws(initializer, shape):
                _assert_moments(
                    initializer, initializer.sample(shape, random_state=0, dtype=dtype), promise, str(shape)
                )


def check_bounds_and_symmetry(initializer: Initializer) -> None:
    """No value lies beyond the promised bound, and as many lie above the mean as below."""
    shape = (300, 200)
    promise = _promise(initializer, Site.from_shape(shape))
    if promise is None or not _draws(initializer, shape):
        return
    away = initializer.sample(shape, random_state=0, dtype=torch.float64) - promise.mean
    reach = float(away.abs().max())
    _assert(
        initializer, reach <= promise.bound * (1 + 1e-6) + 1e-12, f"{reach:g} is beyond the bound {promise.bound:g}"
    )
    above, below = int((away > 0).sum()), int((away < 0).sum())
    if promise.symmetric and promise.variance > 0:
        allowed = STANDARD_ERRORS * sqrt(above + below)
        _assert(initializer, abs(above - below) <= allowed, f"{above} values lie above the mean, {below} below")


def check_singular_values(initializer: Initializer) -> None:
    """Where orthogonality is promised, all singular values are equal, for real and complex values."""
    for shape in _shapes(initializer):
        promise = _promise(initializer, Site.from_shape(shape))
        if promise is None or promise.singular_value is None:
            continue
        for dtype, error in (
            (torch.float64, 1e-12),
            (torch.float32, 1e-5),
            (torch.complex64, 1e-5),
            (torch.bfloat16, 0.05),
        ):
            values = initializer.sample(shape, random_state=0, dtype=dtype).flatten(1)
            values = values.to(torch.promote_types(dtype, torch.float32))
            off = float((torch.linalg.svdvals(values) / promise.singular_value - 1).abs().max())
            _assert(initializer, off <= error, f"singular values of {shape} in {dtype} are off by {off:.1e}")


def check_fans(initializer: Initializer) -> None:
    """In every kind of layer the variance is what is promised for fans counted by hand."""
    for case in LAYERS:
        site = _site_by_hand(case, initializer.reads_architecture)
        promise = _promise(initializer, site) if initializer.choose(site) else None
        if promise is None or initializer.refines:
            continue
        module = _build(case.build)
        try:
            record = initialize(module, initializer, random_state=0)
        except InvalidParameterError:
            continue
        if record.to_frame().set_index("name").loc[case.weight, "touched"]:
            weight = getattr(module, case.weight).detach().double()
            _assert_moments(initializer, weight, promise, case.label)


def check_module_rules(initializer: Initializer) -> None:
    """Buffers, frozen parameters and modes stay, tied parameters are set once, the same seed gives the same network."""
    for module, again in zip(_fitting(initializer), _fitting(initializer), strict=True):
        before, modes = _state(module), [part.training for part in module.modules()]
        record = _apply(initializer, module)
        after = _state(module)
        frame = record.to_frame()
        expected = {name for name, _ in module.named_parameters()}
        _assert(initializer, set(frame["name"]) == expected and frame["name"].is_unique, "the record misses parameters")
        left = {row["name"] for row in record.rows if not row["touched"]} | {name for name, _ in module.named_buffers()}
        moved = [name for name in left if not torch.equal(before[name], after[name])]
        _assert(initializer, not moved, f"{moved} changed, though the record or their kind says that they stay")
        frozen = {name for name, parameter in module.named_parameters() if not parameter.requires_grad}
        _assert(initializer, frozen <= left, "frozen parameters were touched")
        _assert(initializer, modes == [part.training for part in module.modules()], "training modes changed")
        _assert(initializer, all(p.grad is None for p in module.parameters()), "gradients were left behind")
        _apply(initializer, again)
        same = all(torch.equal(value, after[name]) for name, value in _state(again).items())
        _assert(initializer, same, "the same seed gave two different networks")


def check_failure_is_clean(initializer: Initializer) -> None:
    """Failed calls leave the module as it was, and no hook behind."""
    for module in _fitting(initializer):
        before = _state(module)
        try:
            _apply(initializer, module, bias_initializer=Orthogonal())
        except InitskError:
            pass
        else:
            raise AssertionError(f"{initializer!r}: an impossible bias initializer was not noticed")
        same = all(torch.equal(value, before[name]) for name, value in _state(module).items())
        _assert(initializer, same, "a failed call changed the module")
        hooks = [h for part in module.modules() for h in (*part._forward_hooks, *part._forward_pre_hooks)]
        _assert(initializer, not hooks, "hooks were left behind")


def check_global_state(initializer: Initializer) -> None:
    """Torch's and numpy's random states and torch's number of threads stay."""
    before = _global_state()
    for shape in _shapes(initializer):
        initializer.sample(shape, random_state=0)
    for module in _fitting(initializer):
        _apply(initializer, module)
    _assert(initializer, _global_state() == before, "global state moved")


def _assert(initializer: Initializer, law: bool, message: str) -> None:
    if not law:
        raise AssertionError(f"{initializer!r}: {message}")


def _assert_moments(initializer: Initializer, values: torch.Tensor, promise: Promise, where: str) -> None:
    away = (values - promise.mean).flatten()
    square = away.abs().square()
    n = len(away)
    allowed = STANDARD_ERRORS * max(float(square.std()), sqrt(2) * promise.variance) / sqrt(n) + 1e-12
    found = float(square.mean())
    _assert(
        initializer,
        abs(found - promise.variance) <= allowed,
        f"variance {found:g} at {where}, not {promise.variance:g}",
    )
    mean = complex(away.mean().item())
    off = abs(mean)
    allowed = STANDARD_ERRORS * sqrt(promise.variance / n) + 1e-12
    _assert(initializer, off <= allowed, f"mean off by {off:g} at {where}, where {allowed:g} is allowed")


def _leaves(initializer: Initializer) -> Iterator[Any]:
    """Yield the parameters, and what lies in lists of them."""
    todo = list(initializer.get_params(deep=False).values())
    while todo:
        value = todo.pop()
        if isinstance(value, list | tuple):
            todo.extend(value)
        elif isinstance(value, Initializer):
            todo.extend(value.get_params(deep=False).values())
        else:
            yield value


def _draws(initializer: Initializer, shape: tuple[int, ...]) -> bool:
    try:
        initializer.sample(shape, random_state=0)
    except InvalidParameterError:
        return False
    return True


def _shapes(initializer: Initializer) -> list[tuple[int, ...]]:
    """List the shapes that the initializer takes; those that it refuses must be refused on purpose."""
    return [shape for shape in _SHAPES if _draws(initializer, shape)]


def _promise(initializer: Initializer, site: Site) -> Promise | None:
    try:
        return initializer.promise(site)
    except InvalidParameterError:
        return None


def _site_by_hand(case: Case, reads_architecture: bool) -> Site:
    """Make a layer's site without the code that reads modules."""
    module = _build(case.build)
    # A network of one layer ends with it; embeddings begin it, and attention projects once more.
    places = {"embedding": "input", "attention": "hidden"}
    place = places.get(case.kind, "output") if reads_architecture else ""
    site = Site(case.shape, case.fan_in, case.fan_out, kind=case.kind, name=case.weight, place=place)
    groups = getattr(module, "groups", 1)
    transposed = isinstance(module, nn.ConvTranspose2d)
    stored = tuple(getattr(module, case.weight).shape)
    block = "q" if case.kind == "attention" else ""
    return replace(site, layer=type(module), groups=groups, transposed=transposed, weight_shape=stored, block=block)


def _build(factory: Callable[[], nn.Module]) -> nn.Module:
    """Build a module from a fixed seed, without moving the global random state."""
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(0)
        return factory()


def _apply(initializer: Initializer, module: nn.Module, **arguments: Any) -> InitializationRecord:
    X, y = batch()
    return initialize(module, initializer, X=X, y=y, random_state=0, **arguments)


def _fitting(initializer: Initializer) -> list[nn.Module]:
    """Build those networks that the scheme is for; there must be one."""
    fitting = []
    refusals = []
    for network in NETWORKS:
        try:
            _apply(initializer, _build(network))
        except InitskError as error:
            refusals.append(str(error))
        else:
            fitting.append(_build(network))
    _assert(initializer, bool(fitting), f"it refuses every network: {refusals}")
    return fitting


def _state(module: nn.Module) -> dict[str, torch.Tensor]:
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return {name: value.detach().clone() for name, value in tensors}


def _global_state() -> tuple[Any, ...]:
    legacy = np.random.get_state()  # noqa: NPY002 - the state that must not move
    return torch.get_rng_state().tolist(), pickle.dumps(legacy), torch.get_num_threads()


_CHECKS: tuple[Check, ...] = (
    check_is_a_value,
    check_json,
    check_same_seed_same_values,
    check_types,
    check_mean_and_variance,
    check_bounds_and_symmetry,
    check_singular_values,
    check_fans,
    check_module_rules,
    check_failure_is_clean,
    check_global_state,
)
