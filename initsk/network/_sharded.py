"""Tensors of which each process holds a shard (``torch.distributed.tensor.DTensor``)."""

from typing import Any

import torch

from initsk.exceptions import ModuleError
from initsk.utils.torch_settings import write_values


def local_values(tensor: torch.Tensor) -> torch.Tensor:
    """Return the shard of a tensor that this process holds; any other tensor is returned unchanged.

    Examples
    --------
    >>> local_values(torch.ones(2))
    tensor([1., 1.])
    """
    sharded: Any = tensor
    return sharded.to_local() if is_sharded(tensor) else tensor


def is_sharded(tensor: torch.Tensor) -> bool:
    """Return whether a tensor is distributed over several processes."""
    return hasattr(tensor, "to_local")


def write_local(tensor: torch.Tensor, values: torch.Tensor) -> None:
    """Write values in place; of a sharded tensor this process writes its shard, without communication."""
    if is_sharded(tensor) and not is_sharded(values):
        tensor, values = local_values(tensor), shard_of(values, tensor)
    write_values(tensor, values)


def shard_of(values: torch.Tensor, like: Any) -> torch.Tensor:
    """Return the shard of `values` that this process holds of the sharded tensor `like`.

    Each dimension of the mesh cuts the tensor along one axis into chunks, as ``torch.chunk`` does. A placement with a
    ``split_factor`` cuts what the later dimensions of the mesh have cut.

    Raises
    ------
    ModuleError
        If the shards are terms of a sum.
    """
    coordinate = like.device_mesh.get_coordinate()
    if any(placement.is_partial() for placement in like.placements):
        raise ModuleError(f"placements={like.placements!r} are not allowed (Shard and Replicate)")
    cuts = [(dim, placement) for dim, placement in enumerate(like.placements) if not placement.is_replicate()]
    for dim, placement in sorted(cuts, key=lambda cut: hasattr(cut[1], "split_factor")):
        chunks = values.chunk(like.device_mesh.size(dim), placement.dim)
        number = coordinate[dim]
        values = chunks[number] if number < len(chunks) else values.narrow(placement.dim, 0, 0)
    return values
