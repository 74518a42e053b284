"""Batches of a module's own type and device, made from data of any form."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, combinations, islice
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence
from typing_extensions import TypeAliasType

from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.network._calls import describe_input, failing_layer, run_module
from initsk.network._inputs import (
    IntegerCasts,
    arguments_of,
    arrays_in,
    count_samples,
    few_rows_first,
    first_batch,
    is_graph,
    is_integer,
    is_stream,
    map_arrays,
    pairs,
    take_rows,
    to_array,
)
from initsk.network._mlp import MLP
from initsk.network._state import preserve_state
from initsk.utils.cached import cached_property
from initsk.utils.precision import nonfinite_in
from initsk.utils.torch_settings import as_tensor, check_fits, stored_values
from initsk.utils.words import counted, named_reason

PaddingMask = TypeAliasType("PaddingMask", Any | Callable[[Any], Any])

# Five integer arguments have as many subsets.
_MAX_FORMS = 32
# torch has few operations on these types.
_UNSIGNED = (torch.uint16, torch.uint32, torch.uint64)


@dataclass(frozen=True)
class Batch:
    """The arguments of one call of a module, with targets and a mask of the padding."""

    inputs: tuple[Any, ...]
    keywords: dict[str, Any]
    target: Any
    padding: torch.Tensor | None

    def copied(self) -> "Batch":
        """Return a batch whose tensors may be overwritten."""
        return replace(self, inputs=map_arrays(_clone, self.inputs), keywords=map_arrays(_clone, self.keywords))

    def run(self, module: nn.Module) -> Any:
        """Return the output of a module for this batch; an error names the layer and the input."""
        return run_module(module, self.inputs, self.keywords)

    @property
    def data(self) -> Any:
        """Return the X of a skorch net: the only tensor, a tuple of several tensors, or a dict of named arguments."""
        if self.keywords:
            return self.keywords
        return self.inputs[0] if len(self.inputs) == 1 else self.inputs

    @property
    def n_samples(self) -> int:
        """Rows of the first tensor, or nodes of the first graph."""
        for part in (*self.inputs, *self.keywords.values()):
            if isinstance(part, torch.Tensor):
                return len(part) if part.dim() else 1
            if is_graph(part):
                return int(getattr(part, "num_nodes", None) or 1)
        return 1


def as_batch(module: nn.Module, X: Any, y: Any = None) -> Batch:
    """Return X and y as one batch of the module's type and device; of a stream, its first batch.

    Integers stay integers if the module runs on them. Otherwise those that it needs as floats are cast.

    Raises
    ------
    InvalidParameterError
        If X does not consist of numbers, or of numbers beyond the range of the module's type, forward does not take an
        argument, or targets are given twice.
    ModuleError
        If X or y holds NaN or infinity, or the module does not run on X with integers of any type.

    Examples
    --------
    >>> as_batch(nn.Linear(2, 1), [[0, 255]]).inputs
    (tensor([[  0., 255.]]),)
    >>> as_batch(nn.Embedding(9, 1), [[0, 8]]).inputs
    (tensor([[0, 8]]),)
    """
    return BatchConverter(module, finite=True).convert(*first_batch(module, X, y))


def iterate_batches(
    module: nn.Module,
    X: Any,
    y: Any = None,
    batch_size: int = 1024,
    padding_mask: PaddingMask = None,
    casts: IntegerCasts | None = None,
) -> Iterator[Batch]:
    """Yield batches of the module's type and device; each batch overwrites the previous one.

    X is an array, a tuple or a mapping of arrays (arguments of the call), a packed sequence, a graph, or a stream: a
    DataLoader, a data set, or an iterator of batches. A batch of a stream is X or a pair of X and y. What
    `count_samples` does not split into rows is one batch. The first batch with integers decides which are cast, unless
    `casts` knows it already.

    Raises
    ------
    InvalidParameterError
        If X does not consist of numbers, or y or the mask does not fit X.
    """
    converter = BatchConverter(module, reuse=True, casts=casts)
    if is_stream(X):
        if y is not None:
            raise InvalidParameterError(f"y with {type(X).__name__} is not allowed (the stream gives pairs of X and y)")
        if padding_mask is not None and not callable(padding_mask):
            raise InvalidParameterError("padding_mask of a stream must be a function of the batch, not an array")
        for part, target in pairs(X, batch_size):
            yield converter.convert(part, target, padding_mask)
        return
    X, y = arguments_of(module, X, y)
    # Once, so that lists are not converted again for every batch.
    X = map_arrays(to_array, X)
    n_samples = count_samples(X)
    if n_samples is None:
        yield converter.convert(X, y, padding_mask)
        return
    _check_rows(n_samples, y, padding_mask)
    for start in range(0, n_samples, batch_size):
        rows = slice(start, start + batch_size)
        mask = padding_mask if padding_mask is None or callable(padding_mask) else as_tensor(padding_mask)[rows]
        yield converter.convert(take_rows(X, rows, n_samples), take_targets(y, rows), mask)


class BatchConverter:
    """Copies batches to a module's type and device.

    Floats get the type of the module's real parameters, and complex numbers that of its complex ones; integers stay as
    they are, except those in `casts`, which become floats. With `reuse`, each batch overwrites the previous one, since
    allocating memory takes longer than copying. Without it, `finite` makes NaN and infinity a `ModuleError`.
    """

    def __init__(
        self, module: nn.Module, *, reuse: bool = False, finite: bool = False, casts: IntegerCasts | None = None
    ) -> None:
        self.module = module
        # Numbers of one byte are a form of storage: nothing computes with them.
        reals = (p for p in module.parameters() if p.is_floating_point() or p.is_complex())
        numbers = [p for p in reals if torch.finfo(p.dtype).bits > 8]
        first = next(iter(numbers), torch.empty(0, device=next((p.device for p in module.parameters()), None)))
        self.device = first.device
        # A type of complex parameters stands for the real type of its parts, if there are only such parameters.
        real = first if first.is_floating_point() else next(filter(torch.is_floating_point, numbers), first)
        self.real = real.dtype.to_real()
        self.buffers: dict[str, torch.Tensor] | None = {} if reuse else None
        self.finite = finite
        self.casts = IntegerCasts() if casts is None else casts

    def convert(self, X: Any, y: Any = None, padding_mask: PaddingMask = None) -> Batch:
        """Return one batch; several targets, a tuple or a mapping, are converted one by one."""
        arguments, y = arguments_of(self.module, X, y)
        arguments = map_arrays(lambda name, part: as_tensor(to_array(name, part)), arguments)
        if self.casts.names is None and (names := _integer_names(arguments)):
            self.casts.names = self._find_casts(arguments, names)
        inputs, keywords = call_of(map_arrays(self._copied, arguments))
        return Batch(inputs, keywords, self._targets(y), _padding(padding_mask, X))

    @cached_property
    def complex(self) -> torch.dtype:
        """The type of complex arguments: that of complex parameters, or the precision of the real ones."""
        found = next(filter(torch.is_complex, self.module.parameters()), None)
        if found is not None:
            return found.dtype
        return torch.complex128 if self.real == torch.float64 else torch.complex64

    def _targets(self, y: Any) -> Any:
        if y is None:
            return None
        if isinstance(y, PackedSequence) or not several_targets(y):
            return self._target("y", y)
        return map_arrays(self._target, y, "y")

    def _target(self, name: str, values: Any) -> torch.Tensor:
        target = as_tensor(to_array(name, values))
        dtype = self._type_of(name, target)
        if dtype == torch.uint8:
            # Bytes are labels, or pixels if there are several for each sample.
            dtype = torch.int64 if target.dim() <= 1 else self.real
        elif dtype in _UNSIGNED:
            dtype = torch.int64
        check_fits(name, target, dtype)
        return self._checked(name, target.detach().to(self.device, dtype, copy=True))

    def _copied(self, name: str, values: torch.Tensor) -> torch.Tensor:
        """Return a copy: a module that begins with an in-place operation would overwrite the caller's data."""
        dtype = self._type_of(name, values)
        if not is_mask(name):
            check_fits(name, values, dtype)
        if self.buffers is None or values.dim() == 0 or values.layout is not torch.strided:
            return self._checked(name, values.detach().to(self.device, dtype, copy=True))
        held = self.buffers.get(name)
        if held is None or held.dtype != dtype or held.shape[1:] != values.shape[1:] or len(held) < len(values):
            held = self.buffers[name] = torch.empty(values.shape, dtype=dtype, device=self.device)
        return held[: len(values)].copy_(values.detach())

    def _type_of(self, name: str, values: torch.Tensor) -> torch.dtype:
        if values.is_complex():
            return self.complex
        if values.dtype == torch.float64 and isinstance(self.module, MLP) and self.module.input_scale is not None:
            # The module scales double precision before it casts.
            return torch.float64
        cast = values.is_floating_point() or name in (self.casts.names or ())
        return self.real if cast else values.dtype

    def _checked(self, name: str, values: torch.Tensor) -> torch.Tensor:
        if self.finite and not values.is_meta and not stored_values(values).isfinite().all():
            raise ModuleError(f"{name} holds {nonfinite_in(stored_values(values))}")
        return values

    def _find_casts(self, X: Any, names: list[str]) -> frozenset[str]:
        """Return the integer arguments to cast: those of the first form of X with which the module runs."""
        failures: list[str] = []
        with preserve_state(self.module, training=False, gradients=False, seed=0):
            for form in few_rows_first(X):
                failures = []
                for casts in _subsets(names):
                    failure = self._failure(form, casts)
                    if failure is None:
                        return casts
                    failures.append(failure)
        # The integers as given, and all of them as floats.
        shown = "; it also fails ".join(failures[:2])
        raise ModuleError(f"the forward pass fails {shown} (allowed: an X on which the module runs)")

    def _failure(self, X: Any, casts: frozenset[str]) -> str | None:
        """Return where and why the module fails on X with these casts, or None if it runs."""
        converter = BatchConverter(self.module, casts=IntegerCasts(casts))
        inputs, keywords = call_of(map_arrays(converter._copied, X))
        # A module that works in place overwrites its input.
        given = describe_input(inputs, keywords)
        try:
            self.module(*inputs, **keywords)
        except Exception as error:
            return f"with {given} in {failing_layer(self.module, error)}: {named_reason(error)}"
        return None


