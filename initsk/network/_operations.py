"""Operations of a forward pass: the calls of torch's functions, with the parameters that each uses."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

import torch


def words(text: str) -> set[str]:
    """Return the words of a text.

    Examples
    --------
    >>> sorted(words("b a"))
    ['a', 'b']
    """
    return set(text.split())


_RENAMED = {
    "iadd": "add", "radd": "add", "isub": "sub", "imul": "mul", "rmul": "mul", "idiv": "div", "itruediv": "div",
    "truediv": "div", "rtruediv": "rdiv", "true_divide": "div", "divide": "div", "multiply": "mul", "subtract": "sub",
    "imatmul": "matmul", "ipow": "pow", "float_power": "pow", "negative": "neg", "special_expit": "sigmoid",
    "special_erf": "erf", "clip": "clamp", "concat": "cat", "concatenate": "cat", "absolute": "abs",
}  # fmt: skip
_NAMES_OF_KIND = {
    "product": """linear matmul rmatmul mm bmm addmm baddbmm addbmm addmv mv einsum tensordot bilinear outer
        _grouped_mm grouped_mm inner chain_matmul dot kron""",
    "convolution": "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d",
    "embedding": "embedding embedding_bag",
    "recurrence": "lstm gru rnn_tanh rnn_relu lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell",
    "attention": "scaled_dot_product_attention multi_head_attention_forward",
    "normalization": """batch_norm layer_norm group_norm instance_norm rms_norm local_response_norm normalize
        native_layer_norm native_batch_norm native_group_norm""",
    "sum": "add sub rsub index_add scatter_add addcmul addcdiv",
    "elementwise product": "mul div rdiv",
    "softmax": "softmax log_softmax softmin gumbel_softmax",
    "pooling": """max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d
        adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d lp_pool1d
        lp_pool2d fractional_max_pool2d mean sum amax max logsumexp max_pool2d_with_indices""",
    "dropout": "dropout dropout1d dropout2d dropout3d alpha_dropout feature_dropout feature_alpha_dropout",
    "reshape": """reshape view flatten unflatten permute transpose t T mT adjoint swapaxes swapdims movedim moveaxis
        contiguous clone detach data to float double half bfloat16 type type_as squeeze unsqueeze expand expand_as
        view_as reshape_as repeat repeat_interleave tile roll flip chunk split split_with_sizes tensor_split unbind
        getitem select narrow index_select gather take_along_dim alias pixel_shuffle pixel_unshuffle unfold fold
        requires_grad_ broadcast_to real imag view_as_real view_as_complex channel_shuffle as_strided diagonal hsplit
        vsplit atleast_1d atleast_2d ravel pin_memory cpu cuda masked_select""",
    "concatenation": "cat stack hstack vstack dstack column_stack",
}  # fmt: skip
_KINDS = {name: kind for kind, names in _NAMES_OF_KIND.items() for name in words(names)}
#: Kinds of operations that may multiply a signal by a parameter and sum over several products, or look a row up.
WEIGHTED_KINDS = ("product", "convolution", "transposed convolution", "embedding", "recurrence")
#: Kinds of operations that begin with no input: a value that the network uses as a signal.
CONSTANT_KINDS = ("parameter", "constant")
_CHANNELS_FIRST = words("batch_norm instance_norm group_norm")
_CHANNELS_LAST = words("layer_norm rms_norm")
#: Operations whose result does not depend on the values of their arguments.
VALUE_INDEPENDENT = words(
    """zeros_like ones_like empty_like full_like rand_like randn_like randint_like new_zeros new_ones new_empty new_full
    new_tensor size dim numel stride"""
)
#: Operations of which the second argument tells only a shape or a type.
SHAPED_LIKE = words("expand_as view_as reshape_as type_as")
#: Functions that give the values of a tensor to other code than torch, and those that make tensors of such values.
OUT_OF_TORCH, INTO_TORCH = words("numpy array tolist"), words("tensor as_tensor asarray from_numpy")
# Types of most arguments beside tensors; asking them for fields takes time.
_WITHOUT_TENSORS = {type(None), bool, int, float, str, torch.dtype, torch.device, torch.Size}


def operation_name(function: Any) -> str:
    """Return one name for the variants of a function: method, operator, in-place, attribute.

    Examples
    --------
    >>> operation_name(torch.Tensor.__iadd__), operation_name(torch.relu_), operation_name(torch.Tensor.T.__get__)
    ('add', 'relu', 'T')
    """
    name = str(getattr(function, "__name__", function))
    if name == "__get__":
        return str(getattr(function.__self__, "__name__", ""))
    name = name.partition(".")[0]
    short = name.strip("_") or name
    if short == "grouped_mm":
        return short
    return _RENAMED.get(short, short)


def kind_of(name: str) -> str:
    """Return the kind of an operation by its name; "function" if the name tells nothing."""
    if name.startswith("conv_transpose"):
        return "transposed convolution"
    return _KINDS.get(name, "function")


class Source(NamedTuple):
    """Where a tensor comes from: the number of an operation, and the position among its outputs."""

    operation: int
    output: int = 0


@dataclass(frozen=True)
class ParameterUse:
    """How an operation uses a parameter.

    Attributes
    ----------
    name : str
        Name of the parameter in the module.
    how : {"multiplies", "looked up", "recurrent", "scales", "adds", "normalizes", "other"}
        "multiplies": products with the signal are summed; "scales": one product for each value.
    roles : tuple of (int, str), or None
        Factors of the parameter's shape, in the order of its memory: size, and "block", "out" or "in". None if unknown.
    shape : tuple of int
        Shape of the argument.
    """

    name: str
    how: str
    roles: tuple[tuple[int, str], ...] | None = None
    shape: tuple[int, ...] = ()

    @property
    def n_summed(self) -> int:
        """Number of products in a sum; 1 if the roles are unknown."""
        return prod(size for size, role in self.roles or () if role in ("in", "kernel"))


@dataclass(frozen=True)
class CompletedFunction:
    """An activation function, with the result that it is a function of.

    Attributes
    ----------
    variable : Source
        The argument of the function.
    first : int
        Number of the first operation that takes the argument.
    name : str
        Name of the function.
    function : callable
        The function of one tensor.
    by_module : bool
        Whether one of torch's modules of activation functions computes it.
    """

    variable: Source
    first: int
    name: str
    function: Callable[[torch.Tensor], torch.Tensor]
    by_module: bool = False


@dataclass
class Operation:
    """One call of a function of torch in a forward pass.

    Attributes
    ----------
    number : int
        Position in the forward pass.
    name : str
        Name of the function: "linear", "relu", "add".
    kind : str
        "input", "output", "product", "convolution", "transposed convolution", "embedding", "recurrence", "attention",
        "normalization", "activation", "sum", "elementwise product", "softmax", "pooling", "dropout", "reshape",
        "concatenation" or "function". A "parameter" or "constant" that the network uses as a signal is an operation
        without inputs; its value is the first argument.
    module : str
        Name of the module whose ``forward`` calls the function.
    call : int
        How often the module was called before.
    inputs : tuple of Source
        Operations whose results it takes, without constants.
    uses : tuple of ParameterUse
        The parameters that it uses.
    shapes : tuple of tuple of int
        Shapes of the results.
    function, arguments, keywords
        The call; each computed tensor is replaced by its `Source`.
    constant : bool
        Whether the result does not depend on the input of the network.
    real : tuple of bool
        Whether each result holds real or complex numbers, not integers or truth values.
    n_parts : int
        Equal, contiguous parts of the units that later operations take separately.
    activation : str, callable or None
        The activation function that the operation completes.
    variable : Source or None
        The values that this activation function is a function of.
    completed : CompletedFunction or None
        The same function without the factors and shifts before it, if the function is not constant.
    step : int
        The step of the forward pass in which the function was called; -1 for operations that are no call.
    """

    number: int
    name: str
    kind: str
    module: str
    call: int
    inputs: tuple[Source, ...]
    uses: tuple[ParameterUse, ...]
    shapes: tuple[tuple[int, ...], ...]
    function: Callable[..., Any] | None = None
    arguments: tuple[Any, ...] = ()
    keywords: dict[str, Any] = field(default_factory=dict)
    constant: bool = False
    real: tuple[bool, ...] = (True,)
    n_parts: int = 1
    activation: Any = None
    variable: Source | None = None
    completed: "CompletedFunction | None" = None
    step: int = -1

    @property
    def unit_axis(self) -> int | None:
        """The axis of the results that counts the units of a weighted operation; None for other operations."""
        if self.name in ("linear", "matmul", "mm", "bmm", "addmm", "baddbmm", "bilinear", "embedding", "grouped_mm"):
            return len(self.shape) - 1
        return 1 if "convolution" in self.kind else None

    @property
    def channels_first(self) -> bool | None:
        """Whether the second axis of the results counts the units, and not the last one; None if that is unknown."""
        if "convolution" in self.kind or "_pool" in self.name or self.name in _CHANNELS_FIRST:
            return True
        return False if self.unit_axis is not None or self.name in _CHANNELS_LAST else None

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """Return an argument of the call by its position or its name."""
        return self.arguments[position] if position < len(self.arguments) else self.keywords.get(name, default)

    @property
    def is_weighted(self) -> bool:
        """Whether it multiplies the signal by a parameter and sums, or looks a row of a parameter up."""
        return any(use.how in ("multiplies", "looked up", "recurrent") for use in self.uses)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the first result."""
        return self.shapes[0] if self.shapes else ()


