"""Whether the compared initializers have an effect on the network."""

from collections.abc import Sequence

import skorch

from initsk import network
from initsk.comparison.design._candidates import Candidate
from initsk.comparison.design._model_builder import ModelBuilder, last_step
from initsk.exceptions import InvalidParameterError
from initsk.initialization import choices_for, unfilled_reason
from initsk.initializers import get_initializer
from initsk.utils.random import isolated_numpy_random


def check_effect(builder: ModelBuilder, candidates: Sequence[Candidate], *, seed: int) -> None:
    """Raise if no candidate fills a weight of the network, so that the runs would only differ by chance.

    Skorch nets are checked whose modules can be built and read without data. The runs of other estimators fail one by
    one if nothing is filled.

    Raises
    ------
    InvalidParameterError
        With the reasons.
    """
    if builder.parameter.rpartition("__")[2] != "initializer":
        return
    reasons: dict[str, None] = {}
    for candidate in candidates:
        reason = _unfilled_reason(builder, candidate, seed)
        if not reason:
            return
        reasons[reason] = None
    labels = ", ".join(dict.fromkeys(candidate.label for candidate in candidates))
    raise InvalidParameterError(
        f"no initializer ({labels}) fills a weight of the network: {'; '.join(reasons)} (allowed: at least one that"
        " does; make parameters require gradients, or register layers that are not known with network.register_layer)"
    )


def _unfilled_reason(builder: ModelBuilder, candidate: Candidate, seed: int) -> str:
    """Return why a candidate fills no weight; "" if it fills one, or if only its runs can tell."""
    net = last_step(builder.build(candidate.params, seed, n_threads=1))
    if not isinstance(net, skorch.NeuralNet):
        return ""
    initializer = get_initializer(net.initializer)
    try:
        with isolated_numpy_random(seed):
            module = net.set_params(initializer=None).initialize().module_
    except Exception:  # a user's module may need what its net sets only when it trains
        return ""
    if initializer.needs_data or network.lazy_parameters(module) or network.meta_tensors(module):
        return ""
    return unfilled_reason(choices_for(module, initializer, network.read(module)))
