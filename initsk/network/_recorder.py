"""Record of a forward pass: a torch function mode notes every operation, with the module that calls it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from inspect import signature
from itertools import chain
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from initsk.exceptions import ModuleError
from initsk.network._follower import ForwardFollower, Step
from initsk.network._operand_roles import UsedAs, used_as
from initsk.network._operations import (
    INTO_TORCH,
    OUT_OF_TORCH,
    SHAPED_LIKE,
    VALUE_INDEPENDENT,
    WEIGHTED_KINDS,
    Operation,
    ParameterUse,
    Source,
    kind_of,
    operation_name,
    replace_tensors,
    tensors_in,
)
from initsk.network._views import View, parts_of_output
from initsk.network._wrappers import named_parameters

# Attributes whose values are tensors; the others tell shapes and types.
_TENSOR_ATTRIBUTES = {"T", "mT", "H", "mH", "data", "real", "imag"}


@dataclass
class _Known:
    """A tensor of the forward pass: its source, and the parameters and operations that it is a view of.

    ``start`` is the constant that a constant tensor is a rearrangement or a normalization of.
    """

    tensor: torch.Tensor
    source: Source | None = None
    constant: bool = True
    views: tuple[View, ...] = ()
    start: torch.Tensor | None = None


# Called at the end of a call of a module, with the number of the step, the module, its output, and a function that
# returns the source of a tensor.
OnLeave = Callable[[int, nn.Module, Any, Callable[[torch.Tensor], Source | None]], None]


class ForwardRecorder(ForwardFollower):
    """Note the operations of one forward pass of a module, in this thread.

    Parameters
    ----------
    module : torch.nn.Module
        The module; its parameters are known by their names.
    on_leave : callable, optional
        See `read_pass`.
    """

    def __init__(self, module: nn.Module, on_leave: OnLeave | None = None) -> None:
        super().__init__(module)
        self.operations: list[Operation] = []
        self.steps: list[Step] = []
        self.running: list[tuple[str, int]] = []
        self._report = on_leave
        self._calls: Counter[str] = Counter()
        # The tensors stay alive, so that no two have the same id.
        self._known: dict[int, _Known] = {}
        self._written: dict[int, tuple[Any, Source]] = {}
        self._taken: dict[int, list[View]] = {}
        self._starts: dict[int, Source] = {}
        self.is_cut = False
        # The signals that have left torch: what comes back is made of them.
        self.outside: tuple[Source, ...] = ()
        for name, parameter in named_parameters(module):
            self._known[id(parameter)] = _Known(parameter, views=(View.of(name, parameter.shape),))
        attributes = (value for part in self.names for value in vars(part).values())
        for tensor in chain(module.buffers(), attributes):
            if isinstance(tensor, torch.Tensor):
                self._known.setdefault(id(tensor), _Known(tensor))

    def add_inputs(self, *values: Any) -> None:
        """Register the tensors in the arguments of the module."""
        for tensor in tensors_in(values):
            if id(tensor) not in self._known:
                self._add(Operation(0, "input", "input", "", 0, (), (), (tuple(tensor.shape),)), [tensor])

    def add_outputs(self, value: Any) -> None:
        """Register the result of the module."""
        known = [known for tensor in tensors_in(value) if (known := self._known.get(id(tensor))) is not None]
        sources = tuple(known.source for known in known if known.source is not None)
        self._add(Operation(0, "output", "output", "", 0, sources, (), ()), [])
        for operation in self.operations:
            views = self._taken.get(operation.number)
            axis = operation.unit_axis
            if views and axis is not None:
                operation.n_parts = parts_of_output(views, axis, operation.shape)

    def on_enter(self, part: nn.Module) -> None:
        """Note that a module begins its forward pass."""
        path = self.names[part]
        self.running.append((path, self._calls[path]))
        self._calls[path] += 1

    def on_leave(self, part: nn.Module, arguments: Any, output: Any) -> None:
        """Note that a module ends its forward pass; results that no function gave are an operation of their own."""
        path, call = self.running.pop()
        self.steps.append(Step(part, None))
        unknown = [tensor for tensor in _with_shapes(tensors_in(output)) if id(tensor) not in self._known]
        given = self._sources(tensors_in(arguments))
        if isinstance(part, nn.Identity) and given and not unknown:
            # Between two layers, it stands for an activation function.
            results = tensors_in(output)
            views = [self._known[id(tensor)].views for tensor in results]
            shapes = tuple(tuple(tensor.shape) for tensor in results)
            self._add(Operation(0, "identity", "reshape", path, call, given, (), shapes), results, views)
        elif unknown and given:
            prefix = f"{path}." if path else ""
            uses = tuple(ParameterUse(prefix + name, "other") for name, _ in named_parameters(part))
            shapes = tuple(tuple(tensor.shape) for tensor in unknown)
            kind = type(part).__name__
            self._add(Operation(0, kind, "function", path, call, given, uses, shapes), unknown)
        if self._report is not None:
            self._report(len(self.steps) - 1, part, output, self._source)

    def on_attribute(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Return an attribute of a tensor, and note it if it is a tensor."""
        result = function(*args)
        name = operation_name(function)
        if name in _TENSOR_ATTRIBUTES:
            self.note(name, function, args, {}, result)
        return result

    def on_function(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a function of torch and note it."""
        step = len(self.steps)
        self.steps.append(Step(self.parts[-1], function))
        result = function(*args, **kwargs)
        name = operation_name(function)
        if name in OUT_OF_TORCH:
            left = [tensor for tensor in tensors_in(args) if tensor.is_floating_point()]
            self.outside = _distinct([*self.outside, *self._sources(left)])
        if isinstance(result, torch.Tensor | list | tuple) or name in ("setitem", "set") or hasattr(result, "keys"):
            n_before = len(self.operations)
            self.note(name, function, args, kwargs, result)
            # A call that is noted as several operations computes inner results that nothing can capture.
            if len(self.operations) == n_before + 1:
                self.operations[-1].step = step
        return result

    def note(self, name: str, func: Callable[..., Any], args: Any, kwargs: dict[str, Any], result: Any) -> None:
        """Note one call with its result."""
        results = [args[0]] if name in ("setitem", "set") else _with_shapes(tensors_in(result))
        if not results or (self.outside and name in INTO_TORCH and results[0].dim()):
            return
        kind = kind_of(name)
        tensors = tensors_in([args, kwargs])
        operands = [] if name in VALUE_INDEPENDENT else tensors[:1] if name in SHAPED_LIKE else tensors
        known = [self._known.get(id(tensor)) or self._constant(tensor) for tensor in operands]
        if name == "multi_head_attention_forward":
            self._note_attention(args, kwargs, results)
            return
        if kind == "reshape" and known and all(part.source is None for part in known):
            self._note_view(func, args, kwargs, known[0], results)
            return
        moving = [part for part in known if part.source is not None]
        role_of = used_as(name, args, kwargs)
        roles = {id(tensor): role for tensor, role in role_of}
        if not moving and not self._begins_signal(kind, known, roles):
            self._note_constant(name, known, results)
            return
        uses = tuple(use for part in known if part.source is None for use in _uses(part, roles.get(id(part.tensor))))
        path, call = self.running[-1] if self.running else ("", 0)
        sources = {id(tensor): self._source(tensor) for tensor in tensors}
        signals = self._signals(name, known, roles, results[0].shape)

        def source_or_constant(tensor: torch.Tensor) -> Any:
            return sources[id(tensor)] or tensor

        taken = _distinct(sources[id(tensor)] or signals.get(id(tensor)) for tensor in operands)
        operation = Operation(
            0, name, kind, path, call, taken, uses, tuple(tuple(r.shape) for r in results), func,
            replace_tensors(args, source_or_constant), replace_tensors(kwargs, source_or_constant),
            all(part.constant for part in known),
        )  # fmt: skip
        views = self._views_of_results(kind, name, func, args, kwargs, known, results)
        self._add(operation, results, views)

    def _begins_signal(self, kind: str, known: list[_Known], roles: dict[int, UsedAs]) -> bool:
        """Return whether constants meet a parameter that multiplies them or is looked up."""
        path = f".{self.running[-1][0]}." if self.running else ""
        # A parametrization computes a parameter, not a signal.
        if kind not in WEIGHTED_KINDS or ".parametrizations." in path:
            return False
        weights = [part for part in known if part.views and (role := roles.get(id(part.tensor))) and role.how != "adds"]
        return bool(weights) and (kind != "product" or len(weights) == 1 or known[0] is not weights[0])

    def _note_attention(self, args: Any, kwargs: dict[str, Any], results: list[torch.Tensor]) -> None:
        """Note torch's function of attention as its projections of each input, attention, and output projection."""
        names = list(signature(functional.multi_head_attention_forward).parameters)
        given = dict(zip(names, args, strict=False)) | kwargs
        path, call = self.running[-1] if self.running else ("", 0)
        inputs, width = [given[name] for name in ("query", "key", "value")], given["embed_dim_to_check"]
        own = [given.get(f"{letter}_proj_weight") for letter in "qkv"]
        biases = [given["in_proj_bias"], given["bias_k"], given["bias_v"]]

        def note(name: str, kind: str, sources: tuple[Source, ...], used: list[Any], shape: Any) -> Operation:
            operation = Operation(0, name, kind, path, call, sources, (), (tuple(shape),))
            found: list[ParameterUse] = []
            for tensor in used:
                if tensor is not None:
                    known = self._known.get(id(tensor)) or self._constant(tensor)
                    role = UsedAs("multiplies", ("out", "in")) if tensor.dim() == 2 else UsedAs("adds")
                    found += _uses(known, role)
            operation.uses = tuple(found)
            self._add(operation, [])
            operation.real = (True,)
            return operation

        packed = given["in_proj_weight"] is not None and not given.get("use_separate_proj_weight")
        projected: dict[int, Source] = {}
        for tensor in {id(tensor): tensor for tensor in inputs}.values():
            parts = [weight for weight, other in zip(own, inputs, strict=True) if other is tensor]
            weights = [given["in_proj_weight"]] if packed else parts
            known = self._known.get(id(tensor)) or self._constant(tensor)
            sources = self._sources([tensor], self._signals("linear", [known], {}, tensor.shape))
            shape = (*tensor.shape[:-1], len(parts) * width)
            projected[id(tensor)] = Source(note("linear", "product", sources, [*weights, *biases], shape).number)
        of_inputs = tuple(projected[id(tensor)] for tensor in inputs)
        second = note("scaled_dot_product_attention", "attention", _distinct(of_inputs), [], inputs[0].shape)
        mask = given.get("attn_mask")
        # As in torch's function without projections, True is a score that counts.
        second.arguments = (*of_inputs, ~mask if mask is not None and mask.dtype == torch.bool else mask)
        output = [given["out_proj_weight"], given["out_proj_bias"]]
        third = note("linear", "product", (Source(second.number),), output, results[0].shape)
        self._known[id(results[0])] = _Known(results[0], Source(third.number), False)
        for tensor in results[1:]:
            self._known[id(tensor)] = _Known(tensor, Source(second.number), False)

    def _note_view(
        self, func: Any, args: Any, kwargs: dict[str, Any], part: _Known, results: list[torch.Tensor]
    ) -> None:
        """Note views of parameters."""
        followed = _followed(part, func, args, kwargs, len(results))
        same_shape = len(results) == 1 and results[0].shape == part.tensor.shape
        for tensor, after in zip(results, followed, strict=True):
            views = []
            for before, found in zip(part.views, after, strict=True):
                # A copy or another type of the same values.
                keeps = same_shape and found.shadow is None and before.shadow is not None
                views.append(before if keeps and operation_name(func) not in ("roll", "flip", "getitem") else found)
            self._known[id(tensor)] = _Known(tensor, views=tuple(views), start=_start(part))

    def _note_constant(self, name: str, known: list[_Known], results: list[torch.Tensor]) -> None:
        """Note functions of parameters and constants: what has the shape of the result is what they change."""
        # Values that are written into a larger constant, such as a triangular matrix.
        writes = name in ("setitem", "index_put", "scatter", "index_copy", "masked_scatter")
        is_product = kind_of(name) == "product" and all(part.tensor.dim() == 2 for part in known)
        for tensor in results:
            same = [is_product or part.tensor.shape == tensor.shape for part in known]
            found = [
                replace(view, shadow=view.shadow if fits else None, modifies=any(same) and not fits and not writes)
                for part, fits in zip(known, same, strict=True)
                for view in part.views
            ]
            start = _start(known[0]) if kind_of(name) in ("normalization", "dropout") and known else None
            self._known[id(tensor)] = _Known(tensor, views=tuple(found), start=start)

    def _views_of_results(
        self, kind: str, name: str, func: Any, args: Any, kwargs: Any, known: list[_Known], results: list[torch.Tensor]
    ) -> list[tuple[View, ...]] | None:
        """Follow views of the results of products, and note which parts of them other operations take."""
        viewed = [part for part in known if part.source is not None and part.views]
        if kind == "reshape" and viewed and known[0] is viewed[0]:
            return _followed(known[0], func, args, kwargs, len(results))
        if kind == "dropout":
            return [part.views for part in known[:1]]
        for part in viewed:
            for view in part.views:
                self._taken.setdefault(int(view.root), []).append(view)
        if kind in WEIGHTED_KINDS[:3] and len(results) == 1:
            return [(View.of(len(self.operations), results[0].shape),)]
        return None

    def _constant(self, tensor: torch.Tensor) -> _Known:
        is_real = tensor.is_floating_point() or tensor.is_complex()
        if is_real and self.outside:
            path, call = self.running[-1] if self.running else ("", 0)
            self._add(Operation(0, "numpy", "function", path, call, self.outside, (), (tuple(tensor.shape),)), [tensor])
        self.is_cut |= is_real
        return self._known.setdefault(id(tensor), _Known(tensor))

    def _source(self, tensor: torch.Tensor) -> Source | None:
        """Return the source of a tensor, or the later operation that has written into its memory."""
        known = self._known.get(id(tensor))
        source = None if known is None else known.source
        written = self._written.get(id(_memory(tensor))) if self._written else None
        if written is not None and (source is None or source.operation < written[1].operation):
            return written[1]
        return source

    def _sources(
        self, tensors: list[torch.Tensor], constants: Mapping[int, Source | None] | None = None
    ) -> tuple[Source, ...]:
        return _distinct(self._source(tensor) or (constants or {}).get(id(tensor)) for tensor in tensors)

    def _signals(self, name: str, known: list[_Known], roles: dict[int, UsedAs], shape: torch.Size) -> dict[int, Any]:
        """Return the sources of constants that an operation takes as it takes a signal.

        The summand of a sum is a signal if it has the sum's shape, and was a signal before.
        """
        found = {}
        for part in known:
            if part.source is not None:
                continue
            if _is_signal(kind_of(name), roles.get(id(part.tensor))):
                self._begin_at(_start(part))
            elif name != "add" or part.tensor.shape != shape:
                continue
            found[id(part.tensor)] = self._starts.get(id(_start(part)))
        return found

    def _begin_at(self, start: torch.Tensor) -> None:
        """Note a parameter or another constant as an operation, at the place of its first use as a signal."""
        if start.is_floating_point() and id(start) not in self._starts:
            uses = tuple(_uses(self._known[id(start)], None))
            kind = "parameter" if uses else "constant"
            path, call = self.running[-1] if self.running else ("", 0)
            self._starts[id(start)] = Source(len(self.operations))
            self._add(Operation(0, kind, kind, path, call, (), uses, (tuple(start.shape),), None, (start,)), [])
            self.operations[-1].real, self.operations[-1].constant = (True,), True

    def _add(
        self, operation: Operation, results: list[torch.Tensor], views: list[tuple[View, ...]] | None = None
    ) -> None:
        operation.number = len(self.operations)
        operation.real = tuple(tensor.is_floating_point() or tensor.is_complex() for tensor in results)
        self.operations.append(operation)
        for position, tensor in enumerate(results):
            source = Source(operation.number, position)
            before = self._known.get(id(tensor))
            if before is not None and operation.kind not in ("input", "reshape", "dropout"):
                # The operation has written into its argument.
                storage = _memory(tensor)
                self._written[id(storage)] = storage, source
            found = views[position] if views is not None else ()
            self._known[id(tensor)] = _Known(tensor, source, operation.constant, found)


def _with_shapes(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    """Return tensors; raise if one has no shape."""
    if any(tensor.is_nested and tensor.layout is torch.strided for tensor in tensors):
        allowed = "nested tensors with layout=torch.jagged, or padded tensors"
        raise ModuleError(f"a nested tensor without a shape cannot be read (allowed: {allowed})")
    return tensors


def _memory(tensor: torch.Tensor) -> Any:
    """Return what views of a tensor share with it; a sparse tensor has no views."""
    return tensor.untyped_storage() if tensor.layout is torch.strided else tensor


def _distinct(sources: Iterable[Source | None]) -> tuple[Source, ...]:
    return tuple(dict.fromkeys(source for source in sources if source is not None))


def _start(part: _Known) -> torch.Tensor:
    return part.tensor if part.start is None else part.start


def _is_signal(kind: str, role: UsedAs | None) -> bool:
    """Return whether an operation takes a tensor as it takes a signal."""
    if kind == "concatenation":
        return True
    return role is None and kind in (*WEIGHTED_KINDS, "normalization")


def _followed(part: _Known, func: Any, args: Any, kwargs: dict[str, Any], n_results: int) -> list[tuple[View, ...]]:
    """Return the views of each result of a function of a tensor."""
    followed = [view.through(func, args[1:], kwargs) for view in part.views]
    return [
        tuple(after[n] if n < len(after) else replace(after[0], shadow=None) for after in followed)
        for n in range(n_results)
    ]


def _uses(part: _Known, role: UsedAs | None) -> Iterator[ParameterUse]:
    for view in part.views:
        how = "other" if role is None else "scales" if view.modifies else role.how
        roles = None if role is None or role.axes is None else view.factors(role.axes)
        yield ParameterUse(str(view.root), how, roles, tuple(part.tensor.shape))
