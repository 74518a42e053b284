"""The loss that a skorch net makes of its module's output."""

from typing import Any

import torch


def has_own_loss(net: Any) -> bool:
    """Return whether the class of a net, or the net itself, overrides skorch's ``get_loss``.

    Examples
    --------
    >>> import skorch
    >>> has_own_loss(skorch.NeuralNetClassifier(torch.nn.ReLU)), has_own_loss(None)
    (False, False)
    """
    return hasattr(net, "get_loss") and not _is_of_skorch(net.get_loss)


def loss_of_net(net: Any, output: Any, target: Any, X: Any = None) -> torch.Tensor:
    """Return the loss by which an initialized net trains, for an output of its module or of a copy."""
    output = _as_inferred(net, output)
    if not has_own_loss(net):
        target = _as_column(output, target)
    loss: torch.Tensor = net.get_loss(output, target, X=X, training=False)
    return loss


def _is_of_skorch(method: Any) -> bool:
    """Return whether a method of a net is that of skorch, or of this package's nets."""
    return getattr(method, "__module__", "").partition(".")[0] in ("skorch", "initsk")


def _as_inferred(net: Any, output: Any) -> Any:
    """Return what skorch makes of an output, such as a column of scores of a binary classifier as a vector."""
    if not _is_of_skorch(getattr(net, "infer", None)):
        return output
    # A net whose module returns this output.
    other = object.__new__(type(net))
    vars(other).update(vars(net) | {"module_": lambda inputs: output})
    return other.infer(torch.empty(0))


def _as_column(output: Any, target: Any) -> Any:
    """Return real targets as a column if the output is a column."""
    if not isinstance(target, torch.Tensor) or target.ndim != 1 or not target.is_floating_point():
        return target
    return target[:, None] if getattr(output, "shape", ()) == (len(target), 1) else target
