"""`initialize` gives a wrapped network the values and the record of the network without wrappers."""

import pytest
import torch
from torch import distributed, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.optim.swa_utils import AveragedModel

from initsk import initialize
from tests.helpers import batch, build, label


def compiled(module):
    return torch.compile(module, backend="eager")


def in_place(module):
    module.compile(backend="eager")
    return module


class Residual(nn.Module):
    """A network with branches, so that "auto" and "fixup" need its trace."""

    def __init__(self, wrap):
        super().__init__()
        self.first = wrap(nn.Linear(6, 8))
        self.blocks = nn.ModuleList(
            wrap(nn.Sequential(nn.Linear(8, 8), nn.ReLU(), wrap(nn.Linear(8, 8)))) for _ in range(2)
        )
        self.head = wrap(nn.Linear(8, 3))

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = torch.relu(x + block(x))
        return self.head(x)


def itself(module):
    return module


WRAPPERS = [compiled, in_place, checkpoint_wrapper, nn.DataParallel, AveragedModel]


def equal(first, second):
    return all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize("initializer", ["he_normal", "auto", "fixup", "lsuv"])
@pytest.mark.parametrize("wrap", WRAPPERS, ids=label)
def test_wrapped_networks(wrap, initializer):
    plain, wrapped = build(lambda: Residual(itself)), wrap(build(lambda: Residual(wrap)))
    X = batch(32, 6)
    names = list(dict(wrapped.named_modules()))
    expected = initialize(plain, initializer, X=X, random_state=3).to_frame()
    found = initialize(wrapped, initializer, X=X, random_state=3).to_frame()
    assert equal(plain, wrapped)
    for column in ("name", "fan_in", "touched", "why", "std_after"):
        assert found[column].tolist() == expected[column].tolist()
    assert list(dict(wrapped.named_modules())) == names


def test_data_in_parallel_processes():
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        plain, inner = (build(lambda: Residual(itself)) for _ in range(2))
        wrapped = nn.parallel.DistributedDataParallel(inner)
        records = [initialize(module, random_state=1).to_frame() for module in (plain, wrapped)]
    finally:
        distributed.destroy_process_group()
    assert equal(plain, wrapped)
    assert records[0]["name"].tolist() == records[1]["name"].tolist()


def test_an_average_of_weights_keeps_its_count():
    average = AveragedModel(build(lambda: Residual(itself)))
    average.update_parameters(build(lambda: Residual(itself)))
    initialize(average)
    assert int(average.n_averaged) == 1
