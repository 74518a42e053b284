"""The graph of a network's operations: its depth, its residual branches, and the surroundings of each layer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import Any

import pandas as pd

from initsk.network._activations import label_of
from initsk.network._operations import CONSTANT_KINDS, Operation, ParameterUse, Source, words
from initsk.network._signal_uses import UNKNOWN_USE, SignalUse, SignalUses
from initsk.network._spec import Branch
from initsk.utils.cached import cached_property
from initsk.utils.tables import table_html
from initsk.utils.words import counted

_SELECTING = words("getitem select narrow unbind chunk split index_select")


@dataclass(frozen=True)
class Context:
    """A layer's surroundings; the fields are those of `ParameterSpec`."""

    activation: Any = None
    place: str = "hidden"
    branch: Branch | None = None
    stack: tuple[str, int] | None = None
    depth: int = 0
    use: SignalUse = UNKNOWN_USE


@dataclass(frozen=True, eq=False)
class NetworkGraph:
    """The operations of one forward pass of a network; made by `read`.

    Attributes
    ----------
    operations : tuple of Operation
        In the order of the forward pass; empty if the forward pass could not be read.
    reading : {"forward pass", "layer classes"}
        How the network was read: by running it, or only by the classes of its layers.
    example : str
        The input of the forward pass, for messages.
    is_guess : bool
        Whether the lengths of that input were guessed.
    is_cut : bool
        Whether an operation takes a tensor that no recorded call has made, such as one of a compiled function. What
        happened before, and with which parameters, is not known.
    """

    operations: tuple[Operation, ...]
    reading: str
    example: str = ""
    is_guess: bool = False
    is_cut: bool = False

    def __str__(self) -> str:
        on = f" on {self.example}" if self.example else ""
        return {"forward pass": f"a forward pass{on}"}.get(self.reading, f"the {self.reading}")

    def __repr__(self) -> str:
        operations, weighted = counted(len(self.operations), "operation"), sum(o.is_weighted for o in self.operations)
        branches = counted(self.n_branches, "branch", "branches")
        return f"NetworkGraph({operations}, {weighted} with weights, depth {self.depth}, {branches})"

    def _repr_html_(self) -> str:
        """Return the summary and a short table, for a notebook."""
        columns = ["number", "module", "operation", "activation", "shape", "parameters"]
        return table_html(repr(self), self.to_frame()[columns])

    @cached_property
    def users(self) -> list[list[int]]:
        """For each operation the numbers of the operations that take its results."""
        found: list[list[int]] = [[] for _ in self.operations]
        for operation in self.operations:
            for source in operation.inputs:
                found[source.operation].append(operation.number)
        return found

    @cached_property
    def uses(self) -> dict[str, list[tuple[Operation, ParameterUse]]]:
        """For each parameter the operations that use it, and how."""
        found: dict[str, list[tuple[Operation, ParameterUse]]] = {}
        for operation in self.operations:
            for use in operation.uses:
                found.setdefault(use.name, []).append((operation, use))
        return found

    @property
    def activations(self) -> list[str]:
        """Names of the activation functions that follow layers, each once, in the order of the forward pass."""
        found = (
            operation.activation
            for operation in self.operations
            if operation.activation is not None and self._before[operation.number] & self._weighted
        )
        return list(dict.fromkeys(map(label_of, found)))

    @property
    def n_branches(self) -> int:
        """Number of residual branches."""
        return len(self.shortcuts)

    @property
    def shortcuts(self) -> dict[int, Source]:
        """For each addition that ends a residual branch the summand that passes the branch by."""
        return self._branches[0]

    def shape(self, source: Source) -> tuple[int, ...]:
        """Return the shape of a result."""
        return self.operations[source.operation].shapes[source.output]

    def signals(self, operation: Operation) -> list[Source]:
        """Return the inputs of an operation that carry a signal.

        Integers and masks carry a signal only into tables and where nothing else does.
        """
        return [source for source in operation.inputs if self._carries(source, operation)]

    @cached_property
    def depth(self) -> int:
        """Number of operations with weights on the shortest path from an input to an output."""
        passed: dict[int, int] = {}
        for operation in self.operations:
            inputs = self.signals(operation)
            # Of several outputs, the first one holds the scores.
            inputs = inputs[:1] if operation.kind == "output" else inputs
            counts = [passed[source.operation] for source in inputs if source.operation in passed]
            if operation.kind == "input" or counts:
                passed[operation.number] = min(counts, default=0) + operation.is_weighted
        return next((passed[o.number] for o in self.operations if o.kind == "output" and o.number in passed), 0)

    @cached_property
    def contexts(self) -> dict[str, Context]:
        """The surroundings of the layers, by the name of each parameter."""
        shortcuts, branches = self._branches
        found: dict[str, Context] = {}
        uses = SignalUses(self)
        for operation in self.operations:
            branch = branches.get(operation.number)
            branch = branch and replace(branch, n_branches=len(shortcuts))
            if operation.is_weighted:
                activation, place = self._following_activation(operation), self._place(operation)
                context = Context(activation, place, branch, depth=self.depth, use=uses.of(operation))
            elif operation.kind == "normalization" or self._follows_norm(operation):
                context = Context(branch=branch, depth=self.depth)
            else:
                continue
            for use in operation.uses:
                found.setdefault(use.name, context)
        return found

    def needed_for(self, numbers: Iterable[int]) -> set[int]:
        """Return the operations that the given ones need; an activation function needs only its variable."""
        needed = set(numbers)
        for operation in reversed(self.operations):
            if operation.number in needed:
                sources = [operation.variable] if operation.variable is not None else operation.inputs
                needed |= {source.operation for source in sources}
        return needed

    def to_frame(self) -> pd.DataFrame:
        """Return a row per operation.

        Returns
        -------
        DataFrame
            ``number``, ``module``, ``operation``, ``kind``, ``activation`` ("" for other operations), ``shape``,
            ``inputs`` (numbers of operations) and ``parameters``.
        """
        rows = [
            (
                operation.number, operation.module, operation.name, operation.kind,
                "" if operation.activation is None else label_of(operation.activation),
                " x ".join(map(str, operation.shape)), ", ".join(str(s.operation) for s in operation.inputs),
                ", ".join(use.name for use in operation.uses),
            )
            for operation in self.operations
        ]  # fmt: skip
        columns = ("number", "module", "operation", "kind", "activation", "shape", "inputs", "parameters")
        types = {"number": "int64"} | dict.fromkeys(columns[1:], "str")
        return pd.DataFrame(rows, columns=list(columns)).astype(types)

    def _carries(self, source: Source, operation: Operation) -> bool:
        if self.operations[source.operation].real[source.output]:
            return True
        looks_up = any(use.how == "looked up" for use in operation.uses)
        real = [s for s in operation.inputs if self.operations[s.operation].real[s.output]]
        return looks_up or (not self._has_real_input and not real) or not any(operation.real)

    @cached_property
    def _has_real_input(self) -> bool:
        """Whether the network gets real numbers, or looks its input up in a table."""
        return any(
            (operation.kind == "input" and operation.real[0])
            or (not operation.constant and any(use.how == "looked up" for use in operation.uses))
            for operation in self.operations
        )

    @cached_property
    def _before(self) -> list[int]:
        """For each operation the set of earlier operations that reach it, as the bits of an integer."""
        before: list[int] = []
        for operation in self.operations:
            reached = 0
            for source in self.signals(operation):
                reached |= before[source.operation] | 1 << source.operation
            before.append(reached)
        return before

    @cached_property
    def _weighted(self) -> int:
        return _bits(operation.number for operation in self.operations if operation.is_weighted)

    @cached_property
    def _feeding(self) -> int:
        """The operations that reach an operation with weights."""
        feeding = 0
        for operation in self.operations:
            if operation.is_weighted:
                feeding |= self._before[operation.number]
        return feeding

    def _place(self, operation: Operation) -> str:
        if any(use.how == "looked up" for use in operation.uses):
            return "input"
        if not self._feeding >> operation.number & 1:
            return "output"
        return "hidden" if self._before[operation.number] & self._weighted else "input"

    def _following_activation(self, start: Operation) -> Any:
        """Return the first activation function between a layer and the next layers."""
        queue, seen = [start.number], {start.number}
        while queue:
            number = queue.pop(0)
            for following in self.users[number]:
                user = self.operations[following]
                if following in seen or not any(user.real) or user.is_weighted:
                    continue
                if user.activation is not None:
                    return user.activation
                if any(s.operation == number and self.operations[number].real[s.output] for s in user.inputs):
                    seen.add(following)
                    queue.append(following)
        return "identity" if self._passes_identity(start) else None

    def _passes_identity(self, start: Operation) -> bool:
        """Return whether `torch.nn.Identity` stands between a layer and the layers that take its output."""
        queue, found = [start.number], False
        while queue:
            users = [self.operations[number] for number in self.users[queue.pop()]]
            if not all(user.kind in ("reshape", "dropout") or user.is_weighted for user in users):
                return False
            queue += [user.number for user in users if not user.is_weighted]
            found |= any(user.name == "identity" for user in users)
        return found

    def _follows_norm(self, operation: Operation) -> bool:
        """Return whether an operation scales or shifts the result of a normalization by a parameter."""
        if not operation.uses or operation.kind not in ("elementwise product", "sum"):
            return False
        sources = [self.operations[source.operation] for source in operation.inputs]
        while len(sources) == 1 and sources[0].kind in ("reshape", "elementwise product") and sources[0].inputs:
            sources = [self.operations[source.operation] for source in sources[0].inputs]
        return len(sources) == 1 and sources[0].kind == "normalization"

    @cached_property
    def _branches(self) -> tuple[dict[int, Source], dict[int, Branch]]:
        """Find the additions of a signal and the output of layers that received it; inner branches come first."""
        shortcuts: dict[int, Source] = {}
        branches: dict[int, Branch] = {}
        ends: dict[int, int] = {}
        taken = 0
        for operation in self.operations:
            if operation.name != "add" or len(operation.inputs) != 2 or operation.activation is not None:
                continue
            # The recorder counts a constant among the inputs only if its shape is that of the sum.
            moving = [s for s in operation.inputs if self.operations[s.operation].kind not in CONSTANT_KINDS]
            if len({self.operations[source.operation].shapes[source.output] for source in moving}) > 1:
                continue
            shortcut, branch = self._branch_of(*operation.inputs)
            inside = [self.operations[number] for number in _members(branch & ~taken)]
            if any(member.is_weighted for member in inside):
                shortcuts[operation.number] = shortcut
                found = self._positions(inside)
                branches |= found
                ends |= dict.fromkeys(found, operation.number)
                taken |= _bits(branches)
        post_norm = self._sums_before_normalizations(shortcuts)
        for number in [number for number, end in ends.items() if end in post_norm and not branches[number].block]:
            branches[number] = replace(branches[number], block="post-norm")
        return shortcuts, branches

    def _sums_before_normalizations(self, shortcuts: Mapping[int, Source]) -> set[int]:
        """Return the sums of post-norm blocks; the normalization at the end of a network makes none."""
        norms = {o.number for o in self.operations if o.kind == "normalization"}
        passed_by = {source.operation for source in shortcuts.values()} & norms
        after = {number: norms.intersection(self.users[number]) for number in shortcuts}
        return {n for n, found in after.items() if found & passed_by or (found and shortcuts[n].operation in norms)}

    def _reaching(self, source: Source) -> int:
        """Return the operations that reach a result, with the one that computes it."""
        return self._before[source.operation] | 1 << source.operation

    def _branch_of(self, first: Source, second: Source) -> tuple[Source, int]:
        """Return the summand that is a shortcut, and the operations of the residual branch; none if there is none.

        The shortcut is the signal that feeds the branch, or a projection of it without activation function.
        """
        ends = {first: self._reaching(first) & ~self._reaching(second)}
        ends[second] = self._reaching(second) & ~self._reaching(first)
        for shortcut, end in ((first, second), (second, first)):
            own, branch = ends[shortcut], ends[end]
            takers = self._takers(shortcut, own, branch) if self._is_projection(own) else []
            if takers:
                # What gives them their other inputs comes before the branch.
                branch &= ~reduce(or_, (self._before[taker.number] for taker in takers))
                if not self._reached_weights(takers, branch):
                    continue
                parts = self._of(branch)
                longer = (branch & self._weighted).bit_count() > (own & self._weighted).bit_count()
                normalizes = longer and any(part.kind == "normalization" for part in parts)
                # Two linear maps of one signal are no shortcut and branch.
                if normalizes or not own & self._weighted or any(part.activation is not None for part in parts):
                    return shortcut, branch
        return first, 0

    def _is_projection(self, numbers: int) -> bool:
        """Return whether operations only project, normalize, pool or rearrange one signal."""
        kinds = ("product", "convolution", "normalization", "pooling", "reshape", "dropout")
        by_constants = ["elementwise product", "function"]
        if numbers & self._weighted:
            # The bias of a layer or of a normalization that is written out.
            by_constants.append("sum")
        for operation in self._of(numbers):
            by_parameter = operation.kind == "elementwise product" and bool(operation.uses)
            scales = by_parameter and not self._follows_norm(operation)
            real = [s for s in operation.inputs if self.operations[s.operation].real[s.output]]
            joins = len(real) != 1 and operation.kind != "normalization"
            # A layer of a part of the signal is no shortcut of the whole.
            joins |= bool(numbers & self._weighted) and operation.name in _SELECTING
            if operation.activation is not None or scales or joins or operation.kind not in (*kinds, *by_constants):
                return False
        return True

    def _takers(self, shortcut: Source, own: int, branch: int) -> list[Operation]:
        """Return the operations of the branch that take the signal behind a shortcut."""
        starts = {source for member in self._of(own) for source in member.inputs if not own >> source.operation & 1}
        signals = {s for s in starts or {shortcut} if self.operations[s.operation].real[s.output]}
        return [member for member in self._of(branch) if signals & set(member.inputs)]

    def _reached_weights(self, takers: list[Operation], branch: int) -> bool:
        """Return whether a layer of the branch gets the signal; the gate of a recurrent unit only multiplies by it."""
        bits = _bits(taker.number for taker in takers)
        return any((self._before[part.number] | 1 << part.number) & bits for part in self._of(branch & self._weighted))

    def _of(self, numbers: int) -> list[Operation]:
        return [self.operations[number] for number in _members(numbers)]

    def _positions(self, inside: list[Operation]) -> dict[int, Branch]:
        position: dict[int, int] = {}
        for operation in inside:
            earlier = max((position[s.operation] for s in operation.inputs if s.operation in position), default=0)
            position[operation.number] = earlier + operation.is_weighted
        depth = max(position[operation.number] for operation in inside if operation.is_weighted)
        norms = {position[operation.number] for operation in inside if operation.kind == "normalization"}
        kept = [o for o in inside if o.is_weighted or (position[o.number] and (o.kind == "normalization" or o.uses))]
        block = "pre-norm" if 0 in norms else ""
        return {o.number: Branch(0, depth, position[o.number], position[o.number] in norms, block) for o in kept}


def _bits(numbers: Iterable[int]) -> int:
    return sum(1 << number for number in set(numbers))


def _members(numbers: int) -> list[int]:
    """Return the members of a set in order."""
    members = []
    while numbers:
        lowest = numbers & -numbers
        members.append(lowest.bit_length() - 1)
        numbers ^= lowest
    return members
