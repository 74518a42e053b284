"""Double precision where it costs little: results then do not depend on the order of sums."""

import numpy as np
import torch
from torch import nn
from torch.func import functional_call

from initsk.utils._tensors import as_tensor

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
