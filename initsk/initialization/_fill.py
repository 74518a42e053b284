"""Choice of the initializer of each parameter, and the filling of parameters."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import nan, prod

import numpy as np
import torch

from initsk.exceptions import InvalidParameterError
from initsk.initialization._record import Row, standard_deviation
from initsk.initializers import Choice, ExpectedMoments, Initializer, InitializerLike, Zeros, get_initializer
from initsk.network import ParameterSpec, PlannedParameter, set_tensor
from initsk.utils.random import make_generator
from initsk.utils.reason import Reason


class Chooser:
    """The initializers of weights, biases and output layers.

    Parameters
    ----------
    initializer : str, Initializer or callable
    bias, output : str, Initializer, callable or None
    """

    def __init__(
        self, initializer: InitializerLike, bias: InitializerLike | None, output: InitializerLike | None
    ) -> None:
        self.initializer = get_initializer(initializer)
        self._bias = None if bias is None else get_initializer(bias)
        self._output = None if output is None else get_initializer(output)
        self.given = [part for part in (self.initializer, self._bias, self._output) if part is not None]

    @property
    def reads_architecture(self) -> bool:
        """Whether an initializer uses the surroundings of the parameters."""
        return self._output is not None or any(part.reads_architecture for part in self.given)

    def check_specs(self, specs: list[ParameterSpec]) -> None:
        """Raise if an initializer has nothing to fill in this network."""
        for part in self.given:
            part.check_specs(specs)
        if self._output is not None and not any(self.initializer_for(spec) is self._output for spec in specs):
            raise InvalidParameterError(
                "output_initializer has nothing to fill: no last layer with a weight of its own was found"
                " (allowed: PerParameter with the layer's name; the weight must be neither frozen nor tied to another)"
            )

    def initializer_for(self, spec: ParameterSpec) -> Initializer:
        """Return the initializer that is responsible for a spec; only this one refines it."""
        if self._bias is not None and spec.role == "bias" and spec.is_known:
            return self._bias
        last = spec.role == "weight" and spec.place == "output" and spec.is_known
        return self._output if self._output is not None and last else self.initializer

    def choices(self, plan: PlannedParameter) -> tuple[Choice, ...]:
        """Return the choice for each spec of a parameter; an empty tuple leaves the parameter unchanged."""
        found = [self._choice(spec) for spec in plan.specs]
        chosen = tuple(choice for choice in found if choice is not None)
        if plan.deliberate and not all(choice.is_named for choice in chosen):
            return ()
        if chosen and len(chosen) < len(found):
            left = ", ".join(spec.block for spec, choice in zip(plan.specs, found, strict=True) if choice is None)
            raise InvalidParameterError(
                f"nothing fills {left} of {plan.name}, and other blocks are filled (allowed: all of them, or none)"
            )
        return chosen

    def expected_moments(self, spec: ParameterSpec, choice: Choice) -> ExpectedMoments | None:
        """Return the expected moments at the end; an initializer may change the values that its choice draws."""
        responsible = self.initializer_for(spec)
        changes = responsible.refines and not choice.is_default
        return (responsible if changes else choice.initializer).expected_moments(spec)

    def _choice(self, spec: ParameterSpec) -> Choice | None:
        initializer = self.initializer_for(spec)
        is_named = initializer is not self.initializer
        choice = initializer.choose(spec)
        if choice is not None:
            return choice._replace(is_named=True) if is_named else choice
        if is_named:
            return Choice(initializer, f"{'bias' if initializer is self._bias else 'output'} initializer", is_named)
        if spec.role == "bias" and spec.is_known:
            return Choice(Zeros(), Reason("biases are zero by default"), is_default=True)
        return None


_NO_SPEC = ParameterSpec(())
_LARGE = 2**24
# Each thread holds a drawn tensor; filling in place is meant to save memory.
_MAX_THREADS = 4


@dataclass(frozen=True)
class FillStep:
    """A planned parameter, and the initializers that fill it.

    Parameters
    ----------
    plan : PlannedParameter
    choices : tuple of Choice
        The choice for each drawn spec; empty if the parameter is left unchanged.
    drawn : PlannedParameter
        The plan with the specs to draw: the specs of `plan`, or one spec for the whole tensor.
    """

    plan: PlannedParameter
    choices: tuple[Choice, ...]
    drawn: PlannedParameter

    def check(self) -> None:
        """Raise if an initializer cannot fill its spec."""
        # A parameter that is left unchanged has specs, but no choices.
        for spec, choice in zip(self.drawn.specs, self.choices, strict=False):
            choice.initializer.check_spec(spec)

    def draw(self, seed: int) -> torch.Tensor | None:
        """Draw the values; None if the parameter is left unchanged."""
        tensor = self.plan.tensor
        if not self.choices:
            return None
        generator = make_generator(seed, self.plan.name)
        with torch.no_grad():
            pairs = zip(self.drawn.specs, self.choices, strict=True)
            return self.drawn.assemble([c.initializer.draw(spec, generator, tensor.dtype) for spec, c in pairs])

    def write(self, values: torch.Tensor | None) -> dict[str, float]:
        """Write the values and return the earlier standard deviations by name."""
        before = {name: standard_deviation(parameter) for name, parameter in self.plan.parameters.items()}
        if values is not None:
            set_tensor(self.plan.module, self.plan.attribute, values)
        return before

    def expected_std(self, chooser: Chooser) -> float:
        """Return the standard deviation of all values by the formula; NaN if it depends on more than the specs."""
        pairs = list(zip(self.drawn.specs, self.choices, strict=False))
        moments = [chooser.expected_moments(spec, choice) for spec, choice in pairs]
        known = [part for part in moments if part is not None]
        if not known or len(known) < len(moments):
            return nan
        sizes = [prod(spec.stacked_shape) for spec, _ in pairs]
        if not sum(sizes):
            return nan
        mean = float(np.average([part.mean for part in known], weights=sizes))
        squares = [part.variance + (part.mean - mean) ** 2 for part in known]
        return float(np.average(squares, weights=sizes) ** 0.5)

    def rows(self, before: dict[str, float], expected: dict[str, float], notes: dict[str, str]) -> Iterator[Row]:
        """Yield the rows of the record."""
        plan = self.plan
        spec = self.drawn.specs[0] if self.choices else _NO_SPEC
        different = {id(choice.initializer): choice.initializer for choice in self.choices}
        initializers = dict.fromkeys(map(repr, different.values()))
        for name, parameter in plan.parameters.items():
            touched = bool(self.choices)
            yield {
                "name": name,
                "shape": "x".join(str(size) for size in parameter.shape),
                "role": plan.role,
                "initializer": ", ".join(initializers),
                "fan_in": spec.fan_in,
                "fan_out": spec.fan_out,
                "expected_std": expected[plan.name] if name == plan.name else nan,
                "std_before": before[name],
                "std_after": standard_deviation(parameter) if touched else before[name],
                "touched": touched,
                "outcome": "filled" if touched else "kept" if plan.is_kept else "left",
                "why": "; ".join(dict.fromkeys(self._reasons(name, notes.get(plan.name, "")))),
            }

    def _reasons(self, name: str, note: str) -> Iterator[str]:
        plan = self.plan
        yield from [choice.why for choice in self.choices] or [plan.left_reason]
        if note:
            yield note
        if plan.specs and plan.specs[0].guessed and self.choices:
            yield "its surroundings by the order of registration, since the forward pass could not be read"
        if plan.aliases:
            yield f"the same as {', '.join(plan.aliases)}"
        if name != plan.name:
            yield f"through the parametrization of {plan.name}"


def plan_fill(plan: PlannedParameter, choices: tuple[Choice, ...]) -> FillStep:
    """Plan whether a parameter is drawn in blocks, or as the one tensor that a framework stores."""
    whole = [choice.initializer.stored_spec(spec) for spec, choice in zip(plan.specs, choices, strict=False)]
    if not choices or all(spec.framework == "" for spec in whole):
        return FillStep(plan, choices, plan)
    if len({choice.initializer for choice in choices}) > 1:
        names = ", ".join(dict.fromkeys(repr(choice.initializer) for choice in choices))
        raise InvalidParameterError(
            f"{plan.name} is one tensor to {names} (allowed: the same initializer for all of its blocks)"
        )
    return FillStep(plan, choices[:1], replace(plan, specs=(whole[0],)))


def fills_in_place(steps: list[FillStep]) -> bool:
    """Return whether to write each draw at once, because holding all draws would take too much memory.

    This needs draws that never fail. Several threads draw, because the random streams are independent.
    """
    large = sum(step.plan.tensor.numel() for step in steps) >= _LARGE
    plain = not any(step.plan.is_computed for step in steps)
    return large and plain and all(choice.initializer.draw_never_fails for step in steps for choice in step.choices)


def fill(steps: list[FillStep], seed: int) -> dict[str, float]:
    """Draw all parameters, then write them; return the earlier standard deviations by name."""
    drawn = [step.draw(seed) for step in steps]
    return {name: std for step, values in zip(steps, drawn, strict=True) for name, std in step.write(values).items()}


def fill_in_place(steps: list[FillStep], seed: int) -> dict[str, float]:
    """Draw and write parameter by parameter; return the earlier standard deviations by name.

    An interrupt waits for the parameters that threads have begun.
    """
    with ThreadPoolExecutor(min(torch.get_num_threads(), _MAX_THREADS)) as pool:
        written = list(pool.map(lambda step: step.write(step.draw(seed)), steps))
    return {name: std for stds in written for name, std in stds.items()}