def integers_to_cast(module: nn.Module, X: Any) -> frozenset[str] | None:
    """Return the names of the integer arguments that a module needs as floats; None if X has no integers.

    There are none if the module does not run on X.

    Examples
    --------
    >>> X = torch.tensor([[0, 1]])
    >>> integers_to_cast(nn.Linear(2, 1), X), integers_to_cast(nn.Embedding(2, 1), X)
    (frozenset({'X'}), frozenset())
    """
    names = _integer_names(X)
    if not names:
        return None
    try:
        return BatchConverter(module)._find_casts(X, names)
    except ModuleError:
        return frozenset()


def is_mask(name: str) -> bool:
    """Return whether an argument of this name is, or may be, added to scores: its infinities are meant.

    Examples
    --------
    >>> is_mask("X['attention_mask']"), is_mask("X[0]")
    (True, False)
    """
    return "mask" in name or "bias" in name


def several_targets(y: Any) -> bool:
    """Return whether y holds targets of several outputs: a mapping, or a tuple of arrays.

    Examples
    --------
    >>> several_targets((torch.zeros(3), torch.ones(3))), several_targets((0, 1, 0))
    (True, False)
    """
    return isinstance(y, Mapping) or (isinstance(y, tuple) and bool(y) and all(getattr(p, "ndim", 0) for p in y))


