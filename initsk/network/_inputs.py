"""Data of any form as arguments of a module's forward: arrays, mappings, graphs and streams of batches."""

import copy
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from os import PathLike
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils.data import DataLoader, Dataset, default_collate

from initsk.datasets import is_dataset
from initsk.exceptions import InvalidParameterError
from initsk.network._generators import preserve_generators
from initsk.utils.columns import ABOUT_DATES, are_dates, describe_not_numeric
from initsk.utils.precision import widened
from initsk.utils.random import isolated_torch_random
from initsk.utils.validation import unknown_name
from initsk.utils.words import reason_of

#: Names under which a mapping holds targets.
TARGET_NAMES = ("labels", "label", "targets", "target", "y")
_GRAPH_NAMES = ("x", "edge_index", "edge_weight", "edge_attr", "batch")
_FEW = 2
_PLAIN = (bool, int, float, str)
_AS_ARRAYS = "initsk.datasets.to_arrays makes arrays X and y of a data set"


@dataclass
class IntegerCasts:
    """The integer arguments that a module needs as floats, by name.

    Attributes
    ----------
    names : frozenset of str or None
        Names of the arguments; None until the module has run on a batch with integers.
    """

    names: frozenset[str] | None = None


def is_stream(X: Any) -> bool:
    """Return whether X yields batches one after another instead of being an array.

    Examples
    --------
    >>> is_stream(iter([[1.0]])), is_stream([[1.0]])
    (True, False)
    """
    if isinstance(X, Dataset | DataLoader) or hasattr(X, "__next__"):
        return True
    return isinstance(X, Iterable) and not hasattr(X, "__getitem__") and not hasattr(X, "__array__")


def is_graph(X: Any) -> bool:
    """Return whether X is an object with named tensors, such as a graph of torch_geometric.

    Examples
    --------
    >>> is_graph({"x": [1.0]})
    False
    """
    if isinstance(X, Mapping | torch.Tensor | type) or hasattr(X, "columns"):
        return False
    return callable(getattr(X, "keys", None)) and callable(getattr(X, "to", None)) and hasattr(X, "__getitem__")


def has_targets(X: Any, y: Any = None) -> bool:
    """Return whether there may be targets: y, those that X holds, or those that a stream yields.

    Examples
    --------
    >>> has_targets([[1.0]]), has_targets({"x": [[1.0]], "labels": [0]})
    (False, True)
    """
    return y is not None or is_stream(X) or targets_in(X) is not None


def targets_in(X: Any) -> Any:
    """Return the targets that a mapping or a graph holds, or None.

    Examples
    --------
    >>> targets_in({"input_ids": [[5, 6]], "labels": [1]})
    [1]
    """
    if isinstance(X, Mapping):
        return next((X[name] for name in TARGET_NAMES if X.get(name) is not None), None)
    return X["y"] if is_graph(X) and "y" in X.keys() else None  # noqa: SIM118 - a graph iterates over other things


def arguments_of(module: nn.Module, X: Any, y: Any = None) -> tuple[Any, Any]:
    """Return X as arguments of the module's forward, and the targets.

    Targets are `y` or, without it, those in X that forward does not take (``labels``, ``label``, ``targets``,
    ``target`` or ``y``). A graph becomes its fields that forward takes by name; it stays one object if the first
    argument of forward is called ``data`` or ``batch``. Arrays and streams are returned as they are.

    Raises
    ------
    InvalidParameterError
        If targets are given twice, forward does not take an argument, or samples or targets are sparse tensors.

    Examples
    --------
    >>> arguments_of(nn.Linear(1, 1), {"input": [[1.0]], "labels": [0]})
    ({'input': [[1.0]]}, [0])
    """
    if not is_stream(X) and is_dataset(X):
        raise InvalidParameterError(f"X is a {type(X).__name__} of Hugging Face; {_AS_ARRAYS}")
    if isinstance(X, tuple) and all(map(is_graph, X)) and len(X) > len(_Signature(module).names):
        _check_no_graphs("X", X)
    arguments, targets = _split(module, X, y)
    _check_dense(arguments, "X")
    _check_dense(targets, "y")
    return arguments, targets


