"""The network and its layers as `Initializer.refine` receives them."""

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from initsk.exceptions import ModuleError
from initsk.network._calls import run_module
from initsk.network._layer_types import AFFINE
from initsk.network._spec import ParameterSpec
from initsk.network._state import preserve_mode, set_tensor
from initsk.utils.random import derive_seed, make_generator


@dataclass(frozen=True)
class Layer:
    """A layer that is affine in its weight and bias, and that the initializer has filled; see `Network.layers`.

    Attributes
    ----------
    name : str
        Name of the module in the network.
    module : torch.nn.Module
        Linear, bilinear, convolution or transposed convolution.
    spec : ParameterSpec
        The spec of its weight (of one group, where there are several).
    """

    name: str
    module: Any
    spec: ParameterSpec

    @property
    def weight(self) -> torch.Tensor:
        """The weight as the layer uses it, detached from the graph."""
        return self.module.weight.detach()

    def set_weight(self, values: torch.Tensor) -> None:
        """Write the weight, through a parametrization where there is one."""
        set_tensor(self.module, "weight", values)

    def set_bias(self, values: torch.Tensor) -> None:
        """Write the bias."""
        set_tensor(self.module, "bias", values)

    def output_axis(self, output: torch.Tensor) -> int:
        """Return the axis of the units in the layer's output."""
        if isinstance(self.module, nn.Linear | nn.Bilinear):
            return output.dim() - 1
        return output.dim() - len(self.module.kernel_size) - 1


@dataclass(frozen=True)
class Network:
    """A module whose parameters have been drawn, with a batch, for `Initializer.refine`.

    Attributes
    ----------
    module : torch.nn.Module
        The network; `refine` changes its parameters in place. If `refine` raises, its caller restores the module.
    specs : dict of str to ParameterSpec
        The specs of the parameters that this initializer set, by name.
    inputs : tuple or None
        Positional arguments of ``module(...)``, tensors on the module's device; None without X.
    keywords : dict
        Keyword arguments of ``module(...)``.
    target : tensor, tuple or dict of tensors, or None
        y on the module's device; None without y.
    seed : int
        Seed from which named streams derive.
    notes : dict of str to str
        What `refine` did to a parameter, by the parameter's name; `note` writes it, and the record shows it.

    Examples
    --------
    >>> from initsk import initialize
    >>> from initsk.initializers import HeNormal
    >>> class Halved(HeNormal):
    ...     def refine(self, network):
    ...         for layer in network.layers():
    ...             layer.set_weight(layer.weight / 2)
    ...             network.note(layer.spec.name, "halved")
    >>> initialize(nn.Linear(3, 2), Halved()).to_frame()["why"].tolist()
    ['weight initializer; halved', 'biases are zero by default']
    """

    module: nn.Module
    specs: dict[str, ParameterSpec]
    inputs: tuple[Any, ...] | None = None
    keywords: dict[str, Any] = field(default_factory=dict)
    target: Any = None
    seed: int = 0
    notes: dict[str, str] = field(default_factory=dict)

    def restricted(self, names: Collection[str]) -> "Network":
        """Return the same network with only the specs of the given names."""
        return replace(self, specs={name: spec for name, spec in self.specs.items() if name in names})

    def note(self, name: str, text: str) -> None:
        """Append what was done to a parameter to the parameter's note in the record."""
        before = self.notes.get(name)
        self.notes[name] = f"{before}; {text}" if before else text

    def generator(self, *names: object) -> torch.Generator:
        """Return the CPU generator of a named stream."""
        return make_generator(self.seed, *names)

    def layers(self) -> Iterator[Layer]:
        """Yield the affine layers whose weight this initializer set, in the module's order."""
        for name, module in self.module.named_modules():
            spec = self.specs.get(f"{name}.weight".lstrip("."))
            if spec is not None and isinstance(module, AFFINE):
                yield Layer(name, module, spec)

    def mode(self, training: bool) -> AbstractContextManager[None]:
        """Set training or evaluation mode in a ``with`` block, then restore modes, buffers and random state."""
        return preserve_mode(self.module, training=training, seed=derive_seed(self.seed, "refine"))

    def forward(self) -> Any:
        """Run the batch through the module."""
        if self.inputs is None:
            raise ModuleError("a batch is missing (give X)")
        return run_module(self.module, self.inputs, self.keywords)