def heads_of_targets(y: Any) -> dict[str, Any]:
    """Return the targets of each output by name, "" for targets of a single one.

    Examples
    --------
    >>> heads_of_targets({"age": 3.0}), heads_of_targets([0, 1]), list(heads_of_targets((torch.ones(2), torch.ones(2))))
    ({'age': 3.0}, {'': [0, 1]}, ['head 0', 'head 1'])
    """
    if isinstance(y, Mapping):
        return {str(name): part for name, part in y.items()}
    return {f"head {number}": part for number, part in enumerate(y)} if several_targets(y) else {"": y}


def take_targets(y: Any, rows: Any) -> Any:
    """Return the given rows of the targets.

    Examples
    --------
    >>> take_targets({"class": [0, 1, 2]}, slice(2))
    {'class': [0, 1]}
    """
    if y is None:
        return None
    if isinstance(y, Mapping):
        return {name: take_targets(part, rows) for name, part in y.items()}
    if several_targets(y):
        return tuple(take_targets(part, rows) for part in y)
    return getattr(y, "iloc", y)[rows]


def _check_rows(n_samples: int, y: Any, mask: Any) -> None:
    targets = list(heads_of_targets(y).values())
    masks = [None if callable(mask) else mask]
    for name, others in (("y", targets), ("padding_mask", masks)):
        for other in others:
            if other is not None and len(other) != n_samples:
                rows = f"{counted(len(other), 'row')}, and X has {n_samples}"
                raise InvalidParameterError(f"{name} has {rows} (allowed: the same number)")


def call_of(arguments: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the positional and the named arguments of a call."""
    if isinstance(arguments, Mapping):
        return (), dict(arguments)
    several = isinstance(arguments, tuple) and not isinstance(arguments, PackedSequence)
    return (arguments if several else (arguments,)), {}


def _integer_names(X: Any) -> list[str]:
    """Return the names of integer arguments, or those of booleans if there are only booleans."""
    arrays = arrays_in(X)
    integers = [name for name, values in arrays.items() if is_integer(values)]
    only_booleans = all(values.dtype == torch.bool for values in arrays.values())
    return list(arrays) if only_booleans else integers


def _subsets(names: list[str]) -> Iterator[frozenset[str]]:
    """Yield no name, all names, then single names and larger groups."""
    sizes = range(1, len(names))
    groups = chain([(), tuple(names)], *(combinations(names, size) for size in sizes))
    return islice(map(frozenset, groups), _MAX_FORMS)


def _padding(mask: Any, batch: Any) -> torch.Tensor | None:
    if mask is None:
        return None
    mask = as_tensor(mask(batch) if callable(mask) else mask)
    if mask.dtype != torch.bool or mask.dim() != 2:
        given = f"padding_mask of type {mask.dtype} and shape {tuple(mask.shape)}"
        allowed = "True or False for each sample and position; True is padding"
        raise InvalidParameterError(f"{given} is not allowed ({allowed})")
    return mask


def _clone(name: str, part: Any) -> Any:
    return part.clone() if isinstance(part, torch.Tensor) else part
