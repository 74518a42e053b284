"""Advice from the literature on the learning rate, by the kind of network."""

from collections.abc import Iterator, Sequence

from initsk import initializers
from initsk.initializers import Choice
from initsk.network import NetworkGraph, ParameterSpec, PlannedParameter
from initsk.utils.reason import Reason

# Factors of branches up to this size keep branches small at first, as in LayerScale.
_SMALL = 0.1
_WIDTH = Reason(
    "If the network is made wider, Adam's learning rate of hidden and output weights falls as 1 / fan_in; that of other"
    " parameters stays (muP: Yang et al. 2022, table 3)."
)
_DEPTH = Reason(
    "If residual branches are added, each divided by the root of their number, Adam's learning rate falls as"
    " 1 / sqrt(number of branches), by the theory of branches of one layer (depth-muP: Yang et al. 2023)."
)
_POST_NORM = Reason(
    "Normalization after each residual addition needs a warm-up of the learning rate: at first, gradients near the"
    " output are large (Xiong et al. 2020, theorem 1)."
)
_NO_NORM = Reason(
    "Branches without normalization that begin small can take a learning rate as large as with normalization (Fixup:"
    " Zhang et al. 2019, section 3)."
)
_FACTORS = Reason(
    "The branches begin near zero by factors of their own, which needs no warm-up of the learning rate (ReZero:"
    " Bachlechner et al. 2021)."
)
_SINE = Reason("In the code of their authors, sine networks train with Adam at a rate of 1e-4 (Sitzmann et al. 2020).")
_ORTHOGONAL = Reason(
    "If layers are added, the best rate of gradient descent falls as 1 / number of layers with orthogonal weights, by"
    " the theory of linear networks (Saxe et al. 2013)."
)


def rate_advice(pairs: Sequence[tuple[PlannedParameter, Sequence[Choice]]], graph: NetworkGraph) -> tuple[str, ...]:
    """Return sentences about the learning rate that hold for a network and its recommended initializers.

    Parameters
    ----------
    pairs : sequence of (PlannedParameter, sequence of Choice)
        What `choices_for` returns for "auto".
    graph : NetworkGraph
    """
    chosen = [(spec, choice) for plan, choices in pairs for spec, choice in zip(plan.specs, choices, strict=False)]
    return tuple(_sentences([pair for pair in chosen if pair[0].role == "weight"], pairs, graph))


def _sentences(
    weights: list[tuple[ParameterSpec, Choice]],
    pairs: Sequence[tuple[PlannedParameter, Sequence[Choice]]],
    graph: NetworkGraph,
) -> Iterator[str]:
    made = [choice.initializer for _, choice in weights]
    specs = [spec for spec, _ in weights]
    branches = [spec.branch for spec in specs if spec.branch is not None and spec.branch.n_branches > 1]
    if any(isinstance(initializer, initializers.Siren) for initializer in made):
        yield _SINE
    if any(branch.block == "post-norm" for branch in branches):
        yield _POST_NORM
    if branches:
        yield _DEPTH
        if not any(operation.kind == "normalization" for operation in graph.operations):
            yield _NO_NORM
        if any(_begins_small(plan) for plan, _ in pairs):
            yield _FACTORS
    deep = max((spec.n_hidden for spec in specs), default=0) >= initializers.DEEP
    if deep and not branches and any("orthogonal" in repr(initializer).lower() for initializer in made):
        yield _ORTHOGONAL
    if any(spec.place == "hidden" for spec in specs):
        yield _WIDTH


def _begins_small(plan: PlannedParameter) -> bool:
    """Return whether a parameter multiplies a signal value by value, and is small."""
    scales = plan.note.startswith("scales") and not plan.is_normalization
    return scales and not plan.tensor.is_meta and float(plan.tensor.detach().abs().max()) <= _SMALL
