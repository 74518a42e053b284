"""Activation functions in a forward pass, recognized by their values however they are written."""

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import nn

from initsk.network._activations import ACTIVATION_TYPES, activation_value, label_of
from initsk.network._operations import CompletedFunction, Operation, Source, replace_tensors, words
from initsk.theory import ACTIVATION_FUNCTIONS, OfMultiple
from initsk.utils.torch_settings import in_double

#: Names of the functions and methods that are activation functions. The exponential function is arithmetic.
ACTIVATION_NAMES = set(ACTIVATION_FUNCTIONS) - {"identity", "exponential"}
_CASTS = words("to float double half bfloat16 type type_as contiguous clone detach")
# Calls that give the values of their argument.
_SAME = _CASTS | {"dropout"}
_ARITHMETIC = words("add sub rsub mul div rdiv neg exp log log1p expm1 sqrt rsqrt reciprocal")
# Calls that multiply or shift by a constant, if they have one argument that is not.
_AFFINE = words("add sub rsub mul div neg")
_CLAMPS = words("clamp clamp_min clamp_max minimum maximum")
_ELEMENTWISE = ACTIVATION_NAMES | _ARITHMETIC | _SAME | words(
    """pow rpow abs square cos sin atan arctan sign clamp clamp_min clamp_max maximum minimum threshold logsigmoid sinh
    cosh logaddexp where gt lt ge le"""
)  # fmt: skip
_STATISTICS = words("mean sum amax amin max min var std norm vector_norm logsumexp var_mean std_mean")
_NO_PARAMETERS = {"inplace", "training", "input", "out"}
_IN_PLACE = {"inplace", "out"}
_GRID = np.linspace(-6, 6, 121)
# The approximation of GELU by tanh differs by less than 5e-4.
_TOLERANCE = 1e-3


# Known functions have fewer calls that follow one another, and fewer factors and shifts follow them.
_LONGEST = 12


def find_activations(operations: list[Operation], modules: dict[str, nn.Module]) -> None:
    """Set the `activation` of operations that complete an activation function, and mark written-out normalizations.

    A chain of operations that compute a function of one variable, element by element, is evaluated as a whole.
    """
    _Search(operations, modules).run()


