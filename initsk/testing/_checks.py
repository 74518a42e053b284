"""The checks: properties of values, of draws, and of what `initialize` does to a module."""

import copy
import pickle
from collections.abc import Callable, Iterable, Iterator
from math import prod, sqrt
from typing import Any

import torch
from sklearn.base import clone
from torch import nn

from initsk.exceptions import InitskError, InvalidParameterError
from initsk.initialization import initialize
from initsk.initializers import ExpectedMoments, Initializer, Orthogonal
from initsk.network import ParameterSpec, has_hooks
from initsk.testing._cases import (
    LAYERS,
    NETWORKS,
    SHAPES,
    STANDARD_ERRORS,
    Breaking,
    Case,
    apply,
    build,
    draws,
    expected_for,
    fitting,
    require,
    require_moments,
    same_state,
    shapes,
    state,
)
from initsk.testing._global_state import Writes, global_state, unusual_global_state
from initsk.utils.torch_settings import working_type


def check_is_a_value(initializer: Initializer) -> None:
    """Check that equal parameters make equal objects after clone, copy and pickle, and that a clone shares nothing."""
    rebuilt = type(initializer)(**initializer.get_params(deep=False))
    same = [clone(initializer), copy.deepcopy(initializer), rebuilt]
    if not any(_is_function(value) for value in _values(initializer)):
        same.append(pickle.loads(pickle.dumps(initializer)))
    for other in same:
        require(initializer, other == initializer, f"{other!r} is not equal to it")
        require(initializer, hash(other) == hash(initializer), "equal objects have different hashes")
        require(initializer, repr(other) == repr(initializer), "equal objects have different reprs")
    require(initializer, initializer != object(), "it equals an object of another type")
    inner = {id(value) for value in _values(initializer) if isinstance(value, Initializer)}
    shared = [value for value in _values(clone(initializer)) if id(value) in inner]
    require(initializer, not shared, f"its clone shares {shared}, so setting a parameter of one changes the other")


def check_repr(initializer: Initializer) -> None:
    """Check that the repr is Python code for an equal object, unless a parameter is a function."""
    values = list(_values(initializer))
    if any(_is_function(value) for value in values):
        return
    names = {type(value).__name__: type(value) for value in values if isinstance(value, Initializer)}
    try:
        again = eval(repr(initializer), names)
    except Exception as error:
        raise AssertionError(f"{initializer!r}: its repr is not Python ({error})") from error
    require(initializer, again == initializer, f"its repr evaluates to {again!r}")


def check_json(initializer: Initializer) -> None:
    """Check that JSON restores an equal object, or that ``to_json`` raises because a parameter is a function."""
    try:
        text = initializer.to_json()
    except InvalidParameterError:
        functions = [value for value in _values(initializer) if _is_function(value)]
        require(initializer, bool(functions), "it cannot be written as JSON, though no parameter is a function")
        return
    require(initializer, Initializer.from_json(text) == initializer, f"JSON does not restore it: {text}")


def _is_function(value: Any) -> bool:
    return callable(value) and not isinstance(value, Initializer)


def _values(initializer: Initializer) -> Iterator[Any]:
    """Yield the initializer, its parameters, and the values inside of them."""
    todo: list[Any] = [initializer]
    while todo:
        value = todo.pop()
        if isinstance(value, list | tuple):
            todo.extend(value)
            continue
        if isinstance(value, Initializer):
            todo.extend(value.get_params(deep=False).values())
        yield value


def _expected(initializer: Initializer, among: Iterable[tuple[int, ...]]) -> Iterator[tuple[Any, ExpectedMoments]]:
    """Yield each shape that the initializer fills and has expected moments for, with these moments."""
    for shape in among:
        expected = expected_for(initializer, ParameterSpec.from_shape(shape))
        if expected is not None and draws(initializer, shape):
            yield shape, expected


_TYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.complex128)


