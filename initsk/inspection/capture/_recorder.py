"""Which layers a user means: by name, glob, class, position or function."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import torch
from torch import nn

from initsk.exceptions import InvalidParameterError
from initsk.inspection.capture._capture import CapturedValue
from initsk.inspection.capture._unfold import Axes
from initsk.inspection.statistics._layer import MEASURES, LayerStatistics
from initsk.utils.validation import unknown_name

POSITIONS = ("both", "pre_activation", "activation")
LayerChoice = str | type[nn.Module] | int | Callable[[str, nn.Module], bool]
Layers = LayerChoice | Sequence[LayerChoice] | None
WAYS = (
    "a name, a pattern like 'hidden_*', a module class, an integer, a function of name and module, or a list of these"
)


@dataclass
class SeenLayer:
    """A layer met in a forward pass, with the modules that gave its values."""

    name: str
    is_layer: bool
    positions: list[str] = field(default_factory=list)
    sources: list[tuple[str, nn.Module | None]] = field(default_factory=list)


class LayerCatalogue:
    """Notes the layers of one forward pass, in order; an observer."""

    def __init__(self) -> None:
        self.seen: dict[str, SeenLayer] = {}

    def __call__(self, value: CapturedValue) -> None:
        layer = self.seen.setdefault(value.layer, SeenLayer(value.layer, value.is_layer))
        layer.positions.append(value.position)
        layer.sources.append((value.module, value.part))

    @property
    def layers(self) -> list[str]:
        """Layers that are taken where nobody asks for others."""
        return [name for name, layer in self.seen.items() if layer.is_layer]

    def keys(self, layers: Collection[str], positions: str) -> set[tuple[str, str]]:
        """Return which position of which layer is meant: "both", or one of them where there are two."""
        found = set()
        for name in layers:
            there = list(dict.fromkeys(self.seen[name].positions))
            found |= {
                (name, position) for position in {"both": there, "activation": there[-1:]}.get(positions, there[:1])
            }
        return found

    def choose(self, owner: str, layers: Layers) -> list[str]:
        """Return the names of the layers that are meant, each once, in the order asked for.

        Raises
        ------
        InvalidParameterError
            If something asked for is not there, or is given twice.
        """
        if layers is None:
            return self.layers
        asked = list(layers) if isinstance(layers, list | tuple) else [layers]
        if not asked or len({id(one) if callable(one) else one for one in asked}) < len(asked):
            wanted = "at least one layer" if not asked else "each layer once"
            raise InvalidParameterError(f"{owner}: layers={layers!r} is not allowed ({wanted})")
        found, problems = [], []
        for one in asked:
            names, problem = self._meant(one)
            found += names
            problems += [problem] if problem else []
        if problems:
            raise InvalidParameterError(f"{owner}: " + "; ".join(problems))
        return list(dict.fromkeys(found))

    def _meant(self, one: Any) -> tuple[list[str], str]:
        """Return the layers that one item of the list means, or what is wrong with it."""
        if isinstance(one, str):
            exact = [one] if one in self.seen else self._where(lambda name, _: name == one)
            matching = exact or self._where(lambda name, _: fnmatchcase(name, one))
            return matching, "" if matching else unknown_name("layer", one, self.layers)
        if isinstance(one, int) and not isinstance(one, bool):
            n = len(self.layers)
            if not -n <= one < n:
                return [], f"layer {one} is not allowed (an integer from {-n} to {n - 1})"
            return [self.layers[one]], ""
        if isinstance(one, type):
            matching = self._where(lambda _, part: isinstance(part, one))
            kinds = {type(part).__name__ for layer in self.seen.values() for _, part in layer.sources if part}
            return matching, "" if matching else unknown_name("class", one.__name__, kinds)
        if callable(one):
            matching = self._where(lambda name, part: part is not None and bool(one(name, part)))
            return matching, "" if matching else f"{one!r} chooses no layer of {', '.join(self.layers)}"
        return [], f"layers={one!r} is not allowed ({WAYS})"

    def _where(self, fits: Callable[[str, nn.Module | None], bool]) -> list[str]:
        return [
            layer.name
            for layer in self.seen.values()
            if any(fits(layer.name, part) or fits(name, part) for name, part in layer.sources)
        ]


Key = tuple[str, str]


@dataclass(frozen=True)
class Settings:
    """What is recorded."""

    bins: int = 128
    edges: Sequence[float] | None = None
    measures: Collection[str] = MEASURES
    gradients: bool = False


@dataclass
class Record:
    """Statistics of one layer at one position, and of the loss's gradient there."""

    module: str
    function: str
    values: LayerStatistics
    gradients: LayerStatistics

    def of(self, what: str) -> LayerStatistics:
        """Return the statistics of the "activations" or of the "gradients"."""
        return self.values if what == "activations" else self.gradients

    def __add__(self, other: "Record") -> "Record":
        return Record(self.module, self.function, self.values + other.values, self.gradients + other.gradients)


@dataclass
class Recorder:
    """An observer that keeps statistics, of the chosen layers and positions or of all.

    Attributes
    ----------
    records : dict of (layer, position) to Record
        In the order of the forward pass.
    activated : set of str
        Layers with an activation function, recorded or not.
    """

    settings: Settings
    chosen: Collection[Key] | None = None
    records: dict[Key, Record] = field(default_factory=dict)
    activated: set[str] = field(default_factory=set)
    padding: torch.Tensor | None = None
    n_samples: int = 1

    def expect(self, n_samples: int, padding: torch.Tensor | None) -> None:
        """Say what the next forward pass is about."""
        self.n_samples, self.padding = n_samples, padding

    def __call__(self, value: CapturedValue) -> None:
        """Take one value of the forward pass, and its gradient when the backward pass comes to it."""
        key = value.layer, value.position
        if value.position == "activation":
            self.activated.add(value.layer)
        wanted = value.is_layer if self.chosen is None else key in self.chosen
        if not wanted or value.tensor.numel() == 0:
            return
        if key not in self.records:
            self.records[key] = self._new_record(value)
        rows = value.axes.rows(value.tensor.detach(), self.padding)
        self.records[key].values.update(rows)
        if self.settings.gradients and value.tensor.requires_grad:
            value.tensor.register_hook(partial(self._take_gradient, key, value.axes, self.n_samples, self.padding))

    def _new_record(self, value: CapturedValue) -> Record:
        s = self.settings
        statistics = LayerStatistics(s.bins, s.edges, s.measures, value.function)
        function = value.kind if value.position == "activation" else ""
        return Record(value.module, function, statistics, LayerStatistics(s.bins, None, s.measures))

    def _take_gradient(
        self, key: Key, axes: Axes, n_samples: int, padding: torch.Tensor | None, gradient: torch.Tensor
    ) -> None:
        # Of each sample's own loss, since that does not depend on how many samples share a batch.
        rows = axes.rows(gradient.detach() * n_samples, padding)
        self.records[key].gradients.update(rows)
