"""Docstrings of initializers: parameters, formula, source, errors, other frameworks and an example."""

import inspect
import re

import pytest

from initsk import initializers
from initsk.initializers import Initializer

CLASSES = sorted(
    {kind for kind in vars(initializers).values() if isinstance(kind, type) and issubclass(kind, Initializer)}
    - {Initializer},
    key=lambda kind: kind.__name__,
)


def sections(kind):
    """Return the sections of a numpydoc docstring by their title."""
    parts = re.split(r"\n([A-Z][A-Za-z ]+)\n-+\n", inspect.cleandoc(kind.__doc__))
    return {"Summary": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


@pytest.mark.parametrize("kind", CLASSES)
def test_docstring(kind):
    found = sections(kind)
    parameters = set(inspect.signature(kind).parameters)
    documented = set()
    for line in re.findall(r"^\**(\w[\w, ]*)(?: : .*)?$", found.get("Parameters", ""), flags=re.M):
        documented.update(line.split(", "))
    assert documented == parameters
    defaults = re.findall(r"^\w[\w, ]* : .*default=", found.get("Parameters", ""), flags=re.M)
    assert len(defaults) == sum(p.default is not p.empty for p in inspect.signature(kind).parameters.values())
    assert re.search(r"^(Formula|Algorithm)\b", found["Notes"], flags=re.M), "the formula"
    for year in re.findall(r"\b(?:19|20)\d\d\b", kind.reference):
        assert year in kind.__doc__, "the source"
    assert re.search(r"torch|Keras|JAX|timm|keras-contrib|GPT-2|[Aa]uthors|[Tt]heir (code|package)", found["Notes"])
    assert ">>>" in found["Examples"]
    if any(
        getattr(kind, name) is not getattr(Initializer, name)
        for name in ("unsupported_reason", "check_specs", "refine")
    ):
        assert "Error" in found["Raises"], "the errors"
