"""Batches by indexing tensors: what a DataLoader does, without its cost per sample."""

from collections.abc import Iterator
from typing import Any

import torch

from initsk.utils._tensors import as_tensor


class TensorBatches:
    """Iterate over a skorch data set of arrays by slicing whole batches.

    A drop-in for ``torch.utils.data.DataLoader`` as skorch's ``iterator_train``.

    Parameters
    ----------
    dataset : skorch.dataset.Dataset
        Holds ``X`` and ``y`` as arrays or tensors; ``y`` may be None.
    batch_size : int, default=128
        Samples per batch; the last one may be smaller, -1 takes all at once.
    shuffle : bool, default=False
        Draw a new order at each pass.
    generator : torch.Generator, optional
        CPU generator of the orders.
    device : str, default="cpu"
        Where the data are kept; they move there once.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 128,
        shuffle: bool = False,
        generator: torch.Generator | None = None,
        device: str = "cpu",
    ) -> None:
        self.X = as_tensor(dataset.X).to(device)
        self.y = None if dataset.y is None else as_tensor(dataset.y).to(device)
        self.batch_size = len(self.X) if batch_size == -1 else int(batch_size)
        self.shuffle = shuffle
        self.generator = generator

    def __len__(self) -> int:
        return -(-len(self.X) // max(self.batch_size, 1))

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        n_samples = len(self.X)
        y = torch.zeros(n_samples) if self.y is None else self.y
        if not self.shuffle:
            yield from zip(self.X.split(self.batch_size), y.split(self.batch_size), strict=True)
            return
        order = torch.randperm(n_samples, generator=self.generator).to(self.X.device)
        for rows in order.split(self.batch_size):
            yield self.X.index_select(0, rows), y.index_select(0, rows)
