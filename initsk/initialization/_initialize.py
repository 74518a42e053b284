"""Initialize any torch module in place, and say what was touched."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList

from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.initialization._fill import Chooser, fill, fill_at_once, fills_at_once, settle
from initsk.initialization._record import InitializationRecord
from initsk.initializers import Choice, Initializer, InitializerLike
from initsk.network import (
    Network,
    PlannedParameter,
    add_architecture,
    as_batch,
    plan_parameters,
    save_buffers,
    unwrap,
)
from initsk.utils.random import RandomState, derive_seed, resolve_seed


def initialize(
    module: nn.Module,
    initializer: InitializerLike = "he_normal",
    *,
    X: Any = None,
    y: Any = None,
    bias_initializer: InitializerLike | None = None,
    output_initializer: InitializerLike | None = None,
    random_state: RandomState = 0,
) -> InitializationRecord:
    """Initialize the parameters of any torch module in place.

    Each parameter is drawn from a stream of its own, derived from `random_state` and
    its name, so a layer added elsewhere does not change it, and the values are the same on
    every device. Known are linear, bilinear, convolution (group by group, transposed too),
    embedding (a padding row stays zero), recurrent (gate by gate) and attention
    layers (projection by projection), of real and complex types, also behind
    ``torch.nn.utils.parametrizations``. Normalisation layers are left (a new one is the identity) unless the
    scheme says otherwise, frozen parameters and buffers too, and parameters of unknown layers,
    as the record says. Tied parameters are filled once, where they come first. Modules wrapped by
    ``torch.compile`` or `DataParallel` get what they would get themselves.

    Parameters
    ----------
    module : torch.nn.Module
        The module; changed in place.
    initializer : str, Initializer or callable, default="he_normal"
        What fills the weights.
    X : array-like, tensor, tuple or dict of them, or None, default=None
        A batch for initializers that look at data: what ``module(X)`` takes, a tuple for
        several arguments, a dict for named ones. Floats become the module's type, and so do integers where the
        module has no embedding to look them up.
    y : array-like or tensor, default=None
        Targets of the batch, for initializers that need the gradient of the loss.
    bias_initializer : str, Initializer, callable or None, default=None
        What fills the biases; None leaves them to `initializer`: most set zeros, torch's default
        draws its own.
    output_initializer : str, Initializer, callable or None, default=None
        What fills the weights of the last layers; None treats them like the others.
    random_state : int, RandomState, Generator or None, default=0
        Seed of all draws: an integer, or one of numpy's generators. None takes a new one from the system at each
        call, whatever torch's and numpy's global seeds are.

    Returns
    -------
    InitializationRecord

    Raises
    ------
    InvalidParameterError
        If an initializer is unknown, cannot fill a parameter, draws what is not finite, has nothing to fill, or
        needs a batch that is missing.
    ModuleError
        If the module is not one, is scripted, has lazy parameters or weights that hooks compute (pruning, the
        weight_norm and spectral_norm of ``torch.nn.utils``), or what the initializer measures on
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
    module = unwrap(module)
    chooser = Chooser(initializer, bias_initializer, output_initializer)
    batch = _batch_for(chooser.given, module, X, y)
    seed = resolve_seed(random_state)
    with _parametrizations_rest(module):
        plan = list(plan_parameters(module))
        if chooser.reads_architecture:
            plan = add_architecture(module, plan)
        chooser.check_specs([spec for step in plan for spec in step.specs])
        steps = [settle(step, chooser.choices(step)) for step in plan]
        for step in steps:
            step.check()
        notes: dict[str, str] = {}
        refining = {id(part): part for part in chooser.given if part.refines}.values()
        at_once = fills_at_once(steps)
        with _as_before_on_failure(plan, bool(refining) or not at_once):
            before = fill_at_once(steps, seed) if at_once else fill(steps, seed)
            for part in refining:
                filled = (step.plan for step in steps if step.choices)
                specs = {
                    known.name: known.specs[0] for known in filled if chooser.initializer_for(known.specs[0]) is part
                }
                part.refine(Network(module, specs, seed=derive_seed(seed, "refine"), notes=notes, **batch))
    return InitializationRecord(tuple(row for step in steps for row in step.rows(before, notes)))


def choices_for(module: nn.Module, initializer: InitializerLike) -> list[tuple[PlannedParameter, tuple[Choice, ...]]]:
    """Return who would fill each parameter, and why; nothing is drawn."""
    module = unwrap(module)
    chooser = Chooser(initializer, None, None)
    with _parametrizations_rest(module):
        plan = list(plan_parameters(module))
        if chooser.reads_architecture:
            plan = add_architecture(module, plan)
        return [(step, chooser.choices(step)) for step in plan]


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
    """Put all parameters back if the block does not get through, and what parametrizations keep beside them."""
    held = [parameter for step in plan for parameter in step.parameters.values()] if needed else []
    saved = [parameter.detach().clone() for parameter in held]
    behind = [step.module.parametrizations for step in plan if step.name not in step.parameters]
    restore_buffers = [save_buffers(part) for part in behind]
    try:
        yield
    except BaseException:
        with torch.no_grad():
            for parameter, values in zip(held, saved, strict=True):
                parameter.copy_(values)
        for restore in restore_buffers:
            restore()
        raise


def _batch_for(initializers: list[Initializer], module: nn.Module, X: Any, y: Any) -> dict[str, Any]:
    """Return the fields of `Network` for the batch that the initializers need; raise if they need more than X and y."""
    for initializer in initializers:
        name = type(initializer).__name__
        if initializer.needs_gradient and (X is None or y is None):
            raise InvalidParameterError(
                f"{name} needs a batch with its targets (allowed: initialize(..., X=..., y=...))"
            )
        if initializer.needs_data and X is None:
            raise InvalidParameterError(f"{name} needs a batch (allowed: initialize(..., X=...))")
        if initializer.refines and any(parameter.is_meta for parameter in module.parameters()):
            raise ModuleError(f"{name} works on values, which a module on the meta device does not have")
    if X is None or not any(initializer.refines for initializer in initializers):
        return {}
    batch = as_batch(module, X, y)
    return {"inputs": batch.inputs, "keywords": batch.keywords, "target": batch.target}
