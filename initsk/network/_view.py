"""What an initializer sees of a network once the values are in place."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized

from initsk.exceptions import ModuleError
from initsk.network._spec import ParameterSpec
from initsk.utils.random import derive_seed, isolated_torch_random, make_generator

AFFINE = (
    nn.Linear,
    nn.Bilinear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)

# As many as torch takes at the start.
_POWER_ITERATIONS = 15


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
        """The weight as the layer uses it, apart from the graph."""
        weight: torch.Tensor = self.module.weight.detach()
        return weight

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
        spatial = len(self.module.kernel_size)
        return output.dim() - spatial - 1


def set_tensor(module: nn.Module, name: str, values: torch.Tensor) -> None:
    """Write a parameter in place, or through its parametrization."""
    with torch.no_grad():
        if is_parametrized(module, name):
            setattr(module, name, values)
            _follow(module, name)
        else:
            getattr(module, name).copy_(values)
    # Autocast would go on with what it has cast before.
    torch.clear_autocast_cache()


def _follow(module: nn.Module, name: str) -> None:
    """Let spectral normalisation find the directions of the new values, as when it was registered."""
    behind: Any = module.parametrizations
    for part in behind[name]:
        if isinstance(part, _spectral_norm()):
            was, part.training = part.training, True
            for _ in range(_POWER_ITERATIONS):
                getattr(module, name)
            part.training = was


@cache
def _spectral_norm() -> type[nn.Module]:
    """Return the class that torch's `spectral_norm` puts before a weight; it has no public name."""
    parametrized: Any = spectral_norm(nn.Linear(1, 1, device="meta"))
    return type(parametrized.parametrizations.weight[0])


def remember_buffers(module: nn.Module) -> Callable[[], None]:
    """Return a function that puts all buffers back, those that were written and those that were replaced.

    What else a module keeps in dictionaries is put back as well: parameters, parts and hooks that came or went.
    """
    tables = [held for part in module.modules() for held in vars(part).values() if isinstance(held, dict)]
    objects = [(held, dict(held)) for held in tables]
    values = [(buffer, buffer.clone()) for buffer in module.buffers()]

    def put_back() -> None:
        for held, before in objects:
            if list(map(id, held.values())) != list(map(id, before.values())) or list(held) != list(before):
                held.clear()
                held.update(before)
        with torch.no_grad():
            for buffer, value in values:
                buffer.copy_(value)

    return put_back


@dataclass(frozen=True)
class Network:
    """A module whose parameters have been drawn, with a batch, for `Initializer.refine`.

    Attributes
    ----------
    module : torch.nn.Module
        The network; `refine` changes its parameters in place. Whoever calls `refine` puts the
        module back if it raises.
    specs : dict of str to ParameterSpec
        By name, the specs of those parameters that this initializer set.
    inputs : tuple or None
        Positional arguments of ``module(...)``, tensors on the module's device; None without X.
    keywords : dict
        Keyword arguments of ``module(...)``.
    target : tensor or None
        y on the module's device; None without y.
    seed : int
        Seed that named streams derive from.
    notes : dict of str to str
        By name of a parameter, what `refine` did to it, for the record; written by `note`.

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
    ['weight initializer; halved', 'biases are zero unless said otherwise']
    """

    module: nn.Module
    specs: dict[str, ParameterSpec]
    inputs: tuple[Any, ...] | None = None
    keywords: dict[str, Any] = field(default_factory=dict)
    target: torch.Tensor | None = None
    seed: int = 0
    notes: dict[str, str] = field(default_factory=dict)

    def restricted(self, names: Collection[str]) -> "Network":
        """Return the same network, with those specs only that have the given names."""
        return replace(self, specs={name: spec for name, spec in self.specs.items() if name in names})

    def note(self, name: str, text: str) -> None:
        """Write into the record what was done to a parameter, after what is there already."""
        before = self.notes.get(name)
        self.notes[name] = f"{before}; {text}" if before else text

    def generator(self, *names: object) -> torch.Generator:
        """Return the CPU generator of a named stream."""
        return make_generator(self.seed, *names)

    def layers(self) -> Iterator[Layer]:
        """Yield the affine layers whose weight this initializer set, in the module's order."""
        for name, module in self.module.named_modules():
            if isinstance(module, AFFINE):
                spec = self.specs.get(f"{name}.weight" if name else "weight")
                if spec is not None:
                    yield Layer(name, module, spec)

    @contextmanager
    def mode(self, training: bool) -> Iterator[None]:
        """Run the block in training or evaluation mode; modes, buffers and random state are put back."""
        modes = [(module, module.training) for module in self.module.modules()]
        put_buffers_back = remember_buffers(self.module)
        device = next((p.device for p in self.module.parameters()), torch.device("cpu"))
        try:
            self.module.train(training)
            with isolated_torch_random(derive_seed(self.seed, "refine"), str(device)):
                yield
        finally:
            for module, was in modes:
                module.training = was
            put_buffers_back()

    def forward(self) -> Any:
        """Run the batch through the module."""
        if self.inputs is None:
            raise ModuleError("a batch is missing (give X)")
        return self.module(*self.inputs, **self.keywords)
