"""Which parameter is what: the reading of a module before anything is drawn."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList, is_parametrized

from initsk.exceptions import ModuleError
from initsk.initializers import Site

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_GATES = {
    nn.LSTM: "ifgo",
    nn.LSTMCell: "ifgo",
    nn.GRU: "rzn",
    nn.GRUCell: "rzn",
}
NORMALISATIONS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
RECURRENT = (nn.RNNBase, nn.RNNCellBase)


@dataclass(frozen=True)
class PlannedParameter:
    """One parameter, or one tensor behind a parametrization.

    Parameters
    ----------
    module, attribute
        The tensor is ``getattr(module, attribute)``.
    name : str
        Full name; the random stream is called so.
    sites : tuple of Site
        One for each matrix or vector stacked in it; empty if it cannot be filled.
    parameters : dict of str to Parameter
        Those that hold its values: itself, or the originals of a parametrization.
    why : str
        Why it cannot be filled.
    zero_row : int or None
        The row of an embedding's padding, which stays zero.
    """

    module: Any
    attribute: str
    name: str
    role: str
    sites: tuple[Site, ...]
    parameters: dict[str, nn.Parameter]
    why: str = ""
    zero_row: int | None = None

    @property
    def tensor(self) -> torch.Tensor:
        """The values as the module uses them."""
        tensor: torch.Tensor = getattr(self.module, self.attribute)
        return tensor

    def assemble(self, blocks: list[torch.Tensor]) -> torch.Tensor:
        """Stack the draws of all sites as torch stores them."""
        if self.sites[0].transposed and self.role == "weight":
            blocks = [block.transpose(0, 1) for block in blocks]
        values = blocks[0] if len(blocks) == 1 else torch.cat(blocks)
        values = values.reshape(self.tensor.shape)
        if self.zero_row is not None:
            values[self.zero_row] = 0
        return values


def plan_parameters(module: nn.Module) -> Iterator[PlannedParameter]:
    """Yield a plan for every parameter of `module`, tied ones once."""
    seen: set[int] = set()
    for prefix, owner in module.named_modules():
        if isinstance(owner, ParametrizationList):
            continue
        for attribute, parameters in _parameters_of(owner, f"{prefix}." if prefix else ""):
            if any(id(parameter) in seen for parameter in parameters.values()):
                continue
            seen.update(map(id, parameters.values()))
            name = f"{prefix}.{attribute}" if prefix else attribute
            yield _plan_one(owner, attribute, name, parameters)


def _parameters_of(owner: nn.Module, prefix: str) -> Iterator[tuple[str, dict[str, nn.Parameter]]]:
    for attribute, parameter in owner.named_parameters(recurse=False):
        yield attribute, {f"{prefix}{attribute}": parameter}
    if is_parametrized(owner):
        behind: Any = owner.parametrizations
        for attribute, originals in behind.items():
            where = f"{prefix}parametrizations.{attribute}."
            yield attribute, {f"{where}{short}": value for short, value in originals.named_parameters()}


def _plan_one(owner: nn.Module, attribute: str, name: str, parameters: dict[str, nn.Parameter]) -> PlannedParameter:
    role = "bias" if attribute.startswith("bias") or attribute.endswith("bias") else "weight"
    for full, parameter in parameters.items():
        if isinstance(parameter, nn.parameter.UninitializedParameter):
            raise ModuleError(f"{full} is lazy and has no shape yet; run one batch through the module first")
    tensor = getattr(owner, attribute)
    why = ""
    if not all(parameter.requires_grad for parameter in parameters.values()):
        why = "frozen (requires_grad is False)"
    elif not (tensor.is_floating_point() or tensor.is_complex()):
        why = f"type {tensor.dtype} is not a float"
    if why:
        return PlannedParameter(owner, attribute, name, role, (), parameters, why)
    sites = tuple(
        replace(site, name=name, layer=type(owner), role=role) for site in _read_sites(owner, attribute, role, tensor)
    )
    zero_row = getattr(owner, "padding_idx", None)
    return PlannedParameter(owner, attribute, name, role, sites, parameters, zero_row=zero_row)


def _read_sites(owner: Any, attribute: str, role: str, tensor: torch.Tensor) -> list[Site]:
    """Return the sites of the blocks that are stacked in a parameter."""
    if isinstance(owner, NORMALISATIONS):
        shape = tuple(tensor.shape)
        return [Site(shape, kind="normalisation", weight_shape=shape)]
    known = attribute in ("weight", "bias")
    if isinstance(owner, nn.modules.linear.NonDynamicallyQuantizableLinear) and known:
        return _blocks(_dense(owner.weight, "attention"), "o", role)
    if isinstance(owner, nn.Linear) and known:
        return _blocks(_dense(owner.weight, "dense"), ("",), role)
    if isinstance(owner, nn.Bilinear) and known:
        out, first, second = owner.weight.shape
        shape = (out, first, second)
        site = Site(shape, first * second, out * second, kind="bilinear", weight_shape=shape)
        return _blocks(site, ("",), role)
    if isinstance(owner, _CONVOLUTIONS + _TRANSPOSED) and known:
        return _convolution(owner, role)
    if isinstance(owner, nn.Embedding | nn.EmbeddingBag):
        shape = (owner.num_embeddings, owner.embedding_dim)
        # A lookup sums over one row, and feeds `embedding_dim` units.
        return [Site(shape, 1, owner.embedding_dim, kind="embedding", weight_shape=shape)]
    if isinstance(owner, RECURRENT):
        return _recurrent(owner, attribute, role, tensor)
    if isinstance(owner, nn.MultiheadAttention):
        return _attention(owner, attribute, role, tensor)
    site = Site.from_shape(tuple(tensor.shape))
    return [replace(site, kind="other")]


def _dense(weight: torch.Tensor, kind: str) -> Site:
    return replace(Site.from_shape(tuple(weight.shape)), kind=kind)


def _blocks(site: Site, names: Any, role: str) -> list[Site]:
    """Repeat a block's site under each name; a bias has the block's rows as its shape."""
    if role == "bias":
        site = replace(site, shape=site.shape[:1])
    return [replace(site, block=name) for name in names]


def _convolution(owner: Any, role: str) -> list[Site]:
    groups = owner.groups
    shape = (owner.out_channels // groups, owner.in_channels // groups, *owner.kernel_size)
    receptive = prod(owner.kernel_size)
    site = Site(
        shape,
        shape[1] * receptive,
        shape[0] * receptive,
        kind="convolution",
        weight_shape=tuple(owner.weight.shape),
        groups=groups,
        transposed=isinstance(owner, _TRANSPOSED),
    )
    return _blocks(site, [str(group) for group in range(groups)] if groups > 1 else [""], role)


def _recurrent(owner: Any, attribute: str, role: str, tensor: torch.Tensor) -> list[Site]:
    gates: Any = next((names for kind, names in _GATES.items() if isinstance(owner, kind)), ("",))
    if attribute.startswith("weight_hr"):
        gates = ("",)
    # A bias belongs to the weight of the same ending.
    weight = tuple(getattr(owner, attribute.replace("bias", "weight")).shape)
    site = Site.from_shape((weight[0] // len(gates), weight[1]))
    return _blocks(replace(site, kind="recurrent", weight_shape=weight), gates, role)


def _attention(owner: Any, attribute: str, role: str, tensor: torch.Tensor) -> list[Site]:
    width = owner.embed_dim
    if attribute in ("in_proj_weight", "in_proj_bias"):
        site = replace(Site.from_shape((width, width)), kind="attention", weight_shape=(3 * width, width))
        return _blocks(site, "qkv", role)
    shape = tuple(tensor.shape)
    if attribute in ("bias_k", "bias_v"):
        return [Site(shape, width, width, kind="attention", weight_shape=(width, width), block=attribute[-1])]
    return [replace(Site.from_shape(shape), kind="attention", block=attribute[0])]
