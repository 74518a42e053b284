"""AutoInit's rules for torch's functions and modules: the mean and variance of their outputs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

from torch import fx, nn

from initsk.network._find_activations import ACTIVATION_NAMES, FunctionOfFirst
from initsk.network._layer_types import BATCH_OR_INSTANCE_NORM_LAYERS, of_each_dimension
from initsk.network._moments import Moments, mixture, plus, times


@dataclass
class Operation:
    """An operation in a traced module.

    Attributes
    ----------
    arguments, keywords
        Arguments of the call. Moments replace signals, and nodes replace other computed values.
    node : torch.fx.Node
        The operation's node in the graph.
    size : callable
        Returns the shape of the tensor, or the number, that a node computes.
    """

    arguments: list[Any]
    keywords: dict[str, Any]
    node: fx.Node
    size: Callable[[fx.Node], Any]

    @property
    def signals(self) -> list[Moments]:
        """The signals among the arguments, also those in lists."""
        flat: list[Any] = []
        fx.node.map_aggregate([self.arguments, self.keywords], flat.append)
        return [value for value in flat if isinstance(value, Moments)]

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """Return an argument by its position or name, with the value of a number that the module computes."""
        value = self.arguments[position] if position < len(self.arguments) else self.keywords.get(name, default)
        return self.size(value) if isinstance(value, fx.Node) else value

    def input_shape(self) -> Any:
        """Return the shape of the first input."""
        return self.size(self.node.all_input_nodes[0])

    def same_twice(self) -> bool:
        """Return whether both operands are one signal."""
        return len(self.node.args) > 1 and self.node.args[0] is self.node.args[1]


Rule = Callable[[Operation], Any]


def _no_rule(operation: Operation) -> Any:
    return NotImplemented


def _attribute(operation: Operation) -> Any:
    wanted = operation.arguments[1]
    if wanted in ("shape", "ndim", "dtype", "device"):
        return None
    return operation.signals[0] if wanted in ("T", "mT", "data") else NotImplemented


def _elementwise(operation: Operation) -> Any:
    first, rest = operation.arguments[0], operation.arguments[1:]
    others = [*rest, *operation.keywords.values()]
    if not isinstance(first, Moments) or any(isinstance(value, Moments | fx.Node) for value in others):
        return NotImplemented
    return first.through(FunctionOfFirst(operation.node.target, tuple(rest), operation.keywords))


def _prelu(operation: Operation) -> Any:
    slope = operation.argument(1, "weight")
    return operation.arguments[0].through(nn.LeakyReLU(slope.mean)) if isinstance(slope, Moments) else NotImplemented


def _rrelu(operation: Operation) -> Moments:
    low, high = operation.argument(1, "lower", 1 / 8), operation.argument(2, "upper", 1 / 3)
    return operation.signals[0].through(nn.LeakyReLU((low + high) / 2))


def _add(operation: Operation, sign: float = 1.0) -> Any:
    first, second = operation.argument(0, "input"), operation.argument(1, "other")
    factor = sign * operation.keywords.get("alpha", 1)
    if operation.same_twice():
        return first.scaled(1 + factor)
    if isinstance(first, Moments) and isinstance(second, Moments):
        return plus(first, second.scaled(factor))
    if isinstance(second, Moments):
        return second.scaled(factor, first) if _is_number(first) else NotImplemented
    return first.scaled(1.0, factor * second) if _is_number(second) else NotImplemented


def _multiply(operation: Operation) -> Any:
    first, second = operation.argument(0, "input"), operation.argument(1, "other")
    if operation.same_twice():
        return first.through(_square)
    if isinstance(first, Moments) and isinstance(second, Moments):
        return times(first, second)
    signal, factor = (first, second) if isinstance(first, Moments) else (second, first)
    return signal.scaled(factor) if _is_number(factor) else NotImplemented


def _divide(operation: Operation) -> Any:
    signal, divisor = operation.argument(0, "input"), operation.argument(1, "other")
    return signal.scaled(1 / divisor) if isinstance(signal, Moments) and _is_number(divisor) else NotImplemented


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _square(x: Any) -> Any:
    return x * x


def _cat(operation: Operation) -> Any:
    parts = operation.arguments[0]
    nodes: Any = operation.node.args[0]
    if not (isinstance(parts, list | tuple) and all(isinstance(part, Moments) for part in parts)):
        return NotImplemented
    if all(part == parts[0] for part in parts):
        return parts[0]
    return mixture(parts, [prod(operation.size(node)) for node in nodes])


def _dropout(operation: Operation) -> Moments:
    active = operation.argument(2, "training", True)
    signal = operation.signals[0]
    return signal.dropped(operation.argument(1, "p", 0.5)) if active else signal


def _glu(operation: Operation) -> Moments:
    signal = operation.signals[0]
    return times(signal, signal.through("sigmoid"))


def _softmax(operation: Operation) -> Moments:
    n_classes = operation.input_shape()[operation.argument(1, "dim", -1)]
    return Moments(1 / n_classes, 1 / n_classes**2)


def _pad(operation: Operation) -> Moments:
    signal = operation.signals[0]
    if operation.argument(2, "mode", "constant") != "constant":
        return signal
    value = operation.argument(3, "value") or 0.0
    inside = prod(operation.input_shape())
    return mixture([signal, Moments(float(value), 0.0)], [inside, prod(operation.size(operation.node)) - inside])


def _pool(of: Callable[[Moments, int], Moments], dimensions: int, operation: Operation) -> Moments:
    """Return the moments of a statistic of as many elements as a window of the pooling has."""
    size = operation.argument(1, "kernel_size")
    n = size**dimensions if isinstance(size, int) else prod(size) ** (dimensions if len(size) == 1 else 1)
    return of(operation.signals[0], n)


def _reduce(of: Callable[[Moments, int], Moments], operation: Operation) -> Moments:
    """Return the moments of a statistic of all input elements that an output element depends on."""
    return of(operation.signals[0], prod(operation.input_shape()) // prod(operation.size(operation.node)))


def _normalization(position: int, operation: Operation) -> Moments:
    factor, shift = operation.argument(position, "weight"), operation.argument(position + 1, "bias")
    return Moments(0.0, 1.0).affine(factor, shift)


def _rms_norm(operation: Operation) -> Moments:
    signal = operation.signals[0]
    size = signal.square**-0.5 if signal.square else 0.0
    return signal.scaled(size).affine(operation.argument(2, "weight"), None)


_ELEMENTWISE = {"abs", "atan", "clamp", "clamp_max", "clamp_min", "cos", "exp", "pow", "square", "threshold"}
_RESHAPING = ("flatten", "reshape", "squeeze", "unflatten", "unsqueeze", "view", "pixel_shuffle", "pixel_unshuffle")
_REORDERING = ("channel_shuffle", "flip", "movedim", "permute", "roll", "swapaxes", "t", "transpose")
_CHOOSING = ("chunk", "expand", "getitem", "interpolate", "narrow", "repeat", "split", "tile", "unbind")
_COPYING = ("alpha_dropout", "clone", "contiguous", "detach", "feature_alpha_dropout", "float", "to", "type")
_PASSING = (*_RESHAPING, *_REORDERING, *_CHOOSING, *_COPYING)
_PASSING_MODULES = (
    *(nn.Flatten, nn.Unflatten, nn.Upsample, nn.PixelShuffle, nn.PixelUnshuffle, nn.ChannelShuffle),
    *(nn.Identity, nn.AlphaDropout, nn.FeatureAlphaDropout),
    *of_each_dimension("ReflectionPad", "ReplicationPad", "CircularPad"),
)
_DROPOUTS: tuple[type[nn.Module], ...] = (nn.Dropout, *of_each_dimension("Dropout"))


@dataclass(frozen=True)
class Family:
    """Functions, methods and modules with the same rule.

    Attributes
    ----------
    rule : callable
        Returns the moments of an `Operation`'s output, None if the output is no signal, or NotImplemented.
    names : tuple of str
        Names of functions and methods.
    modules : tuple of type
        Classes of modules.
    attributes : tuple of str
        Attributes of the modules that are arguments of the function.
    """

    rule: Rule
    names: tuple[str, ...]
    modules: tuple[type[nn.Module], ...] = ()
    attributes: tuple[str, ...] = ()


def _pool_families(of: Callable[[Moments, int], Moments], name: str, kind: str, reduction: str) -> Iterator[Family]:
    """Yield the families of a statistic's poolings by windows, and of its adaptive pooling and reduction."""
    for d, module in enumerate(of_each_dimension(f"{kind}Pool"), start=1):
        yield Family(partial(_pool, of, d), (f"{name}_pool{d}d",), (module,), ("kernel_size",))
    names = (reduction, *(f"adaptive_{name}_pool{d}d" for d in (1, 2, 3)))
    yield Family(partial(_reduce, of), names, of_each_dimension(f"Adaptive{kind}Pool"))


