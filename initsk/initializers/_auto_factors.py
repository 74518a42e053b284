"""Factors by which "auto" multiplies a layer's weights because of what surrounds the layer in the graph."""

from math import prod
from typing import NamedTuple

from initsk.initializers._residual import DepthScaledResidual
from initsk.network import ParameterSpec
from initsk.utils.reason import Reason

# Products of up to two signals, as in gated units, train well without a factor.
_MAX_DEGREE = 2
# The variance that torch's own linear layers have. With that of LeCun, losses begin far from the baseline; smaller
# outputs delay the learning of deep networks.
_OUTPUT_VARIANCE = 1 / 3
_SUMMED_KINDS = ("dense", "bilinear", "convolution")


class Factor(NamedTuple):
    """A factor of the weights, with the reason and its source; "" for calculations of our own."""

    value: float
    why: str
    reference: str


def factors_of(spec: ParameterSpec, *, scores: bool, variance: float = 1.0) -> list[Factor]:
    """Return the factors of a weight.

    Parameters
    ----------
    spec : ParameterSpec
    scores : bool
        Whether the layer gives the network's output as scores: no function follows, or one that saturates.
    variance : float, default=1.0
        Variance of the layer's values without factors, for inputs of variance 1.
    """
    found, use, branch = [], spec.use, spec.branch
    if branch is not None and branch.adds_up:
        n = branch.n_branches
        why = Reason("last layer of one of {n} residual branches that are added up", n=n)
        found.append(Factor(n**-0.5, why, DepthScaledResidual.reference))
    if spec.kind not in _SUMMED_KINDS:
        return found
    if use.summed > 1:
        why = Reason(
            "its input is a sum that is about {factor} times as large as one value", factor=round(use.summed, 1)
        )
        found.append(Factor(1 / use.summed, why, ""))
    of_degree = _of_degree(use.degree) / variance**0.5
    if use.degree > _MAX_DEGREE and of_degree < 1:
        why = Reason("enters products of degree {degree}, whose values spread far", degree=use.degree)
        found.append(Factor(of_degree, why, ""))
    if use.unscaled_scores:
        why = Reason("query of attention that does not divide its scores by the root of {n}", n=use.unscaled_scores)
        found.append(Factor(use.unscaled_scores**-0.5, why, "Raffel et al. 2020 (T5)"))
    # The signal that a branch is added to is not small, or is normalized.
    if scores and spec.place == "output" and branch is None and not (use.normalized or use.after_states):
        why = Reason("outputs begin with a third of the variance")
        found.append(Factor(_OUTPUT_VARIANCE**0.5, why, ""))
    return found


def _of_degree(degree: int) -> float:
    """Return the size at which the mean square of a product of equal normal values is 1: E[x^2p] = (2p - 1)!!."""
    return float(prod(range(1, 2 * degree, 2))) ** (-1 / (2 * degree))
