"""Initialize any torch module in place, and say what was touched."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList

from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.initializers import Choice, Initializer, InitializerLike, Network, Site, Zeros, get_initializer, set_tensor
from initsk.modules._architecture import add_architecture
from initsk.modules._batch import as_batch
from initsk.modules._plan import PlannedParameter, plan_parameters
from initsk.modules._record import InitializationRecord, Row, standard_deviation
from initsk.utils._random import RandomState, derive_seed, make_generator, resolve_seed

_LARGE = 2**24
# Each holds a drawn tensor, and memory is what filling at once is for.
_MOST_THREADS = 4


@dataclass(frozen=True)
class _Step:
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


def initialize(
    module: nn.Module,
    initializer: InitializerLike = "he_normal",
    *,
    X: Any = None,
    y: Any = None,
    bias_initializer: InitializerLike | None = None,
    output_initializer: InitializerLike | None = None,
    random_state: RandomState = None,
) -> InitializationRecord:
    """Initialize the parameters of any torch module in place.

    Each parameter is drawn from a stream of its own, derived from `random_state` and
    its name, so a layer added elsewhere does not change it, and the values are the same on
    every device. Known are linear, bilinear, convolution (group by group, transposed too),
    embedding (a padding row stays zero), recurrent (gate by gate) and attention
    layers (projection by projection), of real and complex types, also behind
    ``torch.nn.utils.parametrizations``. Normalisation layers stay at their identity unless the
    scheme says otherwise, frozen parameters as they are, and parameters of unknown layers are
    left, as the record says.

    Parameters
    ----------
    module : torch.nn.Module
        The module; changed in place.
    initializer : str, Initializer or callable, default="he_normal"
        What fills the weights.
    X : array-like, tensor, tuple or dict of them, or None, default=None
        A batch for initializers that look at data: what ``module(X)`` takes, a tuple for
        several arguments, a dict for named ones. Floats become the module's type.
    y : array-like or tensor, default=None
        Targets of the batch, for initializers that need the gradient of the loss.
    bias_initializer : str, Initializer, callable or None, default=None
        What fills the biases; None leaves them to `initializer`: most set zeros, torch's default
        draws its own.
    output_initializer : str, Initializer, callable or None, default=None
        What fills the weights of the last layers; None treats them like the others.
    random_state : int, RandomState, Generator or None, default=None
        Seed of all draws.

    Returns
    -------
    InitializationRecord

    Raises
    ------
    InvalidParameterError
        If an initializer is unknown, cannot fill a parameter, or needs a batch that is missing.
    ModuleError
        If the module is not one, has lazy parameters, or what the initializer measures on
        the batch is not finite or constant. In either case the module is as it was.

    Examples
    --------
    >>> from torch import nn
    >>> from initsk import initialize
    >>> record = initialize(nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2)), "zeros")
    >>> record.to_frame()[["name", "initializer", "touched"]]
           name initializer  touched
    0  0.weight     Zeros()     True
    1    0.bias     Zeros()     True
    2  1.weight                False
    3    1.bias                False
    """
    if not isinstance(module, nn.Module):
        raise ModuleError(f"module={module!r} is not allowed (a torch.nn.Module)")
    chooser = _Chooser(initializer, bias_initializer, output_initializer)
    batch = as_batch(module, X, y, chooser.given)
    seed = resolve_seed(random_state)
    with _parametrizations_rest(module):
        plan = list(plan_parameters(module))
        if chooser.reads_architecture:
            plan = add_architecture(module, plan)
        chooser.check_sites([site for step in plan for site in step.sites])
        steps = [_settle(step, chooser.choices(step)) for step in plan]
        for step in steps:
            step.check()
        notes: dict[str, str] = {}
        refining = {id(part): part for part in chooser.given if part.refines}.values()
        at_once = _fills_at_once(steps)
        with _as_before_on_failure(plan, bool(refining) or not at_once):
            before = _fill_at_once(steps, seed) if at_once else _fill(steps, seed)
            for part in refining:
                sites = {step.plan.name: step.plan.sites[0] for step in steps if chooser.is_by(part, step)}
                part.refine(Network(module, sites, *batch, derive_seed(seed, "refine"), notes))
    return InitializationRecord(tuple(row for step in steps for row in _rows(step, before, notes)))


class _Chooser:
    """Who fills what: the three initializers of a call, and the defaults."""

    def __init__(
        self, initializer: InitializerLike, bias: InitializerLike | None, output: InitializerLike | None
    ) -> None:
        self.initializer = get_initializer(initializer)
        self._bias = None if bias is None else get_initializer(bias)
        self._output = None if output is None else get_initializer(output)
        self.given = [part for part in (self.initializer, self._bias, self._output) if part is not None]

    @property
    def reads_architecture(self) -> bool:
        return self._output is not None or any(part.reads_architecture for part in self.given)

    def check_sites(self, sites: list[Site]) -> None:
        for part in self.given:
            part.check_sites(sites)

    def is_by(self, part: Initializer, step: _Step) -> bool:
        """Say whether a parameter was filled by one of the given initializers, which alone may refine it."""
        return bool(step.choices) and self._taker(step.plan.sites[0]) is part

    def _taker(self, site: Site) -> Initializer | None:
        if self._takes_bias(site):
            return self._bias
        return self._output if self._takes_output(site) else self.initializer

    def _takes_bias(self, site: Site) -> bool:
        return self._bias is not None and site.role == "bias" and site.is_known

    def _takes_output(self, site: Site) -> bool:
        return self._output is not None and site.role == "weight" and site.place == "output" and site.is_known

    def choices(self, step: PlannedParameter) -> tuple[Choice, ...]:
        """Return who fills each site of a parameter; nothing where it is left."""
        found = [self._choice(site) for site in step.sites]
        chosen = tuple(choice for choice in found if choice is not None)
        if chosen and len(chosen) < len(found):
            left = ", ".join(site.block for site, choice in zip(step.sites, found, strict=True) if choice is None)
            raise InvalidParameterError(
                f"nothing fills the blocks {left} of {step.name}, and others are filled (allowed: all of them, or none)"
            )
        return chosen

    def _choice(self, site: Site) -> Choice | None:
        taker = self._taker(site)
        if taker is not self.initializer and taker is not None:
            return taker.choose(site) or Choice(taker, f"{'bias' if taker is self._bias else 'output'} initializer")
        choice = self.initializer.choose(site)
        if choice is None and site.role == "bias" and site.is_known:
            return Choice(Zeros(), "biases are zero unless said otherwise")
        return choice


def _settle(plan: PlannedParameter, choices: tuple[Choice, ...]) -> _Step:
    """Lay out a parameter as who fills it wants it: in blocks, or as the one tensor that a framework stores."""
    whole = [choice.initializer.laid_out(site) for site, choice in zip(plan.sites, choices, strict=False)]
    if not choices or all(site.framework == "" for site in whole):
        return _Step(plan, choices, plan)
    if len({choice.initializer for choice in choices}) > 1:
        names = ", ".join(dict.fromkeys(repr(choice.initializer) for choice in choices))
        raise InvalidParameterError(
            f"{plan.name} is one tensor to {names} (allowed: the same initializer for all of its blocks)"
        )
    return _Step(plan, choices[:1], replace(plan, sites=(whole[0],)))


def _fills_at_once(steps: list[_Step]) -> bool:
    """Say whether the network is so large that every draw before the first write would take too much memory.

    Then draws that cannot fail are written at once: by several threads, since the streams are independent.
    """
    large = sum(step.plan.tensor.numel() for step in steps) >= _LARGE
    plain = all(step.plan.name in step.plan.parameters for step in steps)
    return large and plain and all(choice.initializer.draws_surely for step in steps for choice in step.choices)


def _fill(steps: list[_Step], seed: int) -> dict[str, float]:
    """Draw every parameter, then write; return the standard deviations from before."""
    drawn = [step.draw(seed) for step in steps]
    return {name: std for step, values in zip(steps, drawn, strict=True) for name, std in step.write(values).items()}


def _fill_at_once(steps: list[_Step], seed: int) -> dict[str, float]:
    """Draw and write parameter by parameter; an interrupt waits for those that have begun."""
    with ThreadPoolExecutor(min(torch.get_num_threads(), _MOST_THREADS)) as pool:
        written = list(pool.map(lambda step: step.write(step.draw(seed)), steps))
    return {name: std for stds in written for name, std in stds.items()}


@contextmanager
def _parametrizations_rest(module: nn.Module) -> Iterator[None]:
    """Keep parametrizations in evaluation mode: spectral normalisation moves its buffers whenever it is read."""
    resting = [
        (part, part.training)
        for owner in module.modules()
        if isinstance(owner, ParametrizationList)
        for part in owner.modules()
    ]
    for part, _ in resting:
        part.training = False
    try:
        yield
    finally:
        for part, was in resting:
            part.training = was


@contextmanager
def _as_before_on_failure(plan: list[PlannedParameter], needed: bool) -> Iterator[None]:
    """Put all parameters back if the block does not get through."""
    parameters = [parameter for step in plan for parameter in step.parameters.values()] if needed else []
    saved = [parameter.detach().clone() for parameter in parameters]
    try:
        yield
    except BaseException:
        with torch.no_grad():
            for parameter, values in zip(parameters, saved, strict=True):
                parameter.copy_(values)
        raise


def _rows(step: _Step, before: dict[str, float], notes: dict[str, str]) -> Iterator[Row]:
    plan = step.plan
    site = step.drawn.sites[0] if step.choices else Site(())
    reasons = [choice.why for choice in step.choices] or [plan.why or _why_left(plan)]
    if plan.name in notes:
        reasons.append(notes[plan.name])
    for name, parameter in plan.parameters.items():
        touched = bool(step.choices) and not parameter.is_meta
        behind = [f"through the parametrization of {plan.name}"] if name != plan.name else []
        unreal = ["no values on the meta device"] if parameter.is_meta else []
        yield {
            "name": name,
            "shape": "x".join(str(size) for size in parameter.shape),
            "role": plan.role,
            "initializer": ", ".join(dict.fromkeys(repr(choice.initializer) for choice in step.choices)),
            "fan_in": site.fan_in,
            "fan_out": site.fan_out,
            "std_before": before[name],
            "std_after": standard_deviation(parameter) if touched else before[name],
            "touched": touched,
            "why": "; ".join(dict.fromkeys(reasons + behind + unreal)),
        }


def _why_left(plan: PlannedParameter) -> str:
    kind = type(plan.module).__name__
    if plan.sites and plan.sites[0].kind == "normalisation":
        return f"{kind} starts as the identity"
    return f"no rule for {plan.attribute} of {kind}"
