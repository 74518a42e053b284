"""Which parameter is what: the reading of a module before anything is drawn."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from torch import nn

from initsk.exceptions import ModuleError
from initsk.initializers import Site

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_NORMALISATIONS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
_GATES = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1, nn.LSTMCell: 4, nn.GRUCell: 3, nn.RNNCell: 1}


@dataclass(frozen=True)
class PlannedParameter:
    """One parameter: how it is filled, or why it is left (then `site` is None).

    `zero_row` is the row of an embedding's padding, which stays zero.
    """

    name: str
    parameter: nn.Parameter
    role: str
    site: Site | None
    blocks: int = 1
    why: str = ""
    zero_row: int | None = None


def plan_parameters(module: nn.Module) -> Iterator[PlannedParameter]:
    """Yield a plan for every parameter of `module`, tied ones once."""
    seen: set[int] = set()
    for prefix, owner in module.named_modules():
        for short, parameter in owner.named_parameters(recurse=False):
            if id(parameter) in seen:
                continue
            seen.add(id(parameter))
            name = f"{prefix}.{short}" if prefix else short
            if isinstance(parameter, nn.parameter.UninitializedParameter):
                raise ModuleError(f"{name} is lazy and has no shape yet; run one batch through the module first")
            yield _plan_one(owner, name, short, parameter)


def _plan_one(owner: nn.Module, name: str, short: str, parameter: nn.Parameter) -> PlannedParameter:
    role = "bias" if short.startswith("bias") or short.endswith("bias") else "weight"
    kind = type(owner).__name__
    if not parameter.requires_grad:
        return PlannedParameter(name, parameter, role, None, why="frozen (requires_grad is False)")
    if not parameter.is_floating_point():
        return PlannedParameter(name, parameter, role, None, why=f"type {parameter.dtype} is not a real float")
    if isinstance(owner, _NORMALISATIONS):
        return PlannedParameter(name, parameter, role, None, why=f"{kind} starts as the identity")
    site, blocks = _read_site(owner, short, role, parameter)
    if site is None:
        return PlannedParameter(name, parameter, role, None, why=f"no rule for {short} of {kind}")
    return PlannedParameter(name, parameter, role, site, blocks, zero_row=getattr(owner, "padding_idx", None))


def _read_site(owner: nn.Module, short: str, role: str, parameter: nn.Parameter) -> tuple[Site | None, int]:
    """Return the site of one block of the parameter, and the number of blocks stacked in it."""
    if isinstance(owner, nn.Linear):
        return _with_role(Site.from_shape(tuple(owner.weight.shape)), role, parameter), 1
    if isinstance(owner, _CONVOLUTIONS + _TRANSPOSED):
        receptive = prod(owner.kernel_size)
        shape = tuple(owner.weight.shape)
        fan_in = owner.in_channels // owner.groups * receptive
        fan_out = owner.out_channels // owner.groups * receptive
        return _with_role(Site(shape, fan_in, fan_out, "weight", "convolution", shape), role, parameter), 1
    if isinstance(owner, nn.Embedding | nn.EmbeddingBag):
        rows, width = owner.num_embeddings, owner.embedding_dim
        # A lookup sums over one row, and feeds `width` units.
        return Site((rows, width), 1, width, "weight", "embedding", (rows, width)), 1
    if type(owner) in _GATES:
        gates = _GATES[type(owner)]
        hidden: Any = owner.hidden_size
        weight: tuple[int, ...] = (hidden, parameter.shape[1]) if role == "weight" else (hidden, hidden)
        if short.startswith("weight_hr"):
            weight, gates = tuple(parameter.shape), 1
        site = replace(Site.from_shape(weight), kind="recurrent")
        return _with_role(site, role, parameter, gates), gates
    if isinstance(owner, nn.MultiheadAttention) and short in ("in_proj_weight", "in_proj_bias"):
        width = owner.embed_dim
        site = replace(Site.from_shape((width, width)), kind="attention", weight_shape=(3 * width, width))
        return _with_role(site, role, parameter, 3), 3
    if isinstance(owner, nn.MultiheadAttention) and short in ("q_proj_weight", "k_proj_weight", "v_proj_weight"):
        return replace(Site.from_shape(tuple(parameter.shape)), kind="attention"), 1
    return None, 1


def _with_role(site: Site, role: str, parameter: nn.Parameter, blocks: int = 1) -> Site:
    if role == "weight":
        return site
    shape = (parameter.shape[0] // blocks,)
    return replace(site, shape=shape, role="bias")