def tensors_in(value: Any) -> list[torch.Tensor]:
    """Return the tensors in nested tuples, lists, mappings and objects with fields."""
    found: list[torch.Tensor] = []
    _collect(value, found, ())
    return found


def _collect(value: Any, found: list[torch.Tensor], around: tuple[int, ...]) -> None:
    # A container may hold itself.
    if type(value) in _WITHOUT_TENSORS or id(value) in around:
        return
    if isinstance(value, torch.Tensor):
        found.append(value)
    elif isinstance(value, list | tuple | set):
        for part in value:
            _collect(part, found, (*around, id(value)))
    elif callable(getattr(type(value), "keys", None)) and hasattr(type(value), "__getitem__"):
        for key in value.keys():  # noqa: SIM118 - graph objects iterate over something else
            _collect(value[key], found, (*around, id(value)))
    elif hasattr(value, "__dict__") and not isinstance(value, type | torch.nn.Module):
        found += (part for part in vars(value).values() if isinstance(part, torch.Tensor))


def replace_tensors(value: Any, replacement: Callable[[torch.Tensor], Any]) -> Any:
    """Return nested tuples, lists and dictionaries with each tensor replaced."""
    if type(value) in _WITHOUT_TENSORS:
        return value
    if isinstance(value, torch.Tensor):
        return replacement(value)
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)([replace_tensors(part, replacement) for part in value])
    if isinstance(value, dict):
        return {key: replace_tensors(part, replacement) for key, part in value.items()}
    return value
