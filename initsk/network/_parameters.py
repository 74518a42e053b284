"""The parameters of a module, with the specs that an initializer may fill."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList, is_parametrized

from initsk.exceptions import ModuleError
from initsk.network._layer_types import AFFINE, EMBEDDINGS, NORM_LAYERS
from initsk.network._spec import ParameterSpec

_GATES = {nn.LSTM: "ifgo", nn.LSTMCell: "ifgo", nn.GRU: "rzn", nn.GRUCell: "rzn"}
# Other parameters of a subclass have no rule, as in unknown layers.
_RECURRENT_NAMES = re.compile(r"(weight|bias)_(ih|hh|hr)(_l\d+(_reverse)?)?")
_ATTENTION_NAMES = re.compile(r"in_proj_(weight|bias)|[qkv]_proj_weight|bias_[kv]")


@dataclass(frozen=True)
class PlannedParameter:
    """One parameter, or one tensor behind a parametrization.

    Parameters
    ----------
    module, attribute
        The tensor is ``getattr(module, attribute)``.
    name : str
        Full name, which also names the random stream.
    role : {"weight", "bias"}
        Role of the tensor in its layer.
    specs : tuple of ParameterSpec
        One for each matrix or vector stacked in the tensor, or for each stack of equal ones; empty if the tensor cannot
        be filled.
    parameters : dict of str to Parameter
        The parameters that hold the values, by name: the parameter itself, or the originals of a parametrization.
    skip_reason : str
        Why the tensor cannot be filled; empty if it can.
    padding_row : int or None
        The row of an embedding's padding index, which stays zero.
    aliases : tuple of str
        Other names of the same parameter.
    """

    module: Any
    attribute: str
    name: str
    role: str
    specs: tuple[ParameterSpec, ...]
    parameters: dict[str, nn.Parameter]
    skip_reason: str = ""
    padding_row: int | None = None
    aliases: tuple[str, ...] = ()

    @property
    def left_reason(self) -> str:
        """Why no initializer fills the tensor."""
        kind = type(self.module).__name__
        if self.skip_reason or not self.specs or self.specs[0].kind != "normalization":
            return self.skip_reason or f"no rule for {self.attribute} of {kind}"
        identity = 0 if self.role == "bias" else 1
        known = not self.tensor.is_meta and bool((self.tensor == identity).all())
        return f"{kind} keeps its values, {'the identity' if known else 'which are not the identity'}"

    @property
    def tensor(self) -> torch.Tensor:
        """The values as the module uses them."""
        return getattr(self.module, self.attribute)

    def assemble(self, drawn: list[torch.Tensor]) -> torch.Tensor:
        """Stack the values of all specs, each of shape ``spec.stacked_shape``, in torch's layout."""
        blocks = [_in_layout(spec, values) for spec, values in zip(self.specs, drawn, strict=True)]
        values = (blocks[0] if len(blocks) == 1 else torch.cat(blocks)).reshape(self.tensor.shape)
        if self.padding_row is not None:
            values[self.padding_row] = 0
        return values


def _in_layout(spec: ParameterSpec, values: torch.Tensor) -> torch.Tensor:
    rows = values.dim() - len(spec.shape)
    if spec.transposed and spec.role == "weight":
        values = values.transpose(rows, rows + 1)
    return values.flatten(0, 1) if spec.count > 1 else values


def plan_parameters(module: nn.Module) -> Iterator[PlannedParameter]:
    """Yield a plan for each parameter of `module`; of tied parameters, only the first has specs."""
    seen: dict[object, str] = {}
    names: dict[int, list[str]] = {}
    attention_outputs = {part.out_proj for part in module.modules() if isinstance(part, nn.MultiheadAttention)}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    for path, owner in module.named_modules():
        if isinstance(owner, ParametrizationList):
            continue
        prefix = f"{path}." if path else ""
        _check_hooks(owner, prefix)
        for attribute, parameters in _parameters_of(owner, prefix):
            name = f"{prefix}{attribute}"
            plan = _plan_one(owner, attribute, name, parameters, owner in attention_outputs)
            tied = [seen[key] for parameter in parameters.values() if (key := _memory(parameter)) in seen]
            if tied and all(id(parameter) in seen for parameter in parameters.values()):
                continue  # one object under two names, which named_parameters() also lists once
            seen.update({key: name for parameter in parameters.values() for key in (id(parameter), _memory(parameter))})
            aliases = tuple(names[id(next(iter(parameters.values())))][1:])
            if tied:
                plan = replace(plan, specs=(), skip_reason=f"tied to {tied[0]}")
            yield replace(plan, aliases=aliases) if aliases and not tied else plan


def _check_hooks(owner: nn.Module, prefix: str) -> None:
    """Raise ModuleError if a hook computes a layer's weight from other parameters."""
    own = dict(owner.named_parameters(recurse=False))
    originals = [f"weight{ending}" for ending in ("_g", "_v", "_orig") if f"weight{ending}" in own]
    if originals and isinstance(owner, (*AFFINE, *EMBEDDINGS)):
        instead = "torch.nn.utils.parametrizations instead of torch.nn.utils.weight_norm or spectral_norm"
        problem = f"a hook computes {prefix}weight from {', '.join(originals)}"
        raise ModuleError(f"{problem} (allowed: {instead}, and pruning afterwards)")


def _memory(parameter: nn.Parameter) -> object:
    """Return a key of a parameter's memory; parameters with the same key have the same values."""
    if parameter.is_meta or parameter.numel() == 0 or isinstance(parameter, nn.parameter.UninitializedParameter):
        return id(parameter)
    return parameter.data_ptr(), parameter.shape, parameter.stride()


