"""The layers of a module, and the choice of some of them by name, pattern, class, index or function."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from torch import nn
from typing_extensions import TypeAliasType

from initsk.exceptions import InvalidParameterError
from initsk.inspection.capture._place import Plan
from initsk.utils.validation import unknown_name

POSITIONS = ("both", "pre_activation", "activation")
LayerChoice = TypeAliasType("LayerChoice", str | type[nn.Module] | int | Callable[[str, nn.Module], bool])
Layers = TypeAliasType("Layers", LayerChoice | Sequence[LayerChoice] | None)
_ALLOWED_CHOICES = (
    "a name, a pattern like 'hidden_*', a module class, an integer, a function of name and module, or a list of these"
)
#: Name of a layer and of a position.
Key = tuple[str, str]


@dataclass
class ListedLayer:
    """A layer of a forward pass, with its positions and the modules that computed its values."""

    is_layer: bool
    positions: list[str] = field(default_factory=list)
    sources: list[tuple[str, nn.Module | None]] = field(default_factory=list)


class LayerCatalogue:
    """The layers of one forward pass, in order.

    Parameters
    ----------
    plan : Plan
        The plan of the forward pass.
    """

    def __init__(self, plan: Plan) -> None:
        self.listed: dict[str, ListedLayer] = {}
        for place in plan.places():
            layer = self.listed.setdefault(place.layer, ListedLayer(place.is_layer))
            layer.positions.append(place.position)
            layer.sources.append((place.module, place.part))

    @property
    def layers(self) -> list[str]:
        """Names of the layers that ``layers=None`` takes."""
        return [name for name, layer in self.listed.items() if layer.is_layer]

    def keys(self, layers: Collection[str], positions: str) -> set[Key]:
        """Return layers with their positions: all if `positions` is "both", otherwise one of each layer."""
        found = set()
        for name in layers:
            there = list(dict.fromkeys(self.listed[name].positions))
            wanted = {"both": there, "activation": there[-1:]}.get(positions, there[:1])
            found |= {(name, position) for position in wanted}
        return found

    def parameters_of(self, layers: Collection[str]) -> set[int]:
        """Return the identities of the parameters of these layers."""
        parts = [part for name in layers for _, part in self.listed[name].sources if part is not None]
        return {id(parameter) for part in parts for parameter in part.parameters()}

    def choose(self, owner: str, layers: Layers) -> list[str]:
        """Return the names of the chosen layers, each once, in the order of the choice.

        Raises
        ------
        InvalidParameterError
            If a chosen layer does not exist, or is chosen twice.
        """
        if layers is None:
            return self.layers
        choices = list(layers) if isinstance(layers, list | tuple) else [layers]
        different = {choice if isinstance(choice, str | int | type) else id(choice) for choice in choices}
        if not choices or len(different) < len(choices):
            wanted = "at least one layer" if not choices else "each layer once"
            raise InvalidParameterError(f"{owner}: layers={layers!r} is not allowed ({wanted})")
        found, problems = [], []
        for choice in choices:
            names, problem = self._resolve(choice)
            found += names
            problems += [problem] if problem else []
        if problems:
            raise InvalidParameterError(f"{owner}: " + "; ".join(problems))
        return list(dict.fromkeys(found))

    def _resolve(self, choice: Any) -> tuple[list[str], str]:
        """Return the layers of one choice, and what is wrong with the choice if there are none."""
        if isinstance(choice, str):
            matching = [choice] if choice in self.listed else self._where(lambda name, _: name == choice)
            matching = matching or self._where(lambda name, _: fnmatchcase(name, choice))
            problem = unknown_name("layer", choice, self.layers)
        elif isinstance(choice, int) and not isinstance(choice, bool):
            n = len(self.layers)
            matching = [self.layers[choice]] if -n <= choice < n else []
            problem = f"layer {choice} is not allowed (an integer from {-n} to {n - 1})"
        elif isinstance(choice, type):
            matching = self._where(lambda _, part: isinstance(part, choice))
            classes = {type(part).__name__ for layer in self.listed.values() for _, part in layer.sources if part}
            problem = unknown_name("class", choice.__name__, classes)
        elif callable(choice):
            matching = self._where(lambda name, part: part is not None and bool(choice(name, part)))
            problem = f"{choice!r} chooses no layer of {', '.join(self.layers)}"
        else:
            matching, problem = [], f"layers={choice!r} is not allowed ({_ALLOWED_CHOICES})"
        return matching, "" if matching else problem

    def _where(self, matches: Callable[[str, nn.Module | None], bool]) -> list[str]:
        return [
            layer
            for layer, listed in self.listed.items()
            if any(matches(layer, part) or matches(name, part) for name, part in listed.sources)
        ]
