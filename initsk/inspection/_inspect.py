"""Inspection of a network in one pass over the data."""

from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import Any

import torch
from torch import nn

from initsk.exceptions import ModuleError
from initsk.inspection._settings import CONSTRAINTS, InspectionSettings
from initsk.inspection._summary import ActivationSummary
from initsk.inspection.capture._capture import Capture
from initsk.inspection.capture._collector import StatisticsCollector
from initsk.inspection.capture._layer_choice import LayerCatalogue, Layers
from initsk.inspection.statistics._gradients import OptimizerLike, ParameterGradients, weight_records
from initsk.inspection.statistics._layer import MEASURES
from initsk.network import (
    Batch,
    Criteria,
    Model,
    PaddingMask,
    arguments_of,
    borrowed,
    describe_model,
    has_targets,
    iterate_batches,
    mean_loss,
    name_of_loss,
    named_parameters,
    preserve_generators,
    preserve_state,
    untrained_norms,
)
from initsk.utils.global_state import one_at_a_time
from initsk.utils.random import RandomState, resolve_seed
from initsk.utils.torch_settings import outside_of_contexts
from initsk.utils.validation import check_parameters, refuse


@one_at_a_time
def inspect_activations(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    layers: Layers = None,
    positions: str = "both",
    gradients: bool = False,
    weights: bool = False,
    criterion: Criteria | None = None,
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

    The inspection reads the network on two samples (see `initsk.network.read`), and captures the values while the
    network computes them, before and after each activation function. An activation function may be a module, a
    function that ``forward`` calls (``F.relu``, ``x.sigmoid()``), or composed of several calls
    (``x * torch.sigmoid(x)`` is "silu"). Memory does not depend on the number of samples. The model does not change:
    training mode, hooks, gradients, buffers and random state stay as they were.

    Layers are named as in ``named_modules``. A module that is called several times in a forward pass has a record for
    each call (``fc``, ``fc:1``). Weights that a larger module multiplies by itself are layers too, under the name of
    the module, or of the weight if the module has several (``experts.up``, ``experts.down``). An activation function
    belongs to the layer that feeds it, directly or through dropout and reshapes, at the position "activation";
    otherwise it has its own name (``block.relu``). Values that do not depend on the input, such as a table of
    positions, are no layers. If a module returns several tensors, each has a name: ``lstm``, ``lstm/h_n``,
    ``lstm/c_n``; ``attention``, ``attention/weights``; ``head/0``, ``head/logits``. Channels of convolutions are units.
    Each pixel of an image and each element of a sequence counts as a sample.

    Parameters
    ----------
    model : torch.nn.Module or estimator
        A module, or an estimator that has one (`net_`, `module_`), also in a pipeline or a fitted search. An
        unfitted estimator is inspected at its initial weights, on a clone.
    X : array-like, tuple, mapping, PackedSequence, graph or stream of batches
        Input of the module, a row per sample: an array; several arguments as a tuple or, by name, a mapping (also of
        transformers); a graph of torch_geometric; or a DataLoader, a data set or an iterator that yields X or pairs of
        X and y. Floats get the module's type; so do integers if the module does not run on them as they are.
    y : array-like of shape (n_samples, ...), optional
        Targets, needed for gradients and for an unfitted classifier. X may hold them, as ``labels``, ``label``,
        ``targets``, ``target`` or ``y``. A tuple or a mapping has targets of several outputs.
    layers : str, class, int, callable or list of these, optional
        Layers by name, pattern (``"encoder.*"``), class of module, index, or a function of name and module. By default
        all layers; modules without parameters, and layers that depend on no input, are inspected only if they are
        chosen here. Gradients and values of parameters are those of the chosen layers too.
    positions : {"both", "pre_activation", "activation"}, default="both"
        Positions to inspect in layers with an activation function.
    gradients : bool, default=False
        Whether to measure the gradients of the loss too.
    weights : bool, default=False
        Whether to measure the parameters too.
    criterion : str, callable, or dict of these by name of the head, optional
        Name of one of torch's losses in any case; or a function of ``(output, y)`` that returns the mean loss; or one
        for each named head of the output, whose sum is the loss. By default the output's own ``loss``, the estimator's
        criterion, or the one that suits the targets; see `initsk.network.loss_of`.
    optimizer : str, torch optimizer or callable, optional
        Optimizer whose update is measured, on copies of the parameters: the name of one of torch's in any case, an
        optimizer of the model's parameters, or a function of a list of parameters that makes one, such as
        ``torch.optim.Adam``. By default the estimator's optimizer, if it has one.
    measures : collection of {"units", "samples", "spectrum"}
        What to measure in addition to moments and histograms. "units": dead and copied units; "samples": the mean
        cosine between samples; "spectrum": effective rank and participation ratio, which take the most time. All by
        default.
    padding_mask : array of bool of shape (n_samples, sequence_length) or callable, optional
        True for elements of sequences to skip, as in torch's ``src_key_padding_mask``; or a function that makes the
        mask from a batch of X. The mask does not apply to values of another shape (such as after pooling).
    training : bool, default=False
        Whether to run the module in training mode, in which dropout is active and batch normalization uses the batch.
        Batch normalization that has never been trained uses the batch in any case, since its running moments mean
        nothing.
    batch_size : int, default=1024
        Samples per forward pass.
    bins : int, default=128
        Maximum number of bins of a histogram. Their width is a power of two that grows with the range of the values.
    edges : sequence of float, optional
        Fixed edges of all histograms of activations, instead of `bins`.
    random_state : int, RandomState, Generator or None, default=0
        Seed of the random numbers that the module draws.

    Returns
    -------
    ActivationSummary
        `to_frame()` has a row of statistics for each layer and position, or with ``to_frame("gradients")`` and
        ``to_frame("weights")`` those of gradients and weights; `histograms()` the bins, `parameters()` the updates,
        `findings()` what is wrong, `layers` the names. ``print(summary.answer())`` is a sentence; `to_html`,
        `to_markdown`, `to_json` and `to_pictures` write the report. ``first + second`` is the summary for both data.

    Raises
    ------
    InvalidParameterError
        If a parameter is not allowed, a layer is unknown, or X does not consist of numbers.
    ModuleError
        If the model has no module, the module has no layer, hides its layers (scripted or quantized) or has no values
        yet, X has no samples or does not fit the network, or the loss has no gradient.

    Notes
    -----
    The inspection does not capture operations of ``torch.jit`` functions. Parts compiled by ``torch.compile`` run
    uncompiled. If a batch takes another way through the network than the first one, the network is read again, and
    runs twice on that batch. In parts that are checkpointed in the reentrant way, only values are measured, no
    gradients of activations.

    Gradients of activations are those of each sample's own loss, so they do not depend on the batch size. Gradients of
    parameters are those of the mean loss over all samples.

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
    settings = InspectionSettings(
        layers, positions, gradients, weights, criterion, optimizer, measures, training, bins, edges
    )
    given = vars(settings) | {"batch_size": batch_size, "random_state": random_state}
    check_parameters("inspect_activations", given, CONSTRAINTS)
    if gradients and not has_targets(X, y):
        refuse("inspect_activations", ["gradients=True needs y, the targets of the loss"])
    with borrowed(model, X, y) as found:
        described = describe_model(model, found, X)
        X, y = arguments_of(found.module, found.prepared(X), y)
        with preserve_generators(X):
            batches = iterate_batches(found.module, X, found.encode(y), batch_size, padding_mask, found.casts)
            seed = resolve_seed(random_state)
            summary = inspect_batches(found, batches, settings, seed)
    summary.settings |= described | {"batch_size": batch_size, "random_state": seed}
    if gradients:
        summary.settings["criterion"] = name_of_loss(found.net, criterion, y)
    return summary


@one_at_a_time
def inspect_batches(
    model: Model,
    batches: Iterator[Batch],
    settings: InspectionSettings,
    seed: int | None,
    capture: Capture | None = None,
) -> ActivationSummary:
    """Inspect a network on batches of its own type; with `seed` None it draws from torch's current random state.

    A `capture` of an earlier inspection of the same network and mode has its plans, and need not read it again.
    """
    with outside_of_contexts(model.module):
        return _inspect(model, batches, settings, seed, capture)


def _inspect(
    model: Model, batches: Iterator[Batch], settings: InspectionSettings, seed: int | None, capture: Capture | None
) -> ActivationSummary:
    module, backward = model.module, None
    trained = {name for name, parameter in named_parameters(module) if parameter.requires_grad}
    training, gradients = settings.training, settings.gradients
    with preserve_state(module, training=training, gradients=gradients, seed=seed, parameters=False):
        first = next(batches, None)
        if first is None:
            raise ModuleError("X has no samples: there is nothing to inspect")
        norms = [] if training else untrained_norms(module)
        _use_batch_moments(norms, first)
        capture = capture or Capture(module, training=None, gradients=gradients)
        chosen, shown = None, None
        if settings.layers is not None or settings.positions != "both":
            catalogue = LayerCatalogue(capture.first_plan(first))
            layers = catalogue.choose("inspect_activations", settings.layers)
            chosen = catalogue.keys(layers, settings.positions)
            shown = None if settings.layers is None else catalogue.parameters_of(layers)
        collector = StatisticsCollector(settings, chosen)
        if gradients:
            backward = ParameterGradients(dict(named_parameters(module)), trained)
        with capture.following():
            for batch in chain([first], batches):
                _use_batch_moments(norms, batch)
                collector.start_batch(batch.n_samples, batch.padding)
                output = capture.run(batch, collector)
                if backward is not None:
                    loss = mean_loss(output, batch.target, settings.criterion, model.net, batch.data)
                    backward.add(loss, batch.n_samples)
        optimizer = settings.optimizer or _own_optimizer(model)
        parameters = None if backward is None else backward.to_frame(optimizer, shown)
    records = collector.records()
    if not records:
        raise ModuleError("no layer returns real numbers: there is nothing to inspect")
    weights = weight_records(module, settings.bins, shown) if settings.weights else None
    return ActivationSummary(records, parameters, weights)


def _use_batch_moments(norms: list[nn.Module], batch: Batch) -> None:
    """Let normalization layers use the moments of the batch, if it has more than one sample."""
    for norm in norms:
        norm.training = batch.n_samples > 1


def _own_optimizer(model: Model) -> torch.optim.Optimizer | None:
    """Return the estimator's optimizer, unless its parameters belong to another module, of which this one is a copy."""
    optimizer = getattr(model.net, "optimizer_", None)
    if not isinstance(optimizer, torch.optim.Optimizer):
        return None
    known = {id(parameter) for parameter in model.module.parameters()}
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    return optimizer if held <= known else None
