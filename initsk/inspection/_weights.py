"""Statistics of a module's parameters."""

from typing import NamedTuple

from torch import nn

from initsk.inspection._layer_statistics import LayerStatistics
from initsk.utils._tensors import working_type


class WeightRecord(NamedTuple):
    """Statistics of one parameter."""

    module: str
    function: str
    values: LayerStatistics


def weights_of(module: nn.Module, bins: int = 128) -> dict[tuple[str, str], WeightRecord]:
    """Return the statistics of every real parameter that has values, by its layer and its name there.

    Units are the rows of what torch stores: outputs of linear layers and of convolutions.
    """
    found = {}
    for layer, part in module.named_modules():
        for name, parameter in part.named_parameters(recurse=False):
            if parameter.numel() and not parameter.is_complex():
                values = parameter.detach()
                rows = values.to(working_type(values.dtype)).reshape(values.shape[0] if values.ndim else 1, -1).T
                statistics = LayerStatistics(bins, measures=()).update(rows)
                found[layer, name] = WeightRecord(type(part).__name__, "", statistics)
    return found
