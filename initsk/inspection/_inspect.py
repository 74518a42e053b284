"""What is asked of an inspection, and what may be asked."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import torch

from initsk.exceptions import ModuleError
from initsk.initializers.core import default_loss
from initsk.inspection._summary import ActivationSummary
from initsk.inspection.capture._capture import capturing
from initsk.inspection.capture._recorder import POSITIONS, LayerCatalogue, Layers, Recorder, Settings
from initsk.inspection.statistics._gradients import OptimizerLike, ParameterGradients, weights_of
from initsk.inspection.statistics._layer import MEASURES
from initsk.network import Batch, Model, PaddingMask, get_model, is_stream, iterate_batches, preserve_state
from initsk.utils.random import RandomState, check_random_state, isolated_torch_random, resolve_seed
from initsk.utils.validation import (
    Constraint,
    boolean,
    check_parameters,
    integer,
    one_of,
    optional,
    refuse,
    resolved_by,
)

Criterion = Callable[[Any, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Request:
    """What is to be measured, and how the module runs meanwhile."""

    layers: Layers
    positions: str
    settings: Settings
    training: bool = False
    criterion: Criterion | None = None
    optimizer: OptimizerLike | None = None
    weights: bool = False


def _measures(value: Any) -> str | None:
    known = isinstance(value, list | tuple | set | frozenset) and set(value) <= set(MEASURES)
    return None if known else f"a collection of {', '.join(map(repr, MEASURES))}"


def _edges(value: Any) -> str | None:
    wanted = "at least two finite numbers that increase"
    try:
        edges = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        return wanted
    fine = edges.ndim == 1 and len(edges) > 1 and np.isfinite(edges).all() and (np.diff(edges) > 0).all()
    return None if fine else wanted


def _callable(what: str) -> Constraint:
    return lambda value: None if callable(value) else what


def _optimizer(value: Any) -> str | None:
    fine = isinstance(value, torch.optim.Optimizer) or callable(value)
    return None if fine else "a torch optimizer, or a function of a list of parameters that makes one"


#: What the parameters of an inspection may be.
CHECKS: dict[str, Constraint] = {
    "gradients": boolean(),
    "weights": boolean(),
    "training": boolean(),
    "batch_size": integer(1),
    "bins": integer(2),
    "edges": optional(_edges),
    "measures": _measures,
    "positions": one_of("positions", POSITIONS),
    "criterion": optional(_callable("a function loss(output, y)")),
    "optimizer": optional(_optimizer),
    "random_state": resolved_by(check_random_state),
}


def inspect_activations(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    layers: Layers = None,
    positions: str = "both",
    gradients: bool = False,
    weights: bool = False,
    criterion: Criterion | None = None,
    optimizer: OptimizerLike | None = None,
    measures: Collection[str] = MEASURES,
    padding_mask: PaddingMask = None,
    training: bool = False,
    batch_size: int = 1024,
    bins: int = 128,
    edges: Sequence[float] | None = None,
    random_state: RandomState = 0,
) -> ActivationSummary:
    """Measure what every layer of a network computes, in one pass.

    Values are taken when they are produced, before and after each activation function, be it a module or a function
    that ``forward`` calls (``F.relu``, ``torch.tanh``, ``x.sigmoid()``, ``x.clamp(min=0)``). Memory does not depend
    on the number of samples. The model is as before afterwards: training mode, hooks, gradients, buffers and random
    state.

    Layers are named as in ``named_modules``. A module that is called again in the same forward pass has a record for
    each call (``fc``, ``fc:1``). An activation function that directly follows a layer is the layer's second position;
    otherwise it has a name of its own (``block.relu``). Of several tensors that a module returns, each has its name:
    ``lstm``, ``lstm/h_n``, ``lstm/c_n``; ``attention``, ``attention/weights``; ``head/0``, ``head/logits``. Channels
    of convolutions are units; positions in an image or a sequence are samples.

    Parameters
    ----------
    model : torch.nn.Module or estimator
        A module, or what carries one (`net_`, `module_`, ``best_estimator_``, the last step of a pipeline); of an
        unfitted estimator the initial weights are seen, on a clone.
    X : array-like, tuple, mapping, PackedSequence or stream of batches
        Input of the module, a row per sample: an array; several arguments as a tuple or, by name, a mapping;
        or a DataLoader, a data set, an iterator, which give X or pairs of X and y.
    y : array-like of shape (n_samples, ...), optional
        Targets, for gradients and to build an unfitted classifier.
    layers : str, class, int, callable or list of these, optional
        Which layers: by name, pattern (``"encoder.*"``), class of module, position, or a function of name and module;
        modules without parameters, which are otherwise passed over, can be asked for too. All by default.
    positions : {"both", "pre_activation", "activation"}, default="both"
        Where a layer has an activation function: before it, after it, or both.
    gradients : bool, default=False
        Measure the gradients of the loss as well.
    weights : bool, default=False
        Measure the parameters as well.
    criterion : callable, optional
        Mean loss of ``(output, y)``. By default the estimator's own; otherwise the cross-entropy
        of integer targets, and the mean squared error of others.
    optimizer : torch optimizer or callable, optional
        Whose step is measured, on copies of the parameters: an optimizer of the model's parameters, or a
        function of a list of parameters that makes one, such as ``torch.optim.Adam``. By default the
        estimator's own, if it has one.
    measures : collection of {"units", "samples", "spectrum"}
        What to measure beyond moments and histograms: dead and copied units; the mean cosine between samples;
        effective rank and participation ratio, which cost most. All by default.
    padding_mask : array of bool of shape (n_samples, n_positions) or callable, optional
        True at positions to leave out, as in torch's ``src_key_padding_mask``; or a function that makes it from a batch
        of X. Values without these positions (such as after pooling) are taken whole.
    training : bool, default=False
        Run the module in training mode: dropout drops, and batch normalisation uses the batch.
    batch_size : int, default=1024
        Samples per forward pass.
    bins : int, default=128
        Most bins per histogram. Their width is a power of two that doubles as the range grows.
    edges : sequence of float, optional
        Fixed edges of all histograms of activations instead.
    random_state : int, RandomState, Generator or None, default=0
        Seed of what the module draws.

    Returns
    -------
    ActivationSummary

    Raises
    ------
    InvalidParameterError
        If a parameter is not allowed, a layer is unknown, or X is not made of numbers.
    ModuleError
        If the model carries no module, or one that hides its layers (scripted, quantized, without values), or the
        module has no layer, or X no sample, or the loss no gradient.

    Notes
    -----
    What is not seen: operations of ``torch.jit`` functions, and activation functions put together from other
    operations (``x * torch.sigmoid(x)`` shows the sigmoid). Parts compiled by ``torch.compile`` run as they were
    written.

    Gradients are those of each sample's own loss with respect to its activations, so they do not depend on the
    batch size; those of parameters are of the mean loss over all samples.

    Examples
    --------
    >>> import torch
    >>> from initsk import inspect_activations
    >>> net = torch.nn.Sequential(torch.nn.Linear(1, 2, bias=False), torch.nn.ReLU(inplace=True))
    >>> _ = net[0].weight.data.copy_(torch.tensor([[1.0], [-1.0]]))
    >>> frame = inspect_activations(net, [[1.0], [3.0]]).to_frame()
    >>> frame[["layer", "position", "min", "max", "dead_fraction"]]
      layer            position  min  max  dead_fraction
    0     0  pre_activation -3.0  3.0            0.0
    1     0      activation  0.0  3.0            0.5
    """
    given = {
        "gradients": gradients, "weights": weights, "training": training,
        "batch_size": batch_size, "bins": bins, "edges": edges,
        "measures": measures, "positions": positions, "criterion": criterion, "optimizer": optimizer,
        "random_state": random_state,
    }  # fmt: skip
    check_parameters("inspect_activations", given, CHECKS)
    if gradients and y is None and not is_stream(X):
        refuse("inspect_activations", ["gradients=True needs y, the targets of the loss"])
    found = get_model(model, X, y)
    batches = iterate_batches(found.module, found.prepared(X), found.encode(y), batch_size, padding_mask)
    settings = Settings(bins, edges, tuple(measures), gradients)
    request = Request(layers, positions, settings, training, criterion, optimizer, weights)
    return inspect_batches(found, batches, request, resolve_seed(random_state))


def inspect_batches(model: Model, batches: Iterator[Batch], request: Request, seed: int | None) -> ActivationSummary:
    """Inspect a network on batches that fit it; without a seed it draws what it would draw next."""
    gradients = request.settings.gradients
    trained = {name for name, parameter in model.module.named_parameters() if parameter.requires_grad}
    with preserve_state(model.module, training=request.training, gradients=gradients, seed=seed):
        first = next(batches, None)
        if first is None:
            raise ModuleError("X holds no sample: there is nothing to inspect")
        chosen = None
        if request.layers is not None or request.positions != "both":
            seen = list_layers(model.module, first)
            chosen = seen.keys(seen.choose("inspect_activations", request.layers), request.positions)
        recorder = Recorder(request.settings, chosen)
        parameters = _run(model, chain([first], batches), recorder, request, trained)
    if not recorder.records:
        raise ModuleError("no layer gives real numbers: there is nothing to inspect")
    found = weights_of(model.module, request.settings.bins) if request.weights else None
    return ActivationSummary(recorder.records, recorder.activated, parameters, found)


def _run(
    model: Model, batches: Iterator[Batch], recorder: Recorder, request: Request, trained: set[str]
) -> pd.DataFrame | None:
    """Send the batches through the module, and back if gradients are asked for."""
    module, backward = model.module, None
    if request.settings.gradients:
        backward = ParameterGradients(dict(module.named_parameters()), trained)
    with capturing(module, recorder) as capture:
        for batch in batches:
            capture.begin()
            recorder.expect(batch.n_samples, batch.padding)
            output = module(*batch.inputs, **batch.keywords)
            if backward is not None:
                backward.add(loss_of(model, request.criterion, output, batch.target), batch.n_samples)
    return None if backward is None else backward.to_frame(request.optimizer or _own_optimizer(model))


def list_layers(module: torch.nn.Module, batch: Batch) -> LayerCatalogue:
    """Return the layers that a batch meets; what the module draws meanwhile is drawn again."""
    seen = LayerCatalogue()
    # A copy, for what works in place.
    batch = batch.copied()
    with capturing(module, seen), torch.no_grad(), isolated_torch_random(None):
        module(*batch.inputs, **batch.keywords)
    return seen


def loss_of(model: Model, criterion: Criterion | None, output: Any, target: torch.Tensor | None) -> torch.Tensor:
    """Return the mean loss: by the criterion that is given, by the estimator's own, or by what the targets are."""
    if target is None:
        raise ModuleError("gradients=True needs targets, and a batch has none (allowed: pairs of X and y)")
    if criterion is not None:
        return criterion(output, target)
    if target.ndim == 1 and target.is_floating_point() and getattr(output, "shape", ()) == (len(target), 1):
        # One target a sample is what one output is for.
        target = target[:, None]
    if model.net is not None and hasattr(model.net, "criterion_"):
        loss: torch.Tensor = model.net.get_loss(output, target, X=None, training=False)
        return loss
    return default_loss(output, target)


def _own_optimizer(model: Model) -> torch.optim.Optimizer | None:
    """Return the estimator's optimizer, where it is one of this module: not of the one that this is a copy of."""
    optimizer = getattr(model.net, "optimizer_", None)
    if not isinstance(optimizer, torch.optim.Optimizer):
        return None
    known = {id(parameter) for parameter in model.module.parameters()}
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    return optimizer if held <= known else None
