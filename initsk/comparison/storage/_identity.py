"""Descriptions of objects as text, equal for equal objects in every process, to identify an experiment."""

import hashlib
import json
import platform
import re
from ast import literal_eval
from collections.abc import Mapping
from functools import partial
from types import CodeType, FunctionType
from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib import cpu_count
from scipy import sparse

from initsk.comparison.design._candidates import storable
from initsk.comparison.design._data import Data
from initsk.comparison.design._model_builder import ModelBuilder
from initsk.comparison.design._runs import Task
from initsk.comparison.execution._run import Experiment
from initsk.text import brief
from initsk.utils.versions import versions
from initsk.utils.words import counted

_ARRAYS = (np.ndarray, torch.Tensor, pd.DataFrame, pd.Series, pd.Index)


def describe(value: Any) -> str:
    """Return text that changes with everything that could change a result.

    It has the class and parameters of estimators and initializers, the values of arrays and modules, the code of
    functions, and the attributes of other objects.

    Examples
    --------
    >>> describe({"lr": 0.1, "sizes": (8, 8)})
    "{'lr': 0.1, 'sizes': (8, 8)}"
    >>> describe(lambda w: w + 1) == describe(lambda w: w + 2)
    False
    """
    return storable(_describe(value, ()))


def _describe(value: Any, above: tuple[int, ...]) -> str:
    if value is None or isinstance(value, bool | int | float | str | bytes | np.generic | torch.dtype | torch.device):
        return repr(value)
    if id(value) in above:
        return "..."
    inside = (*above, id(value))
    if isinstance(value, list | tuple | set | frozenset):
        items = [_describe(item, inside) for item in value]
        listed = ", ".join(items if isinstance(value, list | tuple) else sorted(items))
        return f"[{listed}]" if isinstance(value, list) else f"({listed})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {_describe(item, inside)}" for key, item in value.items()) + "}"
    if isinstance(value, _ARRAYS) or sparse.issparse(value):
        return _array(value)
    if isinstance(value, torch.nn.Module):
        state = "".join(_array(tensor) for tensor in value.state_dict().values())
        return f"{value!r} {_digest(state.encode())}"
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, partial):
        return f"partial({_describe([value.func, value.args, value.keywords], inside)})"
    if isinstance(value, FunctionType):
        return _function(value, inside)
    return _object(value, inside)


def _object(value: Any, inside: tuple[int, ...]) -> str:
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if hasattr(value, "get_params"):
        return kind + _describe(value.get_params(deep=False), inside)
    attributes = getattr(value, "__dict__", None)
    return f"{kind}{_describe(attributes, inside)}" if attributes else f"{kind} {value!r}"


def _function(function: FunctionType, inside: tuple[int, ...]) -> str:
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    around = _describe([function.__defaults__, function.__kwdefaults__, cells], inside)
    return f"{function.__qualname__} {_digest((_code(function.__code__) + around).encode())}"


def _code(code: CodeType) -> str:
    constants = [_code(part) if isinstance(part, CodeType) else _describe(part, ()) for part in code.co_consts]
    return repr((code.co_code, code.co_names, code.co_varnames, constants))


