"""Places of captured values: layer and position, and the steps of a forward pass at which the values are taken."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import nn

from initsk.inspection.capture._unfold import Axes
from initsk.network import Step


@dataclass(frozen=True)
class Place:
    """The layer and the position of a value that a forward pass computes.

    Parameters
    ----------
    layer : str
        Name of the layer that the value belongs to, with the number of the call after the first (``fc:1``).
    position : str
        "output" of a layer; "pre_activation" and "activation" before and after an activation function.
    module : str
        Name of the module or function that computes the value.
    part : torch.nn.Module or None
        The module; None for a function.
    kind : str
        The module's class, or the function's name.
    is_layer : bool
        Whether inspections take the value if the user chooses no layers.
    axes : Axes
        The meaning of the value's axes.
    function : callable or None
        The activation function that computes the value.
    """

    layer: str
    position: str
    module: str
    part: nn.Module | None
    kind: str
    is_layer: bool
    axes: Axes
    function: Callable[[torch.Tensor], torch.Tensor] | None = None


@dataclass
class Plan:
    """The values to capture at each step of a forward pass.

    Attributes
    ----------
    steps : list of Step
        The steps of the forward pass. The plan holds for forward passes with these steps.
    arguments : dict of int to list of (int, Place)
        Places of arguments of a function, with their numbers among its tensors.
    results : dict of int to Place
        Place of the result of a function.
    outputs : dict of int to dict of str to Place
        Places of the tensors in the output of a module, by the suffix of their name.
    """

    steps: list[Step]
    arguments: dict[int, list[tuple[int, Place]]] = field(default_factory=dict)
    results: dict[int, Place] = field(default_factory=dict)
    outputs: dict[int, dict[str, Place]] = field(default_factory=dict)

    def places(self) -> Iterator[Place]:
        """Yield all places in the order of the forward pass."""
        for step in range(len(self.steps)):
            yield from (place for _, place in self.arguments.get(step, ()))
            if step in self.results:
                yield self.results[step]
            yield from self.outputs.get(step, {}).values()

    @property
    def has_layers(self) -> bool:
        """Whether inspections take a value of the forward pass."""
        return any(place.is_layer for place in self.places())