_AFFINE = ("weight", "bias")
_FAMILIES = (
    Family(_elementwise, tuple(_ELEMENTWISE | ACTIVATION_NAMES - {"prelu", "rrelu"})),
    Family(lambda operation: operation.signals[0], _PASSING, _PASSING_MODULES),
    Family(lambda operation: None, ("size", "dim", "numel", "ndimension", "len")),
    Family(_attribute, ("getattr",)),
    Family(_prelu, ("prelu",)),
    Family(_rrelu, ("rrelu",)),
    Family(_add, ("add",)),
    Family(partial(_add, sign=-1.0), ("sub",)),
    Family(_multiply, ("mul",)),
    Family(_divide, ("div",)),
    Family(lambda operation: operation.signals[0].scaled(-1.0), ("neg",)),
    Family(_cat, ("cat", "stack")),
    Family(_dropout, ("dropout", "dropout1d", "dropout2d", "dropout3d"), _DROPOUTS, ("p",)),
    Family(_glu, ("glu",), (nn.GLU,)),
    Family(_softmax, ("softmax",), (nn.Softmax,), ("dim",)),
    Family(_pad, ("pad",), of_each_dimension("ConstantPad"), ("value",)),
    *_pool_families(Moments.averaged, "avg", "Avg", "mean"),
    *_pool_families(Moments.largest, "max", "Max", "amax"),
    Family(partial(_normalization, 2), ("layer_norm", "group_norm"), (nn.LayerNorm, nn.GroupNorm), _AFFINE),
    Family(partial(_normalization, 3), ("batch_norm", "instance_norm"), BATCH_OR_INSTANCE_NORM_LAYERS, _AFFINE),
    Family(_rms_norm, ("rms_norm",), (nn.RMSNorm,), ("weight",)),
    Family(lambda operation: operation.argument(1, "weight"), ("embedding",), (nn.Embedding,), ("weight",)),
)


def rule_of_function(name: str) -> Rule:
    """Return the rule of a function or method."""
    return next((family.rule for family in _FAMILIES if name in family.names), _no_rule)


def family_of_module(module: nn.Module) -> Family | None:
    """Return the family of a module."""
    return next((family for family in _FAMILIES if isinstance(module, family.modules)), None)
