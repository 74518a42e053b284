"""Outputs of modules as named tensors, with the meaning of their axes: samples, sequence elements and units."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from initsk.exceptions import ModuleError
from initsk.utils.words import counted


@dataclass(frozen=True)
class Axes:
    """Meaning of a tensor's axes.

    Parameters
    ----------
    channels_first : bool
        Whether the second axis counts the units, as in convolutions; otherwise the last axis does.
    samples : int
        The axis that counts the samples: 0, or 1 if the first axis is time.
    is_sequence : bool
        Whether another axis counts the elements of sequences, which may be padding.
    follows_time_first : bool
        Whether a module with time as the first axis ran before. This decides which axis is time if the numbers of
        samples and of elements are equal.
    is_one_sample : bool
        Whether the axis of the samples is missing.
    has_heads : bool
        Whether the second axis counts the heads of an attention, and the last one the keys.
    """

    channels_first: bool = False
    samples: int = 0
    is_sequence: bool = True
    follows_time_first: bool = False
    is_one_sample: bool = False
    has_heads: bool = False

    def rows(self, values: torch.Tensor, padding: torch.Tensor | None = None) -> torch.Tensor:
        """Reshape to (samples and elements, units), without the elements for which `padding` is True."""
        values = self._plain(values)
        if values.dim() == 0:
            return values.reshape(1, 1)
        if self.channels_first and values.dim() > 2:
            values = values.movedim(1, -1)
        if padding is not None and self.is_sequence:
            values = self._unpadded(values, padding)
        return values.reshape(-1, values.shape[-1])

    def _plain(self, values: torch.Tensor) -> torch.Tensor:
        """Return values with an axis of the samples, and with the heads of an attention after the queries."""
        if values.is_nested:
            values = values.values()
        if self.has_heads:
            values = values.movedim(1, 2)
        return values.unsqueeze(0) if self.is_one_sample else values

    def _unpadded(self, values: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
        padding = padding.to(values.device)
        if values.dim() == 2:
            # The rows are the elements of all samples, sample by sample.
            return values[~padding.flatten()] if len(values) == padding.numel() else values
        masks = (padding.T, padding) if self.samples == 1 or self.follows_time_first else (padding, padding.T)
        fitting = next((mask for mask in masks if values.shape[:2] == mask.shape), None)
        return values if fitting is None else values[~fitting]

    def per_sample(self, values: torch.Tensor, n_samples: int, layer: str) -> torch.Tensor:
        """Reshape to (samples, all other axes), in the tensor's own order."""
        values = self._plain(values)
        axis = self.samples if values.dim() > 2 else 0
        if values.dim() > axis and values.shape[axis] == n_samples:
            return values.movedim(axis, 0).reshape(n_samples, -1)
        raise ModuleError(
            f"{layer} gives values of shape {tuple(values.shape)} for {counted(n_samples, 'sample')}: they cannot be"
            " features (allowed: layers that give each sample its own values)"
        )


def unfold(part: nn.Module, output: Any, samples: int) -> Iterator[tuple[str, torch.Tensor, Axes]]:
    """Yield for each tensor in a module's output the suffix of its name, the tensor and its axes.

    Parameters
    ----------
    part : torch.nn.Module
        The module.
    output : object
        Its output: a tensor, or tuples, lists, mappings and packed sequences of tensors.
    samples : int
        The axis that counts the samples in tensors of sequences.

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
            yield from _tensors(name, state, Axes(samples=1, is_sequence=False))
    elif isinstance(part, nn.LSTMCell) and isinstance(output, tuple):
        for name, state in zip(("", "/c"), output, strict=True):
            yield from _tensors(name, state, Axes(is_sequence=False))
    elif isinstance(part, nn.MultiheadAttention) and isinstance(output, tuple):
        yield from _tensors("", output[0], Axes(samples=samples))
        weights = output[1]
        # A matrix per head, or their mean: queries are elements of the sequence, keys are units.
        heads = isinstance(weights, torch.Tensor) and weights.dim() == 4
        yield from _tensors("/weights", weights, Axes(has_heads=heads))
    else:
        yield from _tensors("", output, Axes(samples=samples))


def _tensors(name: str, value: Any, axes: Axes) -> Iterator[tuple[str, torch.Tensor, Axes]]:
    if isinstance(value, torch.Tensor):
        if value.is_floating_point():
            yield name, value, Axes(is_sequence=False) if value.is_nested else axes
    elif isinstance(value, PackedSequence):
        yield name, value.data, Axes(is_sequence=False)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _tensors(f"{name}/{key}", item, axes)
    elif isinstance(value, tuple | list):
        keys = getattr(value, "_fields", range(len(value)))
        held = [(key, item) for key, item in zip(keys, value, strict=True) if item is not None]
        for key, item in held:
            yield from _tensors(name if len(held) == 1 else f"{name}/{key}", item, axes)
