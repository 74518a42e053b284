"""The layout of the repository: import direction, sizes of files, public doors, tests that mirror the package."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from torch import nn

from initsk.theory import ACTIVATION_FUNCTIONS
from tests.helpers import of_folders

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "initsk"
FILES = sorted(PACKAGE.rglob("*.py"))
PYTHON = [
    path for folder in ("initsk", "tests", "examples", "benchmarks") for path in sorted((ROOT / folder).rglob("*.py"))
]
MAX_LINES = 400
# A layer may import from itself only within one subpackage, and from layers below it.
LAYERS = [
    {"text", "_version"},
    {"exceptions"},
    {"utils"},
    {"datasets"},
    {"theory"},
    {"network"},
    {"initializers"},
    {"initialization"},
    {"inspection", "estimators"},
    {"comparison", "diagnosis"},
    {"language"},
    {"displays"},
    {"report"},
    {"cli", "testing"},
    {"__main__"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
# The base class of results writes their reports; it imports `report` inside its methods.
DOORS_UP = {("utils", "report")}
TRANSLATING = {"displays", "report", "cli"}
LAYER_CLASSES = {name for name, kind in vars(nn).items() if isinstance(kind, type) and issubclass(kind, nn.Module)}
STRUCTURES = {"Module", "Sequential", "ModuleList", "ModuleDict"}
# More names than these in one module are a table, which belongs into `network` or `theory`.
MAX_NAMED = 4
TABLES = {
    "initsk/testing/_cases.py": "examples of layers on which initializers are checked",
    "initsk/estimators/fast/_derivatives.py": "the derivatives that replace autograd, one for each function",
    "initsk/diagnosis/_practice.py": "the rules of the recommendation, by activation function",
}


def name_of(path):
    return str(path.relative_to(ROOT))


def part_of(path):
    """Return the subpackage of a file, or the module at the top of the package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def nodes_of(path):
    """Return all nodes of a file, in the order of `ast.walk`."""
    return list(ast.walk(ast.parse(path.read_text())))


@cache
def imports_of(path):
    """Return module, imported names and whether the import is inside a function, of all imports from the package."""
    found = []
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            if node.module.split(".")[0] == "initsk":
                found.append((node.module, [alias.name for alias in node.names], node.col_offset > 0))
        elif isinstance(node, ast.Import):
            found += [(a.name, [], node.col_offset > 0) for a in node.names if a.name.split(".")[0] == "initsk"]
    return found


@of_folders(FILES, PACKAGE)
def test_imports_go_down(paths):
    for path in paths:
        own = part_of(path)
        if own == "__init__":
            continue
        for module, names, lazy in imports_of(path):
            parts = module.split(".")
            for target in [parts[1]] if len(parts) > 1 else names:
                if target == own or (lazy and (own, target) in DOORS_UP):
                    continue
                assert RANK[target] < RANK[own], f"{name_of(path)} imports {module}, which is not below it"


@of_folders(FILES, PACKAGE)
def test_no_private_name_is_imported_from_another_subpackage(paths):
    for path in paths:
        for module, names, _ in imports_of(path):
            parts = [*module.split(".")[1:], *names]
            if part_of(path) not in ("__init__", parts[0]):
                private = [part for part in parts[1:] if part.startswith("_") and not part.endswith("__")]
                assert private == [], f"{name_of(path)} imports the private {private} from {module}"


def names_of_torch(path):
    """Return the layers and the activation functions that a module names as attributes, imports or words."""
    attributes = {
        node.attr
        for node in nodes_of(path)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        if node.value.id in ("nn", "torch", "functional", "F")
    }
    imported = {
        alias.name
        for node in nodes_of(path)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("torch")
        for alias in node.names
    }
    docstrings = {id(node.value) for node in nodes_of(path) if isinstance(node, ast.Expr)}
    texts = [node for node in nodes_of(path) if isinstance(node, ast.Constant) and id(node) not in docstrings]
    words = {word for node in texts if isinstance(node.value, str) for word in node.value.split()}
    layers = (attributes | imported | words) & LAYER_CLASSES - STRUCTURES
    return layers, (attributes | imported | words) & set(ACTIVATION_FUNCTIONS)


