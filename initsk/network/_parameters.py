"""The parameters of a module, with the specs that an initializer may fill."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList, is_parametrized

from initsk.exceptions import ModuleError
from initsk.network._contents import save_contents
from initsk.network._layer_rules import (
    LayerRule,
    embedding_spec,
    kept_parameters,
    registered_rule,
    specs_of_axes,
    specs_of_class,
)
from initsk.network._layer_types import EMBEDDINGS
from initsk.network._layouts import why_not_writable
from initsk.network._network_graph import NetworkGraph
from initsk.network._parts import named_parts, parts_of
from initsk.network._sharded import local_values
from initsk.network._spec import ParameterSpec
from initsk.network._specs_by_use import spec_by_use
from initsk.network._views import Factors, arrange
from initsk.network._weight_hooks import hooked_tensors
from initsk.network._wrappers import clean_names, named_parameters
from initsk.utils.global_state import GLOBAL_STATE
from initsk.utils.random import isolated_random

# Beginnings of notes on parameters that need no initializer.
_KEPT = ("belongs", "scales", "is added", "registered")
_UNUSED = ", which the forward pass does not use"
_HIDDEN = ", which a function that cannot be read may use"
_NO_INVERSE = "has no right_inverse, which writes values through it"
_NOT_WRITABLE = ", so no values are written into it"


@dataclass(frozen=True)
class PlannedParameter:
    """One parameter, or one tensor that a parametrization or a hook computes.

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
        The parameters that hold the values, by name: the parameter itself, or those from which a parametrization or a
        hook computes the tensor.
    skip_reason : str
        Why the tensor cannot be filled; empty if it can.
    note : str
        Why no initializer fills the tensor, by its use in the forward pass; empty if one does.
    deliberate : str
        Why the tensor keeps the values that the author of the network has set; empty if it does not.
    layout : tuple of (int, str), or None
        Sizes and roles of the values in the order of memory, if they are not stored as ``(block, out, in)``.
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
    note: str = ""
    deliberate: str = ""
    layout: Factors | None = None
    padding_row: int | None = None
    aliases: tuple[str, ...] = ()

    @property
    def left_reason(self) -> str:
        """Why no initializer fills the tensor."""
        kind = type(self.module).__name__
        if self.skip_reason or self.deliberate:
            return self.skip_reason or self.deliberate
        if self.is_normalization and not self.note:
            identity = 0 if self.role == "bias" else 1
            known = not self.tensor.is_meta and bool((local_values(self.tensor) == identity).all())
            return f"{kind} keeps its values, {'the identity' if known else 'which are not the identity'}"
        return self.note or f"no rule for {self.attribute} of {kind}"

    @property
    def is_normalization(self) -> bool:
        """Whether the tensor belongs to a normalization."""
        return bool(self.specs) and self.specs[0].kind == "normalization"

    @property
    def is_kept(self) -> bool:
        """Whether the tensor keeps its values on purpose: no initializer has to fill it."""
        kept = self.deliberate or self.is_normalization or self.note.startswith(_KEPT)
        return not self.skip_reason and bool(kept)

    @property
    def may_be_missed(self) -> bool:
        """Whether the tensor multiplies a signal, as far as is known, and cannot be filled or has no rule for it."""
        if self.skip_reason.endswith((_NO_INVERSE, _NOT_WRITABLE)):
            return self.tensor.dim() >= 2
        unknown = bool(self.specs) and self.specs[0].kind == "other" and not self.is_kept
        unused = self.note.endswith(_UNUSED)
        multiplies = self.tensor.dim() >= 2 or self.note.startswith("multiplies")
        return unknown and not unused and not self.skip_reason and multiplies

    @property
    def tensor(self) -> torch.Tensor:
        """The values as the module uses them."""
        return getattr(self.module, self.attribute)

    @property
    def is_computed(self) -> bool:
        """Whether a parametrization or a hook computes the tensor from other parameters."""
        return self.name not in self.parameters

    def assemble(self, drawn: list[torch.Tensor]) -> torch.Tensor:
        """Stack the values of all specs, each of shape ``spec.stacked_shape``, in the order of memory."""
        if self.layout is None:
            blocks = [_in_layout(spec, values) for spec, values in zip(self.specs, drawn, strict=True)]
        else:
            blocks = [arrange(drawn[0], self.layout)]
        values = (blocks[0] if len(blocks) == 1 else torch.cat(blocks)).reshape(self.tensor.shape)
        if self.padding_row is not None:
            values[self.padding_row] = 0
        return values


def _in_layout(spec: ParameterSpec, values: torch.Tensor) -> torch.Tensor:
    rows = values.dim() - len(spec.shape)
    if spec.transposed and spec.role == "weight":
        values = values.transpose(rows, rows + 1)
    return values.flatten(0, 1) if spec.count > 1 else values


