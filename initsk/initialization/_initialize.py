"""Initialize any torch module in place, and record what was changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList, is_parametrized

from initsk import network
from initsk.exceptions import InvalidParameterError
from initsk.initialization._deliberate import Overwrite, mark_deliberate
from initsk.initialization._fill import Chooser, fill, fill_in_place, fills_in_place, plan_fill
from initsk.initialization._materialize import names_of, with_values
from initsk.initialization._missed import check_filled, warn_of_missed
from initsk.initialization._record import InitializationRecord
from initsk.initializers import Choice, Initializer, InitializerLike
from initsk.network import PlannedParameter
from initsk.utils.global_state import one_at_a_time
from initsk.utils.random import RandomState, derive_seed, resolve_seed_like_torch
from initsk.utils.torch_settings import copy_of, outside_of_contexts


@one_at_a_time
def initialize(
    module: nn.Module,
    initializer: InitializerLike = "he_normal",
    *,
    X: Any = None,
    y: Any = None,
    bias_initializer: InitializerLike | None = None,
    output_initializer: InitializerLike | None = None,
    overwrite: Overwrite = False,
    device: str | torch.device | None = None,
    random_state: RandomState = 0,
) -> InitializationRecord:
    """Initialize the parameters of any torch module in place.

    Each parameter has its own random stream, derived from `random_state` and the parameter's name. So a layer added
    elsewhere does not change the values, and the values are the same on every device.

    `initialize` reads the network by running it once (`initsk.network.read`), and fills every parameter that multiplies
    the signal and sums: in layers of any class, in functions such as ``torch.einsum``, stored in any order of axes.
    Stacked matrices (groups, gates, projections, experts, parts of a packed projection) are drawn one by one. A lookup
    table and a head that is tied to it are one embedding, whose fans are its width. Weights behind parametrizations,
    and behind ``weight_norm``, ``spectral_norm`` and ``prune`` of ``torch.nn.utils``, are filled through what they
    compute. A module in a wrapper gets the names and values of the module without the wrapper: ``torch.compile``,
    `DataParallel`, `DistributedDataParallel`, `AveragedModel`, activation checkpointing. A module
    that `fully_shard` or `distribute_tensor` has sharded gets the values of the unsharded module: each process draws
    the whole tensors and writes its shards, without communication.

    Normalization layers keep their values (a new one is the identity) unless the initializer sets them. So do values
    that the author of the network has set: a weight that is constant where other weights are not (zeros at the end of a
    branch, LoRA's second matrix), and its bias; a bias of equal values that are not zero where others differ, or of two
    different numbers; factors of a signal, positions. The record gives the reason. Frozen parameters and buffers do not
    change. Tied parameters are filled once, under their first name.

    Parameters
    ----------
    module : torch.nn.Module
        The module; changed in place.
    initializer : str, Initializer or callable, default="he_normal"
        The initializer of the weights.
    X : array-like, tensor, tuple or dict of them, graph, stream of batches, or None, default=None
        A batch for the reading, for initializers that need data, and for lazy modules, in any form that
        `inspect_activations` takes: the argument of ``module(X)``, a tuple of several arguments, or a dict of named
        arguments; of a stream, the first batch. Floats are cast to the module's type; so are integers if the module
        does not run on them as they are. Lazy modules get their shapes in one forward pass in evaluation mode.
    y : array-like or tensor, default=None
        Targets of the batch, for initializers that need the gradient of the loss.
    bias_initializer : str, Initializer, callable or None, default=None
        The initializer of the biases; None leaves them to `initializer`: most set zeros, torch's default draws them.
    output_initializer : str, Initializer, callable or None, default=None
        The initializer of the weights of the last layers; None leaves them to `initializer`.
    overwrite : bool, str or collection of str, default=False
        Names or patterns (``"*.lora_B.*"``) of parameters to fill although their values are deliberate; True for all.
        A rule of `PerParameter` that matches a parameter, `bias_initializer` and `output_initializer` do so too.
    device : str, torch.device or None, default=None
        The device on which to make the tensors of `module` that are on the meta device. Their layers define those that
        the initializer does not fill, in ``reset_parameters()``, or a module around them in ``init_weights()``. Other
        tensors stay on their devices.
    random_state : int, RandomState, Generator or None, default=0
        Seed of all draws: an integer, or a numpy generator. None draws the seed from torch's
        global generator, as the functions of ``torch.nn.init`` do.

    Returns
    -------
    InitializationRecord

    Raises
    ------
    InvalidParameterError
        If an initializer is unknown, cannot fill a parameter, draws values that are not finite, has nothing to fill, or
        needs a batch that is missing; if a name in `overwrite` is unknown; or if no weight at all is filled.
    ModuleError
        If the forward pass fails on X; if `module` is not a module, is scripted or quantized, is lazy without X, is on
        the meta device without `device`, has tensors there that no layer defines, or has a weight that several
        hooks compute one after the other, or if the batch gives values that are constant or not finite. After any error
        the module is unchanged.

    Warns
    -----
    UninitializedWarning
        If weights that multiply a signal were left, because their use is not known.

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
    network.refuse_quantized(module)
    chooser = Chooser(initializer, bias_initializer, output_initializer)
    _check_data(chooser.given, X, y)
    seed = resolve_seed_like_torch(random_state)
    refining = {id(part): part for part in chooser.given if part.refines}.values()
    with (
        outside_of_contexts(module),
        network.without_wrappers(module),
        with_values(module, X, y, device, seed, whole_batch=bool(refining)) as (made, graph, batch),
        _parametrizations_in_evaluation_mode(module),
    ):  # fmt: skip
        plan = mark_deliberate(_plan(module, chooser, graph), overwrite)
        chooser.check_specs([spec for planned in plan for spec in planned.specs])
        steps = [plan_fill(planned, chooser.choices(planned)) for planned in plan]
        for step in steps:
            step.check()
        check_filled(steps)
        # Both before the first write, since a user's code may raise, and the user may turn the warning into an error.
        expected = {step.plan.name: step.expected_std(chooser) for step in steps}
        warn_of_missed(steps)
        if made is not None:
            filled = {name for step in steps if step.choices for name in names_of(step.plan)}
            made.define(filled, seed)
            made.check(filled)
        notes: dict[str, str] = {}
        given = {}
        if batch is not None:
            given = {"inputs": batch.inputs, "keywords": batch.keywords, "target": batch.target}
        in_place = fills_in_place(steps)
        with _restored_on_failure(plan, bool(refining) or not in_place):
            before = fill_in_place(steps, seed) if in_place else fill(steps, seed)
            for part in refining:
                chosen = [step.plan.specs[0] for step in steps if step.choices]
                specs = {spec.name: spec for spec in chosen if chooser.initializer_for(spec) is part}
                part.refine(network.Network(module, specs, seed=derive_seed(seed, "refine"), notes=notes, **given))
            for planned in plan:
                if planned.is_computed:
                    # A forward pass with gradients has left a graph in the tensors that hooks compute.
                    network.compute_hooked(planned.module)
    return InitializationRecord(tuple(row for step in steps for row in step.rows(before, expected, notes)), str(graph))


@one_at_a_time
def choices_for(
    module: nn.Module, initializer: InitializerLike, graph: network.NetworkGraph
) -> list[tuple[PlannedParameter, tuple[Choice, ...]]]:
    """Return the planned parameters of a module that was read, with the choices of `initialize`, without drawing."""
    module = network.unwrap(module)
    chooser = Chooser(initializer, None, None)
    with network.without_wrappers(module), _parametrizations_in_evaluation_mode(module):
        plan = mark_deliberate(_plan(module, chooser, graph), overwrite=False)
        return [(planned, chooser.choices(planned)) for planned in plan]


def _plan(module: nn.Module, chooser: Chooser, graph: network.NetworkGraph) -> list[PlannedParameter]:
    """Return the planned parameters, with the architecture if an initializer reads it."""
    plan = list(network.plan_parameters(module, graph))
    return network.add_architecture(module, graph, plan) if chooser.reads_architecture else plan


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
    """If the block raises, restore what computes weights from parameters and, if needed, all parameters."""
    parameters = [parameter for planned in plan for parameter in planned.parameters.values()] if needed else []
    held = [parameter for parameter in parameters if not network.why_not_writable(parameter)]
    saved = [copy_of(parameter) for parameter in held]
    computed = [planned for planned in plan if planned.is_computed]
    parametrized = [planned.module.parametrizations for planned in computed if is_parametrized(planned.module)]
    hooked = [planned for planned in computed if not is_parametrized(planned.module, planned.attribute)]
    computed_values = [(planned, planned.tensor) for planned in hooked]
    restores = [network.save_contents(part) for part in [*parametrized, *(part.module for part in hooked)]]
    try:
        yield
    except BaseException:
        with torch.no_grad():
            for parameter, values in zip(held, saved, strict=True):
                parameter.copy_(values)
        for restore in restores:
            restore()
        for planned, tensor in computed_values:
            setattr(planned.module, planned.attribute, tensor)
        raise


def _check_data(initializers: list[Initializer], X: Any, y: Any) -> None:
    """Raise if an initializer needs X or y, and it is missing."""
    for initializer in initializers:
        name = type(initializer).__name__
        if initializer.needs_gradient and (X is None or not network.has_targets(X, y)):
            raise InvalidParameterError(
                f"{name} needs a batch with its targets (allowed: initialize(..., X=..., y=...))"
            )
        if initializer.needs_data and X is None:
            raise InvalidParameterError(f"{name} needs a batch (allowed: initialize(..., X=...))")
