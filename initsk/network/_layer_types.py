"""Families of torch's layers; each includes the layers that users derive from the family's base class."""

from torch import nn


def with_common_base(*kinds: type[nn.Module]) -> tuple[type[nn.Module], ...]:
    """Return the given classes and their closest common base class, unless that is `torch.nn.Module`.

    torch's layers of one family share a base class without a public name, from which other libraries derive layers.

    Examples
    --------
    >>> issubclass(nn.Conv2d, with_common_base(nn.Conv1d, nn.Conv3d))
    True
    >>> with_common_base(nn.Linear, nn.Conv1d) == (nn.Linear, nn.Conv1d)
    True
    """
    closest = next(base for base in kinds[0].__mro__ if all(issubclass(kind, base) for kind in kinds))
    return kinds if closest is nn.Module else (*kinds, closest)


_PLAIN_CONVOLUTIONS = (
    nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
)  # fmt: skip
#: Layers that are affine in their weight and bias.
AFFINE = (nn.Linear, nn.Bilinear, *_PLAIN_CONVOLUTIONS)
CONVOLUTIONS = with_common_base(*_PLAIN_CONVOLUTIONS)
BATCH_NORM_LAYERS = with_common_base(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
BATCH_OR_INSTANCE_NORM_LAYERS = with_common_base(
    *BATCH_NORM_LAYERS, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d
)
NORM_LAYERS = (*BATCH_OR_INSTANCE_NORM_LAYERS, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
POOLINGS = (
    *with_common_base(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
    *with_common_base(nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    *with_common_base(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
    *with_common_base(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
)
EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)
