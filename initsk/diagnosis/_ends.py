"""Checks of the inputs and the outputs of a network that is diagnosed."""

from collections.abc import Iterator
from typing import Any

import torch

from initsk.diagnosis._audit_inputs import unscaled_inputs
from initsk.diagnosis._audit_subject import Flagged
from initsk.diagnosis._broadcast import pairs_in_loss
from initsk.diagnosis._objective import Objective, are_probabilities, score_axis
from initsk.exceptions import InitskError
from initsk.inspection import Finding
from initsk.network import Batch, Model, NetworkGraph, Operation, name_of_loss, own_loss, preserve_state, scores_of

# Losses that apply a softmax or a sigmoid, as classes and as functions.
_OF_LOGITS = ("CrossEntropyLoss", "BCEWithLogitsLoss", "cross_entropy", "binary_cross_entropy_with_logits")
# Operations that change no value in evaluation.
_KEEPING = ("reshape", "dropout")


def find_at_ends(
    model: Model, graph: NetworkGraph, objective: Objective, batch: Batch, target: Any, seed: int
) -> Iterator[Finding]:
    """Find unscaled inputs, a loss of all pairs, and outputs that do not fit a loss of logits.

    Parameters
    ----------
    model : Model
    graph : NetworkGraph
    objective : Objective
    batch : Batch
    target : array-like or None
        Of the loss, also where the module gets the targets as an argument.
    seed : int
        Of what the module draws.
    """
    yield from unscaled_inputs(graph, batch.inputs or batch.keywords)
    yield from Flagged("", "broadcast loss", pairs_in_loss(model, objective, batch, seed), "loss").findings()
    scores = _scores_as_logits(model, objective, batch, target, seed)
    if scores is None:
        return
    last = _last_operation(graph) if objective.output is None else None
    # Whether all scores are so, and no share: a mean in single precision rounds millions of scores but one to 1.
    if _are_probabilities(scores, score_axis(scores, batch.target), last):
        yield from Flagged("", "probabilities as logits", 1.0, "outputs").findings()
    elif last is not None and last.kind == "activation" and bool((scores >= 0).all()):
        yield from Flagged("", "one-sided logits", 1.0, "outputs").findings()


def _scores_as_logits(model: Model, objective: Objective, batch: Batch, target: Any, seed: int) -> torch.Tensor | None:
    """Return the scores in the output, if the loss takes them as logits; otherwise None."""
    if name_of_loss(model.net, objective.criterion, target) not in _OF_LOGITS:
        return None
    with preserve_state(model.module, training=False, gradients=False, seed=seed):
        output = batch.copied().run(model.module)
    if objective.criterion is None and own_loss(output) is not None:
        return None
    try:
        scores = scores_of(objective.picked(output))
    except InitskError:
        return None
    usable = scores.dim() > 0 and scores.is_floating_point() and bool(scores.isfinite().all())
    return scores if usable else None


def _last_operation(graph: NetworkGraph) -> Operation | None:
    """Return the operation that computes the only output; None if there are several, or if it is not known."""
    outputs = [operation for operation in graph.operations if operation.kind == "output"]
    if len(outputs) != 1 or len(outputs[0].inputs) != 1:
        return None
    operation = outputs[0]
    while operation.kind == "output" or (operation.kind in _KEEPING and len(operation.inputs) == 1):
        operation = graph.operations[operation.inputs[0].operation]
    return operation


def _are_probabilities(scores: torch.Tensor, axis: int, last: Operation | None) -> bool:
    """Return whether all scores are probabilities: of several classes, or results of a sigmoid."""
    if last is not None and last.activation == "sigmoid":
        return True
    if scores.dim() < 2 or scores.shape[axis] < 2:
        return False
    return bool(are_probabilities(scores.movedim(axis, -1).flatten(0, -2)).all())