def _split(module: nn.Module, X: Any, y: Any) -> tuple[Any, Any]:
    if is_graph(X):
        arguments = _graph_arguments(_Signature(module), X)
        holds_targets = isinstance(arguments, dict) and "y" in arguments
        return arguments, targets_in(X) if y is None and not holds_targets else y
    if not isinstance(X, Mapping):
        return X, y
    signature = _Signature(module)
    held = next((name for name in TARGET_NAMES if name in X and not signature.takes(name)), None)
    if held is not None and y is not None:
        raise InvalidParameterError(f"y is given, and X has targets too, {held!r} (allowed: one of them)")
    arguments = {str(name): part for name, part in X.items() if name != held}
    for name in arguments:
        if not signature.takes(name):
            raise InvalidParameterError(f"X: {unknown_name('argument of forward', name, signature.names)}")
    return arguments, y if held is None else X[held]


def first_batch(module: nn.Module, X: Any, y: Any = None, batch_size: int = 1024) -> tuple[Any, Any]:
    """Return `arguments_of` X or, if X is a stream, of its first batch.

    Raises
    ------
    InvalidParameterError
        If the stream is empty, or `y` is given with a stream.
    """
    if is_stream(X):
        if y is not None:
            raise InvalidParameterError(f"y with {type(X).__name__} is not allowed (the stream gives pairs of X and y)")
        # A DataLoader draws a seed when its iteration begins.
        with isolated_torch_random(None), preserve_generators(X):
            pair = next(pairs(X, batch_size), None)
        if pair is None:
            raise InvalidParameterError(f"X={X!r} yields no batch (allowed: at least one)")
        X, y = pair
    return arguments_of(module, X, y)


def pairs(stream: Any, batch_size: int) -> Iterator[tuple[Any, Any]]:
    """Yield X and y of each batch of a stream; y is None if the batch is X alone."""
    loader = DataLoader(stream, batch_size, collate_fn=_joined) if isinstance(stream, Dataset) else stream
    for batch in loader:
        if not isinstance(batch, tuple | list) or isinstance(batch, PackedSequence):
            yield batch, None
        elif len(batch) == 2:
            yield _tuple_of_tensors(batch[0]), _tuple_of_tensors(batch[1])
        else:
            yield _tuple_of_tensors(batch), None


def _joined(samples: list[Any]) -> Any:
    _check_no_graphs("X", samples)
    try:
        return default_collate(samples)
    except TypeError as error:
        raise InvalidParameterError(f"X: {reason_of(error)}; {_AS_ARRAYS}") from error


def map_arrays(function: Callable[[str, Any], Any], X: Any, name: str = "X") -> Any:
    """Return X with ``function(name, array)`` in place of each array in tuples, mappings, graphs and packed sequences.

    None, strings and Python's own numbers in a tuple or a mapping are not arrays.

    Examples
    --------
    >>> map_arrays(lambda name, array: name, {"a": [1.0], "b": None})
    {'a': "X['a']", 'b': None}
    """
    if X is None or (isinstance(X, _PLAIN) and name != "X"):
        return X
    if isinstance(X, PackedSequence):
        packed: Any = X
        data = function(name, packed.data)
        # The method moves the order of the samples too, which belongs on the device of the data.
        return packed.to(data.device)._replace(data=data) if isinstance(data, torch.Tensor) else X
    if isinstance(X, Mapping):
        return {key: map_arrays(function, part, f"{name}[{key!r}]") for key, part in X.items()}
    if isinstance(X, tuple):
        names = [f"{name}[{i}]" for i in range(len(X))] if len(X) != 1 else [name]
        return tuple(map_arrays(function, part, own) for part, own in zip(X, names, strict=True))
    if is_graph(X):
        graph = copy.copy(X)
        for key in X.keys():  # noqa: SIM118 - a graph iterates over other things
            if isinstance(X[key], torch.Tensor):
                graph[key] = function(f"{name}.{key}", X[key])
        return graph
    return function(name, X)


