"""Weight initialization for neural networks, in scikit-learn's habits.

The public names load on first use, so that ``import initsk`` and the command
line's help stay fast: neither torch, matplotlib nor jinja2 is loaded here.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from initsk._version import __version__

if TYPE_CHECKING:
    from initsk import datasets, initializers, theory
    from initsk.comparison import ComparisonResult, compare_initializers
    from initsk.diagnosis import diagnose, recommend_initializer
    from initsk.estimators import MLPClassifier, MLPRegressor, NeuralNetClassifier, NeuralNetRegressor
    from initsk.initialization import initialize
    from initsk.initializers import get_initializer, list_initializers
    from initsk.inspection import ActivationInspector, inspect_activations

_HOME = {
    "ActivationInspector": "initsk.inspection",
    "ComparisonResult": "initsk.comparison",
    "MLPClassifier": "initsk.estimators",
    "MLPRegressor": "initsk.estimators",
    "NeuralNetClassifier": "initsk.estimators",
    "NeuralNetRegressor": "initsk.estimators",
    "compare_initializers": "initsk.comparison",
    "diagnose": "initsk.diagnosis",
    "get_initializer": "initsk.initializers",
    "initialize": "initsk.initialization",
    "inspect_activations": "initsk.inspection",
    "list_initializers": "initsk.initializers",
    "recommend_initializer": "initsk.diagnosis",
}
_SUBPACKAGES = ("datasets", "initializers", "theory")

__all__ = [
    "ActivationInspector",
    "ComparisonResult",
    "MLPClassifier",
    "MLPRegressor",
    "NeuralNetClassifier",
    "NeuralNetRegressor",
    "__version__",
    "compare_initializers",
    "datasets",
    "diagnose",
    "get_initializer",
    "initialize",
    "initializers",
    "inspect_activations",
    "list_initializers",
    "recommend_initializer",
    "theory",
]


def __getattr__(name: str) -> Any:
    if name in _SUBPACKAGES:
        return import_module(f"initsk.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'initsk' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
