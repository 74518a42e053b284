"""Capture of activation functions called as functions: ``F.relu(x)``, ``torch.tanh(x)``, ``x.sigmoid()``."""

from typing import TYPE_CHECKING, Any

from torch.overrides import TorchFunctionMode

from initsk.network import ACTIVATION_NAMES, FunctionOfFirst

if TYPE_CHECKING:
    from initsk.inspection.capture._capture import Capture

_CLAMPS = {"clamp", "clamp_min", "clip"}
_OTHER_NAMES = {"special_expit": "sigmoid", "special_erf": "erf"}
# Arguments that are not parameters of the function itself.
_NOT_PARAMETERS = ("inplace", "input", "training", "out")


class FunctionalActivations(TorchFunctionMode):
    """Report calls of torch's activation functions inside the block to a `Capture`, in this thread only."""

    def __init__(self, capture: "Capture") -> None:
        super().__init__()
        self.capture = capture

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run a function of torch; capture its input and output if it is an activation function."""
        kwargs, capture = kwargs or {}, self.capture
        # Functions called outside the module make data and compute losses.
        ignored = capture.ignores_functions or not capture.running_parts or capture.in_activation
        name = None if ignored else _activation_name(func, args, kwargs)
        if name is None:
            return func(*args, **kwargs)
        inputs = args[:1] or (kwargs.get("input"),)
        call = capture.take_activation_input(capture.name_of_call(name), None, inputs)
        output = func(*args, **kwargs)
        rest = {key: value for key, value in kwargs.items() if key not in _NOT_PARAMETERS}
        capture.take_activation_output(call, None, name, FunctionOfFirst(func, args[1:], rest), output)
        return output


def _activation_name(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
    """Return the name of an activation function, or None; a clamp with only a lower bound of zero is a ReLU."""
    name = str(getattr(func, "__name__", "")).rstrip("_")
    if name in _CLAMPS:
        bounds = [*args[1:], *kwargs.values()]
        low = kwargs.get("min", args[1] if len(args) > 1 else None)
        at_zero = isinstance(low, int | float) and low == 0
        return "relu" if at_zero and sum(bound is not None for bound in bounds) == 1 else None
    name = _OTHER_NAMES.get(name, name)
    return name if name in ACTIVATION_NAMES else None
