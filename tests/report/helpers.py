"""The sections and pictures of a comparison's report."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
ORDER = ["answer", "ranking", "curves", "activations", "signal", "weights", "initializers", "run"]
PICTURES = {
    "differences",
    "learning_curves",
    "activations",
    "activations_initialized",
    "signal",
    "weights",
    "weights_initialized",
}
