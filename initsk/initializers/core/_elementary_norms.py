"""Normalization layers written in elementary operations, which torch can differentiate any number of times."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from initsk.utils.torch_settings import working_type


@contextmanager
def elementary_norms(module: nn.Module) -> Iterator[None]:
    """Use `ElementaryNorms` inside the block whenever the module or a part of it runs.

    Hooks turn it on, so that it also applies when a checkpoint runs a part again during backpropagation.
    """
    running = threading.local()

    def enter(*_: Any) -> None:
        modes = vars(running).setdefault("modes", [])
        modes.append(nullcontext() if modes else ElementaryNorms())
        modes[-1].__enter__()

    def leave(*_: Any) -> None:
        vars(running)["modes"].pop().__exit__(None, None, None)

    def leave_all() -> None:
        while vars(running).get("modes"):
            leave()

    with ExitStack() as stack:
        # If an interrupt ends a forward pass, torch does not call its hooks.
        stack.callback(leave_all)
        for part in module.modules():
            if not isinstance(part, torch.jit.ScriptModule):
                stack.callback(part.register_forward_pre_hook(enter, prepend=True).remove)
                stack.callback(part.register_forward_hook(leave, always_call=True).remove)
        yield


class ElementaryNorms(TorchFunctionMode):
    """Replace torch's batch, instance and layer normalization inside the block, in this thread.

    The third derivatives of torch's own operations are unusable: ``layer_norm`` gives wrong ones, and so
    does ``batch_norm`` up to torch 2.13; from torch 2.14 on ``batch_norm`` raises. Running statistics are
    not updated.

    Examples
    --------
    >>> X = torch.tensor([[1.0], [3.0]])
    >>> with ElementaryNorms():
    ...     functional.batch_norm(X, None, None, training=True)
    tensor([[-1.0000],
            [ 1.0000]])
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run a torch function, or its replacement."""
        rule = _RULES.get(func)
        result = None if rule is None else rule(*args, **kwargs or {})
        return func(*args, **kwargs or {}) if result is None else result


def _batch_norm(
    input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None, weight: Tensor | None = None,
    bias: Tensor | None = None, training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor | None:  # fmt: skip
    """Return the normalized input, or None if running statistics are used or torch will raise."""
    factors = weight, bias, running_mean, running_var
    if not training or input.numel() == input.shape[1] or not _fit(input, input.shape[1:2], *factors):
        return None
    axes = [axis for axis in range(input.dim()) if axis != 1]
    return _normalize(input, axes, eps, weight, bias, _channels(input))


def _instance_norm(
    input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None, weight: Tensor | None = None,
    bias: Tensor | None = None, use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor | None:  # fmt: skip
    """Return the normalized input, or None if running statistics are used or torch will raise."""
    if not use_input_stats or input.shape[2:].numel() == 1 or not _fit(input, input.shape[1:2], weight, bias):
        return None
    return _normalize(input, range(2, input.dim()), eps, weight, bias, _channels(input))


def _layer_norm(
    input: Tensor, normalized_shape: Sequence[int] | int, weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor | None:  # fmt: skip
    """Return the normalized input, or None if torch will raise."""
    sizes = () if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not sizes or input.shape[input.dim() - len(sizes) :] != sizes or not _fit(input, sizes, weight, bias):
        return None
    return _normalize(input, range(-len(sizes), 0), eps, weight, bias, sizes)


_RULES: dict[Any, Callable[..., Tensor | None]] = {
    functional.batch_norm: _batch_norm,
    functional.instance_norm: _instance_norm,
    functional.layer_norm: _layer_norm,
    # The functions above call these, whose arguments have another order.
    torch.batch_norm: lambda x, w, b, mean, var, *rest: _batch_norm(x, mean, var, w, b, *rest[:-1]),
    torch.instance_norm: lambda x, w, b, mean, var, *rest: _instance_norm(x, mean, var, w, b, *rest[:-1]),
    torch.layer_norm: lambda x, sizes, *rest, **options: _layer_norm(x, sizes, *rest[:3], **options),
}


def _fit(input: Tensor, sizes: Sequence[int], *factors: Tensor | None) -> bool:
    """Return whether torch accepts an input and factors, each of the given sizes or None."""
    given, types = [f for f in factors if f is not None], (input.dtype, working_type(input.dtype))
    return input.is_floating_point() and all(f.shape == tuple(sizes) and f.dtype in types for f in given)


def _channels(input: Tensor) -> tuple[int, ...]:
    """Return the shape of a factor for each channel, so that it multiplies the input along axis 1."""
    return (-1, *[1] * (input.dim() - 2))


def _normalize(
    input: Tensor, axes: Sequence[int], eps: float, weight: Tensor | None, bias: Tensor | None, shape: Sequence[int]
) -> Tensor:
    """Return values of mean 0 and variance 1 over `axes`, computed in float32 or better, with factors of a `shape`."""
    values = input.to(working_type(input.dtype))
    centered = values - values.mean(tuple(axes), keepdim=True)
    values = centered * (centered.square().mean(tuple(axes), keepdim=True) + eps).rsqrt()
    values = values if weight is None else values * weight.view(*shape)
    values = values if bias is None else values + bias.view(*shape)
    return values.to(input.dtype)
