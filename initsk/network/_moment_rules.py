"""What each operation makes of mean and variance: AutoInit's rules for torch's functions."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

from torch import fx, nn

from initsk.network._moments import Moments, mixture, plus, times
from initsk.network._trace import ACTIVATION_NAMES, function_of_first
from initsk.theory import ActivationLike


@dataclass
class Operation:
    """An operation in a traced module.

    Attributes
    ----------
    name : str
        The function's or method's name.
    arguments, keywords
        What it is called with, moments in place of signals, nodes in place of what else was computed.
    node : torch.fx.Node
        The node.
    size : callable
        Returns the shape, or the number, that a node computes.
    """

    name: str
    arguments: list[Any]
    keywords: dict[str, Any]
    node: fx.Node
    size: Callable[[fx.Node], Any]

    @property
    def signals(self) -> list[Moments]:
        """The signals that go in, those in lists included."""
        flat: list[Any] = []
        fx.node.map_aggregate([self.arguments, self.keywords], flat.append)
        return [value for value in flat if isinstance(value, Moments)]

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """Return an argument by its position or name; a number that the module computes is computed."""
        value = self.arguments[position] if position < len(self.arguments) else self.keywords.get(name, default)
        return self.size(value) if isinstance(value, fx.Node) else value

    def shrinks(self) -> int:
        """Return how many elements of the input go into one of the output."""
        source = next(node for node in self.node.all_input_nodes)
        return prod(self.size(source)) // prod(self.size(self.node))

    def same_twice(self) -> bool:
        """Say whether both operands are one signal."""
        return len(self.node.args) > 1 and self.node.args[0] is self.node.args[1]


Rule = Callable[[Operation], Any]


def apply_rule(operation: Operation) -> Any:
    """Return the moments that come out, None for what is no signal, or NotImplemented."""
    rule = RULES.get(operation.name)
    return NotImplemented if rule is None else rule(operation)


def leaky(slope: float) -> ActivationLike:
    """Return a leaky ReLU."""
    return nn.LeakyReLU(slope)


def _pass(operation: Operation) -> Moments:
    return operation.signals[0]


def _no_signal(operation: Operation) -> None:
    return None


def _attribute(operation: Operation) -> Any:
    wanted = operation.arguments[1]
    if wanted in ("shape", "ndim", "dtype", "device"):
        return None
    return operation.signals[0] if wanted in ("T", "mT", "data") else NotImplemented


def _function(operation: Operation) -> Any:
    target = operation.node.target
    first, rest = operation.arguments[0], operation.arguments[1:]
    others = [*rest, *operation.keywords.values()]
    if not isinstance(first, Moments) or any(isinstance(value, Moments | fx.Node) for value in others):
        return NotImplemented
    return first.through(function_of_first(target, rest, operation.keywords))


def _prelu(operation: Operation) -> Any:
    slope = operation.argument(1, "weight")
    return operation.arguments[0].through(leaky(slope.mean)) if isinstance(slope, Moments) else NotImplemented


def _rrelu(operation: Operation) -> Moments:
    low, high = operation.argument(1, "lower", 1 / 8), operation.argument(2, "upper", 1 / 3)
    return operation.signals[0].through(leaky((low + high) / 2))


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
    parts, nodes = operation.arguments[0], operation.node.args[0]
    if not (isinstance(parts, list | tuple) and all(isinstance(part, Moments) for part in parts)):
        return NotImplemented
    if all(part == parts[0] for part in parts):
        return parts[0]
    sizes: Any = nodes
    return mixture(parts, [prod(operation.size(node)) for node in sizes])


def _dropout(operation: Operation) -> Moments:
    active = operation.argument(2, "training", True)
    signal = operation.signals[0]
    return signal.dropped(operation.argument(1, "p", 0.5)) if active else signal


def _glu(operation: Operation) -> Moments:
    signal = operation.signals[0]
    return times(signal, signal.through("sigmoid"))


def _softmax(operation: Operation) -> Moments:
    n_classes = operation.size(operation.node.all_input_nodes[0])[operation.argument(1, "dim", -1)]
    return Moments(1 / n_classes, 1 / n_classes**2)


def _pad(operation: Operation) -> Moments:
    signal = operation.signals[0]
    if operation.argument(2, "mode", "constant") != "constant":
        return signal
    value = operation.argument(3, "value") or 0.0
    inside = prod(operation.size(operation.node.all_input_nodes[0]))
    return mixture([signal, Moments(float(value), 0.0)], [inside, prod(operation.size(operation.node)) - inside])


def _window(operation: Operation) -> int:
    size = operation.argument(1, "kernel_size")
    dimensions = int(operation.name[-2])
    return int(size**dimensions if isinstance(size, int) else prod(size) ** (dimensions if len(size) == 1 else 1))


def _normalisation(position: int) -> Rule:
    def rule(operation: Operation) -> Moments:
        factor, shift = operation.argument(position, "weight"), operation.argument(position + 1, "bias")
        return Moments(0.0, 1.0).affine(factor, shift)

    return rule


def _rms_norm(operation: Operation) -> Moments:
    signal = operation.signals[0]
    size = signal.square**-0.5 if signal.square else 0.0
    return signal.scaled(size).affine(operation.argument(2, "weight"), None)


def _embedding(operation: Operation) -> Moments:
    weight: Moments = operation.argument(1, "weight")
    return weight


_ELEMENTWISE = {"abs", "atan", "clamp", "clamp_max", "clamp_min", "clip", "cos", "exp", "pow", "square", "threshold"}
_ELEMENTWISE |= ACTIVATION_NAMES
_RESHAPING = ("flatten", "reshape", "squeeze", "unflatten", "unsqueeze", "view", "pixel_shuffle", "pixel_unshuffle")
_REORDERING = ("channel_shuffle", "flip", "movedim", "permute", "roll", "swapaxes", "t", "transpose")
_CHOOSING = ("chunk", "expand", "getitem", "interpolate", "narrow", "repeat", "split", "tile", "unbind")
_KEEPING = ("alpha_dropout", "clone", "contiguous", "detach", "feature_alpha_dropout", "float", "to", "type")
#: The endings of what exists for signals of one, two and three dimensions.
DIMENSIONS = ("1d", "2d", "3d")

RULES: dict[str, Rule] = {
    **dict.fromkeys(sorted(_ELEMENTWISE), _function),
    **dict.fromkeys((*_RESHAPING, *_REORDERING, *_CHOOSING, *_KEEPING), _pass),
    **dict.fromkeys(("size", "dim", "numel", "ndimension", "len"), _no_signal),
    "getattr": _attribute,
    "prelu": _prelu,
    "rrelu": _rrelu,
    **dict.fromkeys(("add", "iadd"), _add),
    **dict.fromkeys(("sub", "isub", "subtract"), partial(_add, sign=-1.0)),
    **dict.fromkeys(("mul", "imul", "multiply"), _multiply),
    **dict.fromkeys(("div", "divide", "truediv", "itruediv"), _divide),
    **dict.fromkeys(("neg", "negative"), lambda operation: operation.signals[0].scaled(-1.0)),
    **dict.fromkeys(("cat", "concat", "concatenate", "stack"), _cat),
    **dict.fromkeys(("dropout", "dropout1d", "dropout2d", "dropout3d"), _dropout),
    "glu": _glu,
    "softmax": _softmax,
    "pad": _pad,
    "mean": lambda operation: operation.signals[0].averaged(operation.shrinks()),
    "amax": lambda operation: operation.signals[0].largest(operation.shrinks()),
    **{f"avg_pool{d}": lambda operation: operation.signals[0].averaged(_window(operation)) for d in DIMENSIONS},
    **{f"max_pool{d}": lambda operation: operation.signals[0].largest(_window(operation)) for d in DIMENSIONS},
    **{
        f"adaptive_avg_pool{d}": lambda operation: operation.signals[0].averaged(operation.shrinks())
        for d in DIMENSIONS
    },
    **{
        f"adaptive_max_pool{d}": lambda operation: operation.signals[0].largest(operation.shrinks()) for d in DIMENSIONS
    },
    **dict.fromkeys(("layer_norm", "group_norm"), _normalisation(2)),
    **dict.fromkeys(("batch_norm", "instance_norm"), _normalisation(3)),
    "rms_norm": _rms_norm,
    "embedding": _embedding,
}
