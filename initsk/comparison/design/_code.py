"""Python code that makes an object again: an estimator, its parts, initializers and plain values."""

import ast
import sys
from collections.abc import Mapping
from inspect import Parameter, signature
from math import isfinite
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np

from initsk.initializers import FromCallable, Initializer, initializer_name


class CodeWriter:
    """Writes expressions, and collects the imports that they need and the names that the reader has to define.

    Attributes
    ----------
    imports : set of (str, str)
        Module and name.
    placeholders : dict of str to str
        Names that have no code, and what they are.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> writer = CodeWriter()
    >>> writer.write(Ridge(alpha=2.0)), writer.imports
    ('Ridge(alpha=2.0)', {('sklearn.linear_model', 'Ridge')})
    """

    def __init__(self) -> None:
        self.imports: set[tuple[str, str]] = set()
        self.placeholders: dict[str, str] = {}

    def write(self, value: Any, name: str = "value") -> str:
        """Return an expression for a value; `name` is that of its placeholder, if it needs one."""
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, float) and not isfinite(value):
            return f'float("{value}")'
        if value is None or isinstance(value, bool | int | float | complex | str | bytes):
            return repr(value)
        if type(value) in (list, tuple, set):
            return self._write_items(value, name)
        if type(value) is dict:
            items = ", ".join(f"{self.write(key)}: {self.write(item, str(key))}" for key, item in value.items())
            return f"{{{items}}}"
        if isinstance(value, type | FunctionType | BuiltinFunctionType):
            return self._write_named(value)
        if isinstance(value, FromCallable):
            return self._write_named(value.function)
        if isinstance(value, Initializer) and self._is_importable(type(value)):
            self.write(type(value))
            return initializer_name(value) if "(" in initializer_name(value) else repr(value)
        if hasattr(value, "get_params") and not isinstance(value, type):
            return f"{self.write(type(value))}({', '.join(self._changed(value))})"
        if _has_readable_repr(value) and self._is_importable(type(value)):
            self.write(type(value))
            return repr(value)
        return self._placeholder(name, f"an object of type {type(value).__name__}")

    def _write_items(self, value: Any, name: str) -> str:
        items = ", ".join(self.write(item, name) for item in value)
        if isinstance(value, tuple):
            return f"({items},)" if len(value) == 1 else f"({items})"
        return f"[{items}]" if isinstance(value, list) else f"{{{items}}}" if value else "set()"

    def _changed(self, estimator: Any) -> list[str]:
        """Return the arguments that differ from the defaults."""
        defaults = _defaults(type(estimator))
        return [
            f"{name}={self.write(value, name)}"
            for name, value in estimator.get_params(deep=False).items()
            if name not in defaults or not _same(value, defaults[name])
        ]

    def _write_named(self, value: Any) -> str:
        name = getattr(value, "__name__", "function")
        if not name.isidentifier():
            return self._placeholder("function", "a function")
        module = self._is_importable(value)
        if not module:
            return self._placeholder(name, "a class" if isinstance(value, type) else "a function")
        if module != "builtins":
            self.imports.add((module, name))
        return str(name)

    def _is_importable(self, value: Any) -> str:
        """Return the shortest module that has a class or function under its name, or ""."""
        parts = (getattr(value, "__module__", None) or "").split(".")
        if parts[0] == "__main__":
            return ""
        modules = [".".join(parts[: n + 1]) for n in range(len(parts))]
        # A private module is only taken if no public one has the name.
        return next((name for name in modules if getattr(sys.modules.get(name), value.__name__, None) is value), "")

    def _placeholder(self, name: str, what: str) -> str:
        self.placeholders[name] = what
        return name

    def header(self) -> str:
        """Return the lines of imports, and a comment for each placeholder."""
        modules: dict[str, list[str]] = {}
        for module, name in sorted(self.imports):
            modules.setdefault(module, []).append(name)
        lines = [f"from {module} import {', '.join(names)}" for module, names in modules.items()]
        lines += [
            f"# {name} is not in these lines: it is {what} of your own" for name, what in self.placeholders.items()
        ]
        return "\n".join(lines)


def _has_readable_repr(value: Any) -> bool:
    """Return whether the repr is a call of the class with plain values, as that of scikit-learn's splitters."""
    try:
        call = ast.parse(repr(value), mode="eval").body
        if not isinstance(call, ast.Call) or ast.unparse(call.func) != type(value).__name__:
            return False
        for argument in [*call.args, *(keyword.value for keyword in call.keywords)]:
            ast.literal_eval(argument)
    except (SyntaxError, ValueError):
        return False
    return True


def _defaults(kind: type) -> dict[str, Any]:
    """Return the defaults of the parameters of a class and of the classes that it passes them on to."""
    found: dict[str, Any] = {}
    for init in (vars(cls).get("__init__") for cls in kind.__mro__):
        if init is None:
            continue
        parameters = signature(init).parameters.values()
        for parameter in parameters:
            if parameter.default is not Parameter.empty:
                found.setdefault(parameter.name, parameter.default)
        if not any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters):
            break
    return found


def _same(value: Any, default: Any) -> bool:
    if value is default:
        return True
    if type(value) is not type(default):
        return False
    if isinstance(value, np.ndarray | Mapping) or hasattr(value, "get_params"):
        return repr(value) == repr(default)
    # A helper without equality, such as skorch's split of the training data, is compared by its attributes.
    attributes = getattr(value, "__dict__", None)
    return bool(value == default) or (bool(attributes) and attributes == default.__dict__)
