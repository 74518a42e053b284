"""The table of architectures: what a row is, and the rows of all modules of this folder."""

import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import import_module
from typing import Any

import pandas as pd
import torch
from torch import nn

from initsk import initialize, network
from initsk.exceptions import InvalidParameterError
from initsk.network import NetworkGraph
from initsk.utils.random import isolated_numpy_random, isolated_torch_random
from tests.zoo.operators import define_missing_operators

# The modules with rows; those beside "hand_written" need libraries.
MODULES = (
    "hand_written",
    "torchvision_nets",
    "timm_nets",
    "transformers_nets",
    "transformers_other_nets",
    "diffusers_nets",
    "graph_nets",
    "peft_lightning_nets",
)


@dataclass(frozen=True)
class Architecture:
    """One architecture, how to build and run it, and facts from its definition.

    A layer is a matrix product, a convolution, or an embedding. Normalization layers and factors per channel are not
    counted as layers. The facts come from papers, configurations and the source of `forward`, and never from a reader
    of networks; None stands for a fact that is unknown or a matter of definition.

    Parameters
    ----------
    name : str
    family : str
    package : str
        The package to import first; "torch" for rows that are written in this repository.
    build : callable
        Returns the module, with random weights.
    inputs : callable
        Returns what the module takes: a tensor, a tuple of arguments, or a dict of named arguments.
    branches : int, optional
        Number of additions x + f(x) in one forward pass, with a layer in f. A projection may replace x where the
        shape changes, as in ResNet. Parallel parts of one sum (x + f(x) + g(x)) are one addition.
    depth : int, optional
        Number of layers on the shortest path from an input to the output. Residual branches, gates and the parts that
        a concatenation lets pass are skipped: a path goes from tensor to tensor, not from element to element.
        Masks and position numbers are no inputs. Of several outputs, the scores or the prediction count.
    activations : tuple of str
        Names of the elementwise functions that follow layers, gates included; softmax is not one of them.
    kept : tuple of str
        Patterns of the names of parameters with deliberate constants, which no initializer should change.
        Normalization layers and biases are listed only if their constants are unusual.
    own_distribution : tuple of str
        Patterns of the names of parameters that the library draws from a special distribution, and that no
        initializer should change.
    left_reason : str, optional
        Why some weights cannot be reached.
    """

    name: str
    family: str
    package: str
    build: Callable[[], nn.Module]
    inputs: Callable[[], Any]
    branches: int | None = None
    depth: int | None = None
    activations: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    own_distribution: tuple[str, ...] = ()
    left_reason: str | None = None


def all_rows() -> list[Architecture]:
    """Return the rows of all modules; no library is imported."""
    return [row for module in MODULES for row in import_module(f"tests.zoo.{module}").ROWS]


@contextmanager
def isolated(seed: int = 0) -> Iterator[None]:
    """Keep random states and warnings of other libraries inside the block."""
    python = random.getstate()
    with warnings.catch_warnings(), isolated_torch_random(seed), isolated_numpy_random(seed):
        warnings.simplefilter("ignore")
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(python)


def built(row: Architecture, seed: int = 0) -> nn.Module:
    """Build a row's module in evaluation mode from a seed, without changing the global state."""
    with isolated(seed):
        if row.package != "torch":
            define_missing_operators()
        return row.build().eval()


def run(module: nn.Module, inputs: Any) -> Any:
    """Return the output for a tensor, a tuple of arguments, or a dict of named arguments."""
    with isolated(), torch.no_grad():
        if isinstance(inputs, dict):
            return module(**inputs)
        return module(*inputs) if isinstance(inputs, tuple) else module(inputs)


def read(row: Architecture, module: nn.Module) -> NetworkGraph:
    """Read a row's module on its input."""
    with isolated():
        return network.read(module, X=row.inputs())


def outcomes_of(row: Architecture, module: nn.Module) -> pd.Series:
    """Initialize a row's module, and return "filled", "kept" or "left" by parameter; frozen ones are kept."""
    with isolated():
        try:
            record = initialize(module, "he_normal", X=row.inputs(), random_state=0)
        except InvalidParameterError:
            # IA3 trains only factors of the signal, and freezes all weights.
            if not row.name.startswith("IA3"):
                raise
            return pd.Series("kept", [name for name, _ in module.named_parameters()])
    frame = record.to_frame().set_index("name")
    return frame["outcome"].mask(frame["why"].str.startswith("frozen"), "kept")


def matching(module: nn.Module, pattern: str) -> dict[str, nn.Parameter]:
    """Return the parameters of a module that have a name like the pattern."""
    return {name: value for name, value in module.named_parameters() if fnmatchcase(name, pattern)}


def images(size: int, channels: int = 3, count: int = 2) -> Callable[[], torch.Tensor]:
    """Return a function that draws images."""
    return lambda: torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(0))


def token_ids(vocabulary: int = 99, length: int = 12) -> torch.Tensor:
    """Return two sequences of token numbers above 2, which are no padding in any of the networks."""
    return torch.randint(3, vocabulary, (2, length), generator=torch.Generator().manual_seed(0))


def values(*shape: int, seed: int = 0) -> torch.Tensor:
    """Draw normal values."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
