"""`initialize` in two processes, each of which holds a shard of every parameter."""

import pytest
import torch
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

from initsk import initialize
from tests.helpers import build

INITIALIZERS = ["he_normal", "orthogonal", "auto"]


class Network(nn.Module):
    """Layers whose sizes two processes cannot share evenly, or at all."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 7), nn.Linear(7, 4)
        self.norm, self.conv = nn.LayerNorm(5), nn.Conv1d(4, 9, 3, groups=1)
        self.one, self.other = nn.Linear(3, 1), nn.Linear(3, 1)
        self.head = nn.Linear(9, 3)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


def sharded_by(placements):
    """Return a function that distributes each parameter in the same way."""

    def shard(module):
        mesh = init_device_mesh("cpu", (2,))
        for part in module.modules():
            for name, parameter in list(part.named_parameters(recurse=False)):
                here = placements if parameter.dim() > 1 else [Shard(0)]
                part.register_parameter(name, nn.Parameter(distribute_tensor(parameter.detach(), mesh, here)))
        return module

    return shard


def fully_sharded(module):
    for child in module.children():
        fully_shard(child)
    return fully_shard(module)


def on_meta(module):
    return fully_sharded(module.to("meta"))


def split_by_columns_and_rows(module):
    plan = {"first": ColwiseParallel(), "second": RowwiseParallel()}
    return parallelize_module(module, init_device_mesh("cpu", (2,)), plan)


WAYS = {
    "fully_shard": fully_sharded,
    "meta": on_meta,
    "rows": sharded_by([Shard(0)]),
    "columns": sharded_by([Shard(1)]),
    "whole": sharded_by([Replicate()]),
    "tensor_parallel": split_by_columns_and_rows,
}


def whole(tensor):
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def check(rank, file, way):
    distributed.init_process_group("gloo", store=distributed.FileStore(file, 2), rank=rank, world_size=2)
    try:
        for initializer in INITIALIZERS:
            compare(way, initializer)
    finally:
        distributed.destroy_process_group()


def compare(way, initializer):
    plain, sharded = build(Network), WAYS[way](build(Network))
    expected = initialize(plain, initializer).to_frame()
    found = initialize(sharded, initializer, device="cpu" if way == "meta" else None).to_frame()
    for column in ("name", "shape", "initializer", "fan_in", "touched"):
        assert found[column].tolist() == expected[column].tolist()
    # The reason of a parameter that stays has the name of its class, which fully_shard changes.
    assert found.loc[found["touched"], "why"].tolist() == expected.loc[expected["touched"], "why"].tolist()
    for (name, values), shard in zip(plain.named_parameters(), sharded.parameters(), strict=True):
        assert torch.equal(whole(shard.detach()), values.detach()), name
        local = shard.to_local() if hasattr(shard, "to_local") else shard
        std = found.set_index("name").loc[name, "std_after"]
        assert torch.isnan(torch.tensor(std)) if local.numel() == 0 else abs(std - local.std(correction=0)) < 1e-6
    if way in ("fully_shard", "meta"):
        assert torch.allclose(sharded(torch.ones(2, 6)), plain(torch.ones(2, 6)))


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_two_processes_get_the_values_of_one(way, tmp_path):
    torch.multiprocessing.spawn(check, (str(tmp_path / "store"), way), nprocs=2)
