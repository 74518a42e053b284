"""Scores of untrained networks from the literature, as yardsticks for the diagnosis."""

import numpy as np
import torch
from torch import nn

from initsk.network import copy_of_module


def naswot(module, X):
    """Return the log determinant of the kernel of activation patterns (Mellor et al. 2021, equation 2).

    The pattern of a sample is the sign of every value before an activation function; it is defined for ReLU, and taken
    here for every layer with weights.
    """
    codes, hooks = [], []
    layers = [part for part in module.modules() if isinstance(part, nn.Linear | nn.Conv2d)]
    for layer in layers:
        hooks.append(layer.register_forward_hook(lambda _, __, output: codes.append((output > 0).flatten(1).double())))
    was_training = module.training
    try:
        module.eval()
        with torch.no_grad():
            module(X)
    finally:
        module.train(was_training)
        for hook in hooks:
            hook.remove()
    kernel = sum(code @ code.T + (1 - code) @ (1 - code).T for code in codes if len(code) == len(X))
    if isinstance(kernel, int):
        return float("nan")
    sign, value = np.linalg.slogdet(kernel.numpy())
    return float(value) if sign > 0 else float("nan")


def synflow(module, X):
    """Return the logarithm of the synaptic flow (Tanaka et al. 2020, equation 1): the sum of weight times gradient.

    The weights are replaced by their absolute values, and the input by ones. Token numbers are taken as they are.
    """
    copied = copy_of_module(module).eval().double()
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.abs_()
    output = copied(torch.ones_like(X, dtype=torch.float64) if X.is_floating_point() else X)
    output.sum().backward()
    total = sum(float((p.detach() * p.grad).sum()) for p in copied.parameters() if p.grad is not None)
    return float(np.log10(max(total, 1e-300))) if np.isfinite(total) else 300.0
