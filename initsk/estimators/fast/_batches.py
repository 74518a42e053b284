"""Batches by indexing tensors: what a DataLoader does, without its cost per sample."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.func import functional_call
from torch.utils.data import Subset

from initsk.utils.torch_settings import as_tensor

# Of a device's free memory, what the data may take; the network and its activations need the rest.
_SHARE = 0.5


class TensorBatches:
    """Iterate over a skorch data set of arrays by slicing whole batches.

    A drop-in for ``torch.utils.data.DataLoader`` as skorch's ``iterator_train``. The data
    stay where they are; on another device than theirs they are moved once where they
    fit, and batch by batch where they do not.

    Parameters
    ----------
    dataset : skorch.dataset.Dataset or torch.utils.data.Subset of one
        Holds ``X`` and ``y`` as arrays or tensors; ``y`` may be a pair of targets and weights,
        of which samples of weight 0 are left out, or None.
    batch_size : int, default=128
        Samples per batch; the last one may be smaller.
    shuffle : bool, default=False
        Draw a new order at each pass.
    generator : torch.Generator, optional
        CPU generator of the orders.
    device : str, default="cpu"
        Where the batches are.
    least : int, default=1
        Fewest samples of a batch: a smaller rest joins the batch before it.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 128,
        shuffle: bool = False,
        generator: torch.Generator | None = None,
        device: str = "cpu",
        least: int = 1,
    ) -> None:
        self.rows = None
        if isinstance(dataset, Subset):
            self.rows, dataset = torch.as_tensor(dataset.indices), dataset.dataset
        columns = dataset.y if isinstance(dataset.y, tuple) else (dataset.y,)
        self.X = as_tensor(dataset.X)
        self.y = [torch.zeros(len(self.X)) if column is None else as_tensor(column) for column in columns]
        if len(self.y) == 2:
            self._leave_out(self.y[1] == 0)
        self.batch_size = int(batch_size)
        self.shuffle = shuffle
        self.generator = generator
        self.device = torch.device(device)
        self.least = least
        if fits([self.X, *self.y], self.device):
            self.X, self.y = self.X.to(self.device), [column.to(self.device) for column in self.y]

    def _leave_out(self, excluded: torch.Tensor) -> None:
        if excluded.any():
            rows = torch.arange(len(self.X)) if self.rows is None else self.rows
            self.rows = rows[~excluded[rows]]

    @property
    def n_samples(self) -> int:
        """Samples of one pass."""
        return len(self.X if self.rows is None else self.rows)

    def _sizes(self) -> list[int]:
        whole, rest = divmod(self.n_samples, self.batch_size)
        sizes = [self.batch_size] * whole
        if 0 < rest < self.least and sizes:
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
            yield from map(self._moved, parts)
        else:
            rows = rows.to(self.X.device)
            # Targets and weights are small: they are put in order once, and not batch by batch.
            small = [column.index_select(0, rows).split(sizes) for column in self.y]
            for part, *rest in zip(rows.split(sizes), *small, strict=True):
                yield self._moved((self.X.index_select(0, part), *rest))

    def _moved(self, columns: Any) -> tuple[torch.Tensor, Any]:
        X, *y = columns if self.X.device == self.device else [column.to(self.device) for column in columns]
        return X, y[0] if len(y) == 1 else tuple(y)


def fits(tensors: list[torch.Tensor], device: torch.device) -> bool:
    """Say whether tensors may be held on a device as a whole.

    Examples
    --------
    >>> fits([torch.zeros(3)], torch.device("cpu"))
    True
    """
    needed = sum(t.numel() * t.element_size() for t in tensors if t.device != device)
    if needed == 0 or device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return bool(needed <= _SHARE * free)


#: Values of X up to which double precision is taken.
SMALL = 1_000_000


@torch.no_grad()
def outputs_in_double(module: nn.Module, X: np.ndarray) -> torch.Tensor:
    """Return a module's outputs, in evaluation mode, computed from its parameters in double precision.

    Examples
    --------
    >>> outputs_in_double(nn.Identity(), np.ones((1, 2), np.float32))
    tensor([[1., 1.]], dtype=torch.float64)
    """
    module.eval()
    tensors = dict(module.named_parameters()) | dict(module.named_buffers())
    doubles = {name: tensor.double() for name, tensor in tensors.items() if tensor.is_floating_point()}
    outputs: torch.Tensor = functional_call(module, doubles, (as_tensor(X).double(),))
    return outputs