def _parameters_of(owner: nn.Module, prefix: str) -> Iterator[tuple[str, dict[str, nn.Parameter]]]:
    for attribute, parameter in owner.named_parameters(recurse=False):
        yield attribute, {f"{prefix}{attribute}": parameter}
    if is_parametrized(owner):
        parametrizations: Any = owner.parametrizations
        for attribute, originals in parametrizations.items():
            where = f"{prefix}parametrizations.{attribute}."
            yield attribute, {f"{where}{short}": value for short, value in originals.named_parameters()}


def _plan_one(
    owner: nn.Module, attribute: str, name: str, parameters: dict[str, nn.Parameter], after_attention: bool
) -> PlannedParameter:
    role = "bias" if attribute.startswith("bias") or attribute.endswith("bias") else "weight"
    for full, parameter in parameters.items():
        if isinstance(parameter, nn.parameter.UninitializedParameter):
            raise ModuleError(f"{full} is lazy and has no shape yet; run one batch through the module first")
    tensor = getattr(owner, attribute)
    planned = owner, attribute, name, role
    if not all(parameter.requires_grad for parameter in parameters.values()):
        return PlannedParameter(*planned, (), parameters, "frozen (requires_grad is False)")
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return PlannedParameter(*planned, (), parameters, f"type {tensor.dtype} is not a float")
    read = _read_specs(owner, attribute, role, tensor, after_attention)
    specs = tuple(replace(spec, name=name, layer=type(owner), role=role) for spec in read)
    padding_row = owner.padding_idx if isinstance(owner, EMBEDDINGS) and attribute == "weight" else None
    return PlannedParameter(*planned, specs, parameters, padding_row=padding_row)


def _read_specs(
    owner: Any, attribute: str, role: str, tensor: torch.Tensor, after_attention: bool
) -> list[ParameterSpec]:
    """Return the specs of the blocks that are stacked in a parameter."""
    shape = tuple(tensor.shape)
    if isinstance(owner, NORM_LAYERS):
        return [ParameterSpec(shape, kind="normalization", weight_shape=shape)]
    known = attribute in ("weight", "bias")
    if isinstance(owner, nn.Linear) and known:
        kind, block = ("attention", "o") if after_attention else ("dense", "")
        return _blocks(replace(ParameterSpec.from_shape(tuple(owner.weight.shape)), kind=kind), [block], role)
    if isinstance(owner, nn.Bilinear) and known:
        out, first, second = whole = tuple(owner.weight.shape)
        spec = ParameterSpec(whole, first * second, out * second, kind="bilinear", weight_shape=whole)
        return _blocks(spec, [""], role)
    if isinstance(owner, AFFINE) and known:
        return _convolution(owner, role)
    if isinstance(owner, EMBEDDINGS) and attribute == "weight":
        # A lookup sums over one row, and feeds `embedding_dim` units.
        return [ParameterSpec(shape, 1, owner.embedding_dim, kind="embedding", weight_shape=shape)]
    if isinstance(owner, nn.RNNBase | nn.RNNCellBase) and _RECURRENT_NAMES.fullmatch(attribute):
        return _recurrent(owner, attribute, role)
    if isinstance(owner, nn.MultiheadAttention) and _ATTENTION_NAMES.fullmatch(attribute):
        return _attention(owner, attribute, role, shape)
    return [replace(ParameterSpec.from_shape(shape), kind="other")]


def _blocks(spec: ParameterSpec, names: Iterable[str], role: str) -> list[ParameterSpec]:
    """Return a block's spec under each name; the shape of a bias is the number of the block's rows."""
    if role == "bias":
        spec = replace(spec, shape=spec.shape[:1])
    return [replace(spec, block=name) if name else spec for name in names]


def _convolution(owner: Any, role: str) -> list[ParameterSpec]:
    groups = owner.groups
    shape = (owner.out_channels // groups, owner.in_channels // groups, *owner.kernel_size)
    whole = {"kind": "convolution", "weight_shape": tuple(owner.weight.shape), "transposed": owner.transposed}
    return _blocks(replace(ParameterSpec.from_shape(shape), count=groups, groups=groups, **whole), [""], role)


def _recurrent(owner: Any, attribute: str, role: str) -> list[ParameterSpec]:
    # The projection of an LSTM has no gates.
    stacked = () if attribute.startswith("weight_hr") else _GATES.items()
    gates: Any = next((names for kind, names in stacked if isinstance(owner, kind)), [""])
    # A bias belongs to the weight with the same ending.
    weight = tuple(getattr(owner, attribute.replace("bias", "weight")).shape)
    spec = ParameterSpec.from_shape((weight[0] // len(gates), weight[1]))
    return _blocks(replace(spec, kind="recurrent", weight_shape=weight), gates, role)


def _attention(owner: Any, attribute: str, role: str, shape: tuple[int, ...]) -> list[ParameterSpec]:
    width = owner.embed_dim
    if attribute in ("in_proj_weight", "in_proj_bias"):
        spec = replace(ParameterSpec.from_shape((width, width)), kind="attention", weight_shape=(3 * width, width))
        return _blocks(spec, "qkv", role)
    if attribute in ("bias_k", "bias_v"):
        return [ParameterSpec(shape, width, width, kind="attention", weight_shape=(width, width), block=attribute[-1])]
    return [replace(ParameterSpec.from_shape(shape), kind="attention", block=attribute[0])]