class _Search:
    def __init__(self, operations: list[Operation], modules: dict[str, nn.Module]) -> None:
        self.operations = operations
        self.modules = modules
        #: The variable that a result is a function of, element by element.
        self.variable: dict[Source, Source] = {}
        #: The variable that a result is a statistic of: a mean, a sum, a maximum.
        self.statistic: dict[Source, Source] = {}
        self.users: dict[Source, list[Operation]] = {}
        self.of_norm: set[int] = set()
        held = [t for m in modules.values() for t in (*m.parameters(recurse=False), *m.buffers(recurse=False))]
        #: Parameters and buffers, whose values may be equal only before training.
        self.state = set(map(id, held))

    def run(self) -> None:
        for operation in self.operations:
            for source in operation.inputs:
                self.users.setdefault(source, []).append(operation)
            self._follow(operation)
        for operation in self.operations:
            source = Source(operation.number)
            if source in self.variable and operation.real[0] and operation.name not in _SAME and self._ends(source):
                self._name(operation, self.variable[source])
                if not operation.constant:
                    self._set_completed(self._chain(operation, self.variable[source]), self.variable[source])

    def _real_inputs(self, operation: Operation) -> list[Source]:
        return [s for s in operation.inputs if self.operations[s.operation].real[s.output] or s in self.variable]

    def _follow(self, operation: Operation) -> None:
        inputs, result = self._real_inputs(operation), Source(operation.number)
        if not inputs:
            return
        statistics = {self.statistic[source] for source in inputs if source in self.statistic}
        others = {self.variable.get(source, source) for source in inputs if source not in self.statistic}
        if operation.name in _STATISTICS and len(inputs) == 1 and not statistics:
            self.statistic[result] = next(iter(others))
        elif operation.name in _ELEMENTWISE and statistics and not others and len(statistics) == 1:
            self.statistic[result] = next(iter(statistics))
            self._set_variable(operation, {self.variable.get(source, source) for source in inputs})
        elif statistics and statistics & others:
            operation.kind = "normalization"
            self.of_norm |= {source.operation for source in inputs if source in self.statistic}
        elif operation.name in _ELEMENTWISE and not statistics:
            self._set_variable(operation, others)

    def _set_variable(self, operation: Operation, variables: set[Source]) -> None:
        """Note the variable of a result that is a function of one variable, element by element."""
        if len(variables) == 1 and self._is_plain(operation):
            (variable,) = variables
            if operation.shape == self.operations[variable.operation].shapes[variable.output]:
                self.variable[Source(operation.number)] = variable

    def _is_plain(self, operation: Operation) -> bool:
        """Return whether all other arguments of an operation are numbers."""
        if operation.name == "prelu":
            return True
        if any(use.how in ("scales", "adds") for use in operation.uses):
            return False
        tensors: list[torch.Tensor] = []
        keywords = {key: value for key, value in operation.keywords.items() if key != "out"}
        replace_tensors([operation.arguments, keywords], tensors.append)
        return all(tensor.numel() == 1 or (id(tensor) not in self.state and _is_number(tensor)) for tensor in tensors)

    def _ends(self, source: Source) -> bool:
        """Return whether a function ends here: something else than a longer function of the same variable takes it."""
        users = self.users.get(source, [])
        if users and all(self._belongs_to_norm(user) for user in users):
            return False
        return not users or any(
            self._ends(Source(user.number)) if user.name in _SAME else True
            for user in users
            if user.name in _SAME or self.variable.get(Source(user.number)) != self.variable[source]
        )

    def _belongs_to_norm(self, user: Operation) -> bool:
        return (user.kind == "normalization" and user.function is not None and user.name in _ELEMENTWISE) or (
            user.name in _STATISTICS and self._feeds_norm(Source(user.number))
        )

    def _feeds_norm(self, source: Source) -> bool:
        users = self.users.get(source, [])
        return source.operation in self.of_norm or any(
            Source(user.number) in self.statistic and self._feeds_norm(Source(user.number)) for user in users
        )

    def _name(self, last: Operation, variable: Source) -> None:
        """Set the activation function of the operation that completes it; factors and shifts after it do not count."""
        chain = self._chain(last, variable)
        calls = [operation for operation in chain if operation.name not in _SAME]
        if not calls or calls[-1] is not last:
            return
        shortest = max(len(calls) - _LONGEST, 1)
        activation = self._known(calls, chain, variable)
        while activation is None and len(calls) > shortest and self._is_affine(calls[-1]):
            last = calls.pop()
            chain = chain[: chain.index(last)]
            activation = self._known(calls, chain, variable)
            last = calls[-1]
        if activation is None:
            last, chain = self.operations[last.number], self._chain(last, variable)
            activation = self._own_function(chain, variable)
        if activation is not None and last.activation is None:
            last.kind, last.activation, last.variable = "activation", activation, variable

    @staticmethod
    def _is_affine(call: Operation) -> bool:
        return call.name in _AFFINE and len(call.inputs) == 1

    def _known(self, calls: list[Operation], chain: list[Operation], variable: Source) -> Any:
        """Return the activation function of torch or of the table that the calls compute, or None."""
        if len(calls) == 1:
            return self._of_one_call(calls[0])
        return self._of_several(calls, chain, variable)

    def _chain(self, last: Operation, variable: Source) -> list[Operation]:
        wanted, chain = {last.number}, []
        for operation in reversed(self.operations[: last.number + 1]):
            if operation.number in wanted:
                chain.append(operation)
                wanted |= {s.operation for s in operation.inputs if s != variable and s in self.variable}
        return chain[::-1]

    def _set_completed(self, chain: list[Operation], variable: Source) -> None:
        """Set the completed functions of a chain of calls, which may hold several functions one after another."""
        segments = self._segments(chain, variable)
        while segments:
            variable, part = segments[0]
            calls = [call for call in part if call.name not in _SAME]
            module = self._module_of(part)
            if module is not None:
                self._complete(part, variable, type(module).__name__, module.forward)
            elif calls and not (len(calls) == 1 and self._is_affine(calls[0])):
                segments = segments[self._complete_longest(segments) - 1 :]
            segments = segments[1:]

    def _complete_longest(self, segments: list[tuple[Source, list[Operation]]]) -> int:
        """Note the longest known function at the start of a chain, or its own; return the number of its segments."""
        variable, part = segments[0]
        for n in range(min(len(segments), _LONGEST), 0, -1):
            chain = [call for _, calls in segments[:n] for call in calls]
            calls = [call for call in chain if call.name not in _SAME]
            if chain[-1] is calls[-1] and (known := self._known(calls, chain, variable)) is not None:
                name = calls[0].name if n == len(calls) == 1 and calls[0].name in ACTIVATION_NAMES else label_of(known)
                self._complete(chain, variable, name)
                return n
        known = [call for call in part if call.name in ACTIVATION_NAMES and call.inputs[:1] == (variable,)]
        if len(known) > 1:
            # Several functions of one variable, such as those of gates.
            for call in known:
                self._complete([call], variable, call.name)
        elif (function := self._own_function(part, variable)) is not None:
            self._complete(part, variable, label_of(function))
        return 1

    @staticmethod
    def _complete(chain: list[Operation], variable: Source, name: str, function: Any = None) -> None:
        chain[-1].completed = CompletedFunction(
            variable, chain[0].number, name, function or ChainOfCalls(chain, variable), function is not None
        )

    def _module_of(self, calls: list[Operation]) -> nn.Module | None:
        """Return the module of torch's activation functions that makes all of the calls, if one does."""
        (path, _), *others = {(call.module, call.call) for call in calls}
        module = self.modules.get(path)
        known = isinstance(module, ACTIVATION_TYPES) and not isinstance(module, nn.Identity)
        return module if known and not others else None

    def _segments(self, chain: list[Operation], variable: Source) -> list[tuple[Source, list[Operation]]]:
        """Return the parts of a chain of calls that take only the result of the part before, each with its argument."""
        found: list[tuple[Source, list[Operation]]] = []
        numbers = {call.number for call in chain}
        part: list[Operation] = []
        for position, call in enumerate(chain):
            part.append(call)
            later = chain[position + 1 :]
            taken = {s for other in later for s in other.inputs if s == variable or s.operation in numbers}
            one_module = bool(later) and self._module_of([call, later[0]]) is not None
            if not one_module and all(source.operation >= call.number for source in taken):
                found.append((variable, part))
                variable, part = Source(call.number), []
        return found

    def _of_one_call(self, call: Operation) -> Any:
        """Return the activation function that one call computes, or None."""
        module = self.modules.get(call.module)
        if module is not None and isinstance(module, ACTIVATION_TYPES) and not isinstance(module, nn.Identity):
            return activation_value(module)
        if call.name in ACTIVATION_NAMES:
            keywords = {key: value for key, value in call.keywords.items() if key not in _NO_PARAMETERS}
            arguments = call.arguments[1:] if "input" not in call.keywords else call.arguments
            plain = not any(isinstance(value, torch.Tensor | Source) for value in (*arguments, *keywords.values()))
            if call.name == "prelu" or not (arguments or keywords) or not plain:
                return call.name
            return FunctionOfFirst(call.function, tuple(arguments), keywords)
        return self._by_value([call], call.inputs[0])

    def _of_several(self, calls: list[Operation], chain: list[Operation], variable: Source) -> Any:
        if len(calls) == 2 and calls[0].name == "mul" and (function := self._of_one_call(calls[1])) is not None:
            factor = next((value for value in calls[0].arguments if isinstance(value, int | float)), None)
            if factor is not None:
                return function if factor == 1 else OfMultiple(function, float(factor))
        return self._by_value(chain, variable)

    def _by_value(self, chain: list[Operation], variable: Source) -> Any:
        """Return the name of the known function with the values of a chain of calls, or None."""
        values = _values_of(ChainOfCalls(chain, variable))
        if values is None:
            return None
        names, known = _known_functions()
        fitting = np.flatnonzero(np.abs(known - values).max(axis=1) <= _TOLERANCE)
        return names[fitting[0]] if len(fitting) else None

    def _own_function(self, chain: list[Operation], variable: Source) -> Any:
        """Return a chain of calls as a function, unless it is arithmetic only, or a line."""
        if all(call.name in _ARITHMETIC | _SAME | _CLAMPS for call in chain):
            return None
        function = ChainOfCalls(chain, variable)
        values = _values_of(function)
        if values is None:
            return None
        line = np.polynomial.Polynomial.fit(_GRID, values, 1)(_GRID)
        return None if np.allclose(values, line, atol=1e-6) else function


