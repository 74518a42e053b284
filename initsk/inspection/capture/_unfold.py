"""What a module returns, as named tensors that know which of their axes are samples, positions and units."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from initsk.exceptions import ModuleError
from initsk.network import BATCH_OR_INSTANCE_NORM_LAYERS, CONVOLUTIONS, POOLINGS

CHANNELS_FIRST = (*CONVOLUTIONS, *BATCH_OR_INSTANCE_NORM_LAYERS, nn.GroupNorm, *POOLINGS)


@dataclass(frozen=True)
class Axes:
    """Meaning of a tensor's axes.

    Parameters
    ----------
    channels_first : bool
        Units are the second axis, as in convolutions; otherwise the last.
    samples : int
        Which axis counts the samples.
    has_positions : bool
        Whether the next axis counts positions of sequences, which may be padding.
    follows_time_first : bool
        Whether a part that has positions before samples ran before, as where both are equally many nothing else tells.
    """

    channels_first: bool = False
    samples: int = 0
    has_positions: bool = True
    follows_time_first: bool = False

    def rows(self, values: torch.Tensor, padding: torch.Tensor | None = None) -> torch.Tensor:
        """Reshape to (samples and positions, units), without the positions where `padding` is True."""
        if values.dim() == 0:
            return values.reshape(1, 1)
        if self.channels_first and values.dim() > 2:
            values = values.movedim(1, -1)
        if padding is not None and self.has_positions:
            values = self._unpadded(values, padding)
        return values.reshape(-1, values.shape[-1])

    def _unpadded(self, values: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
        padding = padding.to(values.device)
        if values.dim() == 2:
            # All positions of all samples one after another.
            return values[~padding.flatten()] if len(values) == padding.numel() else values
        ways = (padding.T, padding) if self.samples == 1 or self.follows_time_first else (padding, padding.T)
        fitting = next((way for way in ways if values.shape[:2] == way.shape), None)
        return values if fitting is None else values[~fitting]

    def per_sample(self, values: torch.Tensor, n_samples: int, layer: str) -> torch.Tensor:
        """Reshape to (samples, everything else), in the tensor's own order."""
        axis = self.samples if values.dim() > 2 else 0
        if values.dim() > axis and values.shape[axis] == n_samples:
            return values.movedim(axis, 0).reshape(n_samples, -1)
        raise ModuleError(
            f"{layer} gives values of shape {tuple(values.shape)} for {n_samples} samples: they cannot be features"
            " (allowed: layers that give each sample its own values)"
        )


def unfold(part: nn.Module, output: Any, samples: int) -> Iterator[tuple[str, torch.Tensor, Axes]]:
    """Yield the tensors that a module returns: what follows its name, values, axes.

    Parameters
    ----------
    part : torch.nn.Module
    output : object
        What it returned: a tensor, or tuples, lists, mappings and packed sequences of them.
    samples : int
        The axis that counts samples, where positions have one too.

    Examples
    --------
    >>> lstm = nn.LSTM(2, 3)
    >>> [suffix for suffix, _, _ in unfold(lstm, lstm(torch.zeros(5, 1, 2)), 1)]
    ['', '/h_n', '/c_n']
    """
    if isinstance(part, nn.RNNBase) and isinstance(output, tuple):
        values, states = output
        yield from _tensors("", values, Axes(samples=samples))
        names = ("/h_n", "/c_n") if isinstance(states, tuple) else ("/h_n",)
        for name, state in zip(names, states if isinstance(states, tuple) else (states,), strict=True):
            yield from _tensors(name, state, Axes(samples=1, has_positions=False))
    elif isinstance(part, nn.LSTMCell) and isinstance(output, tuple):
        for name, state in zip(("", "/c"), output, strict=True):
            yield from _tensors(name, state, Axes(has_positions=False))
    elif isinstance(part, nn.MultiheadAttention) and isinstance(output, tuple):
        yield from _tensors("", output[0], Axes(samples=samples))
        weights = output[1]
        # One matrix per head, or their mean: queries are positions, keys are units.
        heads = isinstance(weights, torch.Tensor) and weights.dim() == 4
        yield from _tensors("/weights", weights.movedim(1, 2) if heads else weights, Axes())
    elif isinstance(part, CHANNELS_FIRST) and isinstance(output, torch.Tensor):
        kernel = getattr(part, "kernel_size", ())
        alone = isinstance(part, CONVOLUTIONS) and output.dim() == len(kernel) + 1
        yield from _tensors("", output.unsqueeze(0) if alone else output, Axes(channels_first=True))
    else:
        yield from _tensors("", output, Axes(samples=samples))


def _tensors(name: str, value: Any, axes: Axes) -> Iterator[tuple[str, torch.Tensor, Axes]]:
    if isinstance(value, torch.Tensor):
        if value.is_nested:
            value, axes = value.values(), Axes(has_positions=False)
        if value.is_floating_point():
            yield name, value, axes
    elif isinstance(value, PackedSequence):
        yield name, value.data, Axes(has_positions=False)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _tensors(f"{name}/{key}", item, axes)
    elif isinstance(value, tuple | list):
        keys = getattr(value, "_fields", range(len(value)))
        held = [(key, item) for key, item in zip(keys, value, strict=True) if item is not None]
        for key, item in held:
            yield from _tensors(name if len(held) == 1 else f"{name}/{key}", item, axes)