def check_same_seed_same_values(initializer: Initializer) -> None:
    """Check that equal seeds give equal values, that random values depend on the seed, and that no draw is stored."""
    before = dict(vars(initializer))
    for shape in shapes(initializer):
        first, again, other = (initializer.sample(shape, random_state=seed) for seed in (0, 0, 1))
        require(initializer, first.shape == shape, f"asked for {shape}, got {tuple(first.shape)}")
        require(initializer, torch.equal(first, again), "the same seed gave different values")
        expected = expected_for(initializer, ParameterSpec.from_shape(shape))
        if expected is not None and expected.variance > 0:
            require(initializer, not torch.equal(first, other), "two seeds gave the same values")
    moved = [name for name, value in vars(initializer).items() if name not in before or value is not before[name]]
    require(initializer, not moved, f"drawing changed {moved} in the object")


def check_types(initializer: Initializer) -> None:
    """Check that values have the requested type, and that half precision is float32 rounded."""
    for shape in shapes(initializer):
        single = initializer.sample(shape, random_state=0)
        for dtype in _TYPES:
            values = initializer.sample(shape, random_state=0, dtype=dtype)
            require(initializer, values.dtype == dtype, f"asked for {dtype}, got {values.dtype}")
            require(initializer, bool(torch.isfinite(values).all()), f"{dtype} values are not finite")
            if dtype in (torch.float16, torch.bfloat16):
                require(initializer, torch.equal(values, single.to(dtype)), f"{dtype} is not float32 rounded")


