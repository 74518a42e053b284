"""Capture of the values that a module computes, at the moment of their computation, by a plan."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from initsk.exceptions import ModuleError
from initsk.inspection.capture._place import Place, Plan
from initsk.inspection.capture._plan import PlanMaker
from initsk.inspection.capture._unfold import unfold
from initsk.network import Batch, ForwardFollower, Step, read_pass, tensors_in
from initsk.utils.torch_settings import is_unchanged, mark_of

#: Called with each value, its place, and whether an earlier forward pass of the same batch has captured it already.
OnValue = Callable[[Place, torch.Tensor, bool], None]
# Forward passes that take more ways than this are read each time.
_MAX_PLANS = 8
_OUTSIDE = "its forward computes in numpy, where no layer is found and no gradient flows (allowed: operations of torch)"


class Capture(ForwardFollower):
    """Run a module on batches and capture its values.

    The network is read on the first batch, which gives the plan: what to capture at which step. A forward pass that
    takes another way, because it depends on values or on the number of samples, is followed until the first step that
    no plan has. Then it is read, and repeated for the rest of its values.

    Parameters
    ----------
    module : torch.nn.Module
        The module that runs.
    training : bool or None
        Whether the forward passes are in training mode; None leaves the parts of the module as they are.
    gradients : bool
        Whether the forward passes record gradients.
    """

    def __init__(self, module: nn.Module, *, training: bool | None, gradients: bool) -> None:
        super().__init__(module)
        self.mode: dict[str, Any] = {"training": training, "gradients": gradients}
        self.plans: list[Plan] = []
        # The number of steps that a plan has, if the forward pass went on in another way.
        self.n_followed: int | None = None

    def read(self, batch: Batch, *, whole: bool = False) -> Plan:
        """Read the network on a batch, and return the plan.

        Raises
        ------
        ModuleError
            If the module has no layer with parameters and no activation function, or torch refuses the batch.
        """
        maker = PlanMaker(self.module, self.names)
        try:
            with self.paused_inside():
                reading = read_pass(self.module, batch, **self.mode, start=maker.start, whole=whole)
        except Exception:
            # The error of the module itself names the layer.
            with self.paused_inside():
                batch.run(self.module)
            raise
        plan = maker.make(reading)
        if not plan.has_layers:
            name = type(self.module).__name__
            why = f"; {_OUTSIDE}" if reading.leaves_torch else ""
            raise ModuleError(f"{name} has no layer with parameters and no activation function to capture{why}")
        self.plans = [*self.plans[1 - _MAX_PLANS :], plan]
        return plan

    def first_plan(self, batch: Batch) -> Plan:
        """Return the plan that the next forward pass begins with; the network is read on the batch if there is none."""
        return self.plans[-1] if self.plans else self.read(batch)

    def run(self, batch: Batch, on_value: OnValue) -> Any:
        """Return the output of the module for a batch; call `on_value` with each value, in order."""
        self.first_plan(batch)
        before = torch.get_rng_state()
        marks = [(tensor, mark_of(tensor)) for tensor in tensors_in([batch.inputs, batch.keywords])]
        output, n_followed = self._pass(batch, on_value, 0)
        if n_followed is None or not all(is_unchanged(*marked) for marked in marks):
            return output
        torch.set_rng_state(before)
        self.read(batch, whole=True)
        torch.set_rng_state(before)
        return self._pass(batch, on_value, n_followed)[0]

    def _pass(self, batch: Batch, on_value: OnValue, n_captured: int) -> tuple[Any, int | None]:
        """Return the output, and the number of steps that were followed if the pass took an unknown way."""
        self.start_pass()
        self.plan, self.n_followed = self.plans[-1], None
        self.on_value, self.n_captured = on_value, n_captured
        return batch.run(self.module), self.n_followed

    def on_function(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a function of torch; capture its arguments and its result if the plan says so."""
        if not self._follows(Step(self.parts[-1], function)):
            return function(*args, **kwargs)
        step = self.n_steps - 1
        for number, place in self.plan.arguments.get(step, ()):
            self._give(place, tensors_in([args, kwargs])[number])
        result = function(*args, **kwargs)
        if step in self.plan.results:
            self._give(self.plan.results[step], tensors_in(result)[0])
        return result

    def on_leave(self, part: nn.Module, arguments: Any, output: Any) -> None:
        """Capture the output of a module."""
        if not self._follows(Step(part, None)) or output is None:
            return
        places = self.plan.outputs.get(self.n_steps - 1)
        if places:
            for suffix, tensor, _ in unfold(part, output, 0):
                if suffix in places:
                    self._give(places[suffix], tensor)

    def _give(self, place: Place, tensor: torch.Tensor) -> None:
        if tensor.is_floating_point():
            self.on_value(place, tensor, self.n_steps <= self.n_captured)

    def _follows(self, step: Step) -> bool:
        """Return whether a plan has all steps until now; another plan than before may have them."""
        if self.n_followed is not None:
            return False
        position = self.n_steps - 1
        if _has(self.plan, position, step):
            return True
        for plan in self.plans:
            if _has(plan, position, step) and plan.steps[:position] == self.plan.steps[:position]:
                self.plan = plan
                return True
        self.n_followed = position
        return False


def _has(plan: Plan, position: int, step: Step) -> bool:
    return position < len(plan.steps) and plan.steps[position] == step
