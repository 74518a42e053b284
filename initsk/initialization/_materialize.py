"""Shapes for lazy modules, and values for tensors on the meta device."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from initsk import network
from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.network import Batch, PlannedParameter
from initsk.utils.random import derive_seed
from initsk.utils.torch_settings import resolve_device


@contextmanager
def with_values(
    module: nn.Module, X: Any, y: Any, device: str | torch.device | None, seed: int, *, whole_batch: bool
) -> Iterator[tuple[network.MadeTensors | None, network.NetworkGraph, Batch | None]]:
    """Read the module on a batch; give lazy modules their shapes, and tensors on the meta device memory.

    Without `whole_batch` there is no batch, and the reading converts only a few rows of X.

    Shapes and memory are undone if the block raises. Layers define their own tensors before the block, because
    initializers may read them.
    """
    chosen, on_meta = _checked_device(device), network.meta_tensors(module)
    if on_meta and chosen is None:
        more = f" and {len(on_meta) - 3} more" if len(on_meta) > 3 else ""
        raise ModuleError(
            f"tensors on the meta device have no values: {', '.join(on_meta[:3])}{more} (allowed: device=, the device"
            " of the values to make, or a module on another device)"
        )
    if not on_meta and not network.lazy_parameters(module):
        batch, X = _batch(module, X, y, whole_batch)
        yield None, network.read(module, X), batch
        return
    graph = None if network.lazy_parameters(module) else network.read(module)
    with network.structure_restored_on_failure(module):
        made = network.MadeTensors(module, chosen) if chosen is not None else None
        network.infer_shapes(module, X, seed=derive_seed(seed, "shapes"))
        batch, X = _batch(module, X, y, whole_batch)
        graph = network.read(module, X) if graph is None else graph
        if made is not None:
            known = [plan for plan in network.plan_parameters(module, graph) if plan.specs and plan.specs[0].is_known]
            made.define({name for plan in known for name in names_of(plan)}, seed)
        yield made, graph, batch


def _batch(module: nn.Module, X: Any, y: Any, whole: bool) -> tuple[Batch | None, Any]:
    """Return X and y as one batch of the module's type if the whole batch is wanted, and what to read the module on."""
    if X is None or isinstance(X, Batch):
        return X, X
    X, y = network.first_batch(module, X, y)
    batch = network.as_batch(module, X, y) if whole else None
    return batch, X if batch is None else batch


def _checked_device(device: str | torch.device | None) -> torch.device | None:
    """Return a device with memory, or None."""
    try:
        return None if device is None else torch.device(resolve_device(device))
    except InvalidParameterError as error:
        raise InvalidParameterError(
            f"device={device!r} is not allowed (a device with memory, as 'cpu', 'cuda:0' or 'auto'): {error}"
        ) from error


def names_of(plan: PlannedParameter) -> set[str]:
    """Return the names of a planned tensor and of the parameters that hold its values."""
    return {plan.name, *plan.parameters}
