"""Activation functions that a module calls as functions: ``F.relu(x)``, ``torch.tanh(x)``, ``x.sigmoid()``."""

from typing import TYPE_CHECKING, Any

from torch.overrides import TorchFunctionMode

from initsk.network import ACTIVATION_NAMES, function_of_first

if TYPE_CHECKING:
    from initsk.inspection.capture._capture import Capture

_CLAMPS = {"clamp", "clamp_min", "clip"}
_OTHER_NAMES = {"special_expit": "sigmoid", "special_erf": "erf"}
# What does not change values, what makes the function random, and where it is to write.
_NOT_RECOGNISED = ("inplace", "input", "training", "out")


class FunctionalActivations(TorchFunctionMode):
    """Inside of the block, calls of torch's activation functions go to a `Capture`, in this thread alone."""

    def __init__(self, capture: "Capture") -> None:
        super().__init__()
        self.capture = capture

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run a function of torch's; before and after an activation function, tell the capture."""
        kwargs = kwargs or {}
        # Outside of the module, data are made and losses computed.
        if self.capture.paused or not self.capture.stack or self.capture.in_activation:
            return func(*args, **kwargs)
        name = _activation_name(func, args, kwargs)
        if name is None:
            return func(*args, **kwargs)
        inputs = args[:1] or (kwargs.get("input"),)
        pending = self.capture.before(self.capture.name_of_call(name), None, inputs)
        output = func(*args, **kwargs)
        rest = {key: value for key, value in kwargs.items() if key not in _NOT_RECOGNISED}
        self.capture.after(pending, None, name, function_of_first(func, args[1:], rest), output)
        return output


def _activation_name(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
    """Return the name of an activation function; a clamp at zero from below is a ReLU."""
    name = str(getattr(func, "__name__", "")).rstrip("_")
    if name in _CLAMPS:
        bounds = [*args[1:], *kwargs.values()]
        low = kwargs.get("min", args[1] if len(args) > 1 else None)
        at_zero = isinstance(low, int | float) and low == 0
        return "relu" if at_zero and sum(bound is not None for bound in bounds) == 1 else None
    name = _OTHER_NAMES.get(name, name)
    return name if name in ACTIVATION_NAMES else None