def check_mean_and_variance(initializer: Initializer) -> None:
    """Check mean and variance against `expected_moments`, for real and for complex values.

    The check draws many tensors of small shapes.
    """
    for shape, expected in _expected(initializer, ((300, 200), (60, 40, 3, 3), (6, 6))):
        for dtype in (torch.float64, torch.complex128):
            seeds = range(max(1, 2000 // prod(shape)))
            values = torch.stack([initializer.sample(shape, random_state=seed, dtype=dtype) for seed in seeds])
            require_moments(initializer, values, expected, str(shape))


def check_bounds_and_symmetry(initializer: Initializer) -> None:
    """Check that no value exceeds the expected bound, and that a symmetric distribution is balanced about its mean."""
    for shape, expected in _expected(initializer, [(300, 200)]):
        away = initializer.sample(shape, random_state=0, dtype=torch.float64) - expected.mean
        reach = float(away.abs().max())
        allowed = expected.bound * (1 + 1e-6) + 1e-12
        require(initializer, reach <= allowed, f"{reach:g} is beyond the bound {expected.bound:g}")
        above, below = int((away > 0).sum()), int((away < 0).sum())
        if expected.symmetric and expected.variance > 0:
            allowed = STANDARD_ERRORS * sqrt(above + below)
            numbers = f"number of values above the mean: {above}, below it: {below}"
            require(initializer, abs(above - below) <= allowed, numbers)


# The largest relative error of singular values.
_ERRORS = {torch.float64: 1e-12, torch.float32: 1e-5, torch.complex64: 1e-5, torch.bfloat16: 0.05}


def check_singular_values(initializer: Initializer) -> None:
    """Check that all singular values equal the expected one, for real and complex values."""
    for shape, expected in _expected(initializer, SHAPES):
        for dtype, error in _ERRORS.items() if expected.singular_value is not None else ():
            values = initializer.sample(shape, random_state=0, dtype=dtype).flatten(1).to(working_type(dtype))
            off = float((torch.linalg.svdvals(values) / expected.singular_value - 1).abs().max())
            require(initializer, off <= error, f"singular values of {shape} in {dtype} are off by {off:.1e}")


def check_fans(initializer: Initializer) -> None:
    """Check the variance in every kind of layer against the expected one for fans counted by hand."""
    for case in LAYERS:
        module = build(case.build)
        spec = _spec_by_hand(case, module, initializer.reads_architecture)
        expected = expected_for(initializer, spec) if initializer.choose(spec) else None
        if expected is None or initializer.refines:
            continue
        try:
            record = initialize(module, initializer, random_state=0)
        except InvalidParameterError:
            continue
        if any(row["touched"] for row in record.rows if row["name"] == case.weight):
            weight = module.get_parameter(case.weight).detach().double()
            require_moments(initializer, weight, expected, case.label)


def check_module_rules(initializer: Initializer) -> None:
    """Check that `initialize` keeps buffers, frozen parameters and modes, writes once, and is reproducible."""
    for module, other in fitting(initializer):
        before, modes = state(module), [part.training for part in module.modules()]
        with Writes() as writes:
            record = apply(initializer, module)
        after = state(module)
        parameters, listed = dict(module.named_parameters()), [row["name"] for row in record.rows]
        require(initializer, sorted(listed) == sorted(parameters), "the record misses parameters")
        moved = {name for name in after if not torch.equal(before[name], after[name])}
        changed = sorted(moved & {name for name, _ in module.named_buffers()})
        require(initializer, not changed, f"buffers changed: {changed}")
        left = {row["name"] for row in record.rows if not row["touched"]}
        changed = sorted(moved & left)
        require(initializer, not changed, f"parameters changed that the record calls untouched: {changed}")
        twice = [name for name, parameter in parameters.items() if writes.into(parameter) > 1]
        require(initializer, initializer.refines or not twice, f"written twice: {twice}")
        frozen = {name for name, parameter in parameters.items() if not parameter.requires_grad}
        require(initializer, frozen <= left, "frozen parameters were touched")
        require(initializer, modes == [part.training for part in module.modules()], "training modes changed")
        require(initializer, all(p.grad is None for p in parameters.values()), "gradients were left behind")
        require(initializer, same_state(other, after), "the same seed gave two different networks")


def check_failure_is_clean(initializer: Initializer) -> None:
    """Check that a failed call changes nothing in the module, whether it fails before the draw or in `refine`."""
    for module in map(build, NETWORKS):
        before = state(module)
        failed = _fails(initializer, module, bias_initializer=Orthogonal())
        require(initializer, failed, "a bias initializer that cannot fill biases did not raise")
        _require_as_before(initializer, module, before)
    for module in map(Breaking, map(build, NETWORKS) if initializer.refines else []):
        before = state(module)
        # Some initializers do not run the module.
        if _fails(initializer, module):
            _require_as_before(initializer, module, before)


def _fails(initializer: Initializer, module: nn.Module, **arguments: Any) -> bool:
    try:
        apply(initializer, module, **arguments)
    except (InitskError, Breaking.Error):
        return True
    return False


def _require_as_before(initializer: Initializer, module: nn.Module, before: dict[str, torch.Tensor]) -> None:
    require(initializer, same_state(module, before), "a failed call changed the module")
    require(initializer, not any(has_hooks(part) for part in module.modules()), "hooks were left behind")
    require(initializer, all(part.training for part in module.modules()), "training modes changed")


def check_global_state(initializer: Initializer) -> None:
    """Check that global random states, types and threads do not change."""
    with unusual_global_state():
        before = global_state()
        for shape in shapes(initializer):
            initializer.sample(shape, random_state=0)
        fitting(initializer)
        after = global_state()
    moved = [name for name in before if before[name] != after[name]]
    require(initializer, not moved, f"it moved {', '.join(moved)}")


def _spec_by_hand(case: Case, module: nn.Module, reads_architecture: bool) -> ParameterSpec:
    """Return the spec of a layer without the code that reads modules."""
    owner = module.get_submodule(case.weight.rpartition(".")[0])
    counted: dict[str, Any] = {name: getattr(case, name) for name in ("shape", "fan_in", "fan_out", "kind", "block")}
    shape, groups = tuple(module.get_parameter(case.weight).shape), getattr(owner, "groups", 1)
    transposed = isinstance(owner, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d)
    counted["place"] = case.place if reads_architecture else ""
    stored: dict[str, Any] = {"name": case.weight, "layer": type(owner), "weight_shape": shape}
    return ParameterSpec(**counted, **stored, count=groups, groups=groups, transposed=transposed)


Check = Callable[[Initializer], None]
CHECKS: tuple[Check, ...] = (
    check_is_a_value, check_repr, check_json, check_same_seed_same_values, check_types, check_mean_and_variance,
    check_bounds_and_symmetry, check_singular_values, check_fans, check_module_rules, check_failure_is_clean,
    check_global_state,
)  # fmt: skip
