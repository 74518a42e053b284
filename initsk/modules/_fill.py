"""Drawing and writing: first everything is drawn, then it is written."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch

from initsk.exceptions import InvalidParameterError
from initsk.initializers import Choice, Site, set_tensor
from initsk.modules._plan import PlannedParameter
from initsk.modules._record import Row, standard_deviation
from initsk.utils._random import make_generator

_LARGE = 2**24
# Each holds a drawn tensor, and memory is what filling at once is for.
_MOST_THREADS = 4


@dataclass(frozen=True)
class Step:
    """A planned parameter, and who fills what of it.

    Parameters
    ----------
    plan : PlannedParameter
    choices : tuple of Choice
        Who fills each of the sites that are drawn; none where the parameter is left.
    drawn : PlannedParameter
        The plan with the sites that are drawn: those of `plan`, or one for the whole tensor.
    """

    plan: PlannedParameter
    choices: tuple[Choice, ...]
    drawn: PlannedParameter

    def check(self) -> None:
        """Raise if anyone refuses the site that is his."""
        # Where the parameter is left there are sites, but nobody to ask.
        for site, choice in zip(self.drawn.sites, self.choices, strict=False):
            choice.initializer.check_site(site)

    def draw(self, seed: int) -> torch.Tensor | None:
        """Draw the values; None where the parameter is left or has no values."""
        tensor = self.plan.tensor
        if not self.choices or tensor.is_meta:
            return None
        generator = make_generator(seed, self.plan.name)
        with torch.no_grad():
            blocks = [
                choice.initializer.draw(site, generator, tensor.dtype)
                for site, choice in zip(self.drawn.sites, self.choices, strict=True)
            ]
            return self.drawn.assemble(blocks)

    def write(self, values: torch.Tensor | None) -> dict[str, float]:
        """Write the values and return the standard deviations from before, by name."""
        before = {name: standard_deviation(parameter) for name, parameter in self.plan.parameters.items()}
        if values is not None:
            set_tensor(self.plan.module, self.plan.attribute, values)
        return before

    def rows(self, before: dict[str, float], notes: dict[str, str]) -> Iterator[Row]:
        """Yield the record's rows."""
        plan = self.plan
        site = self.drawn.sites[0] if self.choices else Site(())
        initializers = dict.fromkeys(repr(choice.initializer) for choice in self.choices)
        for name, parameter in plan.parameters.items():
            touched = bool(self.choices) and not parameter.is_meta
            yield {
                "name": name,
                "shape": "x".join(str(size) for size in parameter.shape),
                "role": plan.role,
                "initializer": ", ".join(initializers),
                "fan_in": site.fan_in,
                "fan_out": site.fan_out,
                "std_before": before[name],
                "std_after": standard_deviation(parameter) if touched else before[name],
                "touched": touched,
                "why": "; ".join(dict.fromkeys(self._reasons(name, notes.get(plan.name, "")))),
            }

    def _reasons(self, name: str, note: str) -> Iterator[str]:
        plan = self.plan
        yield from [choice.why for choice in self.choices] or [plan.why_left]
        if note:
            yield note
        if plan.sites and plan.sites[0].guessed and self.choices:
            yield "its surroundings by the order of registration, since the forward cannot be traced"
        if plan.also:
            yield f"the same as {', '.join(plan.also)}"
        if name != plan.name:
            yield f"through the parametrization of {plan.name}"
        if plan.parameters[name].is_meta:
            yield "no values on the meta device"


def settle(plan: PlannedParameter, choices: tuple[Choice, ...]) -> Step:
    """Lay out a parameter as who fills it wants it: in blocks, or as the one tensor that a framework stores."""
    whole = [choice.initializer.laid_out(site) for site, choice in zip(plan.sites, choices, strict=False)]
    if not choices or all(site.framework == "" for site in whole):
        return Step(plan, choices, plan)
    if len({choice.initializer for choice in choices}) > 1:
        names = ", ".join(dict.fromkeys(repr(choice.initializer) for choice in choices))
        raise InvalidParameterError(
            f"{plan.name} is one tensor to {names} (allowed: the same initializer for all of its blocks)"
        )
    return Step(plan, choices[:1], replace(plan, sites=(whole[0],)))


def fills_at_once(steps: list[Step]) -> bool:
    """Say whether the network is so large that every draw before the first write would take too much memory.

    Then draws that cannot fail are written at once: by several threads, since the streams are independent.
    """
    large = sum(step.plan.tensor.numel() for step in steps) >= _LARGE
    plain = all(step.plan.name in step.plan.parameters for step in steps)
    return large and plain and all(choice.initializer.draws_surely for step in steps for choice in step.choices)


def fill(steps: list[Step], seed: int) -> dict[str, float]:
    """Draw every parameter, then write; return the standard deviations from before."""
    drawn = [step.draw(seed) for step in steps]
    return {name: std for step, values in zip(steps, drawn, strict=True) for name, std in step.write(values).items()}


def fill_at_once(steps: list[Step], seed: int) -> dict[str, float]:
    """Draw and write parameter by parameter; an interrupt waits for those that have begun."""
    with ThreadPoolExecutor(min(torch.get_num_threads(), _MOST_THREADS)) as pool:
        written = list(pool.map(lambda step: step.write(step.draw(seed)), steps))
    return {name: std for stds in written for name, std in stds.items()}
