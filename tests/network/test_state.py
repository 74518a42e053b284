"""Detection of hooks of modules, optimizers and gradients."""

import pytest
import torch
from torch import nn
from torch.nn.modules import module as module_hooks
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from initsk.network._state import any_module_has_hooks, any_optimizer_has_hooks, has_hooks, may_have_gradient_hooks

REGISTER = [
    "register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook",
    "register_full_backward_pre_hook",
]  # fmt: skip


@pytest.mark.parametrize("name", REGISTER)
def test_hooks_of_one_module(name):
    layer = nn.BatchNorm1d(3)
    assert not has_hooks(layer)
    handle = getattr(layer, name)(lambda *_: None)
    assert has_hooks(layer)
    assert not has_hooks(nn.Sequential(layer))
    handle.remove()
    assert not has_hooks(layer)


@pytest.mark.parametrize("name", REGISTER)
def test_hooks_of_all_modules(name):
    handle = getattr(module_hooks, name.replace("register", "register_module"))(lambda *_: None)
    assert any_module_has_hooks()
    assert not has_hooks(nn.Linear(2, 2, device="meta"))
    handle.remove()
    assert not any_module_has_hooks()


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.SGD, torch.optim.LBFGS])
def test_hooks_of_optimizers(kind):
    parameter = nn.Parameter(torch.ones(2))
    optimizer = kind([parameter])
    parameter.square().sum().backward()
    optimizer.step(lambda: torch.tensor(1.0))
    assert not has_hooks(optimizer)
    for register in (optimizer.register_step_pre_hook, optimizer.register_step_post_hook):
        handle = register(lambda *_: None)
        assert has_hooks(optimizer)
        handle.remove()
    assert not has_hooks(optimizer)
    for register in (register_optimizer_step_pre_hook, register_optimizer_step_post_hook):
        handle = register(lambda *_: None)
        assert any_optimizer_has_hooks()
        handle.remove()
    assert not any_optimizer_has_hooks()


@pytest.mark.parametrize("name", ["register_hook", "register_post_accumulate_grad_hook"])
def test_hooks_of_gradients(name):
    parameter = nn.Parameter(torch.ones(2))
    assert not may_have_gradient_hooks(parameter)
    handle = getattr(parameter, name)(lambda *_: None)
    assert may_have_gradient_hooks(parameter)
    handle.remove()
    assert not may_have_gradient_hooks(parameter)
