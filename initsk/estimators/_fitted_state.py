"""Restoring an estimator after a call that fails: its fitted attributes, and a net that is trained further."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import torch

from initsk.utils.torch_settings import copy_of

_Estimator = TypeVar("_Estimator", bound=Any)
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")
# The attribute of an interrupt after which the fitted attributes stay.
_KEPT = "keeps_fitted_attributes"


def all_or_nothing(
    method: Callable[Concatenate[_Estimator, _Arguments], _Result],
) -> Callable[Concatenate[_Estimator, _Arguments], _Result]:
    """Let a method of an estimator that fails leave the fitted attributes as they were.

    They stay new after an interrupt that was given to `keep_fitted`.

    Examples
    --------
    >>> from sklearn.base import BaseEstimator
    >>> class Model(BaseEstimator):
    ...     @all_or_nothing
    ...     def fit(self, fitted):
    ...         self.fitted_ = fitted
    ...         return 1 / fitted
    >>> model = Model()
    >>> model.fit(2)
    0.5
    >>> try:
    ...     model.fit(0)
    ... except ZeroDivisionError:
    ...     model.fitted_
    2
    """

    @wraps(method)
    def run(self: _Estimator, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        before = _fitted_attributes(self)
        try:
            return method(self, *args, **kwargs)
        except BaseException as error:
            if getattr(error, _KEPT, False):
                raise
            for name in _fitted_attributes(self).keys() - before.keys():
                delattr(self, name)
            vars(self).update(before)
            raise

    return run


def keep_fitted(interrupt: KeyboardInterrupt) -> None:
    """Let a method with the decorator `all_or_nothing` keep the new fitted attributes after an interrupt."""
    setattr(interrupt, _KEPT, True)


def _fitted_attributes(estimator: Any) -> dict[str, Any]:
    """Return the attributes that are not parameters."""
    parameters = estimator.get_params(deep=False)
    return {name: value for name, value in vars(estimator).items() if name not in parameters}


class TrainedState:
    """A block in which a trained net is trained further; if it fails, the net is as it was.

    These are the parameters and buffers, the optimizer's state, the history and the attributes of the net. Callbacks
    keep what they have seen. After an interrupt (Ctrl-C), the net keeps its last step.

    Parameters
    ----------
    net : skorch.NeuralNet
        An initialized net.
    """

    def __init__(self, net: Any) -> None:
        self.net = net
        self.attributes = dict(vars(net))
        self.tensors = [(kept, copy_of(kept)) for kept in (*net.module_.parameters(), *net.module_.buffers())]
        self.state = {key: _copied(value) for key, value in net.optimizer_.state.items()}
        self.groups = [dict(group) for group in net.optimizer_.param_groups]
        self.n_epochs = len(net.history)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, KeyboardInterrupt):
            return
        held = vars(self.net)
        held.clear()
        held.update(self.attributes)
        with torch.no_grad():
            for tensor, values in self.tensors:
                tensor.copy_(values)
        optimizer = self.net.optimizer_
        optimizer.state.clear()
        optimizer.state.update(self.state)
        for group, before in zip(optimizer.param_groups, self.groups, strict=True):
            group.clear()
            group.update(before)
        del self.net.history[self.n_epochs :]


def _copied(state: Any) -> Any:
    """Return a copy of an optimizer's state."""
    if isinstance(state, torch.Tensor):
        return copy_of(state)
    if isinstance(state, dict):
        return {key: _copied(value) for key, value in state.items()}
    return [_copied(value) for value in state] if isinstance(state, list) else state
