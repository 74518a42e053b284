"""Objects as text by which two of them are found to be the same, in any process and at any time."""

import hashlib
from collections.abc import Mapping
from functools import partial
from types import CodeType, FunctionType
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import sparse

from initsk.comparison._candidates import without_addresses


def describe(value: Any) -> str:
    """Return text that changes with anything that could change a result.

    Estimators and initializers are told by class and parameters, arrays and modules by their values, functions by
    their code; what is none of these by its attributes.

    Examples
    --------
    >>> describe({"lr": 0.1, "sizes": (8, 8)})
    "{'lr': 0.1, 'sizes': (8, 8)}"
    >>> describe(lambda w: w + 1) == describe(lambda w: w + 2)
    False
    """
    return without_addresses(_describe(value, ()))


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
    if _is_array(value):
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


def _is_array(value: Any) -> bool:
    kinds = (np.ndarray, torch.Tensor, pd.DataFrame, pd.Series, pd.Index)
    return isinstance(value, kinds) or sparse.issparse(value)


def _array(value: Any) -> str:
    """Return shape, type and a digest of the values."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().contiguous()
        # Of any type, numpy's or not.
        return f"tensor{tuple(value.shape)} {value.dtype} {_digest(value.reshape(-1).view(torch.uint8).numpy())}"
    if isinstance(value, pd.DataFrame | pd.Series | pd.Index):
        columns = [str(name) for name in getattr(value, "columns", [value.__class__.__name__])]
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
