"""Batches by indexing tensors, without the cost per sample of a DataLoader.

An optimization: the batches must equal those of ``torch.utils.data.DataLoader``, except that samples of weight 0 are
skipped and a last batch that is too small is joined to the batch before it.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import Subset

from initsk.utils.torch_settings import as_tensor

# Share of a device's free memory that the data may take; the network and its activations need the rest.
_MEMORY_SHARE = 0.5


class TensorBatches:
    """Iterate over a skorch data set of arrays by slicing whole batches.

    Replaces ``torch.utils.data.DataLoader`` as skorch's ``iterator_train``. Data that are not on the device are moved
    to it once if they fit, otherwise batch by batch.

    Parameters
    ----------
    dataset : skorch.dataset.Dataset or torch.utils.data.Subset of one
        Holds ``X`` and ``y`` as arrays or tensors. ``y`` may be None, or a pair of targets and weights; samples of
        weight 0 are skipped.
    batch_size : int, default=128
        Samples per batch; the last one may be smaller.
    shuffle : bool, default=False
        Whether each pass has a new random order.
    generator : torch.Generator, optional
        CPU generator of the random orders.
    device : str, default="cpu"
        Device of the batches.
    min_size : int, default=1
        Smallest size of a batch: a smaller last batch is joined to the batch before it.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 128,
        shuffle: bool = False,
        generator: torch.Generator | None = None,
        device: str = "cpu",
        min_size: int = 1,
    ) -> None:
        self.rows = None
        if isinstance(dataset, Subset):
            self.rows, dataset = torch.as_tensor(dataset.indices), dataset.dataset
        columns = dataset.y if isinstance(dataset.y, tuple) else (dataset.y,)
        self.X = as_tensor(dataset.X)
        self.y = [torch.zeros(len(self.X)) if column is None else as_tensor(column) for column in columns]
        if len(self.y) == 2 and (unweighted := self.y[1] == 0).any():
            rows = torch.arange(len(self.X)) if self.rows is None else self.rows
            self.rows = rows[~unweighted[rows]]
        self.batch_size = int(batch_size)
        self.shuffle = shuffle
        self.generator = generator
        self.device = torch.device(device)
        self.min_size = min_size
        if fits([self.X, *self.y], self.device):
            self.X, self.y = self.X.to(self.device), [column.to(self.device) for column in self.y]

    @property
    def n_samples(self) -> int:
        """Number of samples of one pass."""
        return len(self.X if self.rows is None else self.rows)

    def _sizes(self) -> list[int]:
        whole, rest = divmod(self.n_samples, self.batch_size)
        sizes = [self.batch_size] * whole
        if 0 < rest < self.min_size and sizes:
            sizes[-1] += rest
        elif rest:
            sizes.append(rest)
        return sizes

    def __len__(self) -> int:
        return len(self._sizes())

    def __iter__(self) -> Iterator[tuple[torch.Tensor, Any]]:
        columns, rows, sizes = (self.X, *self.y), self.rows, self._sizes()
        if self.shuffle:
            order = torch.randperm(self.n_samples, generator=self.generator)
            rows = order if rows is None else rows[order]
        if rows is None:
            parts = zip(*(column.split(sizes) for column in columns), strict=True)
            yield from map(self._on_device, parts)
        else:
            rows = rows.to(self.X.device)
            # Targets and weights are small, so they are put in order once instead of batch by batch.
            small = [column.index_select(0, rows).split(sizes) for column in self.y]
            for part, *rest in zip(rows.split(sizes), *small, strict=True):
                yield self._on_device((self.X.index_select(0, part), *rest))

    def _on_device(self, columns: Any) -> tuple[torch.Tensor, Any]:
        X, *y = columns if self.X.device == self.device else [column.to(self.device) for column in columns]
        return X, y[0] if len(y) == 1 else tuple(y)


def fits(tensors: list[torch.Tensor], device: torch.device) -> bool:
    """Return whether the device has enough free memory for the tensors.

    Examples
    --------
    >>> fits([torch.zeros(3)], torch.device("cpu"))
    True
    """
    needed = sum(t.numel() * t.element_size() for t in tensors if t.device != device)
    if needed == 0 or device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return bool(needed <= _MEMORY_SHARE * free)
