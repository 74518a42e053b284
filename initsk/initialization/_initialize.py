"""Initialize any torch module in place, and record what was changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList

from initsk import network
from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.initialization._fill import Chooser, fill, fill_in_place, fills_in_place, plan_fill
from initsk.initialization._record import InitializationRecord
from initsk.initializers import Choice, Initializer, InitializerLike
from initsk.network import PlannedParameter
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

    Each parameter has its own random stream, derived from `random_state` and the parameter's name. So a layer added
    elsewhere does not change the values, and the values are the same on every device.

    `initialize` fills linear, bilinear, convolution (each group, also transposed), embedding (a padding row stays
    zero), recurrent (each gate) and attention layers (each projection), of real and complex types, also with
    ``torch.nn.utils.parametrizations``. Normalization layers do not change (a new one is the identity) unless the
    initializer sets them. Frozen parameters, buffers and parameters of other layers do not change either; the record
    gives the reason. Tied parameters are filled once, under their first name. A module wrapped by ``torch.compile`` or
    `DataParallel` gets the same values as the module without the wrapper.

    Parameters
    ----------
    module : torch.nn.Module
        The module; changed in place.
    initializer : str, Initializer or callable, default="he_normal"
        The initializer of the weights.
    X : array-like, tensor, tuple or dict of them, graph, stream of batches, or None, default=None
        A batch for initializers that need data, in any form that `inspect_activations` takes: the argument of
        ``module(X)``, a tuple of several arguments, or a dict of named arguments; of a stream, the first batch. Floats
        are cast to the module's type; so are integers if the module does not run on them as they are.
    y : array-like or tensor, default=None
        Targets of the batch, for initializers that need the gradient of the loss.
    bias_initializer : str, Initializer, callable or None, default=None
        The initializer of the biases; None leaves them to `initializer`: most set zeros, torch's default draws them.
    output_initializer : str, Initializer, callable or None, default=None
        The initializer of the weights of the last layers; None leaves them to `initializer`.
    random_state : int, RandomState, Generator or None, default=0
        Seed of all draws: an integer, or a numpy generator. None takes a new seed from the system at each
        call, independent of torch's and numpy's global seeds.

    Returns
    -------
    InitializationRecord

    Raises
    ------
    InvalidParameterError
        If an initializer is unknown, cannot fill a parameter, draws values that are not finite, has nothing to fill, or
        needs a batch that is missing.
    ModuleError
        If `module` is not a module, is scripted, has lazy parameters, or has weights that hooks compute (pruning, the
        weight_norm and spectral_norm of ``torch.nn.utils``), or if the batch gives values that are constant or not
        finite. After any error the module is unchanged.

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
    module = network.unwrap(module)
    chooser = Chooser(initializer, bias_initializer, output_initializer)
    batch = _batch_for(chooser.given, module, X, y)
    seed = resolve_seed(random_state)
    with _parametrizations_in_evaluation_mode(module):
        plan = _plan(module, chooser)
        chooser.check_specs([spec for planned in plan for spec in planned.specs])
        steps = [plan_fill(planned, chooser.choices(planned)) for planned in plan]
        for step in steps:
            step.check()
        notes: dict[str, str] = {}
        refining = {id(part): part for part in chooser.given if part.refines}.values()
        in_place = fills_in_place(steps)
        with _restored_on_failure(plan, bool(refining) or not in_place):
            before = fill_in_place(steps, seed) if in_place else fill(steps, seed)
            for part in refining:
                filled = [step.plan.specs[0] for step in steps if step.choices]
                specs = {spec.name: spec for spec in filled if chooser.initializer_for(spec) is part}
                part.refine(network.Network(module, specs, seed=derive_seed(seed, "refine"), notes=notes, **batch))
    return InitializationRecord(tuple(row for step in steps for row in step.rows(before, notes)))


def choices_for(module: nn.Module, initializer: InitializerLike) -> list[tuple[PlannedParameter, tuple[Choice, ...]]]:
    """Return the planned parameters of a module with the choices of `initialize`, without drawing."""
    module = network.unwrap(module)
    chooser = Chooser(initializer, None, None)
    with _parametrizations_in_evaluation_mode(module):
        return [(planned, chooser.choices(planned)) for planned in _plan(module, chooser)]


def _plan(module: nn.Module, chooser: Chooser) -> list[PlannedParameter]:
    """Return the planned parameters, with the architecture if an initializer reads it."""
    plan = list(network.plan_parameters(module))
    return network.add_architecture(module, plan) if chooser.reads_architecture else plan


@contextmanager
def _parametrizations_in_evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Put parametrizations into evaluation mode: in training, reading spectral normalization changes its buffers."""
    owners = [owner for owner in module.modules() if isinstance(owner, ParametrizationList)]
    parts = [part for owner in owners for part in owner.modules()]
    with network.preserve_training(parts):
        for part in parts:
            part.training = False
        yield


@contextmanager
def _restored_on_failure(plan: list[PlannedParameter], needed: bool) -> Iterator[None]:
    """If the block raises, restore the buffers of parametrizations and, if needed, all parameters."""
    held = [parameter for planned in plan for parameter in planned.parameters.values()] if needed else []
    saved = [parameter.detach().clone() for parameter in held]
    parametrized = [planned.module.parametrizations for planned in plan if planned.name not in planned.parameters]
    restore_buffers = [network.save_buffers(part) for part in parametrized]
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
    """Return the fields of `Network` for the batch that the initializers need; raise if X or y is missing."""
    for initializer in initializers:
        name = type(initializer).__name__
        if initializer.needs_gradient and (X is None or not network.has_targets(X, y)):
            raise InvalidParameterError(
                f"{name} needs a batch with its targets (allowed: initialize(..., X=..., y=...))"
            )
        if initializer.needs_data and X is None:
            raise InvalidParameterError(f"{name} needs a batch (allowed: initialize(..., X=...))")
        if initializer.refines and any(parameter.is_meta for parameter in module.parameters()):
            raise ModuleError(f"{name} works on values, which a module on the meta device does not have")
    if X is None or not any(initializer.refines for initializer in initializers):
        return {}
    batch = network.as_batch(module, X, y)
    return {"inputs": batch.inputs, "keywords": batch.keywords, "target": batch.target}
