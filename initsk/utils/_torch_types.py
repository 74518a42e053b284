"""Families of torch's layers, with the layers that users derive from a family's base class."""

from torch import nn


def with_common_base(*kinds: type[nn.Module]) -> tuple[type[nn.Module], ...]:
    """Return classes of modules, and the closest class that all of them derive from.

    torch's layers of one family share a base class without a public name, which other libraries derive from. It
    is found here by what it is for. If the only class that is shared is `torch.nn.Module`, the classes stand alone.

    Examples
    --------
    >>> issubclass(nn.Conv2d, with_common_base(nn.Conv1d, nn.Conv3d))
    True
    >>> with_common_base(nn.Linear, nn.Conv1d) == (nn.Linear, nn.Conv1d)
    True
    """
    shared = (base for base in kinds[0].__mro__ if all(issubclass(kind, base) for kind in kinds))
    closest = next(shared)
    return kinds if closest is nn.Module else (*kinds, closest)


BATCH_NORMS = with_common_base(
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.SyncBatchNorm,
    nn.LazyBatchNorm1d,
    nn.LazyBatchNorm2d,
    nn.LazyBatchNorm3d,
)
BATCH_OR_INSTANCE_NORMS = with_common_base(
    *BATCH_NORMS,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
    nn.LazyInstanceNorm1d,
    nn.LazyInstanceNorm2d,
    nn.LazyInstanceNorm3d,
)
NORMALISATIONS = (*BATCH_OR_INSTANCE_NORMS, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
CONVOLUTIONS = with_common_base(
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)
POOLINGS = (
    *with_common_base(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
    *with_common_base(nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    *with_common_base(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
    *with_common_base(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
)
