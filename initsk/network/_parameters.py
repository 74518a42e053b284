"""Which parameter is what: the reading of a module before anything is drawn."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList, is_parametrized

from initsk.exceptions import ModuleError
from initsk.network._spec import ParameterSpec
from initsk.network._state import NORM_LAYERS

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_GATES = {
    nn.LSTM: "ifgo",
    nn.LSTMCell: "ifgo",
    nn.GRU: "rzn",
    nn.GRUCell: "rzn",
}
RECURRENT = (nn.RNNBase, nn.RNNCellBase)
_EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)
# Whatever else a subclass has is left, as in unknown layers.
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
        Full name; the random stream is called so.
    specs : tuple of ParameterSpec
        One for each matrix or vector stacked in it; empty if it cannot be filled.
    parameters : dict of str to Parameter
        Those that hold its values: itself, or the originals of a parametrization.
    why : str
        Why it cannot be filled.
    zero_row : int or None
        The row of an embedding's padding, which stays zero.
    also : tuple of str
        Other names of the same parameter.
    """

    module: Any
    attribute: str
    name: str
    role: str
    specs: tuple[ParameterSpec, ...]
    parameters: dict[str, nn.Parameter]
    why: str = ""
    zero_row: int | None = None
    also: tuple[str, ...] = ()

    @property
    def why_left(self) -> str:
        """Why nobody fills it."""
        kind = type(self.module).__name__
        if self.why or not self.specs or self.specs[0].kind != "normalisation":
            return self.why or f"no rule for {self.attribute} of {kind}"
        identity = 0 if self.role == "bias" else 1
        known = not self.tensor.is_meta and bool((self.tensor == identity).all())
        return f"{kind} is left, {'the identity' if known else 'though it is not the identity'}"

    @property
    def tensor(self) -> torch.Tensor:
        """The values as the module uses them."""
        tensor: torch.Tensor = getattr(self.module, self.attribute)
        return tensor

    def assemble(self, blocks: list[torch.Tensor]) -> torch.Tensor:
        """Stack the draws of all specs as torch stores them."""
        if self.specs[0].transposed and self.role == "weight":
            blocks = [block.transpose(0, 1) for block in blocks]
        values = blocks[0] if len(blocks) == 1 else torch.cat(blocks)
        values = values.reshape(self.tensor.shape)
        if self.zero_row is not None:
            values[self.zero_row] = 0
        return values


def plan_parameters(module: nn.Module) -> Iterator[PlannedParameter]:
    """Yield a plan for every parameter of `module`; tied ones are filled where they come first."""
    seen: dict[object, str] = {}
    names: dict[int, list[str]] = {}
    last = {part.out_proj for part in module.modules() if isinstance(part, nn.MultiheadAttention)}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    for prefix, owner in module.named_modules():
        if isinstance(owner, ParametrizationList):
            continue
        _check_hooks(owner, prefix)
        for attribute, parameters in _parameters_of(owner, f"{prefix}." if prefix else ""):
            name = f"{prefix}.{attribute}" if prefix else attribute
            plan = _plan_one(owner, attribute, name, parameters, owner in last)
            tied = [seen[key] for parameter in parameters.values() if (key := _memory(parameter)) in seen]
            if tied and all(id(parameter) in seen for parameter in parameters.values()):
                continue  # one object under two names, which named_parameters() lists once too
            seen.update({key: name for parameter in parameters.values() for key in (id(parameter), _memory(parameter))})
            also = tuple(names[id(next(iter(parameters.values())))][1:])
            yield replace(plan, specs=(), why=f"tied to {tied[0]}") if tied else replace(plan, also=also)


def _check_hooks(owner: nn.Module, prefix: str) -> None:
    """Raise if a layer's weight is computed by a hook from parameters that no layer knows."""
    own = dict(owner.named_parameters(recurse=False))
    behind = [f"weight{ending}" for ending in ("_g", "_v", "_orig") if f"weight{ending}" in own]
    if behind and isinstance(owner, (nn.Linear, nn.Bilinear, *_CONVOLUTIONS, *_TRANSPOSED, *_EMBEDDINGS)):
        where = f"{prefix}.weight" if prefix else "weight"
        raise ModuleError(
            f"{where} is computed by a hook from {', '.join(behind)} (allowed: torch.nn.utils.parametrizations instead"
            " of torch.nn.utils.weight_norm or spectral_norm, and pruning afterwards)"
        )


def _memory(parameter: nn.Parameter) -> object:
    """Say where a parameter's values lie: what has the same place has the same values."""
    if parameter.is_meta or parameter.numel() == 0 or isinstance(parameter, nn.parameter.UninitializedParameter):
        return id(parameter)
    return parameter.data_ptr(), parameter.shape, parameter.stride()


