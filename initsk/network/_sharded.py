"""Tensors of which each process holds a shard (``torch.distributed.tensor.DTensor``)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from initsk.exceptions import ModuleError
from initsk.network._layouts import dense
from initsk.network._parts import parts_of
from initsk.utils.torch_settings import write_values


def local_values(tensor: torch.Tensor) -> torch.Tensor:
    """Return the shard of a tensor that this process holds, and all values of a sparse tensor.

    Any other tensor is returned unchanged.

    Examples
    --------
    >>> local_values(torch.ones(2))
    tensor([1., 1.])
    """
    sharded: Any = tensor
    return dense(sharded.to_local() if is_sharded(tensor) else tensor)


def is_sharded(tensor: torch.Tensor) -> bool:
    """Return whether a tensor is distributed over several processes."""
    return hasattr(tensor, "to_local")


@contextmanager
def without_shards(module: nn.Module) -> Iterator[None]:
    """Put whole tensors without values in the places of sharded parameters and of all buffers, inside the block.

    A module without sharded parameters stays as it is.
    """
    held = [
        (part, name, tensor)
        for part in parts_of(module)
        for name, tensor in [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]
    ]
    held = held if any(is_sharded(tensor) for _, _, tensor in held) else []
    # Tied parameters stay tied.
    whole: dict[int, torch.Tensor] = {}
    try:
        for part, name, tensor in held:
            if id(tensor) not in whole:
                values = torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
                is_parameter = isinstance(tensor, nn.Parameter)
                whole[id(tensor)] = nn.Parameter(values, tensor.requires_grad) if is_parameter else values
            setattr(part, name, whole[id(tensor)])
        yield
    finally:
        for part, name, tensor in held:
            setattr(part, name, tensor)


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
