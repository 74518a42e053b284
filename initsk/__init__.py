"""Weight initialization for neural networks, in the style of scikit-learn.

The public names and subpackages load on first use. ``import initsk`` and the help of the command line therefore do not
load torch, matplotlib or jinja2.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from initsk._version import __version__

if TYPE_CHECKING:
    from initsk import (
        comparison,
        datasets,
        diagnosis,
        displays,
        estimators,
        exceptions,
        initialization,
        initializers,
        inspection,
        network,
        report,
        testing,
        theory,
    )
    from initsk.comparison import ComparisonResult, compare_initializers
    from initsk.diagnosis import audit, diagnose, recommend_initializer
    from initsk.estimators import MLPClassifier, MLPRegressor, NeuralNetClassifier, NeuralNetRegressor
    from initsk.initialization import initialize
    from initsk.initializers import get_initializer, list_initializers
    from initsk.inspection import ActivationInspector, inspect_activations

_NAMES = {
    "comparison": ["ComparisonResult", "compare_initializers"],
    "diagnosis": ["audit", "diagnose", "recommend_initializer"],
    "estimators": ["MLPClassifier", "MLPRegressor", "NeuralNetClassifier", "NeuralNetRegressor"],
    "initialization": ["initialize"],
    "initializers": ["get_initializer", "list_initializers"],
    "inspection": ["ActivationInspector", "inspect_activations"],
}
_SUBPACKAGE_OF = {name: subpackage for subpackage, names in _NAMES.items() for name in names}

__all__ = [
    "ActivationInspector",
    "ComparisonResult",
    "MLPClassifier",
    "MLPRegressor",
    "NeuralNetClassifier",
    "NeuralNetRegressor",
    "__version__",
    "audit",
    "compare_initializers",
    "comparison",
    "datasets",
    "diagnose",
    "diagnosis",
    "displays",
    "estimators",
    "exceptions",
    "get_initializer",
    "initialization",
    "initialize",
    "initializers",
    "inspect_activations",
    "inspection",
    "list_initializers",
    "network",
    "recommend_initializer",
    "report",
    "testing",
    "theory",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'initsk' has no attribute {name!r}")
    if name in _SUBPACKAGE_OF:
        return getattr(import_module(f"initsk.{_SUBPACKAGE_OF[name]}"), name)
    return import_module(f"initsk.{name}")


def __dir__() -> list[str]:
    return sorted(__all__)