@cache
def _known_functions() -> tuple[list[str], np.ndarray]:
    """Return the names of the known functions, and a row of values on the grid for each."""
    names = [name for name in ACTIVATION_FUNCTIONS if name in ACTIVATION_NAMES]
    with np.errstate(all="ignore"):
        return names, np.stack([ACTIVATION_FUNCTIONS[name](_GRID) for name in names])


def _values_of(function: "ChainOfCalls") -> np.ndarray | None:
    """Return the values on the grid; None if they are not finite, or need more than one variable."""
    try:
        values = function(torch.from_numpy(_GRID)).numpy()
    except Exception:  # a call may raise anything for values of another shape
        return None
    return values if np.isfinite(values).all() else None


class FunctionOfFirst:
    """A function of the first argument of a call of torch, with its other arguments.

    Parameters
    ----------
    function : callable or str
        The function, or the name of a method of tensors.
    rest : tuple
        Other positional arguments.
    keywords : dict
        Keyword arguments.
    """

    def __init__(self, function: Any, rest: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        self.function, self.rest, self.keywords = function, rest, keywords
        self.__name__ = str(getattr(function, "__name__", function)).strip("_")

    def __call__(self, x: Any) -> Any:
        """Apply the function."""
        if isinstance(self.function, str):
            return getattr(x, self.function)(*self.rest, **self.keywords)
        return self.function(x, *self.rest, **self.keywords)


class ChainOfCalls:
    """A function of one variable that several calls of torch compute together."""

    def __init__(self, chain: Iterable[Operation], variable: Source) -> None:
        self.chain = list(chain)
        self.variable = variable
        self.__name__ = " of ".join(
            dict.fromkeys(call.name for call in reversed(self.chain) if call.name not in _CASTS)
        )

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the calls to a tensor."""
        values = {self.variable: torch.as_tensor(x)}
        for call in self.chain:
            first = next(source for source in call.inputs if source in values)
            if call.name in _SAME:
                result = values[first]
            else:
                arguments = _filled(call.arguments, values)
                keywords = {k: _filled(v, values) for k, v in call.keywords.items() if k not in _IN_PLACE}
                assert call.function is not None  # an operation with a name in the tables is a call
                result = call.function(*arguments, **keywords)
            values[Source(call.number)] = result
        return values[Source(self.chain[-1].number)]


def _is_number(tensor: torch.Tensor) -> bool:
    """Return whether all values of a tensor are equal, as those of ``torch.zeros_like(x)``."""
    try:
        return tensor.numel() > 0 and bool((tensor == tensor[(0,) * tensor.dim()]).all())
    except RuntimeError:  # a tensor without values, or a sparse one
        return False


def _filled(value: Any, values: dict[Source, torch.Tensor]) -> Any:
    if isinstance(value, Source):
        # A copy, since the call may write into its argument.
        return values[value].clone()
    if isinstance(value, torch.Tensor):
        number = value.detach()[(0,) * value.dim()]
        return in_double(number) if value.is_floating_point() else number
    return type(value)(_filled(part, values) for part in value) if isinstance(value, list | tuple) else value