@of_folders(FILES, PACKAGE)
def test_layers_and_activation_functions_are_known_in_one_place(paths):
    """Other subpackages ask the reading of a network which layers and activation functions it has."""
    for path in paths:
        if part_of(path) in ("network", "theory") or name_of(path) in TABLES:
            continue
        for named in names_of_torch(path):
            assert len(named) <= MAX_NAMED, f"{name_of(path)} has a table of {', '.join(sorted(named))}"


def test_tables_outside_of_the_network_are_still_there():
    tables = {name: names_of_torch(ROOT / name) for name in TABLES}
    assert [
        name for name, (layers, functions) in tables.items() if max(map(len, (layers, functions))) <= MAX_NAMED
    ] == []


@of_folders(FILES, PACKAGE)
def test_networks_are_read_through_the_door_of_their_subpackage(paths):
    for path in paths:
        if part_of(path) in ("network", "__init__"):
            continue
        deeper = [module for module, *_ in imports_of(path) if module.startswith("initsk.network.")]
        assert deeper == [], f"{name_of(path)} imports {', '.join(deeper)} (allowed: initsk.network)"


def test_initializers_and_the_inspection_use_the_reading():
    users = {part_of(path) for path in FILES for module, *_ in imports_of(path) if module == "initsk.network"}
    assert {"initializers", "initialization", "inspection"} <= users


def test_no_name_is_imported_as_itself():
    """``import X as X`` would export a private name to the rest of the package."""
    found = [
        f"{name_of(path)}: {alias.name}"
        for path in FILES
        for node in nodes_of(path)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    ]
    assert found == []


def test_only_results_that_people_read_are_translated():
    importing = {part_of(path) for path in FILES if any("initsk.language" in module for module, *_ in imports_of(path))}
    assert importing == TRANSLATING


def test_no_file_is_long():
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in PYTHON}
    assert len(lengths) > 200
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_tests_mirror_the_package():
    """``tests/<subpackage>/test_<module>[_topic].py`` tests a module of this name in the subpackage."""
    strays = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        *folders, _ = path.relative_to(ROOT / "tests").parts
        if folders in (["integration"], ["zoo"], ["fuzz"], ["public_reports"]):
            continue
        here = PACKAGE.joinpath(*folders)
        modules = [module.stem.lstrip("_") for module in (here.rglob("*.py") if folders else here.glob("*.py"))]
        tested = path.stem.removeprefix("test_")
        if not any(tested == module or tested.startswith(f"{module}_") for module in modules):
            strays.append(name_of(path))
    assert strays == []


def loaded_after(*statements):
    """Return the modules that a new process has loaded after each of the statements."""
    code = "import sys; " + "; ".join(f"{statement}; print(*sys.modules)" for statement in statements)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [set(line.split()) for line in done.stdout.splitlines()]


MAKE_A_DISPLAY = (
    "import pandas as pd; from initsk.displays import DepthDisplay; row = dict(layer='a', position='activation', "
    "rms=1.0, nonfinite=0, zero_fraction=0.0, dead_fraction=0.0, saturated_fraction=0.0); "
    "display = DepthDisplay.from_frames(pd.DataFrame([row]))"
)


def test_an_import_is_light_and_only_a_plot_loads_matplotlib():
    package, initializers, estimators, display, plotted = loaded_after(
        "import initsk",
        "from initsk import get_initializer",
        "from initsk import MLPClassifier, compare_initializers, inspect_activations, initialize",
        MAKE_A_DISPLAY,
        "display.plot()",
    )
    assert not {"matplotlib", "jinja2", "torch"} & package
    assert "torch" in initializers
    assert not {"matplotlib", "jinja2", "skorch"} & initializers
    assert not {"matplotlib", "jinja2"} & estimators
    assert "matplotlib" not in display
    assert "matplotlib" in plotted


def test_public_names_and_subpackages_load_from_the_package():
    import initsk

    subpackages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")} - {"cli", "utils"}
    assert subpackages | {"exceptions"} < set(initsk.__all__)
    for name in initsk.__all__:
        assert getattr(initsk, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = initsk.nothing
