"""How tensors lie in memory: which values can be written one by one, and the values of sparse tensors."""

import torch
from torch import nn


def why_not_writable(tensor: torch.Tensor) -> str:
    """Return why values cannot be written into a tensor one by one; "" if they can.

    Examples
    --------
    >>> why_not_writable(torch.eye(2)), why_not_writable(torch.eye(2).to_sparse())
    ('', 'is stored as torch.sparse_coo, not densely')
    >>> why_not_writable(torch.zeros(2, 1).expand(2, 3))
    'has elements that share memory, as after expand'
    """
    if nn.parameter.is_lazy(tensor):
        return "has no shape yet"
    if tensor.is_nested:
        return "is nested, without a shape"
    if tensor.layout is not torch.strided:
        return f"is stored as {tensor.layout}, not densely"
    reach = 0
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1 and stride <= reach and tensor.numel():
            return "has elements that share memory, as after expand"
        reach += stride * max(size - 1, 0)
    return ""


def dense(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor with all of its values, also those that a sparse tensor does not store.

    Examples
    --------
    >>> dense(torch.eye(2).to_sparse()).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return tensor if tensor.layout is torch.strided else tensor.to_dense()
