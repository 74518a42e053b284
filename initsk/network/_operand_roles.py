"""Roles of the arguments of torch's functions: which axes of a matrix are summed over, and which make the output."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from initsk.network._operations import tensors_in, words


class UsedAs(NamedTuple):
    """How a function uses an argument, and the role of each of its axes ("block", "out" or "in"); None if unknown."""

    how: str
    axes: tuple[str, ...] | None = None


Roles = list[tuple[torch.Tensor, UsedAs]]
_ADDS = UsedAs("adds")
_NORMALIZES = UsedAs("normalizes")
_RECURRENT = UsedAs("recurrent")


def used_as(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Roles:
    """Return the tensors among the arguments of a function with their roles, as far as the function is known.

    Examples
    --------
    >>> x, w = torch.zeros(3, 4), torch.zeros(5, 4)
    >>> [role for _, role in used_as("linear", (x, w), {})]
    [UsedAs(how='multiplies', axes=('out', 'in'))]
    """
    rule = _RULES.get(name)
    if rule is None:
        return []
    return [(tensor, role) for tensor, role in rule(_Call(name, args, kwargs)) if isinstance(tensor, torch.Tensor)]


class _Call(NamedTuple):
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def argument(self, position: int, *names: str) -> Any:
        """Return an argument by its position or by one of its names."""
        if position < len(self.args):
            return self.args[position]
        return next((self.kwargs[name] for name in names if name in self.kwargs), None)


def _linear(call: _Call) -> Roles:
    weight = call.argument(1, "weight")
    axes = ("out", "in") if weight.dim() == 2 else ("in",)
    return [(weight, UsedAs("multiplies", axes)), (call.argument(2, "bias"), _ADDS)]


def _convolution(call: _Call) -> Roles:
    weight = call.argument(1, "weight")
    first = ("in", "out") if "transpose" in call.name else ("out", "in")
    axes = (*first, *["kernel"] * (weight.dim() - 2))
    return [(weight, UsedAs("multiplies", axes)), (call.argument(2, "bias"), _ADDS)]


def _bilinear(call: _Call) -> Roles:
    weight = call.argument(2, "weight")
    return [(weight, UsedAs("multiplies", ("out", "in", "in"))), (call.argument(3, "bias"), _ADDS)]


def _matrix(call: _Call) -> Roles:
    """``matmul(a, b)``: the columns of the first and the rows of the second are summed over."""
    left, right = call.argument(0, "input", "self"), call.argument(1, "other", "mat2", "tensor2", "vec2")
    if call.name == "rmatmul":
        left, right = right, left
    return _factors(left, right)


def _added_matrix(call: _Call) -> Roles:
    added = call.argument(0, "input")
    left, right = call.argument(1, "mat1", "batch1", "mat"), call.argument(2, "mat2", "batch2", "vec")
    return [(added, _ADDS), *_factors(left, right)]


def _factors(left: Any, right: Any) -> Roles:
    def axes(tensor: torch.Tensor, last: tuple[str, ...]) -> UsedAs:
        return UsedAs("multiplies", ("block",) * (tensor.dim() - 2) + last if tensor.dim() > 1 else ("in",))

    return [(left, axes(left, ("out", "in"))), (right, axes(right, ("in", "out")))]


def _grouped_product(call: _Call) -> Roles:
    weight = call.argument(1, "mat2", "mat_b")
    return [(weight, UsedAs("multiplies", ("block", "in", "out")[-weight.dim() :]))]


def _einsum(call: _Call) -> Roles:
    equation, operands = call.args[0], call.args[1:]
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    if not isinstance(equation, str):
        return [(operand, UsedAs("multiplies")) for operand in operands]
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if not arrow:
        letters = sorted({letter for letter in inputs if letter.isalpha()})
        output = "".join(letter for letter in letters if inputs.count(letter) == 1)
    found: Roles = []
    for position, (operand, term) in enumerate(zip(operands, terms, strict=True)):
        others = "".join(terms[:position] + terms[position + 1 :])
        axes = None if "." in term else tuple(_einsum_role(letter, others, output) for letter in term)
        sums = axes is None or "in" in axes
        found.append((operand, UsedAs("multiplies" if sums else "scales", axes)))
    return found


def _einsum_role(letter: str, others: str, output: str) -> str:
    if letter not in output:
        return "in"
    return "block" if letter in others else "out"


def _tensordot(call: _Call) -> Roles:
    left, right, dims = call.argument(0, "a"), call.argument(1, "b"), call.argument(2, "dims")
    summed = (list(range(-dims, 0)), list(range(dims))) if isinstance(dims, int) else dims
    found: Roles = []
    for tensor, axes in zip((left, right), summed, strict=True):
        inside = {int(axis) % tensor.dim() for axis in axes}
        found.append((tensor, UsedAs("multiplies", tuple("in" if a in inside else "out" for a in range(tensor.dim())))))
    return found


def _embedding(call: _Call) -> Roles:
    # `torch.embedding` has the weight first, and the function of torch.nn the indices.
    given = [call.argument(0, "input", "weight"), call.argument(1, "weight", "indices")]
    weights = [tensor for tensor in given if isinstance(tensor, torch.Tensor) and tensor.is_floating_point()]
    return [(tensor, UsedAs("looked up")) for tensor in weights[:1]]


def _row_of_table(call: _Call) -> Roles:
    index = call.argument(1, "index", "dim")
    parts = index if isinstance(index, tuple) else (index, call.argument(2, "index"))
    by_values = any(isinstance(part, torch.Tensor) and part.dtype != torch.bool for part in parts)
    return [(call.args[0], UsedAs("looked up"))] if by_values else []


def _recurrence(call: _Call) -> Roles:
    weights = [tensor for part in call.args for tensor in (part if isinstance(part, list | tuple) else [part])]
    return [(tensor, _RECURRENT) for tensor in weights]


def _norm(call: _Call) -> Roles:
    tensors = [*call.args[1:], *call.kwargs.values()]
    return [(tensor, _NORMALIZES) for tensor in tensors]


def _attention(call: _Call) -> Roles:
    tensors = tensors_in([call.args, call.kwargs])
    memory = [call.argument(1, "key"), call.argument(2, "value")]
    return [*((tensor, _ADDS) for tensor in tensors), *((tensor, UsedAs("multiplies")) for tensor in memory)]


def _each(how: str) -> Callable[[_Call], Roles]:
    return lambda call: [(tensor, UsedAs(how)) for tensor in tensors_in([call.args, call.kwargs])]


_NAMES_OF_RULE: tuple[tuple[Callable[[_Call], Roles], str], ...] = (
    (_linear, "linear"),
    (_convolution, "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d"),
    (_bilinear, "bilinear"),
    (_matrix, "matmul rmatmul mm bmm mv inner dot"),
    (_added_matrix, "addmm baddbmm addbmm addmv"),
    (_grouped_product, "grouped_mm"),
    (_einsum, "einsum"),
    (_tensordot, "tensordot"),
    (_embedding, "embedding embedding_bag"),
    (_row_of_table, "getitem index_select gather take_along_dim"),
    (_recurrence, "lstm gru rnn_tanh rnn_relu lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell"),
    (_norm, "batch_norm layer_norm group_norm instance_norm rms_norm native_layer_norm"),
    (_each("adds"), "add sub rsub cat stack addcmul where masked_fill"),
    (_attention, "scaled_dot_product_attention"),
    (_each("scales"), "mul div rdiv prelu"),
)
_RULES = {name: rule for rule, names in _NAMES_OF_RULE for name in words(names)}
