"""A module that is looked at and then is as it was."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import nn

from initsk.initializers import remember_buffers
from initsk.utils._compiled import run_as_written
from initsk.utils._random import isolated_torch_random


@contextmanager
def untouched(module: nn.Module, *, training: bool, gradients: bool, seed: int | None) -> Iterator[None]:
    """Set the module's mode, torch's random state and the recording of gradients for the length of the block.

    Afterwards, on any exit, training flags, buffers, what requires a gradient and the random state are as before.
    Without a seed, the module draws what it would draw next.
    """
    modes = [(part, part.training) for part in module.modules()]
    needs = [(parameter, parameter.requires_grad) for parameter in module.parameters()]
    put_buffers_back = remember_buffers(module)
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    with ExitStack() as stack:
        stack.enter_context(isolated_torch_random(seed, str(device)))
        stack.enter_context(run_as_written(module))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.set_grad_enabled(gradients))
        try:
            module.train(training)
            for parameter, _ in needs if gradients else ():
                # Frozen parameters would hide the layers before them.
                parameter.requires_grad_(parameter.is_floating_point() or parameter.is_complex())
            yield
        finally:
            for part, was in modes:
                part.training = was
            for parameter, was in needs:
                parameter.requires_grad_(was)
            put_buffers_back()