def plan_parameters(module: nn.Module, graph: NetworkGraph) -> Iterator[PlannedParameter]:
    """Yield a plan for each parameter of `module`; of tied parameters, only the first has specs."""
    seen: dict[object, str] = {}
    names: dict[int, list[str]] = {}
    attention_outputs = {part.out_proj for part in parts_of(module) if isinstance(part, nn.MultiheadAttention)}
    embeddings = {id(part.weight): part for part in parts_of(module) if isinstance(part, EMBEDDINGS)}
    for name, parameter in named_parameters(module, remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    clean, kept = clean_names(module), kept_parameters(module)
    for raw, owner in named_parts(module):
        if isinstance(owner, ParametrizationList):
            continue
        prefix = f"{clean[raw]}." if clean[raw] else ""
        for attribute, parameters in _parameters_of(owner, prefix):
            name = f"{prefix}{attribute}"
            plan = _plan_one(graph, owner, attribute, name, parameters, owner in attention_outputs)
            is_table = isinstance(owner, EMBEDDINGS) and attribute == "weight"
            # A head that is tied to a table may be registered first.
            embedding: Any = owner if is_table else embeddings.get(id(parameters.get(name)))
            if embedding is not None and plan.specs:
                spec = replace(embedding_spec(tuple(plan.tensor.shape)), name=name, layer=type(owner))
                plan = replace(plan, specs=(spec,), padding_row=embedding.padding_idx)
            if name in kept and not plan.skip_reason:
                note = f"registered: {kept[name]} keeps it"
                plan = replace(plan, specs=(_other(tuple(plan.tensor.shape)),), note=note)
            tied = [seen[key] for parameter in parameters.values() if (key := _memory(parameter)) in seen]
            if tied and all(id(parameter) in seen for parameter in parameters.values()):
                continue  # one object under two names, which named_parameters() also lists once
            seen.update({key: name for parameter in parameters.values() for key in (id(parameter), _memory(parameter))})
            aliases = tuple(names[id(next(iter(parameters.values())))][1:])
            if tied:
                plan = replace(plan, specs=(), skip_reason=f"tied to {tied[0]}")
            yield replace(plan, aliases=aliases) if aliases and not tied else plan


def _hooked_parameters(owner: nn.Module, prefix: str) -> dict[str, dict[str, nn.Parameter]]:
    """Return the parameters behind each tensor that a hook computes; raise if another hook computes one of them."""
    hooked = hooked_tensors(owner)
    own = dict(owner.named_parameters(recurse=False)) if hooked else {}
    found = {}
    for attribute, originals in hooked.items():
        if not set(originals) <= set(own):
            problem = f"several hooks compute {prefix}{attribute} one after the other, from {', '.join(own)}"
            raise ModuleError(f"{problem} (allowed: one of weight_norm, spectral_norm and pruning)")
        found[attribute] = {f"{prefix}{original}": own[original] for original in originals}
    return found


def _memory(parameter: nn.Parameter) -> object:
    """Return a key of a parameter's memory; parameters with the same key have the same values."""
    is_lazy = isinstance(parameter, nn.parameter.UninitializedParameter)
    if parameter.is_meta or is_lazy or parameter.layout is not torch.strided:
        return id(parameter)
    values = local_values(parameter)
    return (values.data_ptr(), values.shape, values.stride()) if values.numel() else id(parameter)


def _parameters_of(owner: nn.Module, prefix: str) -> Iterator[tuple[str, dict[str, nn.Parameter]]]:
    hooked = _hooked_parameters(owner, prefix)
    behind = {name for originals in hooked.values() for name in originals}
    for attribute, parameter in owner.named_parameters(recurse=False):
        if f"{prefix}{attribute}" not in behind:
            yield attribute, {f"{prefix}{attribute}": parameter}
    yield from hooked.items()
    if is_parametrized(owner):
        parametrizations: Any = owner.parametrizations
        for attribute, originals in parametrizations.items():
            where = f"{prefix}parametrizations.{attribute}."
            yield attribute, {f"{where}{short}": value for short, value in originals.named_parameters()}


def _plan_one(
    graph: NetworkGraph,
    owner: nn.Module,
    attribute: str,
    name: str,
    parameters: dict[str, nn.Parameter],
    after_attention: bool,
) -> PlannedParameter:
    for full, parameter in parameters.items():
        if isinstance(parameter, nn.parameter.UninitializedParameter):
            raise ModuleError(f"{full} of a lazy module has no shape yet (allowed: X, a batch for one forward pass)")
    tensor = getattr(owner, attribute)
    if not (tensor.is_floating_point() or tensor.is_complex()):
        reason = f"type {tensor.dtype} is not a float"
        return PlannedParameter(owner, attribute, name, _role_by_name(attribute), (), parameters, reason)
    frozen = not all(parameter.requires_grad for parameter in parameters.values())
    one_way = "" if frozen else _one_way(owner, attribute) or _closed(parameters)
    if one_way:
        return PlannedParameter(owner, attribute, name, _role_by_name(attribute), (), parameters, one_way)
    found = _found(graph, owner, attribute, [name, *parameters], tensor, after_attention)
    specs = (replace(spec, name=name, layer=type(owner), role=found.role) for spec in found.specs)
    return PlannedParameter(
        owner, attribute, name, found.role, () if frozen else tuple(specs), parameters,
        skip_reason="frozen (requires_grad is False)" if frozen else "", note=found.note, layout=found.layout,
    )  # fmt: skip


def _closed(parameters: dict[str, nn.Parameter]) -> str:
    """Return which of the parameters cannot be written, and why; "" if all can."""
    reasons = {name: why_not_writable(parameter) for name, parameter in parameters.items()}
    return next((f"{name} {reason}{_NOT_WRITABLE}" for name, reason in reasons.items() if reason), "")


def _one_way(owner: nn.Module, attribute: str) -> str:
    """Return why no values can be written through the parametrizations of a tensor; "" if they can."""
    if not is_parametrized(owner, attribute):
        return ""
    parametrizations: Any = owner.parametrizations
    parts = list(parametrizations[attribute])
    closed = next((part for part in parts if not hasattr(part, "right_inverse")), None) or _refusing(owner, attribute)
    return f"its parametrization {type(closed).__name__} {_NO_INVERSE}" if closed is not None else ""


def _refusing(owner: nn.Module, attribute: str) -> nn.Module | None:
    """Return the parametrization whose inverse is not implemented, as that of torch's Cayley map; None without one."""
    parametrizations: Any = owner.parametrizations
    part, restore = None, save_contents(parametrizations[attribute])
    # An inverse may draw what the values leave open, and keep something of the values.
    with torch.no_grad(), isolated_random(0), GLOBAL_STATE.changed(restore):
        values = getattr(owner, attribute)
        try:
            for part in reversed(parametrizations[attribute]):
                values = part.right_inverse(values)
        except NotImplementedError:
            return part
        except Exception:  # it is raised where values are written
            return None
    return None


def _role_by_name(attribute: str) -> str:
    return "bias" if attribute.startswith("bias") or attribute.endswith("bias") else "weight"


class _Found(NamedTuple):
    """The specs of a tensor; the fields are those of `PlannedParameter`."""

    role: str
    specs: Sequence[ParameterSpec]
    layout: Factors | None = None
    note: str = ""


def _found(
    graph: NetworkGraph, owner: nn.Module, attribute: str, names: list[str], tensor: torch.Tensor, after_attention: bool
) -> _Found:
    """Return the specs of a tensor: by the rule of a registered class, by torch's classes, or by use."""
    shape, role = tuple(tensor.shape), _role_by_name(attribute)
    rule = registered_rule(owner)
    axes = () if rule is None else rule.axes.get(attribute, ())
    if "in" in axes and len(axes) == len(shape):
        spec, layout = specs_of_axes(axes, shape)
        return _Found("weight", [spec], layout)
    known = specs_of_class(owner, attribute, role, after_attention)
    if known is not None and known[0].kind != "dense" and not _has_own_forward(owner):
        return _Found(role, known)
    used = spec_by_use(graph, names, tensor)
    if used is not None and used.spec.kind == "embedding" and role == "weight":
        return _Found(role, [used.spec])
    if known is not None and not (used is not None and used.decides and _has_own_forward(owner)):
        parts = used is not None and used.spec.count > 1 and known[0].kind == "dense"
        return _Found(role, [used.spec] if used is not None and parts else known)
    if used is None:
        bias = None if rule is None or len(axes) != len(shape) else _bias_of_axes(owner, rule, axes, shape)
        if bias is not None:
            return _Found("bias", [bias])
        unused = f"no rule for {attribute} of {type(owner).__name__}{_HIDDEN if graph.is_cut else _UNUSED}"
        note = unused if graph.operations else ""
        return _Found(role, [_other(shape)], note=note)
    if role == "bias" and used.spec.kind == "embedding":
        # A bias for each expert, looked up by the numbers of the experts.
        return _Found(role, [replace(used.spec, kind="dense")])
    return _Found(used.role, [used.spec], used.layout, used.note)


def _bias_of_axes(
    owner: nn.Module, rule: LayerRule, axes: tuple[str, ...], shape: tuple[int, ...]
) -> ParameterSpec | None:
    """Return the spec of a registered bias, with the fans of the first weight that has its units; None without one."""
    if "out" not in axes:
        return None
    layout = tuple(zip(shape, axes, strict=True))
    units, count = (prod(size for size, role in layout if role == wanted) for wanted in ("out", "block"))
    for attribute, roles in rule.axes.items():
        weight = getattr(owner, attribute, None)
        if "in" in roles and isinstance(weight, torch.Tensor) and weight.dim() == len(roles):
            spec, _ = specs_of_axes(roles, tuple(weight.shape))
            if spec.fan_out == units and count in (1, spec.count):
                return replace(spec, shape=(units,), count=count)
    return None


def _has_own_forward(owner: nn.Module) -> bool:
    return not type(owner).forward.__module__.startswith("torch.")


def _other(shape: tuple[int, ...]) -> ParameterSpec:
    return replace(ParameterSpec.from_shape(shape), kind="other")
