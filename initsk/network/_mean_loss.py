"""The mean loss of a module's output, with one kind of error for whatever a user's criterion does."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch

from initsk.exceptions import InitskError, ModuleError
from initsk.network._calls import describe_arrays
from initsk.network._criteria import Criteria, Criterion, loss_function
from initsk.network._inputs import arrays_in
from initsk.network._outputs import loss_of
from initsk.utils.words import reason_of


def mean_loss(
    output: Any, target: Any, criterion: Criteria | None = None, net: Any = None, X: Any = None, owner: str = ""
) -> torch.Tensor:
    """Return what `loss_of` returns, as a scalar; of criteria by name of the head, the sum over the heads.

    Parameters
    ----------
    output, target, criterion, net, X
        As in `loss_of`; `criterion` may also have one criterion for each head.
    owner : str, default=""
        What error messages begin with.

    Raises
    ------
    ModuleError
        If output, targets and criterion do not fit each other, or the loss is not one real number.

    Examples
    --------
    >>> mean_loss(torch.zeros(4, 2), torch.tensor([0, 1, 1, 0]))
    tensor(0.6931)
    >>> mean_loss({"size": torch.ones(4)}, {"size": torch.zeros(4)}, {"size": "MSELoss"})
    tensor(1.)
    """
    if isinstance(criterion, Mapping):
        return _sum_of_heads(output, target, criterion, owner)
    criterion = None if criterion is None else loss_function(criterion)
    compute = partial(loss_of, output, target, criterion, net, X)
    return checked_loss(compute, criterion or getattr(net, "criterion_", None), output, target, owner)


def _sum_of_heads(output: Any, target: Any, criteria: Mapping[str, Criterion], owner: str) -> torch.Tensor:
    if not isinstance(target, Mapping) or target.keys() != criteria.keys():
        heads = list(target) if isinstance(target, Mapping) else type(target).__name__
        raise ModuleError(f"criterion has the heads {list(criteria)}, and y has {heads} (allowed: the same names)")
    losses = []
    for name, criterion in criteria.items():
        head = output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)
        if head is None:
            raise ModuleError(f"criterion has the head {name!r}, and the module returns none of that name")
        of_head = f"{owner}, head {name!r}" if owner else f"head {name!r}"
        losses.append(mean_loss(head, target[name], criterion, owner=of_head))
    return torch.stack(losses).sum()


def checked_loss(compute: Callable[[], Any], criterion: Any, output: Any, target: Any, owner: str = "") -> torch.Tensor:
    """Return a loss as a scalar.

    Parameters
    ----------
    compute : callable
        Returns the loss.
    criterion, output, target : object
        What it is computed from, for the error.
    owner : str, default=""
        What error messages begin with.

    Raises
    ------
    ModuleError
        If the criterion fails, or the loss is not one real number.
    """
    name = "the loss" if criterion is None else f"criterion {getattr(criterion, '__name__', type(criterion).__name__)}"
    start = f"{owner}: {name}" if owner else name
    try:
        loss = compute()
    except (InitskError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # a user's criterion may raise anything
        given = describe_arrays(arrays_in(output, "output") | arrays_in(target, "y"))
        raise ModuleError(
            f"{start} fails for {given}: {reason_of(error)} (allowed: a function of output and y that returns the mean"
            " loss, and that gives a loss such as CTCLoss what else it needs)"
        ) from error
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1 or not loss.is_floating_point():
        is_tensor = isinstance(loss, torch.Tensor)
        given = describe_arrays({"a value": loss}) if is_tensor else f"a value of type {type(loss).__name__}"
        raise ModuleError(f"{start} returns {given} (allowed: the mean loss, a tensor of one real number)")
    return loss.reshape(())