def _array(value: Any) -> str:
    """Return the shape, type and digest of an array."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().contiguous()
        # As bytes, because numpy does not have all types of torch.
        return f"tensor{tuple(value.shape)} {value.dtype} {_digest(value.reshape(-1).view(torch.uint8).numpy())}"
    if isinstance(value, pd.DataFrame | pd.Series | pd.Index):
        columns = [str(name) for name in getattr(value, "columns", [type(value).__name__])]
        hashes = pd.util.hash_pandas_object(value, index=False).to_numpy()
        return f"frame{value.shape} {columns} {_digest(hashes)}"
    if sparse.issparse(value):
        value = value.tocsr()
        return f"sparse{value.shape} {[_array(part) for part in (value.data, value.indices, value.indptr)]}"
    flat = np.ascontiguousarray(value).reshape(-1)
    data = repr(value.tolist()).encode() if value.dtype == object else flat.view(np.uint8)
    return f"array{value.shape} {value.dtype} {_digest(data)}"


def _digest(data: Any) -> str:
    return hashlib.blake2b(data, digest_size=12).hexdigest()


_DATA = ("X", "y", "X_val", "y_val")
_VERSION = "version of "
# A frame's description begins with its shape and the names of its columns.
_COLUMNS = re.compile(r"frame\([^)]*\) (\[.*\]) \w+$")
_MAX_SETTINGS = 3
_MAX_SHOWN = 80
# These are set for every run, described by their parts, or without effect on the numbers.
_NOT_DESCRIBED = ("random_state", "n_threads", "steps", "memory", "verbose")


def hardware() -> str:
    """Return the system, processor type and number of CPUs of this machine."""
    return f"{platform.system()} {platform.machine()}, {counted(cpu_count(), 'CPU')}"


def identify(experiment: Experiment, data: Data, varied: list[str], **given: Any) -> dict[str, str]:
    """Return what all runs share, each part under the name of its argument or parameter.

    `data` are the data as given, before anything is held out. `varied` are the parameters that differ from run to
    run. `given` are other arguments of the comparison.
    """
    return {
        "estimator": describe(type(experiment.builder.estimator)),
        **_parameters(experiment.builder, varied),
        **dict.fromkeys(varied, "compared or in the grid"),
        **{name: describe(value) for name, value in given.items()},
        "n_threads": str(experiment.n_threads),
        "activations": str(experiment.activations),
        **{name: describe(getattr(data, name)) for name in _DATA},
        **{f"{_VERSION}{name}": number for name, number in versions().items()},
    }


def data_and_versions(identity: dict[str, str]) -> dict[str, str]:
    """Return the columns of a store that describe data and versions, for readers with other tools."""
    data = {name: identity[name] for name in _DATA}
    numbers = {name: number for name, number in identity.items() if name.startswith(_VERSION)}
    return {"data": json.dumps(data), "versions": json.dumps(numbers)}


def identify_run(task: Task) -> str:
    """Return what distinguishes a run from the others."""
    own = {"seed": task.round.seed, "train": task.round.train, "test": task.round.test}
    return describe({"params": task.candidate.params} | own)


def _parameters(builder: ModelBuilder, varied: list[str]) -> dict[str, str]:
    found = builder.estimator.get_params()
    inside = tuple(f"{name}__" for name in varied)
    described = {}
    for name, value in found.items():
        if name in varied or name.startswith(inside) or name.rpartition("__")[2] in _NOT_DESCRIBED:
            continue
        # Parts are described under their own names.
        has_parts = any(other.startswith(f"{name}__") for other in found)
        described[name] = describe(type(value) if has_parts else value)
    return described


def differences(there: dict[str, str], here: dict[str, str]) -> str:
    """Return what differs, the cause first: the data, then the estimator, the settings and the versions; or "".

    Examples
    --------
    >>> differences({"lr": "0.1"}, {"lr": "0.2"})
    'lr is 0.1 there and 0.2 here'
    """
    names = [name for name in {**here, **there} if there.get(name) != here.get(name)]
    data = [name for name in _DATA if name in names]
    versions = [name for name in names if name.startswith(_VERSION)]
    # The type of the estimator explains its parameters.
    settings = sorted((name for name in names if name not in data + versions), key=lambda name: name != "estimator")
    columns = _other_columns(there, here)
    # Other columns have another preparation.
    shown = [] if columns else settings[:_MAX_SETTINGS]
    parts = [
        columns or _other_data(data),
        *(f"{name} is {_short(there.get(name))} there and {_short(here.get(name))} here" for name in shown + versions),
        f"{counted(len(settings) - len(shown), 'more setting')} differ" if len(settings) > len(shown) else "",
    ]
    return "; ".join(filter(None, parts))


def _other_columns(there: dict[str, str], here: dict[str, str]) -> str:
    """Return which columns of X differ, or "" if none do, or X is no frame."""
    matches = [_COLUMNS.match(identity.get("X", "")) for identity in (there, here)]
    old, new = (literal_eval(match[1]) if match else [] for match in matches)
    if not all(matches) or old == new:
        return ""
    only = {"there": [name for name in old if name not in new], "here": [name for name in new if name not in old]}
    listed = [
        f"only {place}: {brief(', '.join(map(repr, names)), _MAX_SHOWN)}" for place, names in only.items() if names
    ]
    return f"other columns of X ({'; '.join(listed) or 'in another order'}), as with another target or dropped columns"


def _other_data(names: list[str]) -> str:
    if not names:
        return ""
    return "another target (y), with the same X" if names == ["y"] else f"other data ({', '.join(names)})"


def _short(text: str | None) -> str:
    return "not given" if text is None else text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}..."
