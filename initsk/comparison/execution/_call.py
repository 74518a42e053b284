"""The call of a comparison as code that repeats it."""

from collections.abc import Mapping, Sequence
from inspect import Parameter
from typing import Any

from initsk.comparison.design._candidates import Candidate
from initsk.comparison.design._code import CodeWriter
from initsk.comparison.design._model_builder import ModelBuilder
from initsk.initializers import FromCallable

_NAME = "compare_initializers"
# Arguments that are written first, and those that do not change the numbers.
_FIRST = ("estimator", "X", "y", "X_val", "y_val", "initializers", "parameter", "grid")
_WITHOUT_EFFECT = ("store", "n_jobs", "progress", "about")


def call_as_code(
    builder: ModelBuilder,
    candidates: Sequence[Candidate],
    given: Mapping[str, Any],
    parameters: Mapping[str, Parameter],
) -> str:
    """Return the call with its imports, without arguments that have their defaults or no effect on the numbers.

    What has no code, such as a module or a class of the user, is a name that a comment explains.
    """
    writer = CodeWriter()
    writer.imports.add(("initsk", _NAME))
    values = {candidate.label: candidate.params.get(builder.parameter) for candidate in candidates}
    sources = ", ".join(_source(label, value, builder, writer) for label, value in values.items())
    arguments = [writer.write(builder.estimator, "estimator"), *_data_as_code(given), f"initializers=[{sources}]"]
    if builder.parameter != "initializer":
        arguments.append(f"parameter={builder.parameter!r}")
    if given["grid"]:
        grid = {name: list(choices) for name, choices in given["grid"].items()}
        arguments.append(f"grid={writer.write(grid, 'grid')}")
    for name, parameter in parameters.items():
        if name in (*_FIRST, *_WITHOUT_EFFECT):
            continue
        value, default = given[name], parameter.default
        if value is not default and (type(value) is not type(default) or value != default):
            arguments.append(f"{name}={'groups' if name == 'groups' else writer.write(value, name)}")
    lines = "".join(f"    {argument},\n" for argument in arguments)
    return f"{writer.header()}\n\n{_NAME}(\n{lines})"


def _data_as_code(given: Mapping[str, Any]) -> list[str]:
    """Return the arguments that are the data; a text is the name of a column of targets."""
    data = {name: given[name] for name in ("X", "y", "X_val", "y_val") if given[name] is not None}
    sources = {name: repr(value) if isinstance(value, str) else name for name, value in data.items()}
    return [source if name in ("X", "y") else f"{name}={source}" for name, source in sources.items()]


def _source(label: str, value: Any, builder: ModelBuilder, writer: CodeWriter) -> str:
    """Return the code of a value: the name of an initializer in quotes, or an expression."""
    if not builder.varies_initializer or isinstance(value, FromCallable) or "(" in label:
        return writer.write(value, "value")
    return repr(label)
