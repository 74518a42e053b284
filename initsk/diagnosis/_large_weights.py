"""Weights that are larger than the recommended initializers would draw them."""

from math import sqrt

from torch import nn

from initsk.diagnosis._audit_subject import Flagged, root_mean_square
from initsk.diagnosis._recommend import Recommendation
from initsk.inspection import Finding
from initsk.network import named_parameters
from initsk.utils.torch_settings import real_parts


def large_weights(module: nn.Module, recommendation: Recommendation) -> list[Finding]:
    """Return a finding for each weight that is far larger than recommended, the largest factor first.

    Tables of embeddings are left out: large rows are common, and seldom keep a network from training.

    Parameters
    ----------
    module : torch.nn.Module
    recommendation : Recommendation
        For this module. Of matrices that are stacked in one weight, the largest variance counts.
    """
    variances: dict[str, float] = {}
    for row in recommendation.rows:
        # The variance is NaN if it is not known.
        if row.variance > 0:
            variances[row.name] = max(row.variance, variances.get(row.name, 0.0))
    tables = {id(part.weight) for part in module.modules() if isinstance(part, nn.Embedding | nn.EmbeddingBag)}
    found: list[Finding] = []
    for name, parameter in named_parameters(module):
        if name in variances and parameter.dim() > 1 and id(parameter) not in tables:
            factor = root_mean_square(real_parts(parameter.detach())) / sqrt(variances[name])
            found += Flagged(name.removesuffix(".weight"), "large weights", factor, "weights").findings()
    return sorted(found, key=lambda finding: -finding.value)