def arrays_in(X: Any, name: str = "X") -> dict[str, Any]:
    """Return the arrays in X, whose name is given, by name.

    Examples
    --------
    >>> arrays_in(([1.0], [2.0]))
    {'X[0]': [1.0], 'X[1]': [2.0]}
    """
    found: dict[str, Any] = {}
    map_arrays(lambda part, array: found.setdefault(part, array), X, name)
    return found


def count_samples(X: Any) -> int | None:
    """Return the number of rows of the first array, or None if X cannot be split into rows.

    A packed sequence, a graph and a sparse tensor cannot be split. Neither can arrays beside integers of another
    length: these may be indices of rows, such as the edges of a graph.

    Examples
    --------
    >>> edges = np.array([[0, 1, 2], [1, 2, 0]])
    >>> count_samples(np.ones((3, 4))), count_samples((np.ones((3, 4)), edges))
    (3, None)
    """
    parts = X.values() if isinstance(X, Mapping) else X if isinstance(X, tuple) else [X]
    if isinstance(X, PackedSequence) or any(isinstance(part, PackedSequence) or is_graph(part) for part in parts):
        return None
    arrays = arrays_in(X).values()
    if any(map(is_sparse, arrays)):
        return None
    rows = [array for array in arrays if getattr(array, "ndim", 0)]
    if not rows:
        raise InvalidParameterError(f"X={X!r} is not allowed (numbers, a row per sample)")
    lengths = {len(array) for array in rows if is_integer(array)}
    return None if lengths - {1, len(rows[0])} else len(rows[0])


def take_rows(X: Any, rows: Any, n_samples: int) -> Any:
    """Return X with the given rows of each array that has `n_samples` rows.

    Examples
    --------
    >>> take_rows((np.arange(3), np.ones(2)), slice(1), 3)
    (array([0]), array([1., 1.]))
    """

    def take(name: str, array: Any) -> Any:
        return array[rows] if getattr(array, "ndim", 0) and len(array) == n_samples else array

    return map_arrays(take, X)


def few_rows_first(X: Any) -> list[Any]:
    """Return the first two rows of X, and X: a forward pass on rows is cheap, and indices of rows may need them all.

    Examples
    --------
    >>> few_rows_first(np.arange(3))
    [array([0, 1]), array([0, 1, 2])]
    """
    has_rows = any(array.ndim for array in arrays_in(X).values())
    n_samples = count_samples(X) if has_rows else None
    return [X] if n_samples is None or n_samples <= _FEW else [take_rows(X, slice(_FEW), n_samples), X]


def to_array(name: str, part: Any) -> Any:
    """Return an array or a tensor; raise if the part does not consist of numbers."""
    if isinstance(part, torch.Tensor):
        if part.is_nested:
            allowed = "a padded tensor with a mask, or a packed sequence"
            raise InvalidParameterError(
                f"{name} is a nested tensor, whose samples have no common shape (allowed: {allowed})"
            )
        return part
    if isinstance(part, str | bytes | PathLike):
        raise InvalidParameterError(f"{name}={part!r} is text (allowed: numbers, a row per sample; a file is not read)")
    if isinstance(part, list):
        _check_no_graphs(name, part)
    try:
        array = np.asarray(widened(part))
    except ValueError as error:
        raise InvalidParameterError(
            f"{name} has rows of different lengths (allowed: rows of one length, or several arguments as a tuple)"
        ) from error
    if array.dtype.kind not in "biufc":
        if reason := describe_not_numeric(part):
            raise InvalidParameterError(f"{name}: {reason}")
        held = f"{name} of type {array.dtype}"
        if array.dtype == object and array.size:
            other = next((value for value in array.flat if not isinstance(value, Real)), array.flat[0])
            held = f"{name} that holds {'missing values' if other is None else f'{type(other).__name__} objects'}"
        hint = ""
        if name == "y" and array.ndim == 1 and all(isinstance(value, str) for value in array.tolist()):
            hint = "; make numbers of labels: sklearn.preprocessing.LabelEncoder().fit_transform(y)"
        if array.ndim == 1 and are_dates(array):
            hint = f"; {ABOUT_DATES}"
        raise InvalidParameterError(
            f"{held} is not allowed (numbers; a module around the network can make other arguments from them){hint}"
        )
    return array


