"""Seeing what a module computes, layer by layer, and leaving no trace."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from initsk.exceptions import ModuleError
from initsk.modules import ACTIVATION_TYPES

# called with (layer, site, values with units in the last dimension)
Observer = Callable[[str, str, torch.Tensor], None]
_CHANNELS_FIRST = (
    nn.modules.conv._ConvNd,
    nn.modules.batchnorm._BatchNorm,
    nn.GroupNorm,
    nn.modules.pooling._MaxPoolNd,
    nn.modules.pooling._AvgPoolNd,
)


def observed_layers(module: nn.Module) -> dict[str, nn.Module]:
    """Return the modules to watch: leaves with parameters of their own, and activation functions."""
    found = {}
    for name, part in module.named_modules():
        own = any(True for _ in part.parameters(recurse=False))
        if isinstance(part, ACTIVATION_TYPES) or own:
            found[name or "module"] = part
    if not found:
        raise ModuleError(f"{type(module).__name__} has no layer with parameters and no activation function to watch")
    return found


class _Watch:
    """One forward pass at a time: says which layer and site each value belongs to."""

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self.calls: dict[str, int] = {}
        self.latest: tuple[str, torch.Tensor, bool] | None = None

    def begin(self) -> None:
        self.calls.clear()
        self.latest = None

    def see(self, name: str, part: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        values = _first_tensor(output)
        if values is None:
            return
        call = self.calls.get(name, 0)
        self.calls[name] = call + 1
        layer = f"{name}:{call}" if call else name
        activation = isinstance(part, ACTIVATION_TYPES)
        site = "output"
        channels_first = isinstance(part, _CHANNELS_FIRST)
        if activation:
            site = "activation"
            source = _first_tensor(inputs)
            if self.latest is not None and source is self.latest[1]:
                layer, _, channels_first = self.latest
            self.latest = None
        else:
            self.latest = (layer, values, channels_first)
        self.observer(layer, site, _units_last(values.detach(), channels_first))


def _first_tensor(value: Any) -> torch.Tensor | None:
    if isinstance(value, torch.Tensor):
        return value
    if isinstance(value, nn.utils.rnn.PackedSequence):
        return value.data
    if isinstance(value, tuple | list):
        return next((found for item in value if (found := _first_tensor(item)) is not None), None)
    return None


def _units_last(values: torch.Tensor, channels_first: bool) -> torch.Tensor:
    """Reshape to (samples and positions, units): channels are units, positions are samples."""
    if values.dim() == 0:
        return values.reshape(1, 1)
    if channels_first and values.dim() > 2:
        values = values.movedim(1, -1)
    return values.reshape(-1, values.shape[-1])


@contextmanager
def watching(module: nn.Module, observer: Observer) -> Iterator[Callable[[torch.Tensor], Any]]:
    """Attach `observer`, give a function that runs one batch, and put everything back.

    Inside the block the module is in evaluation mode and no gradient is recorded;
    afterwards, on any exit, its hooks and every training flag are as before.
    """
    watch = _Watch(observer)
    training = {part: part.training for part in module.modules()}
    handles = []
    try:
        for name, part in observed_layers(module).items():

            def hook(part: nn.Module, inputs: tuple[Any, ...], output: Any, name: str = name) -> None:
                watch.see(name, part, inputs, output)

            handles.append(part.register_forward_hook(hook))
        module.eval()

        def run(batch: torch.Tensor) -> Any:
            watch.begin()
            with torch.no_grad():
                return module(batch)

        yield run
    finally:
        for handle in handles:
            handle.remove()
        for part, flag in training.items():
            part.training = flag
