"""Names that other libraries keep to themselves are used in a few places, each with a fallback."""

import ast
from collections import Counter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "initsk"
LIBRARIES = (
    "babel", "click", "dask", "jinja2", "joblib", "matplotlib", "numpy", "pandas", "polars", "scipy", "skorch",
    "sklearn", "statsmodels", "threadpoolctl", "torch", "tqdm",
)  # fmt: skip
# The public parts of the standard library that begin with an underscore.
STANDARD = {"_asdict", "_exit", "_fields", "_replace"}
# The test beside each name removes it, and sees the same results.
WITH_FALLBACK = {
    ("comparison/design/_bounds.py", "_score_func"): "comparison/test_inference.py",
    ("comparison/design/_bounds.py", "_sign"): "comparison/test_inference.py",
    ("comparison/design/_bounds.py", "_kwargs"): "comparison/test_inference.py",
    ("initialization/_deliberate.py", "_no_reinit"): "initialization/test_deliberate.py",
    ("network/_read.py", "_subclasses"): "network/test_read.py",
    ("utils/torch_modes.py", "_get_current_function_mode_stack"): "utils/test_torch_modes.py",
    ("utils/torch_settings.py", "_version"): "utils/test_torch_settings.py",
    ("network/_state.py", "_backward_hooks"): "estimators/test_dense_step.py",
    ("network/_state.py", "_post_accumulate_grad_hooks"): "estimators/test_dense_step.py",
    ("estimators/fast/_flat.py", "_fused_adam_"): "estimators/test_dense_step.py",
    ("estimators/fast/_flat.py", "_fused_adamw_"): "estimators/test_dense_step.py",
    ("estimators/fast/_derivatives.py", "_log_softmax_backward_data"): "estimators/test_dense_step.py",
}
FILES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}


def is_private(name):
    return name.startswith("_") and not name.endswith("__") and name.strip("_") != ""


def own_names():
    """Return every name that the package itself gives to something."""
    for tree in FILES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield node.name
            elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
                yield node.id if isinstance(node, ast.Name) else node.attr
            elif isinstance(node, ast.arg):
                yield node.arg


OWN = set(own_names()) | {path.rpartition("/")[2].removesuffix(".py") for path in FILES}


def foreign(tree):
    """Return the private names of others that a file reads: imported, as attributes, and as words in quotes."""
    found = Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in LIBRARIES:
            names = [*node.module.split("."), *(alias.name for alias in node.names)]
            found.update(filter(is_private, names))
        elif isinstance(node, ast.Import):
            found.update(piece for alias in node.names for piece in alias.name.split(".") if is_private(piece))
        elif isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in OWN | STANDARD:
            found[node.attr] += 1
    return set(found)


def in_calls(tree):
    """Return the private names that are looked up by `getattr` and the like, or given as a list of such names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "hasattr"):
            words = [word for argument in node.args[1:2] for word in ast.walk(argument)]
            yield from (w.value for w in words if isinstance(w, ast.Constant) and is_private(str(w.value)))


def test_no_private_name_without_a_fallback():
    names = {path: foreign(tree) | (set(in_calls(tree)) - OWN - STANDARD) for path, tree in FILES.items()}
    used = {(path, name) for path, found in names.items() for name in found}
    assert used - set(WITH_FALLBACK) == set()


@pytest.mark.parametrize(("path", "name"), WITH_FALLBACK)
def test_each_fallback_is_needed_and_tested(path, name):
    assert name in (PACKAGE / path).read_text()
    assert name in (PACKAGE.parent / "tests" / WITH_FALLBACK[path, name]).read_text()