def _check_no_graphs(name: str, samples: Sequence[Any]) -> None:
    """Raise if samples, which are to become one array or batch, are graphs."""
    if samples and is_graph(samples[0]):
        raise InvalidParameterError(
            f"{name} holds {type(samples[0]).__name__} objects one by one (allowed: one graph, which may be a batch of"
            " graphs, or a DataLoader that joins graphs, such as torch_geometric.loader.DataLoader)"
        )


def is_integer(array: Any) -> bool:
    """Return whether an array or a tensor holds integers; booleans are not integers.

    Examples
    --------
    >>> is_integer(np.arange(2)), is_integer(torch.ones(2) > 0)
    (True, False)
    """
    if isinstance(array, torch.Tensor):
        return not (array.is_floating_point() or array.is_complex() or array.dtype == torch.bool)
    return array.dtype.kind in "iu"


def is_sparse(array: Any) -> bool:
    """Return whether an array is a sparse tensor, in any layout.

    Examples
    --------
    >>> is_sparse(torch.eye(2).to_sparse()), is_sparse(np.eye(2))
    (True, False)
    """
    return isinstance(array, torch.Tensor) and array.layout is not torch.strided and not array.is_nested


class _Signature:
    """The arguments that a module's forward takes by name."""

    def __init__(self, module: nn.Module) -> None:
        parameters = inspect.signature(module.forward).parameters.values()
        self.names = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        self.takes_others = any(p.kind == p.VAR_KEYWORD for p in parameters)

    def takes(self, name: str) -> bool:
        """Return whether forward takes the argument; targets must have a name of their own if any argument has."""
        return name in self.names or (self.takes_others and not (name in TARGET_NAMES and self.names))


def _check_dense(X: Any, name: str) -> None:
    """Raise if all arrays are sparse tensors; edges may be sparse beside dense values of the nodes."""
    arrays = arrays_in(X, name)
    layouts = [str(part.layout) for part in arrays.values() if is_sparse(part)]
    if layouts and len(layouts) == len(arrays):
        raise InvalidParameterError(
            f"{', '.join(arrays)} of the layout {layouts[0]} is not allowed (a dense tensor, as .to_dense() returns it;"
            " beside dense values, a matrix of edges may be sparse)"
        )


def _graph_arguments(signature: _Signature, X: Any) -> Any:
    if signature.names[:1] in (["data"], ["batch"]):
        return X
    held = set(X.keys())
    wanted = signature.names or _GRAPH_NAMES
    # Graphs with several kinds of nodes give x_dict and edge_index_dict as attributes.
    fields = {name: X[name] if name in held else getattr(X, name, None) for name in wanted if _is_field(name, held)}
    fields = {name: part for name, part in fields.items() if part is not None}
    if not fields:
        given, takes = ", ".join(sorted(held)), ", ".join(signature.names)
        raise InvalidParameterError(
            f"X of type {type(X).__name__} has {given}, and forward takes {takes}"
            " (allowed: a forward that takes fields of X by name, or X as its first argument `data` or `batch`)"
        )
    return fields


def _is_field(name: str, held: set[str]) -> bool:
    return name in held or name.endswith("_dict")


def _tuple_of_tensors(part: Any) -> Any:
    """Return a list of tensors, as a DataLoader makes it from tuples, as a tuple again."""
    if isinstance(part, list) and part and all(isinstance(item, torch.Tensor) and item.dim() for item in part):
        return tuple(part)
    return part
