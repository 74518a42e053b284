"""Names of wrapped modules, and the wrapped modules in the places of their wrappers."""

import pytest
import torch
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.optim.swa_utils import AveragedModel

from initsk.network import clean_names, named_parameters, unwrap, without_wrappers
from tests.helpers import build, label


def compiled(module):
    return torch.compile(module, backend="eager")


def net(wrap=lambda module: module):
    return nn.Sequential(nn.Linear(3, 4), wrap(nn.Sequential(nn.ReLU(), wrap(nn.Linear(4, 4)))), wrap(nn.Linear(4, 2)))


WRAPPERS = [compiled, checkpoint_wrapper, nn.DataParallel, AveragedModel, lambda m: compiled(checkpoint_wrapper(m))]


@pytest.mark.parametrize("wrap", WRAPPERS, ids=label)
def test_names_are_those_of_the_network_without_wrappers(wrap):
    plain, wrapped = build(net), build(lambda: wrap(net(wrap)))
    assert set(clean_names(wrapped).values()) == set(clean_names(plain))
    assert [name for name, _ in named_parameters(wrapped)] == [name for name, _ in plain.named_parameters()]


@pytest.mark.parametrize("wrap", WRAPPERS, ids=label)
def test_wrappers_are_back_after_the_block(wrap):
    module = build(lambda: net(wrap))
    before = dict(module.named_modules())
    with without_wrappers(module):
        assert list(dict(module.named_modules())) == list(dict(build(net).named_modules()))
    assert dict(module.named_modules()) == before


@pytest.mark.parametrize("wrap", WRAPPERS, ids=label)
def test_the_wrapped_module(wrap):
    module = build(lambda: nn.Linear(2, 2))
    assert type(unwrap(wrap(module))) is nn.Linear
    assert unwrap(module) is module


class Own(nn.Module):
    """A user's module with the attribute that torch's wrappers have."""

    def __init__(self):
        super().__init__()
        self.module = nn.Linear(2, 2)


def test_modules_of_users_keep_their_names():
    module = build(Own)
    assert list(clean_names(module)) == ["", "module"]
    assert unwrap(module) is module
    traced = torch.fx.symbolic_trace(build(lambda: nn.Sequential(nn.Linear(2, 2))))
    assert [name for name, _ in named_parameters(traced)] == ["0.weight", "0.bias"]


def test_a_shared_part_has_all_its_names():
    part = build(lambda: nn.Linear(2, 2))
    module = nn.Sequential(checkpoint_wrapper(part), part)
    assert set(clean_names(module).values()) == {"", "0", "1"}
    with without_wrappers(module):
        assert module[0] is module[1] is part