def _parameters_of(owner: nn.Module, prefix: str) -> Iterator[tuple[str, dict[str, nn.Parameter]]]:
    for attribute, parameter in owner.named_parameters(recurse=False):
        yield attribute, {f"{prefix}{attribute}": parameter}
    if is_parametrized(owner):
        behind: Any = owner.parametrizations
        for attribute, originals in behind.items():
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
    why = ""
    if not all(parameter.requires_grad for parameter in parameters.values()):
        why = "frozen (requires_grad is False)"
    elif not (tensor.is_floating_point() or tensor.is_complex()):
        why = f"type {tensor.dtype} is not a float"
    if why:
        return PlannedParameter(owner, attribute, name, role, (), parameters, why)
    specs = tuple(
        replace(spec, name=name, layer=type(owner), role=role)
        for spec in _read_specs(owner, attribute, role, tensor, after_attention)
    )
    zero_row = owner.padding_idx if isinstance(owner, _EMBEDDINGS) and attribute == "weight" else None
    return PlannedParameter(owner, attribute, name, role, specs, parameters, zero_row=zero_row)


def _read_specs(
    owner: Any, attribute: str, role: str, tensor: torch.Tensor, after_attention: bool
) -> list[ParameterSpec]:
    """Return the specs of the blocks that are stacked in a parameter."""
    if isinstance(owner, NORM_LAYERS):
        shape = tuple(tensor.shape)
        return [ParameterSpec(shape, kind="normalisation", weight_shape=shape)]
    known = attribute in ("weight", "bias")
    if after_attention and isinstance(owner, nn.Linear) and known:
        return _blocks(_dense(owner.weight, "attention"), "o", role)
    if isinstance(owner, nn.Linear) and known:
        return _blocks(_dense(owner.weight, "dense"), ("",), role)
    if isinstance(owner, nn.Bilinear) and known:
        out, first, second = owner.weight.shape
        shape = (out, first, second)
        spec = ParameterSpec(shape, first * second, out * second, kind="bilinear", weight_shape=shape)
        return _blocks(spec, ("",), role)
    if isinstance(owner, _CONVOLUTIONS + _TRANSPOSED) and known:
        return _convolution(owner, role)
    if isinstance(owner, _EMBEDDINGS) and attribute == "weight":
        shape = (owner.num_embeddings, owner.embedding_dim)
        # A lookup sums over one row, and feeds `embedding_dim` units.
        return [ParameterSpec(shape, 1, owner.embedding_dim, kind="embedding", weight_shape=shape)]
    if isinstance(owner, RECURRENT) and _RECURRENT_NAMES.fullmatch(attribute):
        return _recurrent(owner, attribute, role)
    if isinstance(owner, nn.MultiheadAttention) and _ATTENTION_NAMES.fullmatch(attribute):
        return _attention(owner, attribute, role, tensor)
    spec = ParameterSpec.from_shape(tuple(tensor.shape))
    return [replace(spec, kind="other")]


def _dense(weight: torch.Tensor, kind: str) -> ParameterSpec:
    return replace(ParameterSpec.from_shape(tuple(weight.shape)), kind=kind)


def _blocks(spec: ParameterSpec, names: Any, role: str) -> list[ParameterSpec]:
    """Repeat a block's spec under each name; a bias has the block's rows as its shape."""
    if role == "bias":
        spec = replace(spec, shape=spec.shape[:1])
    return [replace(spec, block=name) for name in names]


def _convolution(owner: Any, role: str) -> list[ParameterSpec]:
    groups = owner.groups
    shape = (owner.out_channels // groups, owner.in_channels // groups, *owner.kernel_size)
    receptive = prod(owner.kernel_size)
    spec = ParameterSpec(
        shape,
        shape[1] * receptive,
        shape[0] * receptive,
        kind="convolution",
        weight_shape=tuple(owner.weight.shape),
        groups=groups,
        transposed=isinstance(owner, _TRANSPOSED),
    )
    return _blocks(spec, [str(group) for group in range(groups)] if groups > 1 else [""], role)


def _recurrent(owner: Any, attribute: str, role: str) -> list[ParameterSpec]:
    gates: Any = next((names for kind, names in _GATES.items() if isinstance(owner, kind)), ("",))
    if attribute.startswith("weight_hr"):
        gates = ("",)
    # A bias belongs to the weight of the same ending.
    weight = tuple(getattr(owner, attribute.replace("bias", "weight")).shape)
    spec = ParameterSpec.from_shape((weight[0] // len(gates), weight[1]))
    return _blocks(replace(spec, kind="recurrent", weight_shape=weight), gates, role)


def _attention(owner: Any, attribute: str, role: str, tensor: torch.Tensor) -> list[ParameterSpec]:
    width = owner.embed_dim
    if attribute in ("in_proj_weight", "in_proj_bias"):
        spec = replace(ParameterSpec.from_shape((width, width)), kind="attention", weight_shape=(3 * width, width))
        return _blocks(spec, "qkv", role)
    shape = tuple(tensor.shape)
    if attribute in ("bias_k", "bias_v"):
        return [ParameterSpec(shape, width, width, kind="attention", weight_shape=(width, width), block=attribute[-1])]
    return [replace(ParameterSpec.from_shape(shape), kind="attention", block=attribute[0])]
