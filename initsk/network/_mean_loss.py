"""The mean loss of a module's output, with one kind of error for whatever a user's criterion does."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from initsk.exceptions import InitskError, ModuleError
from initsk.network._calls import describe_arrays
from initsk.network._criteria import Criterion, loss_function
from initsk.network._inputs import arrays_in
from initsk.network._outputs import loss_of
from initsk.utils.words import reason_of


def mean_loss(
    output: Any, target: Any, criterion: Criterion | None = None, net: Any = None, X: Any = None
) -> torch.Tensor:
    """Return what `loss_of` returns, as a scalar.

    Raises
    ------
    ModuleError
        If output, targets and criterion do not fit each other, or the loss is no scalar.

    Examples
    --------
    >>> mean_loss(torch.zeros(4, 2), torch.tensor([0, 1, 1, 0]))
    tensor(0.6931)
    """
    criterion = None if criterion is None else loss_function(criterion)
    compute = partial(loss_of, output, target, criterion, net, X)
    return checked_loss(compute, criterion or getattr(net, "criterion_", None), output, target)


def checked_loss(compute: Callable[[], Any], criterion: Any, output: Any, target: Any) -> torch.Tensor:
    """Return a loss as a scalar.

    Parameters
    ----------
    compute : callable
        Returns the loss.
    criterion, output, target : object
        What it is computed from, for the error.

    Raises
    ------
    ModuleError
        If the criterion fails, or the loss is no scalar.
    """
    try:
        loss = compute()
    except (InitskError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # a user's criterion may raise anything
        name = getattr(criterion, "__name__", type(criterion).__name__)
        given = describe_arrays(arrays_in(output, "output") | arrays_in(target, "y"))
        raise ModuleError(
            f"criterion {name} fails for {given}: {reason_of(error)} (allowed: a function of output and y that"
            " returns the mean loss, and that gives a loss such as CTCLoss what else it needs)"
        ) from error
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        given = f"shape {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else type(loss).__name__
        raise ModuleError(f"the criterion returns {given} (allowed: the mean loss, a scalar tensor)")
    return loss.reshape(())
