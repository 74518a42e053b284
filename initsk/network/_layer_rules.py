"""Rules for the parameters of known classes of layers, and the registration of others."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.metadata import entry_points
from math import prod
from typing import Any

from torch import nn

from initsk.exceptions import InvalidParameterError
from initsk.network._layer_types import AFFINE, EMBEDDINGS, NORM_LAYERS
from initsk.network._parts import named_parts
from initsk.network._spec import ParameterSpec, convolution_spec
from initsk.network._views import Factors

_GATES = {nn.LSTM: "ifgo", nn.LSTMCell: "ifgo", nn.GRU: "rzn", nn.GRUCell: "rzn"}
# Other parameters of a subclass have no rule, as in unknown layers.
_RECURRENT_NAMES = re.compile(r"(weight|bias)_(ih|hh|hr)(_l\d+(_reverse)?)?")
_ATTENTION_NAMES = re.compile(r"in_proj_(weight|bias)|[qkv]_proj_weight|bias_[kv]")
_AXES = ("block", "out", "in")
#: Group of the entry points that register layers: functions without arguments.
ENTRY_POINTS = "initsk.layers"


@dataclass(frozen=True)
class LayerRule:
    """The roles of the parameters of a registered class.

    Attributes
    ----------
    axes : dict of str to tuple of str
        For each parameter the role of each of its axes.
    keep : tuple of str
        Parameters that keep their values.
    """

    axes: dict[str, tuple[str, ...]]
    keep: tuple[str, ...] = ()


_REGISTERED: dict[str, LayerRule] = {}


def register_layer(cls: type[nn.Module] | str, axes: Mapping[str, Sequence[str]], *, keep: Iterable[str] = ()) -> None:
    """Register how a class of layers stores its parameters, for all networks that are read later.

    Only needed for what the use of a parameter does not tell, and for networks whose forward pass cannot be read. A
    package registers its layers with an entry point of the group ``initsk.layers``: a function without arguments.

    Parameters
    ----------
    cls : class or str
        The class, or its full name ``"package.module.Class"``; subclasses are included.
    axes : mapping of str to sequence of {"out", "in", "block"}
        For each parameter the role of its axes: units of the output, what a unit sums over, and stacked matrices.
    keep : iterable of str, default=()
        Parameters that keep the values that the class gives them, also of its parts: ``"dt_proj.bias"``.

    Raises
    ------
    InvalidParameterError
        If the class or a role is not allowed.

    Examples
    --------
    >>> class Transposed(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.weight = nn.Parameter(torch.zeros(3, 5))
    >>> import torch
    >>> from initsk import initialize, network
    >>> network.register_layer(Transposed, {"weight": ("in", "out")})
    >>> initialize(Transposed(), "he_normal").to_frame()["fan_in"].tolist()
    [3]
    """
    problems = []
    if not isinstance(cls, str) and not (isinstance(cls, type) and issubclass(cls, nn.Module)):
        problems.append(f"cls={cls!r} is not allowed (a class of torch modules, or its full name)")
    for name, roles in axes.items():
        if isinstance(roles, str) or not set(roles) <= set(_AXES):
            problems.append(f"axes[{name!r}]={roles!r} is not allowed (a tuple of {', '.join(map(repr, _AXES))})")
    if problems:
        raise InvalidParameterError("register_layer: " + "; ".join(problems))
    key = cls if isinstance(cls, str) else _full_name(cls)
    _REGISTERED[key] = LayerRule({name: tuple(roles) for name, roles in axes.items()}, tuple(keep))
    _rule_of.cache_clear()


def registered_rule(layer: nn.Module) -> LayerRule | None:
    """Return the rule of a layer's class or of its closest registered base class."""
    _load_entry_points()
    kind: Any = type(layer)
    return _rule_of(kind)


@lru_cache
def _rule_of(kind: type) -> LayerRule | None:
    return next((rule for base in kind.__mro__ if (rule := _REGISTERED.get(_full_name(base)))), None)


@cache
def _load_entry_points() -> None:
    for entry in entry_points(group=ENTRY_POINTS):
        entry.load()()


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def kept_parameters(module: nn.Module) -> dict[str, str]:
    """Return the parameters that registered classes keep, with the names of the classes."""
    found = {}
    for path, part in named_parts(module):
        rule = registered_rule(part)
        for name in () if rule is None else rule.keep:
            found[f"{path}.{name}".lstrip(".")] = type(part).__name__
    return found


_OUT_IN = {"weight": ("out", "in"), "bias": ("out",)}
register_layer("transformers.pytorch_utils.Conv1D", {"weight": ("in", "out"), "bias": ("out",)})
register_layer("torch_geometric.nn.dense.linear.Linear", _OUT_IN)
register_layer("torch_geometric.nn.dense.linear.HeteroLinear", {"weight": ("block", "in", "out")})
# Time constants and decays, which these papers draw from distributions of their own.
register_layer("transformers.models.mamba.modeling_mamba.MambaMixer", {}, keep=["dt_proj.bias", "A_log", "D"])
register_layer("transformers.models.mamba2.modeling_mamba2.Mamba2Mixer", {}, keep=["dt_bias", "A_log", "D"])
register_layer(
    "transformers.models.rwkv.modeling_rwkv.RwkvSelfAttention", {}, keep=["time_decay", "time_first", "time_mix_key"]
)


def specs_of_axes(roles: Sequence[str], shape: tuple[int, ...]) -> tuple[ParameterSpec, Factors | None]:
    """Return the spec of one matrix of a tensor with given roles of its axes, and the order of its values.

    Examples
    --------
    >>> spec, layout = specs_of_axes(("block", "in", "out"), (4, 2, 3))
    >>> spec.shape, spec.count, layout
    ((3, 2), 4, ((4, 'block'), (2, 'in'), (3, 'out')))
    """
    layout = tuple(zip(shape, roles, strict=True))
    return spec_of_layout(layout, shape)


def spec_of_layout(layout: Factors, shape: tuple[int, ...]) -> tuple[ParameterSpec, Factors | None]:
    """Return the spec of one matrix, and the layout unless it is the standard one, ``(block, out, in)``."""
    count, n_out, n_in = (prod(size for size, role in layout if role == wanted) for wanted in _AXES)
    spec = ParameterSpec((n_out, n_in), n_in, n_out, kind="dense", weight_shape=shape, count=count)
    roles = [role for _, role in layout]
    return spec, None if roles == sorted(roles, key=_AXES.index) else layout


def embedding_spec(shape: tuple[int, ...]) -> ParameterSpec:
    """Return the spec of a table: each row is a vector whose numbers the later layers sum over."""
    return ParameterSpec(shape, shape[-1], shape[-1], kind="embedding", weight_shape=shape)


def specs_of_class(owner: Any, attribute: str, role: str, after_attention: bool) -> list[ParameterSpec] | None:
    """Return the specs of the blocks that are stacked in a parameter of torch's layers; None for other parameters."""
    shape = tuple(getattr(owner, attribute).shape)
    if isinstance(owner, NORM_LAYERS):
        return [ParameterSpec(shape, kind="normalization", weight_shape=shape)]
    if isinstance(owner, AFFINE) and attribute in ("weight", "bias"):
        return _blocks(_affine(owner, after_attention), role)
    if isinstance(owner, EMBEDDINGS) and attribute == "weight":
        return [embedding_spec(shape)]
    if isinstance(owner, nn.RNNBase | nn.RNNCellBase) and _RECURRENT_NAMES.fullmatch(attribute):
        return _recurrent(owner, attribute, role)
    if isinstance(owner, nn.MultiheadAttention) and _ATTENTION_NAMES.fullmatch(attribute):
        return _attention(owner, attribute, role, shape)
    return None


def _blocks(spec: ParameterSpec, role: str, names: Iterable[str] = ("",)) -> list[ParameterSpec]:
    """Return a block's spec under each name; the shape of a bias is the number of the block's rows."""
    if role == "bias":
        spec = replace(spec, shape=spec.shape[:1])
    return [replace(spec, block=name) if name else spec for name in names]


def _affine(owner: Any, after_attention: bool) -> ParameterSpec:
    shape = tuple(owner.weight.shape)
    if isinstance(owner, nn.Linear):
        spec = ParameterSpec.from_shape(shape)
        return replace(spec, kind="attention", block="o") if after_attention else spec
    if isinstance(owner, nn.Bilinear):
        out, first, second = shape
        return ParameterSpec(shape, first * second, out * second, kind="bilinear", weight_shape=shape)
    return convolution_spec(shape, owner.groups, owner.stride, owner.transposed)


def _recurrent(owner: Any, attribute: str, role: str) -> list[ParameterSpec]:
    # The projection of an LSTM has no gates.
    stacked = () if attribute.startswith("weight_hr") else _GATES.items()
    gates: Any = next((names for kind, names in stacked if isinstance(owner, kind)), [""])
    # A bias belongs to the weight with the same ending.
    weight = tuple(getattr(owner, attribute.replace("bias", "weight")).shape)
    spec = ParameterSpec.from_shape((weight[0] // len(gates), weight[1]))
    return _blocks(replace(spec, kind="recurrent", weight_shape=weight), role, gates)


def _attention(owner: Any, attribute: str, role: str, shape: tuple[int, ...]) -> list[ParameterSpec]:
    width = owner.embed_dim
    if attribute in ("in_proj_weight", "in_proj_bias"):
        spec = replace(ParameterSpec.from_shape((width, width)), kind="attention", weight_shape=(3 * width, width))
        return _blocks(spec, role, "qkv")
    if attribute in ("bias_k", "bias_v"):
        return [ParameterSpec(shape, width, width, kind="attention", weight_shape=(width, width), block=attribute[-1])]
    return [replace(ParameterSpec.from_shape(shape), kind="attention", block=attribute[0])]
