"""What `initialize` does to a module with the initializer."""

import copy
from typing import Any

import torch
from torch import nn

from initsk.exceptions import InitskError, InvalidParameterError
from initsk.initializers import Initializer, Orthogonal, Site
from initsk.modules import initialize
from initsk.testing._global_state import global_state, unusual_global_state
from initsk.testing._modules import LAYERS, Breaking, Case
from initsk.testing._support import apply, build, fitting, promise_for, require, require_moments, shapes, state
from initsk.testing._writes import Writes
from initsk.utils._hooks import has_hooks


def check_fans(initializer: Initializer) -> None:
    """In every kind of layer the variance is what is promised for fans counted by hand."""
    for case in LAYERS:
        site = _site_by_hand(case, initializer.reads_architecture)
        promise = promise_for(initializer, site) if initializer.choose(site) else None
        if promise is None or initializer.refines:
            continue
        module = build(case.build)
        try:
            record = initialize(module, initializer, random_state=0)
        except InvalidParameterError:
            continue
        if record.to_frame().set_index("name").loc[case.weight, "touched"]:
            weight = module.get_parameter(case.weight).detach().double()
            require_moments(initializer, weight, promise, case.label)


def check_module_rules(initializer: Initializer) -> None:
    """Buffers, frozen parameters and modes stay, nothing is set twice, the same seed gives the same network."""
    for module in fitting(initializer):
        again = copy.deepcopy(module)
        before, modes = state(module), [part.training for part in module.modules()]
        with Writes() as writes:
            record = apply(initializer, module)
        after = state(module)
        frame = record.to_frame()
        expected = {name for name, _ in module.named_parameters()}
        require(initializer, set(frame["name"]) == expected and frame["name"].is_unique, "the record misses parameters")
        left = {row["name"] for row in record.rows if not row["touched"]} | {name for name, _ in module.named_buffers()}
        moved = [name for name in left if not torch.equal(before[name], after[name])]
        require(initializer, not moved, f"{moved} changed, though the record or their kind says that they stay")
        twice = [name for name, parameter in module.named_parameters() if writes.into(parameter) > 1]
        require(initializer, initializer.refines or not twice, f"{twice} were written twice")
        frozen = {name for name, parameter in module.named_parameters() if not parameter.requires_grad}
        require(initializer, frozen <= left, "frozen parameters were touched")
        require(initializer, modes == [part.training for part in module.modules()], "training modes changed")
        require(initializer, all(p.grad is None for p in module.parameters()), "gradients were left behind")
        apply(initializer, again)
        same = all(torch.equal(value, after[name]) for name, value in state(again).items())
        require(initializer, same, "the same seed gave two different networks")


def check_failure_is_clean(initializer: Initializer) -> None:
    """Failed calls leave the module as it was, and no hook behind: before anything is drawn, and in the middle."""
    for module in fitting(initializer):
        before = state(module)
        require(initializer, _fails(initializer, module, bias_initializer=Orthogonal()), "a wrong bias was not noticed")
        _require_as_before(initializer, module, before)
    if not initializer.refines:
        return
    for module in map(Breaking, fitting(initializer)):
        before = state(module)
        # Some schemes do not run the module at all.
        if _fails(initializer, module):
            _require_as_before(initializer, module, before)


def _fails(initializer: Initializer, module: nn.Module, **arguments: Any) -> bool:
    try:
        apply(initializer, module, **arguments)
    except (InitskError, Breaking.Error):
        return True
    return False


def _require_as_before(initializer: Initializer, module: nn.Module, before: dict[str, torch.Tensor]) -> None:
    same = all(torch.equal(value, before[name]) for name, value in state(module).items())
    require(initializer, same, "a failed call changed the module")
    require(initializer, not any(has_hooks(part) for part in module.modules()), "hooks were left behind")
    require(initializer, all(part.training for part in module.modules()), "training modes changed")


def check_global_state(initializer: Initializer) -> None:
    """Global random states, types and threads stay, whatever they were."""
    with unusual_global_state():
        before = global_state()
        for shape in shapes(initializer):
            initializer.sample(shape, random_state=0)
        for module in fitting(initializer):
            apply(initializer, module)
        after = global_state()
    moved = [name for name in before if before[name] != after[name]]
    require(initializer, not moved, f"it moved {', '.join(moved)}")


def _site_by_hand(case: Case, reads_architecture: bool) -> Site:
    """Make a layer's site without the code that reads modules."""
    module = build(case.build)
    owner: Any = module.get_submodule(case.weight.rpartition(".")[0])
    return Site(
        case.shape,
        case.fan_in,
        case.fan_out,
        kind=case.kind,
        weight_shape=tuple(module.get_parameter(case.weight).shape),
        name=case.weight,
        layer=type(owner),
        block=case.block,
        groups=getattr(owner, "groups", 1),
        transposed=isinstance(owner, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d),
        place=case.place if reads_architecture else "",
    )
