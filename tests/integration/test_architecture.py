import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "initsk"
# A layer may import from itself only within one subpackage, and from layers below it.
LAYERS = [
    {"exceptions", "_version"},
    {"utils"},
    {"datasets"},
    {"theory"},
    {"network"},
    {"initializers"},
    {"initialization"},
    {"testing"},
    {"inspection", "estimators"},
    {"comparison", "diagnosis"},
    {"displays"},
    {"report"},
    {"cli"},
    {"__main__"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
DOORS_UP = {("utils", "report")}


def imports_of(path):
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("initsk"):
            yield node.module, node.col_offset > 0
        elif isinstance(node, ast.Import):
            yield from ((a.name, node.col_offset > 0) for a in node.names if a.name.startswith("initsk"))


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down(path):
    relative = path.relative_to(PACKAGE)
    own = relative.parts[0].removesuffix(".py")
    if own == "__init__":
        return
    for module, lazy in imports_of(path):
        parts = module.split(".")
        target = parts[1] if len(parts) > 1 else "__init__"
        if target == own or (lazy and (own, target) in DOORS_UP):
            continue
        assert RANK[target] < RANK[own], f"{relative} imports {module}, which is not below it"
        private = [part for part in parts[2:] if part.startswith("_")]
        assert not private, f"{relative} imports the private {module}"


def loaded_after(statement):
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_import_is_light():
    assert not {"matplotlib", "jinja2", "torch"} & loaded_after("import initsk")


def test_estimators_do_not_load_pictures():
    loaded = loaded_after("from initsk import MLPClassifier, compare_initializers, inspect_activations, initialize")
    assert not {"matplotlib", "jinja2"} & loaded


@pytest.mark.parametrize(
    "arguments", [["--help"], *([name, "--help"] for name in ("compare", "inspect", "diagnose", "recommend", "report"))]
)
def test_help_answers_without_torch_in_half_a_second(arguments):
    code = (
        "import sys; from initsk.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit as e: assert not e.code\n"
        "assert not {'torch', 'pandas', 'sklearn', 'matplotlib'} & set(sys.modules)"
    )
    times = []
    for _ in range(3):
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        times.append(time.perf_counter() - started)
    assert "Usage: initsk" in done.stdout
    assert min(times) < 0.5


def test_every_public_name_is_there():
    import initsk

    for name in initsk.__all__:
        assert getattr(initsk, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = initsk.nothing
